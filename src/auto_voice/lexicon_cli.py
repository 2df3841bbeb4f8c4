"""The command line's part for lexicons: list, show, add, remove, import, export, delete."""

from typing import TYPE_CHECKING, BinaryIO, Optional

import click

from auto_voice import settings

if TYPE_CHECKING:
    from auto_voice.text.lexicon_store import LexiconStore


@click.group()
def lexicon() -> None:
    """Keep lexicons: how words are pronounced.

    \b
      autovoice lexicon add names Siobhan --ipa ʃɪˈvɔːn
      autovoice lexicon add names SQL --say sequel --case-sensitive
      autovoice lexicon import names words.pls
      autovoice lexicon show names

    They are in the folder that AUTOVOICE_LEXICON_DIR names; a server that uses
    the same folder has every change at once.
    """


@lexicon.command("list")
def list_() -> None:
    """List the lexicons."""
    for name, found in _store().list():
        click.echo(f"{name}\t{found.language or 'any'}\t{len(found.entries)}")


@lexicon.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a lexicon's entries."""
    found = _store().get(name)
    for entry in found.entries:
        said = [f"/{entry.ipa}/"] if entry.ipa else []
        said += [entry.say] if entry.say else []
        marks = [entry.language] if entry.language else []
        marks += ["case-sensitive"] if entry.case_sensitive else []
        click.echo("\t".join([entry.word, " ".join(said), ", ".join(marks)]).rstrip())


@lexicon.command()
@click.argument("name")
@click.argument("word")
@click.option("--say", help="What to read instead.")
@click.option("--ipa", help="How it sounds, in the International Phonetic Alphabet.")
@click.option("-l", "--language", help="Only for this language, such as en or pt-br.")
@click.option("--case-sensitive", is_flag=True, help="Only where it is written just so.")
def add(
    name: str,
    word: str,
    say: Optional[str],
    ipa: Optional[str],
    language: Optional[str],
    case_sensitive: bool,
) -> None:
    """Add WORD to the lexicon NAME, or replace it there; makes the lexicon."""
    from auto_voice.text.lexicon_entry import Entry, checked
    from auto_voice.text.lexicon_store import with_entry

    entry = checked(Entry(word, say, ipa, language, case_sensitive))
    _store().update(name, lambda present: with_entry(present, entry))


@lexicon.command()
@click.argument("name")
@click.argument("word")
@click.option("-l", "--language", help="Only the entry for this language.")
def remove(name: str, word: str, language: Optional[str]) -> None:
    """Remove WORD from the lexicon NAME."""
    from auto_voice.text.lexicon_store import without_word

    store = _store()
    store.get(name)
    store.update(name, lambda present: without_word(present, word, language))


@lexicon.command("import")
@click.argument("name")
@click.argument("file", type=click.File("rb"))
def import_(name: str, file: BinaryIO) -> None:
    """Save FILE, which is PLS or JSON (- is standard input), as the lexicon NAME."""
    from auto_voice.text import lexicon_store, pls

    data = file.read()
    made = (
        pls.parse(data)
        if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
        else lexicon_store.decoded(data)
    )
    _store().put(name, made)
    click.echo(f"{name}: {len(made.entries)} entries")


@lexicon.command()
@click.argument("name")
@click.argument("file", type=click.File("wb"), default="-")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of PLS.")
def export(name: str, file: BinaryIO, as_json: bool) -> None:
    """Write the lexicon NAME as PLS to FILE, or to standard output."""
    from auto_voice.text import lexicon_store, pls

    found = _store().get(name)
    file.write(lexicon_store.encoded(found) if as_json else pls.write(found))


@lexicon.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete the lexicon NAME."""
    _store().delete(name)


def _store() -> "LexiconStore":
    from auto_voice.text.lexicon_store import LexiconStore

    return LexiconStore(settings.load(host="127.0.0.1").lexicon_folder)
