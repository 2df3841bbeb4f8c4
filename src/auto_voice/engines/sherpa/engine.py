"""sherpa-onnx, which knows most architectures of voices that are published as ONNX.

It ends the process at what it does not expect. That is what workers are for: the sentence fails,
and the next one finds a new worker.
"""

import contextlib
import os
from typing import Any, Dict, Iterator, List, Optional, Tuple

from auto_voice.audio.pcm import silence
from auto_voice.engines.engine import (
    Capabilities,
    Emitter,
    Engine,
    EngineOptions,
    InMemory,
    Utterance,
    Voice,
)
from auto_voice.engines.manifest import Reference
from auto_voice.engines.sherpa.installed import Installed, find, scan
from auto_voice.engines.sherpa.models import Models, read_reference
from auto_voice.engines.sherpa.phonemes import Phonemizer, Piece, pieces, read_symbols
from auto_voice.errors import EngineFailed, MissingDependency, VoiceUnavailable

_SLOWEST, _FASTEST = 0.5, 2.0
"""Factors of the pace at which models were trained; beyond, they mumble."""
_BREATH_S = 0.2
"""Between sentences, at the voice's own pace."""
_KNEE = 0.9
"""Part of full scale from which on peaks are rounded; models go past full scale now and then."""
_CONTROLS = {code: " " for code in (*range(32), *range(127, 160))}


class SherpaEngine(Engine):
    """Voices in folders of their own below ``EngineOptions.voice_dir``."""

    name = "sherpa"

    def __init__(self, options: EngineOptions = EngineOptions()) -> None:
        super().__init__(options)
        self._models: Optional[Models] = None
        self._phonemizer: Optional[Phonemizer] = None
        self._symbols: Tuple[str, Any] = ("", None)
        """The last voice's signature, and the symbols its model knows."""

    def load(self) -> None:
        try:
            import sherpa_onnx
        except ImportError:
            raise MissingDependency(
                "The engine sherpa needs a package: pip install 'autovoice[sherpa]'"
            ) from None
        self._sherpa: Any = sherpa_onnx
        self.version = str(sherpa_onnx.__version__)
        self._models = Models(sherpa_onnx, self.options.memory_mb)

    def capabilities(self) -> Capabilities:
        voices = self.voices()
        return Capabilities(
            sample_rate=voices[0].sample_rate if voices else 24_000,
            languages=tuple(sorted({tag for voice in voices for tag in voice.languages})),
            speed=(_SLOWEST, _FASTEST),
            streaming=True,
            # Most models draw noise inside, and none takes a seed.
            reproducible=False,
        )

    def voices(self) -> List[Voice]:
        return [voice.voice() for voice in scan(self.options.voice_dir)]

    def preferred(self) -> Dict[str, str]:
        found: Dict[str, str] = {}
        voices = self.voices()
        for voice in voices:
            found.setdefault(voice.language, voice.id)
        for voice in voices:
            for tag in voice.languages:
                found.setdefault(tag, voice.id)
        return found

    def speak(self, utterance: Utterance, emitter: Emitter) -> None:
        if self._models is None:
            raise EngineFailed("the engine is not loaded")
        voice_id, plus, speaker = utterance.voice.partition("+")
        voice = find(self.options.voice_dir, voice_id)
        if plus and speaker not in voice.speakers:
            raise VoiceUnavailable(f"The voice {voice_id} has no speaker {speaker[:60]!r}.")
        speaker = speaker or next(iter(voice.speakers), "")
        text = utterance.text.translate(_CONTROLS)
        config = self._sherpa.GenerationConfig()
        config.speed = min(max(utterance.speed, _SLOWEST), _FASTEST)
        config.silence_scale = 1.0  # a model's pauses are its own
        said: List[Piece] = []
        if voice.phonemes:
            said = self._phonemes(voice, text)
            if not said:
                return
            config.phoneme_codepoints = [piece.codes for piece in said]
        elif not any(map(str.isalnum, text)):
            return
        if voice.kind.clones:
            self._imitate(config, voice.references[speaker], voice.manifest.references[speaker])
        else:
            config.sid = voice.speakers.get(speaker, 0)
        model = self._models.get(voice, emitter.loading)
        pause = silence(_BREATH_S / config.speed, voice.sample_rate)
        saying = _Saying(emitter, [piece.ends_sentence for piece in said], pause)
        saying.run(model, text, config)
        if utterance.continues:
            saying.breathe()

    def loaded(self) -> Tuple[str, ...]:
        """The ids of the voices in memory, the one used last at the end."""
        return self._models.ids if self._models is not None else ()

    def in_memory(self) -> InMemory:
        return self._models.in_memory() if self._models is not None else InMemory()

    def close(self) -> None:
        self._models = None

    def _phonemes(self, voice: Installed, text: str) -> List[Piece]:
        if self._phonemizer is None:
            self._phonemizer = Phonemizer()
        if self._symbols[0] != voice.signature:
            path = voice.files["tokens"][0]
            try:
                symbols = read_symbols(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise VoiceUnavailable(f"{path.name} of {voice.id} is broken: {error}") from None
            self._symbols = (voice.signature, symbols)
        return list(pieces(self._phonemizer.clauses(text, voice.phonemes), self._symbols[1]))

    def _imitate(self, config: Any, path: Any, reference: Reference) -> None:
        samples, rate = read_reference(path)
        config.reference_audio = samples
        config.reference_sample_rate = rate
        config.reference_text = reference.text


class _Saying:
    """One call into the library, and what comes out of it."""

    def __init__(self, emitter: Emitter, ends: List[bool], pause: bytes) -> None:
        """
        Args:
            ends: for each piece, whether a sentence ends with it.
            pause: what is heard between sentences.
        """
        self._emitter = emitter
        self._ends = ends
        self._pause = pause
        self._failure: Optional[BaseException] = None
        self._told = 0
        """Pieces that have been emitted."""
        self._wanted = True

    def run(self, model: Any, text: str, config: Any) -> None:
        """
        Raises:
            EngineFailed: the model does not work on this text.
        """
        try:
            with _unheard():
                audio = model.generate(text, config, self._take)
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"sherpa-onnx: {str(error)[:200]}") from None
        if self._failure is not None:
            raise self._failure
        if not self._told and len(audio.samples):  # a kind that does not call back
            self._take(audio.samples, 1.0)

    def breathe(self) -> None:
        """Emit a pause after what has been said."""
        if self._told and self._wanted:
            self._emitter.audio(self._pause)

    def _take(self, samples: Any, progress: float) -> int:
        """Called by the library for each piece; returns 0 to make it stop."""
        if not self._wanted:
            return 0
        try:
            before = self._pause if any(self._ends[self._told - 1 : self._told]) else b""
            self._told += 1
            self._wanted = self._emitter.audio(before + _pcm(samples))
        except BaseException as error:  # the library must not see it
            self._failure, self._wanted = error, False
        return int(self._wanted)


def _pcm(samples: Any) -> bytes:
    import numpy

    floats = numpy.nan_to_num(numpy.asarray(samples, dtype=numpy.float32))  # [S]
    size = numpy.abs(floats)
    if size.size and size.max() > _KNEE:
        rounded = _KNEE + (1 - _KNEE) * numpy.tanh((size - _KNEE) / (1 - _KNEE))
        floats = numpy.where(size > _KNEE, numpy.copysign(rounded, floats), floats)
    pcm: bytes = numpy.rint(floats * 32767).astype("<i2").tobytes()
    return pcm


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Keeps what the library prints, parts of clients' texts among it, out of the server's log."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
