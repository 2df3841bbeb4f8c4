"""Times of day."""

import re
from typing import Optional

from auto_voice.text.english.numbers import cardinal, pair
from auto_voice.text.english.reading import Reading

_TIME = re.compile(
    r"(?P<h>[0-9]{1,2})(?:(?P<sep>[:.])(?P<m>[0-5][0-9]))?"
    r"(?::(?P<s>[0-5][0-9])(?:\.[0-9]{1,3})?)?"
    r"(?P<half>[ \u00a0\u202f]?(?P<ap>[AaPp])(?:\.?[Mm]\b|\.[ ]?[Mm]\b)(?P<stop>\.?))?"
    r"(?P<utc>Z\b)?(?![\w:]|[.,][0-9])"
)
_RATIO = re.compile(r"(?P<a>[0-9]{1,4}):(?P<b>[0-9]{1,4})(?![\w:]|[.,][0-9])")
_HALVES = re.compile(
    r"(?P<from>[0-9]{1,2}(?:[:.][0-5][0-9])?)[ ]?[-–][ ]?"
    r"(?=[0-9]{1,2}(?:[:.][0-5][0-9])?[ ]?[ap]\.?m)",
    re.IGNORECASE,
)


def time(text: str, at: int, american: bool) -> Optional[Reading]:
    """3:45 pm, 15:30, 7am; 3:1 is a ratio."""
    until = _HALVES.match(text, at)
    if until:  # 9-5pm
        hour, _, minute = until["from"].replace(".", ":").partition(":")
        if int(hour) <= 24:
            return Reading(f"{_clock(hour, minute)} to ", until.end())
    match = _TIME.match(text, at)
    if match and int(match["h"]) <= 24 and (match["half"] or match["sep"] == ":"):
        return _time(text, match)
    ratio = _RATIO.match(text, at)
    if ratio:
        first, second = cardinal(ratio["a"], american), cardinal(ratio["b"], american)
        return Reading(f"{first} to {second}", ratio.end())
    return None


def _time(text: str, match: "re.Match[str]") -> Reading:
    hour, minute, second, end = match["h"], match["m"] or "", match["s"], match.end()
    if match["half"]:
        said = _clock(hour, "" if minute == "00" else minute)
    elif minute == "00" and not second:
        o_clock = 1 <= int(hour) <= 12 and hour[0] != "0"
        said = f"{cardinal(hour)} {'o’clock' if o_clock else 'hundred'}"
    else:
        said = _clock(hour, minute)
    if second and second != "00":
        seconds = cardinal(second)
        said += f" and {seconds} second{'' if seconds == 'one' else 's'}"
    if match["half"]:
        said += f" {match['ap'].lower()}m"
        # "pm." ends a sentence; the last full stop of "p.m." may do so, too.
        if match["stop"] and "." not in match["half"][:-1]:
            end -= 1
        elif match["stop"] and not text[end:].strip("\"'”’)*_ "):
            end -= 1
    if match["utc"]:
        said += " U T C"
    return Reading(said, end)


def _clock(hour: str, minute: str) -> str:
    said = cardinal(hour)
    if not minute:
        return said
    return f"{said} {pair(minute)}" if minute != "00" else f"{said} hundred"
