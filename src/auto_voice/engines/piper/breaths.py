"""Sentences that are too long to be computed at once, in parts: where one would take a breath."""

import unicodedata
from typing import Iterator

from auto_voice.engines.piper.phonemes import Sentence

MOST_PHONEMES = 350
"""In a part: those of about 300 letters. A network compares each with every other one, so that
twice as many take four times the memory, and a text of few letters may have thousands of them."""
_LEAST_PHONEMES = 40
"""Of what a part may have at most, however slowly they are spoken."""

_STRESS = "ˈˌ"
_GO_WITH_THE_ONE_BEFORE = ("Mn", "Mc", "Me", "Lm", "Sk", "Nd")
"""Categories: accents, vowel signs, marks of length and tone, and tones as digits."""


def breaths(sentence: Sentence, pace: float = 1.0) -> Iterator[Sentence]:
    """The sentence, or parts of it that are each short enough; all but the last one go on.

    ``pace``: how fast it is spoken, of a voice's usual pace. What is slower takes more memory.
    """
    most = max(_LEAST_PHONEMES, int(MOST_PHONEMES * min(1.0, pace)))
    length, start = len(sentence.phonemes), 0
    while length - start > most:
        end = _end(sentence, start, most)
        yield _part(sentence, start, end)._replace(goes_on=True)
        start = end
    yield _part(sentence, start, length)


def _end(sentence: Sentence, start: int, most: int) -> int:
    """Where the part ends that begins at ``start``: at a clause's end if there is one, at a word's
    if not, and between two sounds where there is one word only."""
    phonemes = sentence.phonemes
    left = len(phonemes) - start
    if left < 2 * most:  # two halves, rather than a long part and a word or two
        aim = start + left // 2
        places = range(start + max(left - most, most // 4), start + min(most, left - most // 4) + 1)
    else:
        aim = start + most
        places = range(start + most // 2, aim + 1)
    by_distance = sorted(places, key=lambda place: abs(place - aim))
    clauses = frozenset(sentence.clauses)
    good = [place for place in by_distance if place in clauses]
    good = good or [place for place in by_distance if phonemes[place - 1].isspace()]
    good = good or [place for place in by_distance if _is_between_sounds(phonemes, place)]
    return (good or by_distance)[0]


def _is_between_sounds(phonemes: str, place: int) -> bool:
    before, after = phonemes[place - 1], phonemes[place]
    if before in _STRESS:
        return False
    return after in _STRESS or unicodedata.category(after) not in _GO_WITH_THE_ONE_BEFORE


def _part(sentence: Sentence, start: int, end: int) -> Sentence:
    places = tuple(
        place._replace(phoneme=place.phoneme - start)
        for place in sentence.places
        if start <= place.phoneme < end
    )
    return Sentence(sentence.phonemes[start:end], places)
