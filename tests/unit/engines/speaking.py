"""What tests share that listen to engines, in this process and in workers."""

import atexit
import functools
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, List, Optional

import numpy

from auto_voice.engines import create
from auto_voice.engines.engine import Engine, EngineOptions, Utterance, Word
from auto_voice.engines.process import WorkerHung, WorkerProcess
from tests import voices

PATIENCE_S = 30.0
"""Seconds after which a test gives up waiting for what should come soon."""


class Recorder:
    """An emitter that keeps what it is given, and says no after ``stop_after`` pieces."""

    def __init__(self, stop_after: Optional[int] = None) -> None:
        self.pieces: List[bytes] = []
        self.words: List[Word] = []
        self.calls_after_no = 0
        self.loads = 0
        self._stop_after = stop_after

    @property
    def pcm(self) -> bytes:
        return b"".join(self.pieces)

    def audio(self, pcm: Any) -> bool:
        if self._full():
            self.calls_after_no += 1
        self.pieces.append(bytes(pcm))
        return not self._full()

    def word(self, word: Word) -> None:
        self.words.append(word)

    def loading(self, done: bool = False) -> None:
        self.loads += done

    def _full(self) -> bool:
        return self._stop_after is not None and len(self.pieces) >= self._stop_after


@functools.lru_cache(maxsize=None)
def loaded(name: str) -> Engine:
    """The engine of this name, loaded once: a second espeak-ng in a process is not a new one."""
    engine = create(name, options_for(name))
    engine.load()
    return engine


@functools.lru_cache(maxsize=None)
def options_for(name: str) -> EngineOptions:
    """What the engine of this name needs to have a voice ``en-us``."""
    if name != "sherpa":
        return EngineOptions(voice_dir=str(voices.folder()))
    from tests.unit.engines import sherpa_voices  # only here: it takes onnx

    folder = Path(tempfile.mkdtemp(prefix="autovoice-voices-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sherpa_voices.vits(folder / "en-us")
    sherpa_voices.kokoro(folder / "other", languages=("fr-fr",))
    return EngineOptions(voice_dir=str(folder))


def speak(
    engine: Engine,
    text: str,
    voice: str = "en-us",
    stop_after: Optional[int] = None,
    **options: Any,
) -> Recorder:
    """What ``engine`` emits for an utterance."""
    recorder = Recorder(stop_after)
    engine.speak(Utterance(text, voice, **options), recorder)
    return recorder


def tones(text: str, **options: Any) -> bytes:
    """What the stub says."""
    return speak(loaded("stub"), text, **options).pcm


def speech(text: str, voice: str = "en-us", **options: Any) -> bytes:
    """What espeak-ng says."""
    return speak(loaded("espeak"), text, voice, **options).pcm


def samples(pcm: bytes) -> "numpy.ndarray[Any, Any]":
    """[S], as numbers to reckon with."""
    return numpy.frombuffer(pcm, "<i2").astype(float)


def loudest_hz(pcm: bytes, rate_hz: int) -> float:
    """The frequency with the most energy."""
    spectrum = numpy.abs(numpy.fft.rfft(samples(pcm), rate_hz))
    return float(numpy.argmax(spectrum))


def period_hz(pcm: bytes, rate_hz: int, lowest_hz: float, highest_hz: float) -> float:
    """How often a second the sound repeats itself, between two bounds."""
    sound = samples(pcm)
    size = 1 << (2 * len(sound) - 1).bit_length()
    likeness = numpy.fft.irfft(numpy.abs(numpy.fft.rfft(sound, size)) ** 2)  # [lag]
    first, last = int(rate_hz / highest_hz), int(rate_hz / lowest_hz) + 1
    return rate_hz / (first + float(numpy.argmax(likeness[first:last])))


def silence_at_end_s(pcm: bytes, rate_hz: int) -> float:
    """Seconds without a sound at the end."""
    heard = numpy.nonzero(numpy.abs(samples(pcm)) > 64)[0]
    return (len(pcm) // 2 - (heard[-1] + 1 if len(heard) else 0)) / rate_hz


def longest_silence_s(pcm: bytes, rate_hz: int) -> float:
    """Seconds of the longest stretch without a sound."""
    heard = numpy.nonzero(numpy.abs(samples(pcm)) > 64)[0]
    borders = numpy.concatenate([[-1], heard, [len(pcm) // 2]])
    return float(numpy.max(numpy.diff(borders)) - 1) / rate_hz


def said_by(process: WorkerProcess, text: str, voice: str = "en-us", **options: Any) -> Recorder:
    """What a worker process says.

    Raises:
        WorkerHung: it does not end.
    """
    recorder = Recorder()
    give_up = time.monotonic() + PATIENCE_S

    def audio(pcm: bytes, last: bool) -> bool:
        return recorder.audio(pcm)

    def idle() -> None:
        if time.monotonic() > give_up:
            process.kill()
            raise WorkerHung("the test waited long enough")

    process.speak(Utterance(text, voice, **options), audio, recorder.word, idle, 0.25)
    return recorder
