"""Dates and years."""

import re
from typing import Optional

from auto_voice.text.english.numbers import cardinal, ordinal, pair, plural, year
from auto_voice.text.english.reading import Reading, next_word, previous_word

MONTHS = (
    "January February March April May June July August September October November December"
).split()
_SHORT = {name[:3].lower(): name for name in MONTHS}
_SHORT["sept"] = "September"
BY_NAME = {**_SHORT, **{name.lower(): name for name in MONTHS}}
"""Month by its name or abbreviation, in lower case and without full stop."""

_NAMES = "|".join(sorted((name.capitalize() for name in BY_NAME), key=len, reverse=True))
_YEAR = r"(?:,?[ ](?P<year>[12][0-9]{3})(?![0-9]|[.,:/][0-9]|s\b))?"
_ISO = re.compile(
    r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})(?:(?P<t>T)(?=[0-9]{2}:)|(?![\w-]))"
)
_SLASHED = re.compile(
    r"(?P<a>[0-9]{1,2})(?P<sep>[/.-])(?P<b>[0-9]{1,2})(?P=sep)"
    r"(?P<y>[0-9]{4}|[0-9]{2})(?![\w/]|[.,-][0-9])"
)
_DAY_FIRST = re.compile(
    rf"(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?(?P<of>[ ]of)?[ ](?P<m>{_NAMES})\b\.?{_YEAR}"
)
_DAYS_FIRST = re.compile(
    rf"(?P<d>[0-9]{{1,2}})[ ]?[-–][ ]?(?P<until>[0-9]{{1,2}})[ ](?P<m>{_NAMES})\b\.?{_YEAR}"
)
_AFTER_MONTH = re.compile(
    r"\.?[ ](?P<d>[0-9]{1,2})(?:st|nd|rd|th)?(?:[-–](?P<until>[0-9]{1,2}))?"
    rf"(?![0-9]|[.,:/][0-9]|[ ]?[%ap]\.?m?\b){_YEAR}"
)
_YEAR_AFTER_MONTH = re.compile(r"(?P<stop>\.?),?[ ](?P<year>[12][0-9]{3})(?![\w%]|[.,:/][0-9])")

_BARE_YEAR = re.compile(r"[12][0-9]{3}(?![\w%]|[.,:][0-9])")
_UNTIL_YEAR = re.compile(
    r"(?:[ ]?[-–][ ]?|/(?=[0-9]{2}\b))(?P<y>[12][0-9]{3}|[0-9]{2})(?![\w%/-]|[.,:][0-9])"
)
_DECADE = re.compile(r"(?P<c>1[0-9]|20)?(?P<d>[0-9]0)['’]?s(?!\w)")
_BEFORE_YEARS = frozenset(
    "in since of by from until till before after year years circa c ca during early late mid "
    "around spring summer autumn fall winter between copyright © to and".split()
)
_ALWAYS_BEFORE_YEARS = frozenset(
    "in since year circa during spring summer autumn fall winter copyright ©".split()
)
_ERAS = frozenset("BC AD BCE CE B.C A.D".split())
_COUNTED = frozenset("people men women children percent times feet of".split())
_VERBS = frozenset("was is has does as us his this its".split())


def numeric(text: str, at: int, american: bool) -> Optional[Reading]:
    """2026-11-24 and 24/11/2026, which is 11/24/2026 to Americans."""
    iso = _ISO.match(text, at)
    if iso:
        said = _date(int(iso["d"]), int(iso["m"]), iso["y"], american)
        return Reading(said + (" at " if iso["t"] else ""), iso.end()) if said else None
    match = _SLASHED.match(text, at)
    if not match or (len(match["y"]) == 2 and match["sep"] != "/"):
        return None
    first, second = int(match["a"]), int(match["b"])
    month_first = american and match["sep"] != "."
    if second > 12 >= first:
        month_first = True
    elif first > 12:
        month_first = False
    day, month = (second, first) if month_first else (first, second)
    written = match["y"]
    if len(written) == 2:
        written = f"20{written}" if written < "70" else f"19{written}"
    said = _date(day, month, written, american)
    return Reading(said, match.end()) if said else None


