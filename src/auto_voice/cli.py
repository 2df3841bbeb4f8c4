"""The command line: serve, wyoming, say, voices, lexicon, doctor, bench."""

import logging
import sys
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

import click

from auto_voice import __version__, settings
from auto_voice.errors import AutoVoiceError, InvalidRequest, SettingsError
from auto_voice.lexicon_cli import lexicon
from auto_voice.voices_cli import voices

FORMATS = ("wav", "mp3", "opus", "flac", "aac", "pcm")

_EPILOG = """Exit status: 0 success; 1 the server or engine failed, another try may help;
2 wrong usage, settings or input; 130 interrupted."""


class _Group(click.Group):
    """Turns AutoVoice's errors into one line and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AutoVoiceError as error:
            click.echo(f"autovoice: {error.message}", err=True)
            wrong_input = isinstance(error, (SettingsError, InvalidRequest))
            ctx.exit(2 if wrong_input else 1)
        except KeyboardInterrupt:
            ctx.exit(130)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                # Whoever read our output has seen enough (`autovoice voices | head`).
                sys.stderr.close()
                ctx.exit(0)
            click.echo(f"autovoice: {error.strerror or error}", err=True)
            ctx.exit(1)


@click.group(cls=_Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="autovoice")
def main() -> None:
    """AutoVoice: text in, speech out.

    \b
    Start a server, and speak through it:
      autovoice serve
      curl localhost:5000/v1/audio/speech -d '{"input": "Hello!"}' \\
           -H 'Content-Type: application/json' -o hello.mp3
    Or speak without a server:
      autovoice say "Hello, world." -o hello.wav

    Every setting is an environment variable AUTOVOICE_…; `autovoice doctor`
    shows which are set and whether everything works.
    """


@main.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="TCP port.  [default: 5000]")
@click.option("--reload", is_flag=True, help="For development: restart when the code changes.")
def serve(host: Optional[str], port: Optional[int], reload: bool) -> None:
    """Start the server."""
    # Imported here, as in the other commands: `autovoice --help` should not wait for Flask.
    from auto_voice.utils.logging_config import setup_logging
    from auto_voice.web.server import serve as run

    configured = settings.load(host=host, port=port)
    setup_logging(configured)
    for name in settings.unknown():
        logging.getLogger(__name__).warning("there is no setting %s", name)
    run(configured, reload=reload)


@main.command()
@click.option(
    "--uri",
    default="tcp://127.0.0.1:10200",
    show_default=True,
    help="Where to listen. Wyoming knows no keys: whoever reaches this address can use it.",
)
def wyoming(uri: str) -> None:
    """Serve Wyoming, for Home Assistant; no HTTP.

    `autovoice serve` does so besides HTTP where AUTOVOICE_WYOMING_PORT is set.
    """
    from auto_voice.utils.logging_config import setup_logging
    from auto_voice.wyoming.alone import serve as run

    address = urlsplit(uri)
    try:
        host, port = address.hostname, address.port
    except ValueError as error:
        raise click.UsageError(f"{uri}: {error}") from None
    if address.scheme != "tcp" or not host or port is None:
        raise click.UsageError(f"{uri!r} is not of the form tcp://HOST:PORT.")
    configured = settings.load(host="127.0.0.1")
    setup_logging(configured)
    run(configured, host, port)


@main.command()
@click.argument("text", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="File to write; its ending chooses the format; - for standard output.",
)
@click.option("--play", is_flag=True, help="Play on this machine's speakers.")
@click.option("-v", "--voice", help="Voice id, alias or language, such as en-gb, alloy or de+f3.")
@click.option(
    "-f",
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="Audio format.  [default: by the file's ending, else wav]",
)
@click.option(
    "-s", "--speed", type=click.FloatRange(0.25, 4.0), default=1.0, show_default=True, help="Pace."
)
@click.option("--pitch", type=click.FloatRange(0.5, 2.0), default=1.0, help="Factor.")
@click.option("--sample-rate", type=click.IntRange(8000, 48000), help="Hertz.")
@click.option("--ssml", is_flag=True, help="The text is SSML.")
@click.option("--lexicon", "lexicons", multiple=True, help="A lexicon's name; may be repeated.")
@click.option("--as-written", is_flag=True, help="Leave numbers, markdown etc. to the engine.")
@click.option(
    "--captions",
    type=click.Path(dir_okay=False),
    help="Also write when each word is heard: FILE.srt, .vtt or .json.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress, no closing line.")
def say(
    text: Optional[str],
    output: Optional[str],
    play: bool,
    captions: Optional[str],
    quiet: bool,
    as_written: bool,
    **options: Any,
) -> None:
    """Speak TEXT, or what comes on standard input, without a server.

    \b
      autovoice say "Hello, world." -o hello.wav
      autovoice say --voice de+f3 "Guten Morgen." --play
      cat book.txt | autovoice say -o book.mp3 --captions book.srt
      autovoice say "To a pipe" -o - -f wav | aplay -
    """
    from auto_voice.say import run

    if text in (None, "-"):
        if text is None and sys.stdin.isatty():
            raise click.UsageError("Give a text, or pipe one in.")
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if output is None and not play:
        if sys.stdout.isatty():
            raise click.UsageError("Say where to: --output FILE, --output - or --play.")
        output = "-"
    format_name = options.pop("format_name")
    if format_name is None:
        ending = Path(output or "").suffix[1:].lower()
        if ending in ("ogg", "oga"):
            ending = "opus"
        if ending and ending not in FORMATS:
            raise click.UsageError(f"There is no format {ending!r}: {', '.join(FORMATS)}.")
        format_name = ending or "wav"
    if play and format_name != "wav":
        raise click.UsageError("--play plays wav; leave --format and the file's ending out.")
    if captions is not None and Path(captions).suffix not in (".srt", ".vtt", ".json"):
        raise click.UsageError("Captions are FILE.srt, FILE.vtt or FILE.json.")
    run(
        text or "",
        output=output,
        play=play,
        captions=captions,
        quiet=quiet,
        format_name=format_name,
        normalize=not as_written,
        **options,
    )


main.add_command(lexicon)
main.add_command(voices)


@main.command()
@click.option("--ready", is_flag=True, help="Only ask the running server whether it is ready.")
def doctor(ready: bool) -> None:
    """Show what is configured and whether it works; fails where something needed does not."""
    loaded = settings.load()
    if ready:
        from auto_voice.readiness import unready

        reasons = unready(loaded)
        if reasons:
            raise AutoVoiceError(f"not ready: {'; '.join(reasons)}")
        click.echo("ready")
        return

    from auto_voice.doctor import FAIL, configured, examined

    failed = False
    for title, findings in (("Configured", configured(loaded)), ("Examined", examined(loaded))):
        click.echo(click.style(title, bold=True))
        for state, subject, text in findings:
            failed = failed or state == FAIL
            colour = {"ok": "green", FAIL: "red"}.get(state)
            click.echo(f"  {click.style(f'{state:<4}', fg=colour)}  {subject:<14}  {text}")
    if failed:
        raise AutoVoiceError("Something that is needed does not work; see FAIL above.")


@main.command()
@click.option("--url", default="http://127.0.0.1:5000", show_default=True, help="A running server.")
@click.option("-c", "--clients", type=click.IntRange(1, 1000), default=8, show_default=True)
@click.option(
    "-n", "--requests", type=click.IntRange(1, 1_000_000), default=1000, show_default=True
)
@click.option("-v", "--voice", default="alloy", show_default=True)
@click.option(
    "-f", "--format", "format_name", type=click.Choice(FORMATS), default="wav", show_default=True
)
@click.option("--text", help="What to say; every request gets a number before it, past the cache.")
@click.option("--key", envvar="AUTOVOICE_API_KEY", help="API key.")
def bench(
    url: str,
    clients: int,
    requests: int,
    voice: str,
    format_name: str,
    text: Optional[str],
    key: Optional[str],
) -> None:
    """Load a running server and show what it does."""
    from auto_voice import bench as module

    result = module.run(
        url,
        clients=clients,
        requests=requests,
        voice=voice,
        format_name=format_name,
        text=text or module.TEXT,
        key=key or "",
    )
    click.echo(result.report())
    if result.failed:
        raise AutoVoiceError(f"{result.failed} of {requests} requests failed: {result.problem}")
