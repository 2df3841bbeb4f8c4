"""Reads a text as what it is said to be, however it is written."""

import re
from typing import Callable, Dict, Optional

from auto_voice.text.aligned import Aligned
from auto_voice.text.english import codes
from auto_voice.text.english.amounts import amount
from auto_voice.text.english.dates import BY_NAME, MONTHS
from auto_voice.text.english.money import CODES, SIGNS, before_code, of_currency
from auto_voice.text.english.numbers import brief, cardinal, decimal, ordinal, pair, roman, year

_INTEGER = re.compile("[0-9]+")
_NUMBER = re.compile(r"(?P<sign>[-−+]?)(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]+))?")
_ORDINAL = re.compile("([0-9]+)(?:st|nd|rd|th)?", re.IGNORECASE)
_FRACTION = re.compile(r"(?:(?P<w>[0-9]{1,12})[ +])?(?P<a>[0-9]{1,12})[/⁄](?P<b>[0-9]{1,12})")
_PARTS = re.compile("[0-9]+|[A-Za-z]+")
_DURATION = re.compile(
    r"(?:(?P<h>[0-9]{1,3})(?:h|:(?=[0-9]+:)))?[ ]?"
    r"(?:(?P<m>[0-9]{1,3})(?:['′’m]|min|:(?=[0-9])))?[ ]?(?:(?P<s>[0-9]{1,3})(?:[\"″”s]|''|sec)?)?"
)
_CLOCK = re.compile(
    r"(?P<h>[0-9]{1,2})(?:[:.h ](?P<m>[0-9]{2}))?(?:[:.](?P<s>[0-9]{2}))?"
    r"[ ]?(?P<ap>[AaPp])?\.?[Mm]?\.?"
)
_MARK = re.compile("[$£€¥₹]")
MAX_CHARS = 1000
"""Characters of the longest text that is looked at; longer ones are none of these."""


def spoken(kind: str, text: str, format: str, american: bool) -> Optional[str]:
    """The words for ``text`` as a ``kind``; None if it is none.

    Args:
        kind: cardinal, number, ordinal, fraction, unit, date, time, duration, telephone, address
            or currency.
        format: the order of a date's or time's parts, in lower case; may be empty.
    """
    if not text or len(text) > MAX_CHARS:
        return None
    return _KINDS[kind](text, format, american)


def _cardinal(text: str, format: str, american: bool) -> Optional[str]:
    if format in ("ordinal", "telephone", "date"):
        return _KINDS[format](text, "", american)
    plain = re.sub("[, \u00a0_]", "", text)
    if roman(plain):
        plain = str(roman(plain))
    if "/" in plain:
        return _fraction(text, format, american)
    match = _NUMBER.fullmatch(plain)
    if not match or not (match["whole"] or match["fraction"]):
        return None
    sign = {"-": "minus ", "−": "minus ", "+": "plus "}.get(match["sign"], "")
    if match["fraction"]:
        return sign + decimal(match["whole"], match["fraction"], american)
    return sign + cardinal(match["whole"], american)


def _ordinal(text: str, format: str, american: bool) -> Optional[str]:
    plain = re.sub("[, \u00a0]", "", text)
    if roman(plain):
        return ordinal(str(roman(plain)), american)
    match = _ORDINAL.fullmatch(plain)
    return ordinal(match[1], american) if match else None


def _fraction(text: str, format: str, american: bool) -> Optional[str]:
    match = _FRACTION.fullmatch(text)
    if not match:
        return None
    part = codes.parts(match["a"], match["b"], american)
    if not match["w"]:
        return part
    part = f"a{part[3:]}" if part.startswith("one ") else part
    return f"{cardinal(match['w'], american)} and {part}"


def _usual(text: str, format: str, american: bool) -> Optional[str]:
    """By the rules for any text; only if they know something of it."""
    from auto_voice.text.edits import edited
    from auto_voice.text.english.reader import read

    edits = list(read(text, american))
    return edited(Aligned.verbatim(text), edits).text if edits else None


def _date(text: str, format: str, american: bool) -> Optional[str]:
    order = format.replace("yyyy", "y").replace("mm", "m").replace("dd", "d").replace("yy", "y")
    order = re.sub("[^ymd]", "", order)
    parts = _PARTS.findall(text)
    if len(parts) == 1 and parts[0].isdecimal() and len(parts[0]) == 8:
        order = order if len(order) == 3 else "ymd"
        sizes = [4 if part == "y" else 2 for part in order]
        ends = [sum(sizes[: n + 1]) for n in range(3)]
        parts = [parts[0][end - size : end] for end, size in zip(ends, sizes)]
    if not order:
        return _usual(text, format, american)
    if len(parts) != len(order) or len(set(order)) != len(order):
        return None
    return _in_order(dict(zip(order, parts)), american)


