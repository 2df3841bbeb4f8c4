"""The command line's part for voices: list, search, info, install, verify, remove."""

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Tuple

import click

from auto_voice import settings
from auto_voice.errors import AutoVoiceError, VoiceNotFound, VoiceUnavailable

if TYPE_CHECKING:
    from auto_voice.bootstrap import Service
    from auto_voice.settings import Settings
    from auto_voice.voices.catalogue import Catalogue
    from auto_voice.voices.index import VoiceIndex
    from auto_voice.voices.install import Installer, Progress
    from auto_voice.voices.offer import Offer
    from auto_voice.voices.store import Record, VoiceStore


_TRY_S = 60.0


class _Voices(click.Group):
    """`autovoice voices` alone, or with what is none of its commands, lists voices."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Voices)
def voices() -> None:
    """List voices, and install more.

    \b
      autovoice voices                    what can speak now
      autovoice voices search german      what could be installed
      autovoice voices install de_DE-thorsten-medium
      autovoice voices info de_DE-thorsten-medium

    Installed voices are in the folder that AUTOVOICE_VOICE_DIR names; a running
    server has each at once. AUTOVOICE_VOICE_INDEX says where they come from.
    """


@voices.command("list")
@click.argument("name", required=False)
@click.option("-l", "--language", help="Only voices that speak it, such as en or pt-br.")
@click.option("-g", "--gender", type=click.Choice(["female", "male"]))
@click.option("--variants", is_flag=True, help="Also every voice's variants.")
@click.option("--try", "tried", is_flag=True, help="First have each installed voice speak.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(
    name: Optional[str],
    language: Optional[str],
    gender: Optional[str],
    variants: bool,
    tried: bool,
    as_json: bool,
) -> None:
    """List the voices that can speak now, or describe the one called NAME."""
    import msgspec

    from auto_voice.bootstrap import build

    loaded = settings.load(cache="off", engine_workers=1, host="127.0.0.1")
    service = build(loaded)
    try:
        catalogue = _settled(service)
        if tried:
            for voice in catalogue.list():
                if voice.size_bytes is not None:  # else it is no file
                    with contextlib.suppress(VoiceUnavailable):  # it is among the broken then
                        service.synthesizer.probe(_TRY_S, voice)
            catalogue = service.synthesizer.catalogue
        if name is not None:
            found = [catalogue.find(name)]
        else:
            found = list(catalogue.list(language=language, gender=gender, variants=variants))
        broken = catalogue.broken
    finally:
        service.close()
    for each in broken:
        click.echo(f"The voice {each.id} cannot be used: {each.reason}", err=True)
    if not found:
        raise VoiceNotFound("No voice passes these filters.")
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(voice) for voice in found], indent=2))
        return
    store = _store(loaded)
    width = max(len(voice.id) for voice in found)
    for voice in found:
        record = store.record(voice.id)
        licence = voice.licence or (record.licence if record else None)
        line = f"{voice.id:<{width}}  {voice.gender or '':<6}  {voice.name}"
        line += f"  ({', '.join(voice.aliases)})" if voice.aliases else ""
        click.echo(line + (f"  [{licence}]" if licence else ""))


@voices.command()
@click.argument("words", required=False)
@click.option("-l", "--language", help="Only voices that speak it, such as en or pt-br.")
@click.option("-e", "--engine", help="Only voices of this engine, such as piper.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def search(
    words: Optional[str], language: Optional[str], engine: Optional[str], as_json: bool
) -> None:
    """List voices that can be installed; WORDS is part of an id or name."""
    import msgspec

    loaded = _load()
    store, found = _store(loaded), _index(loaded).all()
    for fault in found.faults:
        click.echo(f"Not all lists could be read: {fault}", err=True)
    offers = [offer for offer in found.offers if offer.matches(language, engine, words)]
    if not offers:
        raise VoiceNotFound("No voice that can be installed passes these filters.")
    if as_json:
        rows = [
            {**msgspec.to_builtins(offer), "installed": store.is_there(offer.id)}
            for offer in offers
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(offer.id) for offer in offers)
    for offer in offers:
        mark = "*" if store.is_there(offer.id) else " "
        people = f"{offer.speakers} speakers" if offer.speakers > 1 else ""
        words = ", ".join(filter(None, (offer.name, people, offer.licence or "licence: see info")))
        click.echo(f"{mark} {offer.id:<{width}}  {_size(offer.size_bytes):>7}  {words}")
    click.echo(f"{len(offers)} voices; * is installed.", err=True)


@voices.command()
@click.argument("voice")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def info(voice: str, as_json: bool) -> None:
    """Tell all that is known of VOICE, installed or not: licence, size, sample, files."""
    import msgspec

    loaded = _load()
    store = _store(loaded)
    record = store.record(voice) if store.is_there(voice) else None
    if record is not None:
        click.echo(_pretty(msgspec.to_builtins(record)) if as_json else _of_record(record))
        return
    if store.is_there(voice):
        raise AutoVoiceError(
            f"The voice {voice} was put into {store.folder} by hand; nothing more is known of it."
        )
    offer = _index(loaded).find(voice)
    click.echo(_pretty(msgspec.to_builtins(offer)) if as_json else _of_offer(offer))


@voices.command()
@click.argument("voice", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Also in place of one that is there already.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def install(voice: Tuple[str, ...], force: bool, quiet: bool) -> None:
    """Install each VOICE, resuming what an earlier try has left."""
    loaded = _load()
    installer, index = _installer(loaded), _index(loaded)
    for name in voice:
        if not force and installer.store.is_as_recorded(name):
            click.echo(f"{name} is installed already.")
            continue
        offer = index.find(name)
        with _shown(offer, quiet) as progress:
            record = installer.install(offer, progress, force=force)
        click.echo(
            f"{name} is installed ({_size(record.size_bytes)}). "
            f"Licence: {record.licence or 'not stated; ' + (record.homepage or record.source)}."
        )


@voices.command()
@click.argument("voice", nargs=-1)
def verify(voice: Tuple[str, ...]) -> None:
    """Read each VOICE's files, or those of all that were installed, and compare their SHA-256."""
    store = _store(_load())
    names = voice or tuple(record.id for record in store.records())
    harmed = 0
    for name in names:
        faults = store.faults(name)
        harmed += bool(faults)
        click.echo(f"{name}: {'; '.join(faults) or 'as it was installed'}")
    if harmed:
        raise AutoVoiceError(
            f"{harmed} of {len(names)} voices are not as they were installed; "
            "`autovoice voices install` fetches a voice anew."
        )


