"""What is spoken: sentences that all differ, and texts made of them."""

import itertools
import json
import random
from typing import Dict, List

VOICE = "alloy"
ENGINE_VOICE = "en-us"
"""What espeak-ng calls it."""

SENTENCES = 500
"""More than fit between two looks of any cache; a loop over them averages their lengths."""

_ADJECTIVES = "quick brown quiet heavy silver narrow gentle bright hollow yellow".split()
_NOUNS = "fox dog river garden window teacher letter mountain carpet engine".split()
_VERBS = "jumps runs looks climbs turns leans walks falls points waits".split()
_PLACES = "over behind under near around beside".split()


def sentences() -> List[str]:
    """`SENTENCES` different sentences of eleven words (about 3.2 s of speech) each."""
    choose = random.Random(1).choice
    found: Dict[str, None] = {}
    while len(found) < SENTENCES:
        place, other = choose(_PLACES), choose(_PLACES)
        found[
            f"The {choose(_ADJECTIVES)} {choose(_NOUNS)} {choose(_VERBS)} {place} the "
            f"{choose(_ADJECTIVES)} {choose(_NOUNS)} {other} the {choose(_NOUNS)}."
        ] = None
    return list(found)


def long_text(words: int) -> str:
    """A text of whole sentences with (at least) that many words."""
    return " ".join(itertools.islice(itertools.cycle(sentences()), -(-words // 11)))


def speech_body(text: str) -> bytes:
    """The request's body for this text."""
    return json.dumps(
        {"model": "tts-1", "input": text, "voice": VOICE, "response_format": "wav"}
    ).encode()
