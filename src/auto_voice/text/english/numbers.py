"""Numbers in English words.

Own code: the package for this, num2words, takes 90 ms to import and a licence of
its own for what is a page of code in one language.
"""

import re

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = (
    " thousand million billion trillion quadrillion quintillion sextillion septillion octillion "
    "nonillion decillion"
).split(" ")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MAX_DIGITS = 3 * len(_SCALES)
"""Digits of the longest number that has a name here."""
_LONG = 13
"""Digits from which on a number without separators is a code rather than a quantity."""
_ROMAN = re.compile("(?:X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10}


def _under_hundred(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[ones]}" if ones else "")


def _under_thousand(number: int, american: bool) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _under_hundred(rest)
    said = f"{_SMALL[hundreds]} hundred"
    if rest:
        said += f"{' ' if american else ' and '}{_under_hundred(rest)}"
    return said


def cardinal(digits: str, american: bool = False) -> str:
    """The number that ``digits`` (ASCII, no separators) write; digit by digit if it has no name.

    Args:
        american: "one hundred one" instead of "one hundred and one".
    """
    digits = digits.lstrip("0") or "0"
    if len(digits) > MAX_DIGITS:
        return spelled(digits)
    number = int(digits)
    if number < 1000:
        return _under_thousand(number, american)
    parts = []
    groups = (len(digits) - 1) // 3
    for scale in range(groups, -1, -1):
        group, number = divmod(number, 1000**scale)
        if not group:
            continue
        said = _under_thousand(group, american)
        if scale:
            said += f" {_SCALES[scale]}"
        elif group < 100 and not american:
            said = f"and {said}"
        parts.append(said)
    return " ".join(parts)


def quantity(digits: str, american: bool = False) -> str:
    """Like `cardinal`, but what looks like a code (007, 4111111111111111) is read by its digits."""
    if len(digits) >= _LONG or (len(digits) > 1 and digits[0] == "0"):
        return spelled(digits)
    return cardinal(digits, american)


def decimal(whole: str, fraction: str, american: bool = False) -> str:
    """``whole`` "." ``fraction``; the whole part may be empty, and the fraction, too."""
    if not fraction:
        return quantity(whole, american)
    before = f"{cardinal(whole, american)} " if whole else ""
    return f"{before}point {spelled(fraction)}"


def ordinal(digits: str, american: bool = False) -> str:
    """22 → twenty-second."""
    said = cardinal(digits, american)
    cut = max(said.rfind(" "), said.rfind("-")) + 1
    last = said[cut:]
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = f"{last[:-1]}ieth"
    else:
        last += "th"
    return said[:cut] + last


def year(digits: str, american: bool = False) -> str:
    """Three or four digits as a year: 1999 → nineteen ninety-nine; 2005 → two thousand and five."""
    if len(digits) != 4 or digits[1:3] == "00":
        return cardinal(digits, american)
    century, rest = _under_hundred(int(digits[:2])), int(digits[2:])
    if not rest:
        return f"{century} hundred"
    return f"{century} {pair(digits[2:])}"


def pair(digits: str) -> str:
    """Two digits after others, as in years and times: 05 → oh five."""
    if digits[0] == "0":
        return f"oh {_SMALL[int(digits)]}" if digits != "00" else "hundred"
    return _under_hundred(int(digits))


def plural(said: str) -> str:
    """Of a number's last word: ninety → nineties, third → thirds."""
    if said.endswith("y"):
        return f"{said[:-1]}ies"
    return f"{said}es" if said.endswith("x") else f"{said}s"


def spelled(digits: str) -> str:
    """Digit by digit."""
    return " ".join(_SMALL[int(digit)] for digit in digits)


def brief(digits: str, american: bool = False) -> str:
    """As in addresses: 192 → one ninety-two, 105 → one oh five, 1080 → one zero eight zero."""
    if len(digits) > 1 and digits[0] == "0" or len(digits) > 3:
        return spelled(digits)
    if len(digits) == 3 and digits[1:] != "00":
        return f"{_SMALL[int(digits[0])]} {pair(digits[1:])}"
    return cardinal(digits, american)


def roman(letters: str) -> int:
    """The value of a Roman numeral up to XXXIX; 0 if it is none."""
    if not letters or not _ROMAN.fullmatch(letters):
        return 0
    values = [_ROMAN_DIGITS[letter] for letter in letters]
    return sum(-value if value < after else value for value, after in zip(values, values[1:] + [0]))
