"""Units of measurement after a number."""

import re
from typing import Dict, Optional, Tuple

from auto_voice.text.english.amounts import Amount
from auto_voice.text.english.numbers import cardinal
from auto_voice.text.english.reading import Reading

_PREFIXED = {  # each unit with the prefixes that it is seen with
    "m": ("metre", "n µ μ m c d k"),
    "g": ("gram", "µ μ m k"),
    "l": ("litre", "m c d"),
    "L": ("litre", "m c d"),
    "s": ("second", "n µ μ m"),
    "W": ("watt", "m k M G T"),
    "Wh": ("watt hour", "k M G T"),
    "V": ("volt", "m k"),
    "Hz": ("hertz", "k M G T"),
    "Pa": ("pascal", "h k M G"),
    "J": ("joule", "k M"),
    "N": ("newton", "k"),
    "cal": ("calorie", "k"),
    "B": ("byte", "k K M G T P"),
    "iB": ("bibyte", "K M G T"),
    "bit": ("bit", "k K M G T"),
    "bps": ("bit per second", "k K M G T"),
    "Ah": ("ampere hour", "m"),
    "A": ("ampere", "m"),
    "F": ("farad", "p n µ μ"),
    "eV": ("electronvolt", "k M G"),
    "Ω": ("ohm", "k M"),
    "px": ("pixel", "M"),
}
_PREFIXES = {
    "p": "pico",
    "n": "nano",
    "µ": "micro",
    "μ": "micro",
    "m": "milli",
    "c": "centi",
    "d": "deci",
    "h": "hecto",
    "k": "kilo",
    "K": "kilo",
    "M": "mega",
    "G": "giga",
    "T": "tera",
    "P": "peta",
}
_BINARY = {"K": "kibi", "M": "mebi", "G": "gibi", "T": "tebi"}

_OTHER = {
    "m": "metre",
    "g": "gram",
    "l": "litre",
    "L": "litre",
    "s": "second",
    "W": "watt",
    "V": "volt",
    "N": "newton",
    "J": "joule",
    "Hz": "hertz",
    "Wh": "watt hour",
    "Pa": "pascal",
    "A": "ampere",
    "bit": "bit",
    "bps": "bit per second",
    "px": "pixel",
    "Ω": "ohm",
    "cal": "calorie",
    "t": "tonne",
    "ha": "hectare",
    "h": "hour",
    "hr": "hour",
    "hrs": "hour",
    "min": "minute",
    "mins": "minute",
    "sec": "second",
    "secs": "second",
    "yr": "year",
    "yrs": "year",
    "wk": "week",
    "wks": "week",
    "in": "inch",
    "ft": "foot",
    "yd": "yard",
    "yds": "yard",
    "mi": "mile",
    "lb": "pound",
    "lbs": "pound",
    "oz": "ounce",
    "tsp": "teaspoon",
    "tbsp": "tablespoon",
    "gal": "gallon",
    "qt": "quart",
    "pt": "point",
    "mph": "mile per hour",
    "kph": "kilometre per hour",
    "kmh": "kilometre per hour",
    "kn": "knot",
    "rpm": "revolution per minute",
    "fps": "frame per second",
    "dpi": "dot per inch",
    "ppm": "part per million",
    "dB": "decibel",
    "bar": "bar",
    "mbar": "millibar",
    "atm": "atmosphere",
    "hp": "horsepower",
    "°": "degree",
    "°C": "degree Celsius",
    "°F": "degree Fahrenheit",
    "º": "degree",
    "ºC": "degree Celsius",
    "ºF": "degree Fahrenheit",
    "℃": "degree Celsius",
    "℉": "degree Fahrenheit",
    "K": "kelvin",
    "%": "percent",
    "‰": "per mille",
    "Mpx": "megapixel",
}


def _names() -> Dict[str, str]:
    names = dict(_OTHER)
    for symbol, (name, prefixes) in _PREFIXED.items():
        for prefix in prefixes.split():
            spelled = _BINARY[prefix] + "byte" if symbol == "iB" else _PREFIXES[prefix] + name
            names.setdefault(prefix + symbol, spelled)
    return names


