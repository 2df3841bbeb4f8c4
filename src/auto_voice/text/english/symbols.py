"""Signs between and before words and numbers."""

import re
from typing import Dict, Optional

from auto_voice.text.edits import spaced
from auto_voice.text.english import codes, dates, money
from auto_voice.text.english.amounts import FRACTIONS
from auto_voice.text.english.reading import Reading, Rule, previous_word

_BEFORE_NUMBER = {
    "-": "minus",
    "−": "minus",
    "–": "minus",
    "+": "plus",
    "±": "plus or minus",
    "~": "about",
    "≈": "about",
    "#": "number",
    "№": "number",
    "§": "section",
    "≥": "at least",
    "≤": "at most",
    ">": "more than",
    "<": "less than",
}
_BETWEEN = {
    "+": "plus",
    "−": "minus",
    "×": "times",
    "÷": "divided by",
    "=": "equals",
    "≠": "is not equal to",
    "≈": "is about",
    "±": "plus or minus",
    "<": "is less than",
    ">": "is greater than",
    "≤": "is at most",
    "≥": "is at least",
    "*": "times",
    "^": "to the power of",
    "→": "to",
    "⇒": "so",
    "∞": "infinity",
    "√": "square root of",
    "∑": "sum of",
    "∆": "delta",
    "≡": "is identical to",
    "∈": "in",
    "·": "times",
    "•": "",
}
_TWO = {
    "->": "to",
    "=>": "so",
    "==": "equals",
    "!=": "is not equal to",
    "<=": "is at most",
    ">=": "is at least",
    "+-": "plus or minus",
    "**": "to the power of",
    "--": "",
}
_IS = frozenset(("is", "are", "was", "were", "be"))
_FOLLOWED = re.compile(r"[ ]?[$£€¥]?\.?[0-9]")
_ENTITY = re.compile(r"&(?:#[xX]?[0-9A-Fa-f]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});")


def sign(text: str, at: int, american: bool) -> Optional[Reading]:
    """What the sign at ``at`` is called; None leaves it to the engine."""
    special = _SPECIAL.get(text[at])
    reading = special(text, at, american) if special else None
    if reading:
        return reading
    before = text[at - 1] if at else " "
    open_before = before.isspace() or before in "([{\"'“‘/=≈~<>≤≥"
    after = text[at + 1 : at + 2]
    tight = after.isdecimal() or after in tuple(".$£€¥") and _FOLLOWED.match(text, at + 1)
    said = _BEFORE_NUMBER.get(text[at])
    if said and open_before and tight and not _has_operand(text, at):
        return Reading(f"{said} ", at + 1)
    if said and text[at] in "≥≤≈~№§#" and open_before and _FOLLOWED.match(text, at + 1):
        if not _has_operand(text, at):
            return Reading(said, at + 1)
    return _operator(text, at)


def _has_operand(text: str, at: int) -> bool:
    """Whether a sign is one of a calculation: 2 -3 rather has none, x ≥ 3 has."""
    if text[at] in "-−–+~#№§±":
        return False
    return text[:at].rstrip()[-1:].isalnum() and text[at] in "<>≤≥≈" and _is_operand(text, at)


def _is_operand(text: str, at: int) -> bool:
    """Whether what stands before ``at`` is a number or a single letter."""
    before = text[max(0, at - 24) : at].split()
    return bool(before) and (len(before[-1]) == 1 or before[-1][-1].isdecimal())


def _operator(text: str, at: int) -> Optional[Reading]:
    pair = text[at : at + 2]
    end = at + 1
    said = _TWO.get(pair)
    if said is not None:
        end = at + 2
    elif text[at] == "-":
        said = "minus" if _subtracts(text, at) else None
    else:
        said = _BETWEEN.get(text[at])
    if said is None:
        return None
    if said.startswith("is ") and previous_word(text, at) in _IS:
        said = said[3:]
    before, after = text[at - 1 : at] if at else "", text[end : end + 1]
    if before.isspace() and after.isspace():
        return Reading(said, end)
    if text[at] in "→⇒×÷≠≥≤≡∈√∑±∞":
        return Reading(spaced(text, at, end, said), end)
    if before.isdecimal() and after.isdecimal() and said:
        return Reading(spaced(text, at, end, said), end)
    if text[at] in "=<>" and before.isalnum() and (after.isalnum() or after in tuple("-+")):
        return Reading(spaced(text, at, end, said), end)
    return None


def _subtracts(text: str, at: int) -> bool:
    """Whether a hyphen between numbers is a minus: an equals sign tells."""
    if "=" not in text[max(0, at - 64) : at + 64]:
        return False
    return text[:at][-2:].strip()[-1:].isalnum() and text[at + 1 : at + 3].strip()[:1].isalnum()


def _ampersand(text: str, at: int, american: bool) -> Optional[Reading]:
    """ "and", but "&amp;" and "AT&T" are left."""
    entity = _ENTITY.match(text, at)
    if entity:
        return Reading(entity.group(), entity.end())
    if text[at - 1 : at].isalnum() and text[at + 1 : at + 2].isalnum():
        return None
    end = at + 1 + (text[at + 1 : at + 2] == "&")
    return Reading(spaced(text, at, end, "and"), end)


def _hash(text: str, at: int, american: bool) -> Optional[Reading]:
    """C#, #music; "#1" is a number sign like others."""
    if text[at - 1 : at] in tuple("CFAGD") and not text[max(0, at - 2) : at - 1].isalnum():
        return Reading(" sharp", at + 1)
    before = text[at - 1 : at]
    if text[at + 1 : at + 2].isalpha() and not before.isalnum():
        return Reading("hashtag ", at + 1)
    return None


def _at(text: str, at: int, american: bool) -> Optional[Reading]:
    """Between prices and names; handles and addresses have been read before."""
    return Reading(spaced(text, at, at + 1, "at"), at + 1)


def _glyph(text: str, at: int, american: bool) -> Optional[Reading]:
    return Reading(spaced(text, at, at + 1, FRACTIONS[text[at]]), at + 1)


def _power(text: str, at: int, american: bool) -> Optional[Reading]:
    end = at + 1
    if text[at] == "^":
        end += 1
        if text[at + 1 : end] not in ("2", "3") or text[end : end + 1].isalnum():
            return None
    said = "squared" if text[end - 1] in "²2" else "cubed"
    return Reading(spaced(text, at, end, said), end)


def _trademark(text: str, at: int, american: bool) -> Optional[Reading]:
    return Reading("", at + 1)


def _copyright(text: str, at: int, american: bool) -> Optional[Reading]:
    return Reading(spaced(text, at, at + 1, "copyright"), at + 1)


_SPECIAL: Dict[str, Rule] = {
    **dict.fromkeys(money.SIGNS, money.after_sign),
    **dict.fromkeys(FRACTIONS, _glyph),
    "+": codes.international,
    "(": codes.in_brackets,
    "'": dates.short_decade,
    "’": dates.short_decade,
    "‘": dates.short_decade,
    "&": _ampersand,
    "#": _hash,
    "@": _at,
    "^": _power,
    "²": _power,
    "³": _power,
    "™": _trademark,
    "®": _trademark,
    "©": _copyright,
}

SIGNS = "".join(sorted({*_SPECIAL, *_BEFORE_NUMBER, *_BETWEEN, "!"}))
"""Every sign that `sign` may know."""
