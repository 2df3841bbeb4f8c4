"""Sentences that are too long to be computed at once, in parts: where one would take a breath."""

import unicodedata
from typing import Iterator

from auto_voice.engines.piper.phonemes import Sentence

MOST_PHONEMES = 350
"""In a part: those of about 300 letters. A network compares each with every other one, so that
twice as many take four times the memory, and a text of few letters may have thousands of them."""

_PAUSES = ",;:"


def breaths(sentence: Sentence) -> Iterator[Sentence]:
    """The sentence, or parts of it that are each short enough; all but the last one go on."""
    phonemes = sentence.phonemes
    start = 0
    while len(phonemes) - start > MOST_PHONEMES:
        end = _end(phonemes, start)
        yield _part(sentence, start, end)._replace(goes_on=True)
        start = end
    yield _part(sentence, start, len(phonemes))


def _end(phonemes: str, start: int) -> int:
    """Where the part ends that begins at ``start``: in its second half, at a pause if there is one,
    at a word's end if not, and anywhere between two sounds where there is one word only."""
    last = start + MOST_PHONEMES
    ends = range(last, start + MOST_PHONEMES // 2, -1)
    for end in ends:
        if phonemes[end - 1].isspace() and phonemes[end - 2] in _PAUSES:
            return end
    for end in ends:
        if phonemes[end - 1].isspace():
            return end
    for end in ends:
        if not _belongs_to_the_one_before(phonemes[end]):
            return end
    return last


def _belongs_to_the_one_before(phoneme: str) -> bool:
    # Accents and marks of length, but not those of stress.
    return unicodedata.category(phoneme) in ("Mn", "Lm") and phoneme not in "ˈˌ"


def _part(sentence: Sentence, start: int, end: int) -> Sentence:
    places = tuple(
        place._replace(phoneme=place.phoneme - start)
        for place in sentence.places
        if start <= place.phoneme < end
    )
    return Sentence(sentence.phonemes[start:end], places)
