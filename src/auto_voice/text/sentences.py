"""Cuts a text into sentences, lazily, with exact offsets.

Own code, since the libraries that know sentences take quadratic time on hostile
text where they exist for Python 3.8 at all, want the whole text at once, and
give no offsets. This takes time linear in the text, and the first sentence of a
long text comes after looking at no more than that sentence.
"""

import re
import unicodedata
from typing import Iterator, NamedTuple

from auto_voice.text.abbreviations import (
    BEFORE_NUMBERS,
    NUMBER_DOT_LANGUAGES,
    abbreviations,
    may_end_sentence,
)

MAX_CHARS = 400

_CLOSING = "\"'”’»›)\\]}」』）】"
_OPENING = "\"'“‘«‹([{„‚¿¡「『（【"
_STOPS = ".!?…‽"
# Scripts that put no space after a sentence, or whose full stop means nothing else.
_FULL_STOPS = "。！？｡؟۔।॥։።፧။។៕᙮᠃᥄"
_BOUNDARY = re.compile(
    rf"(?P<full>[{_FULL_STOPS}]+)[{_CLOSING}{_FULL_STOPS}]*"
    rf"|(?P<stop>[{_STOPS}]+)(?P<close>[{_CLOSING}]*)(?=\s|\Z)"
    r"|(?P<blank>\n[^\S\n]*\n)"
    r"|\n(?=[^\S\n]*(?:[-*•–]|\d{1,3}[.)])\s)"
)
_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(rf"[^\s{_OPENING}]{{1,24}}\Z")
_NEXT = re.compile(rf"\s*[{_OPENING}]*(\S?)")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_CLAUSE = re.compile(r"[;:,—–](?=\s)|[、，；：]")
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_GREEK_BOUNDARY = re.compile(_BOUNDARY.pattern.replace(f"[{_STOPS}]+", f"[{_STOPS};;]+"))
_INITIAL = re.compile(r"(?:\w\.-?)*\w")
_UNSPLITTABLE = "\u200d\ufe0e\ufe0f"


class Segment(NamedTuple):
    """A sentence, or a piece of one that is too long."""

    text: str
    """As long as its span, with a space for every character that cannot be spoken."""
    start: int
    """Index of its first character in the whole text."""
    end: int
    """Index after its last character in the whole text."""
    paragraph_end: bool
    """Whether a blank line, or nothing, follows."""


def segments(text: str, language: str = "en", max_chars: int = MAX_CHARS) -> Iterator[Segment]:
    """The sentences of ``text`` in order, without the white space between them.

    Every character that is not white space is in exactly one of them. Control
    characters, lone surrogates and the like count as white space at the ends.

    Args:
        language: BCP 47 tag; decides about abbreviations and ordinals.
        max_chars: longer sentences are cut, at a clause's end if possible.
    """
    cutter = _Cutter(text, language.partition("-")[0].lower(), max_chars)
    position = _skip_space(text, 0)
    while position < len(text):
        end = cutter.end_of_sentence(position)
        following = _skip_space(text, end)
        spoken = _UNSPEAKABLE.sub(" ", text[position:end])
        trimmed = spoken.rstrip()
        leading = len(trimmed) - len(trimmed.lstrip())
        if len(trimmed) > leading:
            yield Segment(
                trimmed[leading:],
                position + leading,
                position + len(trimmed),
                following >= len(text) or _BLANK_LINE.search(text, end - 1, following) is not None,
            )
        position = following


class _Cutter:
    """Finds where sentences of one text end."""

    def __init__(self, text: str, language: str, max_chars: int) -> None:
        self._text = text
        self._boundary = _GREEK_BOUNDARY if language == "el" else _BOUNDARY
        self._abbreviations = abbreviations(language)
        self._number_dot = language in NUMBER_DOT_LANGUAGES
        self._max = max(2, max_chars)

    def end_of_sentence(self, start: int) -> int:
        """Index after the sentence that starts at ``start``; always beyond it."""
        limit = start + self._max
        position = start
        while True:
            match = self._boundary.search(self._text, position, limit + 2)
            if match is None or match.start() >= limit:
                break
            if self._ends(match, start):
                if match.group("blank") is not None or match.group().startswith("\n"):
                    if match.start() > start:
                        return match.start()
                elif match.end() <= limit:
                    return match.end()
                else:
                    break
            position = max(match.end(), position + 1)
        if len(self._text) <= limit:
            return len(self._text)
        return self._forced(start, limit)

    def _ends(self, match: "re.Match[str]", start: int) -> bool:
        """Whether a sentence ends at this mark."""
        stop = match.group("stop")
        if stop is None:
            return True
        text = self._text
        end = match.end()
        # The search sees the text only up to its limit; what follows decides.
        if end < len(text) and not text[end].isspace():
            return False
        found = _NEXT.match(text, end, end + 64)
        following = found.group(1) if found else ""
        if not following:
            return True
        if stop != ".":
            quoted = bool(match.group("close")) or set(stop) <= {".", "…"}
            return not (quoted and following.islower())
        token_match = _TOKEN.search(text, max(start, match.start() - 24), match.start())
        token = token_match.group().lower() if token_match else ""
        if token.isdigit():
            is_list_number = token_match is not None and token_match.start() == start
            is_ordinal = self._number_dot and len(token) <= 2
            return not (is_list_number or is_ordinal)
        if token in BEFORE_NUMBERS:
            return not following.isdigit()
        if token in self._abbreviations:
            return may_end_sentence(token) and not following.islower() and following.isalpha()
        if _INITIAL.fullmatch(token):
            # J. R. R. Tolkien, but: It was I.
            return token in {"i"} or (len(token) > 1 and not following.islower())
        return not (match.group("close") and following.islower())

    def _forced(self, start: int, limit: int) -> int:
        """Where to cut a sentence that is too long."""
        text = self._text
        best = 0
        for match in _CLAUSE.finditer(text, start + self._max // 3, limit):
            best = match.end()
        if best:
            return best
        for index in range(limit, start, -1):
            if text[index].isspace():
                return index
        cut = limit
        while cut > max(start + 1, limit - 16) and _belongs_together(text, cut):
            cut -= 1
        return cut


def _belongs_together(text: str, index: int) -> bool:
    """Whether a cut before ``text[index]`` would split what is seen as one character."""
    char = text[index]
    return (
        bool(unicodedata.combining(char))
        or char in _UNSPLITTABLE
        or text[index - 1] == "\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
