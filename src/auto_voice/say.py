"""Speaking without a server: into a file, a pipe or a loudspeaker, with captions beside it."""

import json
import shutil
import subprocess  # nosec B404: runs a sound player, without a shell
import sys
from pathlib import Path
from typing import BinaryIO, Iterator, List, Optional, Tuple

import click
import msgspec

from auto_voice import settings
from auto_voice.bootstrap import build
from auto_voice.errors import AutoVoiceError, InvalidRequest
from auto_voice.synthesis import captions as captions_files
from auto_voice.synthesis.speech import Speech, SpeechRequest

PLAYERS = (
    ("pw-play", "-"),
    ("paplay",),
    ("aplay", "-q", "-"),
    ("play", "-q", "-t", "wav", "-"),
    ("ffplay", "-v", "error", "-nodisp", "-autoexit", "-i", "-"),
)
"""Programs that play a WAV from their standard input, the likeliest first."""

_LONG_TEXT_CHARS = 2_000
_UNLIMITED_CHARS = 100_000_000


def run(
    text: str,
    *,
    output: Optional[str],
    play: bool,
    captions: Optional[str],
    quiet: bool,
    voice: Optional[str],
    format_name: str,
    speed: float,
    pitch: float,
    sample_rate: Optional[int],
    ssml: bool,
    lexicons: Tuple[str, ...],
    normalize: bool,
) -> None:
    """What `autovoice say` does; the arguments are its options."""
    configured = settings.load(
        cache="off", max_input_chars=_UNLIMITED_CHARS, host="127.0.0.1", start_deadline_s=60.0
    )
    service = build(configured)
    try:
        speech = service.synthesizer.speak(
            SpeechRequest(
                text=text,
                voice=voice or configured.default_voice,
                format=format_name,
                speed=speed,
                pitch=pitch,
                sample_rate=sample_rate,
                ssml=ssml,
                lexicons=lexicons,
                normalize=normalize,
                timestamps=captions is not None,
            )
        )
        show_bar = not quiet and len(text) > _LONG_TEXT_CHARS and sys.stderr.isatty()
        try:
            pieces = _with_progress(speech, len(text)) if show_bar else iter(speech)
            sink = _Sink(output, play)
            with sink:
                for piece in pieces:
                    sink.write(piece)
                sink.finish(speech)
            if captions is not None:
                _write_captions(Path(captions), speech, text, ssml)
        finally:
            speech.close()
        if not quiet and output not in (None, "-"):
            click.echo(f"{output}: {speech.made.audio_s:.2f} s of speech, voice {speech.voice.id}")
    finally:
        service.close()


def _write_captions(path: Path, speech: Speech, text: str, ssml: bool) -> None:
    words, marks = speech.new_words(), speech.new_marks()
    if path.suffix == ".json":
        timed = {"words": msgspec.to_builtins(words), "marks": msgspec.to_builtins(marks)}
        content = json.dumps(timed, indent=1, ensure_ascii=False) + "\n"
    else:
        content = captions_files.render(path.suffix[1:], words, text, ssml)
    try:
        path.write_text(content, encoding="utf-8", errors="replace")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}") from None


def _with_progress(speech: Speech, total_chars: int) -> Iterator[bytes]:
    with click.progressbar(
        length=total_chars, label="Speaking", file=sys.stderr, show_pos=False
    ) as bar:
        shown = 0
        for piece in speech:
            yield piece
            bar.update(speech.made.characters - shown)
            shown = speech.made.characters
        bar.update(total_chars - shown)


class _Sink:
    """Where `say` writes: a file, standard output, a player, or a file and a player."""

    def __init__(self, output: Optional[str], play: bool) -> None:
        self._output = output
        self._files: List[BinaryIO] = []
        self._written = 0
        self._player: Optional["subprocess.Popen[bytes]"] = None
        if output == "-":
            self._files.append(sys.stdout.buffer)
        elif output is not None:
            try:
                self._files.append(open(output, "wb"))
            except OSError as error:
                raise InvalidRequest(f"{output} cannot be written: {error.strerror}") from None
        if play:
            self._player = _player()
            assert self._player.stdin is not None  # nosec B101: for the type checker
            self._files.append(self._player.stdin)  # type: ignore[arg-type]

    def __enter__(self) -> "_Sink":
        return self

    def __exit__(self, *exc_info: object) -> None:
        for file in self._files:
            if file is not sys.stdout.buffer:
                file.close()
        if self._player is not None and self._player.wait() != 0:
            raise AutoVoiceError("The sound player failed; is there a sound card?")

    def write(self, data: bytes) -> None:
        for file in self._files:
            file.write(data)
            file.flush()
        self._written += len(data)

    def finish(self, speech: Speech) -> None:
        """Write the true length into a WAV's header, where the file allows it."""
        if speech.format.name == "wav" and self._output not in (None, "-"):
            from auto_voice.audio.uncompressed import WAV_HEADER_BYTES, wav_header

            if self._files[0].seekable():
                samples = (self._written - WAV_HEADER_BYTES) // 2
                self._files[0].seek(0)
                self._files[0].write(wav_header(speech.sample_rate, samples))


def _player() -> "subprocess.Popen[bytes]":
    for command in PLAYERS:
        path = shutil.which(command[0])
        if path:
            return subprocess.Popen(  # nosec B603: a fixed list of programs
                [path, *command[1:]], stdin=subprocess.PIPE
            )
    names = ", ".join(command[0] for command in PLAYERS)
    raise AutoVoiceError(f"No sound player was found; install one of {names}.")
