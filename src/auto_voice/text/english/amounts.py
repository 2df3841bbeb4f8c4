"""A number with what belongs to it: separators, a fraction, "million"."""

import re
from typing import NamedTuple, Optional

from auto_voice.text.english.numbers import cardinal, decimal, quantity

FRACTIONS = {
    "½": "one half",
    "⅓": "one third",
    "⅔": "two thirds",
    "¼": "one quarter",
    "¾": "three quarters",
    "⅕": "one fifth",
    "⅖": "two fifths",
    "⅗": "three fifths",
    "⅘": "four fifths",
    "⅙": "one sixth",
    "⅚": "five sixths",
    "⅛": "one eighth",
    "⅜": "three eighths",
    "⅝": "five eighths",
    "⅞": "seven eighths",
}
_HALF = {"one half": "a half", "one quarter": "a quarter", "one third": "a third"}

# Before a range's dash a magnitude may be left out: $3-5 million.
_NUMBER = re.compile(
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3}){1,20}(?![0-9]|,[0-9])"
    r"|[1-9][0-9]{0,2}(?:(?:[\u00a0\u2009\u202f][0-9]{3}){1,20}|[ ][0-9]{3}(?:[ ][0-9]{3}){1,20}"
    r"|[ ]000)(?![ ]?[0-9])"
    r"|[0-9]+)"
    r"(?:\.(?P<fraction>[0-9]+))?"
    rf"(?P<glyph>[ ]?[{''.join(FRACTIONS)}])?"
    r"|\.(?P<only>[0-9]+)"
)
_SEPARATORS = re.compile("[, \u00a0\u2009\u202f]")
_EXPONENT = re.compile(r"[eE](?P<sign>[+-]?)(?P<digits>[0-9]{1,4})(?![\w.])")
_MAGNITUDE = re.compile(
    r"[ ]?(?:(?P<word>thousand|million|billion|trillion)|(?P<short>[kK]|mn|[mM]|bn|[bB]|tn|[tT]))"
    r"(?![\w'’]|\.[0-9])"
)
_SHORT = {
    "k": "thousand",
    "mn": "million",
    "m": "million",
    "bn": "billion",
    "b": "billion",
    "tn": "trillion",
    "t": "trillion",
}


class Amount(NamedTuple):
    """A number as it is said."""

    said: str
    end: int
    whole: str
    """Its digits before the point, without separators; empty for ".5"."""
    fraction: str
    """Its digits after the point."""
    bare: bool
    """Whether it is digits only: no separators, point, or anything else."""

    @property
    def one(self) -> bool:
        """Whether the singular follows."""
        return self.said == "one"


def amount(text: str, at: int, american: bool, money: bool = False) -> Optional[Amount]:
    """The number at ``at``.

    Args:
        money: whether letters such as m and bn can only be million and billion.
    """
    match = _NUMBER.match(text, at)
    if not match:
        return None
    end = match.end()
    whole = _SEPARATORS.sub("", match["whole"] or "")
    fraction = match["fraction"] or match["only"] or ""
    bare = match["whole"] == whole and not fraction and not match["glyph"]
    if fraction or not whole:
        said = decimal(whole, fraction, american)
    elif whole != match["whole"]:
        said = cardinal(whole, american)
    else:
        said = quantity(whole, american)
    if match["glyph"]:
        part = FRACTIONS[match["glyph"].strip()]
        said += f" and {_HALF.get(part, part)}"
    exponent = _EXPONENT.match(text, end)
    if exponent:
        sign = "minus " if exponent["sign"] == "-" else ""
        power = cardinal(exponent["digits"], american)
        said += f" times ten to the power of {sign}{power}"
        return Amount(said, exponent.end(), whole, fraction, False)
    magnitude = _magnitude(text, end, money)
    if magnitude:
        said += f" {_SHORT.get(magnitude.group().strip().lower(), magnitude.group().strip())}"
        return Amount(said, magnitude.end(), whole, fraction, False)
    return Amount(said, end, whole, fraction, bare)


def _magnitude(text: str, end: int, money: bool) -> "Optional[re.Match[str]]":
    match = _MAGNITUDE.match(text, end)
    if match and match["short"] and not money:
        # "5k", "5M" and "5bn"; "5m" are metres, "5B" a flat, "3 M" anything.
        if match["short"] not in ("k", "K", "M", "bn", "mn", "tn") or match.end() - end > 2:
            return None
        if text[end] == " " and len(match["short"]) == 1:
            return None
        if match["short"] == "K" and not text[end - 2 : end].isdecimal():
            return None  # 4K is a screen
    if match and money and match["short"] in ("b", "t", "B", "T") and text[end] == " ":
        return None
    return match