def _in_order(found: Dict[str, str], american: bool) -> Optional[str]:
    month = found.get("m")
    name = ""
    if month is not None:
        if month.isdecimal():
            number = int(month) if len(month) <= 2 else 0
            name = MONTHS[number - 1] if 1 <= number <= 12 else ""
        else:
            name = BY_NAME.get(month.lower(), "")
        if not name:
            return None
    day = _ORDINAL.fullmatch(found.get("d", "1"))
    of_year = found.get("y", "")
    if not day or len(day[1]) > 2 or not 1 <= int(day[1]) <= 31:
        return None
    if of_year and not _INTEGER.fullmatch(of_year):
        return None
    said = name
    if "d" in found:
        nth = ordinal(day[1], american)
        said = f"{name} {nth}" if american and name else f"the {nth}{' of ' * bool(name)}{name}"
    if of_year:
        written = of_year
        if len(of_year) == 2:
            written = f"20{of_year}" if of_year < "70" else f"19{of_year}"
        said += f"{',' if american and 'd' in found else ''} {year(written, american)}"
    return said.strip() or None


def _time(text: str, format: str, american: bool) -> Optional[str]:
    if re.search("['′’\"″”]", text):
        return _duration(text, format, american)
    match = _CLOCK.fullmatch(text)
    if not match or int(match["h"]) > 24 or (match["m"] or "0") > "59":
        return None
    hour, minute, half = int(match["h"]), match["m"] or "", (match["ap"] or "").lower()
    if format.endswith("24") and half:
        hour, half = hour % 12 + 12 * (half == "p"), ""
    elif format.endswith("12") and not half and (hour > 12 or hour == 0):
        hour, half = (hour - 12, "p") if hour > 12 else (12, "a")
    said = cardinal(str(hour))
    if minute and minute != "00":
        said += f" {pair(minute)}"
    elif not half:
        twelve = 1 <= hour <= 12 and not format.endswith("24")
        said += " o’clock" if twelve else " hundred" if minute else " hours"
    if match["s"] and match["s"] != "00":
        said += f" and {_counted(match['s'], 'second')}"
    return f"{said} {half}m" if half else said


def _duration(text: str, format: str, american: bool) -> Optional[str]:
    """1'21" → one minute and twenty-one seconds."""
    match = _DURATION.fullmatch(text)
    if not match:
        return None
    parts = [
        _counted(match[key], name)
        for key, name in (("h", "hour"), ("m", "minute"), ("s", "second"))
        if match[key] and int(match[key])
    ]
    if not parts:
        return None
    return " and ".join([" ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _counted(digits: str, name: str) -> str:
    return f"{cardinal(digits)} {name}{'' if int(digits) == 1 else 's'}"


def _telephone(text: str, format: str, american: bool) -> Optional[str]:
    said = codes.telephone(text)
    if not said:
        return None
    return f"plus {said}" if text.startswith("+") else said


def _currency(text: str, format: str, american: bool) -> Optional[str]:
    """$5, 5 USD, USD5; with a format such as "USD" a bare number, too."""
    mark = _MARK.search(text)
    code = re.search("[A-Z]{3}", text)
    name = code.group() if code else format.upper()
    if mark:
        currency = SIGNS[mark.group()]
    elif name in CODES:
        currency = CODES[name]
    else:
        return None
    number = re.search(r"[0-9.]", text)
    if not number:
        return None
    found = amount(text, number.start(), american, money=True)
    if found and before_code(text, found, american):
        reading = before_code(text, found, american)
    else:
        reading = of_currency(text, number.start(), number.start(), currency, american)
    if not reading or text[reading.end :].strip():
        return None
    return f"minus {reading.said}" if text[0] in "-−" else reading.said


def _address(text: str, format: str, american: bool) -> Optional[str]:
    """Numbers of houses and post codes as they are given: one fifty, nine zero two one zero."""
    said = re.sub(
        r"(?<![\w])[0-9]{3,10}(?![\w])", lambda match: brief(match.group(), american), text
    )
    return _usual(said, format, american) or (said if said != text else None)


_KINDS: Dict[str, Callable[[str, str, bool], Optional[str]]] = {
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    "fraction": _fraction,
    "unit": _usual,
    "date": _date,
    "time": _time,
    "duration": _duration,
    "telephone": _telephone,
    "address": _address,
    "currency": _currency,
}
