"""Piper's voices: neural networks that each speak one language in one or more people's voices.

A sentence becomes phonemes (`phonemes`), these become numbers, and the network (`network`) makes
samples of them, in pieces, so that the first can be heard while the others are computed.
"""

from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np

from auto_voice.engines.engine import (
    Capabilities,
    Emitter,
    Engine,
    EngineOptions,
    InMemory,
    Utterance,
    Voice,
    Word,
)
from auto_voice.engines.espeak_library import EspeakLibrary
from auto_voice.engines.piper import memory, runtime
from auto_voice.engines.piper.breaths import breaths
from auto_voice.engines.piper.config import QUALITIES
from auto_voice.engines.piper.cores import idle_cores
from auto_voice.engines.piper.network import Scales, Speech
from auto_voice.engines.piper.phonemes import EspeakPhonemes, Sentence, TextPhonemes, numbers
from auto_voice.engines.piper.store import Spoken, VoiceStore
from auto_voice.errors import VoiceUnavailable

_USUAL_RATE_HZ = 22050
_SPEED = (0.25, 2.0)
"""Faster than that, a network swallows sounds; stretching its sound does it better."""

_MOST_THREADS = 3
"""For one sentence: each holds a piece in memory, and more make no difference that one hears."""


class PiperEngine(Engine):
    """Piper's voices, about 20 times real time on one core."""

    name = "piper"

    def __init__(self, options: EngineOptions = EngineOptions()) -> None:
        super().__init__(options)
        self._store = VoiceStore(options.voice_dir, self.name, options.memory_mb)

    def load(self) -> None:
        library = runtime.load()
        memory.return_large_at_once()
        espeak = EspeakLibrary()
        self._phonemes = EspeakPhonemes(espeak)
        self._letters = TextPhonemes()
        self.version = f"onnxruntime {library.__version__}, espeak-ng {espeak.version}"

    def capabilities(self) -> Capabilities:
        voices = self.voices()
        rates = [voice.sample_rate for voice in voices] or [_USUAL_RATE_HZ]
        return Capabilities(
            sample_rate=max(sorted(set(rates)), key=rates.count),
            languages=tuple(sorted({tag for voice in voices for tag in voice.languages})),
            speed=_SPEED,
            timestamps=True,
            streaming=True,
            reproducible=True,
            ipa=True,
        )

    def voices(self) -> List[Voice]:
        return self._store.list()

    def preferred(self) -> Dict[str, str]:
        found: Dict[str, Tuple[int, str]] = {}
        for voice in self.voices():
            rank = QUALITIES.index(voice.quality) if voice.quality in QUALITIES else -1
            for tag in voice.languages:
                if tag not in found or rank > found[tag][0]:
                    found[tag] = (rank, voice.id)
        return {tag: voice_id for tag, (_, voice_id) in found.items()}

    def speak(self, utterance: Utterance, emitter: Emitter) -> None:
        voice_id, plus, speaker = utterance.voice.partition("+")
        voice = self._store.get(voice_id, emitter.loading)
        number = _speaker(voice, speaker if plus else None)
        sentences = self._sentences(utterance, voice)
        try:
            self._say(sentences, voice, number, utterance, emitter)
        finally:
            self._store.tidy()

    def in_memory(self) -> InMemory:
        return self._store.in_memory()

    def rest(self) -> None:
        self._store.tidy()

    def close(self) -> None:
        self._store.close()

    def _say(
        self,
        sentences: List[Sentence],
        voice: Spoken,
        speaker: Optional[int],
        utterance: Utterance,
        emitter: Emitter,
    ) -> None:
        rate = voice.config.audio.sample_rate
        pause = bytes(2 * round(voice.config.inference.sentence_silence * rate / utterance.speed))
        heard = 0
        for index, sentence in enumerate(sentences):
            for pcm, words in self._spoken(sentence, voice, speaker, utterance):
                for start, char_start, char_end in words:
                    emitter.word(Word((heard + start) / rate, char_start, char_end))
                heard += len(pcm) // 2
                if not emitter.audio(pcm):
                    return
            if sentence.goes_on:
                continue
            if index + 1 < len(sentences) or utterance.continues:
                heard += len(pause) // 2
                if pause and not emitter.audio(pause):
                    return

    def _sentences(self, utterance: Utterance, voice: Spoken) -> List[Sentence]:
        if voice.config.phoneme_type == "text":
            sentences = self._letters.sentences(utterance)
        else:
            sentences = self._phonemes.sentences(utterance, voice.config.espeak.voice)
        pace = utterance.speed / max(voice.config.inference.length_scale, 1.0)
        return [part for sentence in sentences for part in breaths(sentence, pace)]

    def _spoken(
        self, sentence: Sentence, voice: Spoken, speaker: Optional[int], utterance: Utterance
    ) -> Iterator[Tuple[bytes, List[Tuple[int, int, int]]]]:
        """Pieces of a sentence's samples; with the first one its words: sample and place of each,
        counted from there."""
        config = voice.config
        ids, starts = numbers(sentence.phonemes, config.phoneme_id_map, config.phoneme_map)
        threads = idle_cores(min(self.options.cores, _MOST_THREADS))
        scales = Scales(*config.scales)
        speech = voice.network.speak(ids, scales, speaker, utterance.speed, threads)
        begun = False
        for samples in speech.pieces:
            words = [] if begun else _words(sentence, starts, speech, len(ids), len(samples))
            begun = True
            yield _pcm(samples), words


def _words(
    sentence: Sentence, starts: List[int], speech: Speech, symbols: int, samples: int
) -> List[Tuple[int, int, int]]:
    """Where in a sentence's samples its words begin."""
    if not sentence.places:
        return []
    if speech.frames is None:  # one piece, of which nothing is known but its length
        before = [samples * index // symbols for index in range(symbols + 1)]
    else:
        before = [0, *(int(sum_) * speech.hop for sum_ in np.cumsum(speech.frames))]
    return [
        (before[starts[place.phoneme]], place.char_start, place.char_end)
        for place in sentence.places
    ]


def _speaker(voice: Spoken, name: Optional[str]) -> Optional[int]:
    """The network's number for a speaker of this voice; None: it has just one.

    Raises:
        VoiceUnavailable: it has no such speaker.
    """
    if name is None:
        return 0 if voice.config.num_speakers > 1 else None
    number = voice.config.speaker_number(name)
    if number is None:
        raise VoiceUnavailable(f"The voice {voice.id} has no speaker {name[:60]!r}")
    return number


def _pcm(samples: "np.ndarray[Tuple[int], np.dtype[np.float32]]") -> bytes:
    return (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