def day_first(text: str, at: int, american: bool) -> Optional[Reading]:
    """24 November 2026, 24th of Nov., 3-5 May."""
    match = _DAY_FIRST.match(text, at) or _DAYS_FIRST.match(text, at)
    if not match or not 1 <= int(match["d"]) <= 31:
        return None
    groups = match.groupdict()
    if (match["m"] == "May" or match["m"] == "Mar") and not groups.get("year"):
        if next_word(text, match.end()).lower() in ("be", "have", "not"):
            return None  # the 5 May be enough
    day = f"the {ordinal(match['d'])}"
    if groups.get("until"):
        day += f" to the {ordinal(match['until'])}"
    if previous_word(text, at).lower() == "the":
        day = day[4:]
    said = f"{day} of {BY_NAME[match['m'].lower()]}"
    return Reading(said + _of_year(match["year"], american), match.end())


def month_first(text: str, at: int, american: bool) -> Optional[Reading]:
    """Nov. 24, 2026 and May 2026, at the month's name."""
    end = at
    while end < len(text) and end < at + 10 and text[end].isalpha():
        end += 1
    name = BY_NAME.get(text[at:end].lower())
    if not name or not text[at].isupper():
        return None
    match = _AFTER_MONTH.match(text, end)
    if match and 1 <= int(match["d"]) <= 31:
        day = ordinal(match["d"]) if american else f"the {ordinal(match['d'])}"
        if match["until"]:
            day += f" to {ordinal(match['until'])}"
        return Reading(f"{name} {day}{_of_year(match['year'], american)}", match.end())
    with_year = _YEAR_AFTER_MONTH.match(text, end)
    if with_year:
        return Reading(f"{name} {year(with_year['year'], american)}", with_year.end())
    if text[end : end + 1] == "." and name != "May" and text[at:end].lower() != name.lower():
        return Reading(name, end + 1)
    return None


def decade(text: str, at: int, american: bool) -> Optional[Reading]:
    """1990s, 80s."""
    match = _DECADE.match(text, at)
    if match and (match["c"] or match["d"] >= "20"):
        return Reading(_decade(match["c"] or "", match["d"], american), match.end())
    return None


def years(text: str, at: int, american: bool) -> Optional[Reading]:
    """1999 and 1990–95; a number that counts something is none."""
    match = _BARE_YEAR.match(text, at)
    if not match:
        return None
    end = match.end()
    until = _UNTIL_YEAR.match(text, end)
    if until and (len(until["y"]) == 4 or until["y"] > match.group()[2:]):
        if len(until["y"]) == 2 or until["y"] >= match.group():
            last = until["y"]
            second = year(last, american) if len(last) == 4 else pair(last)
            return Reading(f"{year(match.group(), american)} to {second}", until.end())
    if not _is_year(text, at, end):
        return None
    return Reading(year(match.group(), american), end)


def short_decade(text: str, at: int, american: bool) -> Optional[Reading]:
    """'90s, at the apostrophe, and '99."""
    match = _DECADE.match(text, at + 1)
    if match and not match["c"]:
        return Reading(_decade("", match["d"], american), match.end())
    digits = text[at + 1 : at + 3]
    if text[at] == "’" or previous_word(text, at).lower() in ("of", "in", "summer", "class"):
        if len(digits) == 2 and digits.isdecimal() and not text[at + 3 : at + 4].isalnum():
            return Reading(pair(digits), at + 3)
    return None


def _is_year(text: str, at: int, end: int) -> bool:
    number = text[at:end]
    before, after = previous_word(text, at).lower(), next_word(text, end)
    if after in _ERAS or before in _ALWAYS_BEFORE_YEARS:
        return True
    counted = after in _COUNTED or (
        after.islower() and after.endswith("s") and after not in _VERBS and not after.endswith("ss")
    )
    if counted and before not in ("the", "this"):
        return False
    return before in _BEFORE_YEARS if number < "1900" or number > "2099" else True


def _decade(century: str, tens: str, american: bool) -> str:
    if not century:
        return plural(cardinal(tens)) if tens != "00" else "two thousands"
    if tens == "00":
        return plural(year(f"{century}00", american))
    return f"{cardinal(century)} {plural(cardinal(tens))}"


def _date(day: int, month: int, of_year: str, american: bool) -> str:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return ""
    if american:
        said = f"{MONTHS[month - 1]} {ordinal(str(day))}"
    else:
        said = f"the {ordinal(str(day))} of {MONTHS[month - 1]}"
    return said + _of_year(of_year, american)


def _of_year(written: Optional[str], american: bool) -> str:
    if not written:
        return ""
    return f"{',' if american else ''} {year(written, american)}"
