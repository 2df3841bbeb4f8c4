"""`autovoice lexicon`: the same lexicons as the server's, from the command line."""

import json

import pytest
from click.testing import CliRunner

from auto_voice.cli import main
from auto_voice.text import pls
from auto_voice.text.lexicon_store import LexiconStore


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "lexicons"


@pytest.fixture
def run(folder, monkeypatch):
    """Runs a command and gives its result."""
    monkeypatch.setenv("AUTOVOICE_LEXICON_DIR", str(folder))

    def call(*arguments, **options):
        return CliRunner().invoke(main, ["lexicon", *arguments], **options)

    return call


def test_words_are_added_shown_and_removed(run, folder):
    assert run("add", "names", "Siobhan", "--ipa", "ʃɪˈvɔːn").exit_code == 0
    assert run("add", "names", "SQL", "--say", "sequel", "--case-sensitive").exit_code == 0
    assert run("add", "names", "chat", "--say", "shah", "-l", "fr").exit_code == 0
    assert set(run("show", "names").output.splitlines()) == {
        "SQL\tsequel\tcase-sensitive",
        "chat\tshah\tfr",
        "Siobhan\t/ʃɪˈvɔːn/",
    }
    assert run("list").output == "names\tany\t3\n"
    assert run("remove", "names", "sql").exit_code == 0
    assert [e.word for e in LexiconStore(folder).get("names").entries] == ["chat", "Siobhan"]
    assert run("delete", "names").exit_code == 0
    assert run("list").output == ""


def test_pls_goes_in_and_comes_out(run, tmp_path, folder):
    source = tmp_path / "words.pls"
    words = "<lexeme><grapheme>gif</grapheme><phoneme>ɡɪf</phoneme></lexeme>"
    source.write_text(
        f'\ufeff<lexicon version="1.0" xmlns="{pls.NAMESPACE}" xml:lang="en">{words}</lexicon>',
        encoding="utf-8",
    )
    assert run("import", "words", str(source)).output == "words: 1 entries\n"
    exported = run("export", "words").output
    assert pls.parse(exported.encode()).digest == LexiconStore(folder).get("words").digest
    written = tmp_path / "out.json"
    assert run("export", "words", str(written), "--json").exit_code == 0
    assert json.loads(written.read_text("utf-8")) == {
        "entries": [{"word": "gif", "ipa": "ɡɪf"}],
        "language": "en",
    }
    assert run("import", "again", "-", input=written.read_bytes()).exit_code == 0
    store = LexiconStore(folder)
    assert store.get("again").digest == store.get("words").digest


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("show", "none"), "There is no lexicon 'none'"),
        (("delete", "none"), "There is no lexicon 'none'"),
        (("export", "none"), "There is no lexicon 'none'"),
        (("remove", "none", "a"), "There is no lexicon 'none'"),
        (("add", "n", "word"), "needs `say` or `ipa`"),
        (("add", "n", "word", "--ipa", "Q"), "'Q' is not in the International"),
        (("add", "Bad Name", "word", "--say", "x"), "name has 1 to 64"),
        (("import", "n", "-"), "truncated"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(run, folder, arguments, told):
    result = run(*arguments, input="")
    assert result.exit_code == 2
    assert told in result.output
    assert result.output.count("\n") == 1
    assert not list(folder.glob("*.json"))


def test_what_the_command_line_adds_a_server_has(run, folder):
    """One that has read the lexicon before, too."""
    server = LexiconStore(folder)
    run("add", "names", "a", "--say", "b")
    assert len(server.get("names").entries) == 1
    run("add", "names", "c", "--say", "d")
    assert len(server.get("names").entries) == 2
