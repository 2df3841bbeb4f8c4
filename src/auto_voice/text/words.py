"""Where words begin and end, in every script."""

import re
import unicodedata
from typing import List

# Scripts that put no space between words: each letter may be the first of one.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u309f\u3400-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
# What Python does not count as \w and yet belongs to a word: marks (for the scripts of India
# whole blocks, whose other signs are letters), joiners, the soft hyphen.
_MARKS = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711"
    "\u0730-\u074a\u07a6-\u07b0\u0816-\u0823\u08d3-\u08e1\u08e3-\u0963\u0966-\u0df3"
    "\u0f71-\u0f84\u135d-\u135f\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20f0"
    "\ua66f\ua69e\ua69f\ufe00-\ufe0f\ufe20-\ufe2f"
)
_LETTER = f"[^\\W_{_UNSPACED}]|[{_MARKS}]"
_TOKEN = re.compile(f"(?:{_LETTER})+|[{_UNSPACED}][{_MARKS}]*|\\s+|.", re.DOTALL)
_ALPHANUMERIC = re.compile(_LETTER)
_APOSTROPHES = "'’ʼ＇"
_INVISIBLE = str.maketrans({"\u00ad": None, "\u200c": None, "\u200d": None})


def tokens(text: str) -> List[str]:
    """``text`` in runs of letters and digits, runs of white space, and other single characters."""
    return _TOKEN.findall(text)


def folded(tokens_: List[str]) -> List[str]:
    """The tokens as all ways to write them are: in whatever case and with whatever apostrophe."""
    return [" " if token.isspace() else _folded(token) for token in tokens_]


def _folded(token: str) -> str:
    if token.isascii():
        return token.lower()
    if token in _APOSTROPHES:
        return "'"
    return unicodedata.normalize("NFC", token.translate(_INVISIBLE)).casefold()


def is_border(text: str, at: int, language: str) -> bool:
    """Whether a word may begin or end at index ``at``, which is one between tokens.

    As in Unicode's rules for words (UAX #29), a full stop between letters does
    not end a word ("example.com"), nor does a comma between digits. An
    apostrophe does not in English, but before a final s ("Anna's").
    """
    if not 0 < at < len(text) or text[at] == " " or text[at - 1] == " ":
        return True
    if _joins(text, at, language) or _joins(text, at - 1, language):
        return False
    return not (_is_letter(text[at - 1]) and _is_letter(text[at]))


def _joins(text: str, at: int, language: str) -> bool:
    """Whether the character at ``at`` joins those around it to one word."""
    if not 0 < at < len(text) - 1:
        return False
    character = text[at]
    if character not in ".,_" and character not in _APOSTROPHES:
        return False
    left, right = text[at - 1], text[at + 1]
    if character == ",":
        return left.isdigit() and right.isdigit()
    if not (_is_letter(left) and _is_letter(right)):
        return False
    if character in "._":
        return True
    return language.startswith("en") and not (
        right in "sS" and (at + 2 == len(text) or not _is_letter(text[at + 2]))
    )


def _is_letter(character: str) -> bool:
    return _ALPHANUMERIC.match(character) is not None
