"""What attributes say: times, strengths, languages, genders.

Each function raises ValueError, with what would be right, for a value that means nothing.
"""

import re
from typing import Mapping, Optional, TypeVar

_T = TypeVar("_T")

MAX_BREAK_S = 10.0
"""Longer breaks are made this long, as vendors do."""

STRENGTHS_S: Mapping[str, float] = {
    "none": 0.0,
    "x-weak": 0.25,
    "weak": 0.5,
    "medium": 0.75,
    "strong": 1.0,
    "x-strong": 1.25,
}
"""Seconds of silence; SSML itself gives none, these are Azure's."""

NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"

_TIME = re.compile(rf"\+?({NUMBER})\s*(ms|s)")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*")
_GENDERS: Mapping[str, Optional[str]] = {
    "female": "female",
    "male": "male",
    "neutral": None,
    "": None,
}


def one_of(value: str, meanings: Mapping[str, _T]) -> _T:
    """What a word of a list means."""
    try:
        return meanings[value.strip().lower()]
    except KeyError:
        raise ValueError(f"must be one of {', '.join(filter(None, meanings))}") from None


def break_s(time: Optional[str], strength: Optional[str]) -> float:
    """Seconds of a break; its time counts before its strength, and without both it is medium."""
    by_strength = STRENGTHS_S["medium"] if strength is None else one_of(strength, STRENGTHS_S)
    return by_strength if time is None else min(seconds(time), MAX_BREAK_S)


def seconds(value: str) -> float:
    """A time as in CSS: ``500ms``, ``1.5s``."""
    time = _TIME.fullmatch(value.strip().lower())
    if not time:
        raise ValueError("must be a time such as 500ms or 1.5s")
    return float(time.group(1)) / (1000 if time.group(2) == "ms" else 1)


def language(value: str) -> Optional[str]:
    """A BCP 47 tag; an empty one takes back those around it."""
    tag = value.strip()
    if not tag:
        return None
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError("must be a language such as en or en-US")
    return tag.replace("_", "-")


def first_language(value: str) -> Optional[str]:
    """The first of a voice's ``languages``; one may carry an accent's language (``en:en-IN``)."""
    tags = value.split()
    return language(tags[0].partition(":")[0]) if tags else None


def gender(value: str) -> Optional[str]:
    """``female``, ``male`` or no matter."""
    return one_of(value, _GENDERS)


def variant(value: str) -> int:
    """Which of several voices, from 1."""
    # A list is allowed: the first is what is preferred.
    number = re.match(r"\s*(0*[1-9][0-9]{0,5})(?:\s|$)", value)
    if not number:
        raise ValueError("must be a whole number from 1")
    return int(number.group(1))
