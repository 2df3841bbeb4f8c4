"""Pace, pitch and volume as SSML and its vendors write them, into factors and decibels.

What is relative is relative to what is around it, so nested elements multiply. Each function
raises ValueError, with what would be right, for a value that means nothing.
"""

import math
import re
from typing import Mapping, NamedTuple, Tuple

from auto_voice.text.script import Style
from auto_voice.text.ssml.values import NUMBER, one_of

RATES: Mapping[str, float] = {
    "x-slow": 0.5,
    "slow": 0.64,
    "medium": 1.0,
    "fast": 1.55,
    "x-fast": 2.0,
}
"""Azure's; SSML itself only says that each is slower than the next."""

PITCHES: Mapping[str, float] = {
    "x-low": 0.55,
    "low": 0.8,
    "medium": 1.0,
    "high": 1.2,
    "x-high": 1.45,
}
"""Azure's, too."""

VOLUMES_DB: Mapping[str, float] = {
    "silent": -math.inf,
    "x-soft": -12.0,
    "soft": -6.0,
    "medium": 0.0,
    "loud": 4.0,
    "x-loud": 8.0,
}
"""Decibels. Little above 0, since speech is near full scale already."""

NOMINAL_HZ = 120.0
"""What a pitch in hertz is compared with: the voice's own is not known here."""

MIN_RATE, MAX_RATE = 0.25, 4.0
MIN_PITCH, MAX_PITCH = 0.5, 2.0
MIN_VOLUME_DB, MAX_VOLUME_DB = -60.0, 20.0
"""Less is silence."""

_VALUE = re.compile(rf"([+-]?)({NUMBER})\s*(%|st|hz|db)?")


class _Emphasis(NamedTuple):
    rate: float
    pitch: float
    volume_db: float


EMPHASES: Mapping[str, _Emphasis] = {
    "strong": _Emphasis(rate=0.85, pitch=1.15, volume_db=4.0),
    "moderate": _Emphasis(rate=0.92, pitch=1.08, volume_db=2.0),
    "none": _Emphasis(rate=1.0, pitch=1.0, volume_db=0.0),
    "reduced": _Emphasis(rate=1.1, pitch=0.95, volume_db=-3.0),
}


def emphasised(style: Style, level: str) -> Style:
    """``style`` with an emphasis of that level."""
    emphasis = one_of(level, EMPHASES)
    return style._replace(
        rate=_within(style.rate * emphasis.rate, MIN_RATE, MAX_RATE),
        pitch=_within(style.pitch * emphasis.pitch, MIN_PITCH, MAX_PITCH),
        volume_db=_audible(style.volume_db + emphasis.volume_db),
    )


def with_rate(style: Style, value: str) -> Style:
    """``style`` at another pace: a word, ``80%``, ``+20%`` or ``0.8``."""
    if _is_default(value):
        return style._replace(rate=1.0)
    return style._replace(rate=_within(style.rate * _rate(value), MIN_RATE, MAX_RATE))


def with_pitch(style: Style, value: str) -> Style:
    """``style`` at another pitch: a word, ``+10%``, ``-2st``, ``+20Hz`` or ``150Hz``."""
    if _is_default(value):
        return style._replace(pitch=1.0)
    absolute = re.fullmatch(rf"({NUMBER})\s*hz", value.strip().lower())
    factor = float(absolute.group(1)) / NOMINAL_HZ if absolute else style.pitch * _pitch(value)
    return style._replace(pitch=_within(factor, MIN_PITCH, MAX_PITCH))


def with_volume(style: Style, value: str) -> Style:
    """``style`` at another volume: a word, ``+6dB``, ``80`` (of 100) or ``-20%``."""
    if _is_default(value):
        return style._replace(volume_db=0.0)
    return style._replace(volume_db=_audible(style.volume_db + _volume_db(value)))


def _rate(value: str) -> float:
    sign, number, unit = _parts(value)
    if unit == "%" and sign:
        return 1 + _signed(sign, number) / 100
    if unit == "%":
        # By the letter this stands still; Azure's tools write it for "as it is".
        return number / 100 if number else 1.0
    if not sign and not unit and number > 0:
        return number
    return _word(value, RATES, "80%, +20%, -10% or 0.8")


def _pitch(value: str) -> float:
    sign, number, unit = _parts(value)
    change = _signed(sign, number)
    if unit == "%" and (sign or not number):
        return 1 + change / 100
    if unit == "st":
        return float(2 ** (_within(change, -48, 48) / 12))
    if unit == "hz":
        return 1 + change / NOMINAL_HZ
    return _word(value, PITCHES, "+10%, -2st, +20Hz or 150Hz")


def _volume_db(value: str) -> float:
    sign, number, unit = _parts(value)
    change = _signed(sign, number)
    if unit == "db":
        return change
    if sign and unit in ("", "%") or unit == "%" and not number:
        return _decibels(1 + change / 100)
    if not sign and not unit and number <= 100:
        return _decibels(number / 100)
    return _word(value, VOLUMES_DB, "+6dB, -20% or a number from 0 to 100")


def _parts(value: str) -> Tuple[str, float, str]:
    """Sign, number and unit; without a number, minus one of no unit that exists."""
    parts = _VALUE.fullmatch(value.strip().lower())
    if not parts:
        return "", -1.0, "?"
    # A bound far beyond all others keeps infinities, and what comes of two of them, away.
    return parts.group(1), min(float(parts.group(2)), 1e6), parts.group(3) or ""


def _signed(sign: str, number: float) -> float:
    return -number if sign == "-" else number


def _word(value: str, words: Mapping[str, float], numbers: str) -> float:
    try:
        return one_of(value, words)
    except ValueError as error:
        raise ValueError(f"{error}, default, or a value such as {numbers}") from None


def _is_default(value: str) -> bool:
    return value.strip().lower() == "default"


def _within(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))


def _audible(decibels: float) -> float:
    return -math.inf if decibels < MIN_VOLUME_DB else min(decibels, MAX_VOLUME_DB)


def _decibels(factor: float) -> float:
    return 20 * math.log10(factor) if factor > 0 else -math.inf
