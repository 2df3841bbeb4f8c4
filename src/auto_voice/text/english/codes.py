"""Numbers that stand for something rather than count it: telephones, addresses, versions."""

import re
from typing import Optional

from auto_voice.text.english.numbers import brief, cardinal, ordinal, plural, spelled
from auto_voice.text.english.reading import Reading, previous_word

_IP = re.compile(
    r"(?P<ip>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?:/(?P<mask>[0-9]{1,2}))?(?::(?P<port>[0-9]{1,5}))?"
    r"(?![\w]|\.[0-9])"
)
_BARE = re.compile(r"[0-9]{3,5}(?![\w]|[.,:/-][0-9])")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){2,}(?![\w])")
_GROUPS = re.compile(r"[0-9]+(?:-[0-9]+){2,}(?![\w])")
_LOCAL = re.compile(r"[0-9]{3}-[0-9]{4}(?![\w-])")
_NATIONAL = re.compile(
    r"0[0-9]{2,4}(?:[ ][0-9]{3,8}){1,3}(?![\w])|[0-9]{3}([ .])[0-9]{3}\1[0-9]{4}(?!\w)"
    r"|[0-9]{4}(?:[ ][0-9]{4}){2,4}(?!\w)"
)
_INTERNATIONAL = re.compile(r"\+[0-9]{1,3}(?:[ .-]?\(?[0-9]{1,8}\)?){1,6}(?![\w])")
_IN_BRACKETS = re.compile(r"\([0-9]{3,5}\)[ ]?[0-9]{3,4}[ -]?[0-9]{3,4}(?![\w])")
_FRACTION = re.compile(
    r"(?:(?P<w>[0-9]{1,4})[ ])?(?P<a>[0-9]{1,4})[/⁄](?P<b>[0-9]{1,4})(?![\w/]|[.,][0-9])"
)
_DIGITS = re.compile("[0-9]+")
_SAYINGS = {"24/7": "twenty-four seven", "9/11": "nine eleven", "50/50": "fifty fifty"}
_V = re.compile(r"[vV]\.?[ ]?(?P<n>[0-9]+(?:\.[0-9]+)*)(?!\w)")


def chain(text: str, at: int, american: bool) -> Optional[Reading]:
    """192.168.0.1, 1.2.3 and 555-123-4567."""
    match = _IP.match(text, at)
    if match and all(int(part) < 256 for part in match["ip"].split(".")):
        said = " dot ".join(brief(part) for part in match["ip"].split("."))
        if match["mask"]:
            said += f" slash {cardinal(match['mask'])}"
        if match["port"]:
            said += f" port {brief(match['port'])}"
        return Reading(said, match.end())
    match = _VERSION.match(text, at)
    if match:
        return Reading(version(match.group(), american), match.end())
    match = _BARE.match(text, at)
    if match and _is_code(match.group(), previous_word(text, at)):
        return Reading(spelled(match.group()), match.end())
    match = _GROUPS.match(text, at) or _LOCAL.match(text, at) or _NATIONAL.match(text, at)
    return Reading(telephone(match.group()), match.end()) if match else None


def _is_code(digits: str, before: str) -> bool:
    """Whether ``digits`` are a number to dial or an American post code."""
    if len(digits) == 3:
        return before.lower() in ("call", "dial", "text", "dialled", "dialed")
    return len(digits) == 5 and len(before) == 2 and before.isalpha() and before.isupper()


def version(numbers: str, american: bool) -> str:
    """1.2.3 → one point two point three."""
    return " point ".join(
        cardinal(part, american) if len(part) < 4 else spelled(part) for part in numbers.split(".")
    )


def after_v(text: str, at: int, american: bool) -> Optional[Reading]:
    """v1.2.3, at the v."""
    match = _V.match(text, at)
    if not match or (match.group()[1] in ". " and "." not in match["n"]):
        return None
    return Reading(f"version {version(match['n'], american)}", match.end())


def international(text: str, at: int, american: bool) -> Optional[Reading]:
    """+44 20 7946 0958, at the plus sign."""
    match = _INTERNATIONAL.match(text, at)
    if not match or sum(char.isdigit() for char in match.group()) < 7:
        return None
    return Reading(f"plus {telephone(match.group())}", match.end())


def in_brackets(text: str, at: int, american: bool) -> Optional[Reading]:
    """(555) 123-4567, at the bracket."""
    match = _IN_BRACKETS.match(text, at)
    return Reading(telephone(match.group()), match.end()) if match else None


def telephone(number: str) -> str:
    """Digit by digit, with a pause between groups."""
    return ", ".join(spelled(group) for group in _DIGITS.findall(number))


def fraction(text: str, at: int, american: bool) -> Optional[Reading]:
    """1/2, 2 3/4, 8/10, 24/7."""
    match = _FRACTION.match(text, at)
    if not match:
        return None
    if not match["w"] and match.group() in _SAYINGS:
        return Reading(_SAYINGS[match.group()], match.end())
    if len(match["a"]) == 4 and int(match["a"][2:]) + 1 == int(match["b"]):
        return None  # the year 2019/20
    part = parts(match["a"], match["b"], american)
    if match["w"]:
        if int(match["a"]) >= int(match["b"]):
            return None
        article = part.replace("one ", "a ", 1) if part.startswith("one ") else part
        return Reading(f"{cardinal(match['w'], american)} and {article}", match.end())
    return Reading(part, match.end())


def parts(above: str, below: str, american: bool) -> str:
    """A fraction: two thirds, eight out of ten, twelve over seven."""
    said, number, whole = cardinal(above, american), int(above), int(below)
    if whole in (10, 100) or number == whole:
        return f"{said} out of {cardinal(below, american)}"
    if not 0 < number < whole or whole > 99:
        return f"{said} over {cardinal(below, american)}"
    if whole == 2:
        return f"{said} half"
    name = "quarter" if whole == 4 else ordinal(below, american)
    return f"{said} {name if number == 1 else plural(name)}"