_NAMES = _names()
_PER = {
    **{unit: _NAMES[unit] for unit in "s h min sec hr m g kg l L km cm ha mi lb in yr".split()},
    "day": "day",
    "d": "day",
    "week": "week",
    "month": "month",
    "year": "year",
    "m²": "square metre",
    "m2": "square metre",
    "m³": "cubic metre",
    "m3": "cubic metre",
    "s²": "second squared",
    "dl": "decilitre",
    "dL": "decilitre",
}
_IRREGULAR = {"foot": "feet", "inch": "inches"}
_SAME = {"percent", "horsepower", "per mille", "kelvin"}
_UNIT = re.compile(
    r"(?P<gap>[ \u00a0\u202f-]?)(?P<unit>[A-Za-zµμΩ]{1,5}|[°º][CF]?|[℃℉%‰])"
    r"(?P<power>²|³|\^?[23](?![\w.]))?(?P<stop>\.(?=\s+[a-z]))?(?:/(?P<per>[A-Za-z]{1,5}[23²³]?))?"
    r"(?![\w^°])"
)
_SQUARE = re.compile(r"[ ]?(?P<kind>sq|cu)\.?[ ]?(?P<unit>ft|in|m|km|mi|yd|cm)\.?(?![\w])")
_FEET = re.compile(
    r"(?P<feet>[0-9]{1,2})['′’][ ]?(?P<inches>[0-9]{1,2})(?:(?P<mark>[\"″”]|'')|(?![\w'’]))"
)
_AFTER_SPACE_NEVER = frozenset(("A", "K", "N", "J", "in", "s", "pt", "t", "B", "F"))
"""Too often something else where a space stands before: 5 in a row, Part 2 A."""
_ATTACHED_NEVER = frozenset(("in", "K"))


def measured(text: str, found: Amount, adjective: bool = False) -> Optional[Reading]:
    """``found`` with the unit after it, if there is one: 5 km; adjective: a 5 km run."""
    square = _SQUARE.match(text, found.end)
    if square:
        kind = "square" if square["kind"] == "sq" else "cubic"
        name = f"{kind} {_counted(_NAMES[square['unit']], found.one)}"
        return Reading(f"{found.said} {name}", square.end())
    match = _UNIT.match(text, found.end)
    if not match:
        return None
    unit = match["unit"]
    name = _NAMES.get(unit, "")
    if not name or unit in (_AFTER_SPACE_NEVER if match["gap"] else _ATTACHED_NEVER):
        if not (unit == "in" and match["stop"]):
            return None
    end = match.end()
    power = match["power"] or ""
    counted = _counted(name, found.one or adjective or match["gap"] == "-")
    if power:
        counted = f"{'cubic' if power[-1] in '3³' else 'square'} {counted}"
    if match["per"]:
        below = _PER.get(match["per"])
        if not below:
            return None
        counted += f" per {below}"
    return Reading(f"{found.said} {counted}", end)


def height(text: str, at: int, american: bool) -> Optional[Reading]:
    """5'10" → five foot ten."""
    match = _FEET.match(text, at)
    if not match or int(match["inches"]) > 11:
        return None
    feet, inches = cardinal(match["feet"], american), cardinal(match["inches"], american)
    return Reading(f"{feet} foot {inches}", match.end())


def _counted(name: str, one: bool) -> str:
    if one or name in _SAME or name.endswith("hertz"):
        return name
    first, rest = _first_noun(name)
    return _IRREGULAR.get(first, f"{first}s") + rest


def _first_noun(name: str) -> Tuple[str, str]:
    """What takes the plural: mile per hour, degree Celsius; else the last word."""
    for mark in (" per ", " Celsius", " Fahrenheit"):
        at = name.find(mark)
        if at > 0:
            return name[:at], name[at:]
    return name, ""
