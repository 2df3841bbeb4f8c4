"""Finds the place to cut a sentence that is too long."""

import re
import unicodedata

# Reading order matters: what "(?s).*" reaches first is the last place in the window.
_CLOSERS = "[\"'”’»)\\]]{0,3}"
_STRONG = re.compile(rf"(?s).*(?:[;:؛·፤፥]{_CLOSERS}(?=\s)|[–-](?=\s)(?<=\s.)|[—；：])(?=.)")
_COMMA = re.compile(rf"(?s).*(?:[,،፣၊՝]{_CLOSERS}(?=\s)|[、，､])(?=.)")
# Not at a no-break space: French sets one before "?".
_SPACE = re.compile(r"(?s).*[^\S\xa0\u2007\u202f]")
_JOINER = "\u200d"
_REACH = 32
"""Characters that a cut goes back at most to keep a cluster together."""


def cut(text: str, start: int, limit: int, weak: int) -> int:
    """Index after the first piece of the sentence from ``start``, beyond it and at most ``limit``.

    After the end of a clause if there is one past the first third, else at white space, else
    between two characters.

    Args:
        limit: smaller than the text's length.
        weak: index where a sentence almost ended, or 0.
    """
    third = start + (limit - start) // 3 + 1
    if weak >= third:
        return weak
    # One character past the limit shows whether white space follows.
    for pattern in (_STRONG, _COMMA):
        match = pattern.match(text, third, limit + 1)
        if match:
            return match.end()
    match = _SPACE.match(text, start + 1, limit + 1)
    if match:
        return match.end() - 1
    at = limit
    lowest = max(start + 1, limit - _REACH)
    while _belongs_together(text, at, start):
        at -= 1
        if at < lowest:
            return limit
    return at


def _belongs_together(text: str, at: int, start: int) -> bool:
    """Whether a cut before ``text[at]`` would split what is seen as one character."""
    before, after = text[at - 1], text[at]
    if after < "\u0300":
        return False
    return (
        unicodedata.category(after).startswith("M")
        or _JOINER in (before, after)
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # flags of regions
        or "\u1160" <= after <= "\u11ff"  # vowels and finals of Hangul
        or after in "ﾞﾟ"
        or unicodedata.combining(before) == 9  # virama: a conjunct
        or (_is_flag_half(after) and _flag_halves(text, at, start) % 2 == 1)
    )


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_halves(text: str, at: int, start: int) -> int:
    """Regional indicators right before ``at``."""
    first = at
    while first > max(start, at - _REACH) and _is_flag_half(text[first - 1]):
        first -= 1
    return at - first