@voices.command()
@click.argument("voice", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Also one that was put there by hand.")
def remove(voice: Tuple[str, ...], force: bool) -> None:
    """Delete each VOICE's files."""
    store = _store(_load())
    for name in voice:
        click.echo(f"{name} is removed ({_size(store.remove(name, force))}).")


def _settled(service: "Service") -> "Catalogue":
    """All voices, once it is known which of their engines load."""
    for engine in {voice.engine for voice in service.synthesizer.catalogue.list()}:
        with contextlib.suppress(AutoVoiceError):
            service.synthesizer.ensemble.description(engine)
    return service.synthesizer.catalogue


# --- parts ----------------------------------------------------------------------------------------


def _load() -> "Settings":
    return settings.load(host="127.0.0.1")


def _store(loaded: "Settings") -> "VoiceStore":
    from auto_voice.voices.store import VoiceStore

    return VoiceStore(loaded.voice_folder, loaded.voices_disk_mb << 20)


def _installer(loaded: "Settings") -> "Installer":
    from auto_voice.voices.install import Installer

    return Installer(_store(loaded), loaded.download_timeout_s)


def _index(loaded: "Settings") -> "VoiceIndex":
    from auto_voice.bootstrap import voice_index

    return voice_index(loaded)


@contextlib.contextmanager
def _shown(offer: "Offer", quiet: bool) -> "Iterator[Callable[[Progress], None]]":
    """A progress bar on standard error, where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return
    began = time.monotonic()
    total = offer.size_bytes
    state: List[Any] = ["", 0]

    def words(_: Any) -> str:
        stage, done = str(state[0]), int(state[1])
        if stage != "downloading":
            return stage
        rate = done / max(0.1, time.monotonic() - began)
        return f"{_size(done)} of {_size(total)}, {_size(int(rate))}/s"

    shown: Any = click.progressbar(
        length=total or 0, label=offer.id, file=sys.stderr, item_show_func=words
    )
    with shown as bar:

        def tell(progress: "Progress") -> None:
            state[:] = [progress.stage, progress.done_bytes]
            step = progress.done_bytes - bar.pos if progress.stage == "downloading" else 0
            bar.update(step, progress)

        yield tell


def _of_record(record: "Record") -> str:
    rows = [
        ("voice", f"{record.id} ({record.name or record.id})"),
        ("engine", record.engine),
        ("language", ", ".join(record.languages or (record.language,))),
        ("quality", record.quality),
        ("speakers", str(record.speakers)),
        ("licence", record.licence or "not stated"),
        ("size", _size(record.size_bytes)),
        ("sample", record.sample),
        ("homepage", record.homepage),
        ("from", record.source),
        ("checksums", "known before" if record.pinned else "of what arrived first"),
    ]
    rows += [("file", f"{file.sha256}  {path}") for path, file in sorted(record.files.items())]
    text = _table(rows[:40])
    return text + (f"\n\n{record.card.strip()}" if record.card else "")


def _of_offer(offer: "Offer") -> str:
    rows = [
        ("voice", f"{offer.id} ({offer.name or offer.id}), not installed"),
        ("engine", offer.engine),
        ("language", ", ".join(offer.languages or (offer.language,))),
        ("quality", offer.quality),
        ("speakers", str(offer.speakers)),
        ("licence", offer.licence or "not stated in the list"),
        ("size", _size(offer.size_bytes)),
        ("sample", offer.sample),
        ("homepage", offer.homepage),
        ("card", offer.card),
        ("list", offer.index),
    ]
    rows += [("file", file.url) for file in offer.files]
    return _table(rows)


def _table(rows: List[Tuple[str, Optional[str]]]) -> str:
    return "\n".join(f"{head:<10} {text}" for head, text in rows if text)


def _pretty(data: Any) -> str:
    return json.dumps(data, indent=2)


def _size(count: Optional[int]) -> str:
    if count is None:
        return "?"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"
