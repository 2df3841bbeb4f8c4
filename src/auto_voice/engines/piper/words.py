"""Which phonemes are which word's: espeak-ng tells while it speaks, so it speaks along, unheard.

Its phonemes as text have no places in the text they come from, and words run into one another in
them ("of the" is one). But when it synthesizes, it tells where each word begins among the
phonemes, which are the same. That takes it about 1 ms a sentence.
"""

import ctypes
import difflib
import unicodedata
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from auto_voice.engines.espeak_library import (
    EVENT_LIST_TERMINATED,
    EVENT_PHONEME,
    EVENT_WORD,
    Callback,
    EspeakLibrary,
    Event,
)
from auto_voice.engines.espeak_text import LibraryText

_ALIGNED_AT_MOST = 4000
"""Phonemes; of more that differ, words are placed in proportion."""


class Place(NamedTuple):
    """Where a word begins."""

    phoneme: int
    """Index of its first phoneme in its sentence."""
    char_start: int
    """Index of its first character in the utterance's text."""
    char_end: int
    """Index after its last."""


class WordFinder:
    """Finds words among phonemes. The library is its own while it does."""

    def __init__(self, library: EspeakLibrary) -> None:
        self._functions = library.functions
        self._callback = Callback(self._on_samples)
        self._heard: List[str] = []
        self._found: List[Tuple[int, int, int]] = []
        """How many phonemes were heard before a word, its place in the text, its length."""

    def prepare(self, flags: int) -> None:
        """Have the library read as ``flags`` say: it only listens to them when it speaks."""
        self._functions.espeak_SetSynthCallback(self._callback)
        self._functions.espeak_Synth(b" \x00", 2, 0, 0, 0, flags, None, None)

    def places(
        self,
        text: str,
        flags: int,
        sentences: Sequence[str],
        marked: Optional[LibraryText],
        length: int,
    ) -> List[Tuple[Place, ...]]:
        """The words of each sentence.

        ``text`` is what the library reads, in the voice that is set; ``marked``, if it is that
        text, knows the way back to the utterance's, which has ``length`` characters.
        """
        self._heard, self._found = [], []
        data = text.encode("utf-8", "replace") + b"\x00"
        self._functions.espeak_SetSynthCallback(self._callback)
        self._functions.espeak_ng_SetPhonemeEvents(1, 1)
        try:
            self._functions.espeak_Synth(data, len(data), 0, 0, 0, flags, None, None)
        finally:
            self._functions.espeak_ng_SetPhonemeEvents(0, 0)
        sounds = [
            (number, index)
            for number, phonemes in enumerate(sentences)
            for index, phoneme in enumerate(phonemes)
            if _is_sound(phoneme)
        ]
        written = "".join(sentences[number][index] for number, index in sounds)
        there = _alignment("".join(self._heard), written)
        places: List[List[Place]] = [[] for _ in sentences]
        for before, start, count in self._found:
            place: Optional[Tuple[int, int]] = (
                min(start, length),
                min(max(start, 0) + count, length),
            )
            if marked is not None:
                place = marked.own(start, count)
            at = there[min(before, len(there) - 1)]
            if place is None or at >= len(sounds):
                continue
            number, index = sounds[at]
            # A stress mark before the sound belongs to it.
            while index and unicodedata.category(sentences[number][index - 1]) in ("Lm", "Sk"):
                if sentences[number][index - 1] not in "ˈˌ":
                    break
                index -= 1
            places[number].append(Place(index, *place))
        return [tuple(found) for found in places]

    def _on_samples(self, samples: Any, count: int, events: "ctypes.Array[Event]") -> int:
        index = 0
        while events[index].type != EVENT_LIST_TERMINATED:
            event = events[index]
            if event.type == EVENT_WORD:
                self._found.append((len(self._heard), event.text_position - 1, event.length))
            elif event.type == EVENT_PHONEME:
                name = bytes(event.id).partition(b"\x00")[0].decode("utf-8", "replace")
                decomposed = unicodedata.normalize("NFD", name)
                self._heard.extend(filter(_is_sound, decomposed))
            index += 1
        return 0


def _is_sound(phoneme: str) -> bool:
    """Whether both ways of telling phonemes have it: not stress, tones and punctuation."""
    return phoneme not in "ˈˌ" and phoneme.isalpha()


def _alignment(heard: str, written: str) -> List[int]:
    """For each index in ``heard``, and for its end, the index in ``written``."""
    if heard == written:
        return list(range(len(heard) + 1))
    if max(len(heard), len(written)) > _ALIGNED_AT_MOST:
        return [index * len(written) // max(len(heard), 1) for index in range(len(heard) + 1)]
    there = []
    matcher = difflib.SequenceMatcher(None, heard, written, autojunk=False)
    for _, start, end, own_start, own_end in matcher.get_opcodes():
        for index in range(start, end):
            there.append(own_start + min(index - start, max(own_end - own_start - 1, 0)))
    there.append(len(written))
    return there
