"""Decides whether a sentence ends at a mark.

Each decision looks at a bounded stretch of text around the mark and tells when
that stretch is not there yet, so that a growing text is cut just like a whole one.
"""

import re
from functools import lru_cache
from typing import List, Optional, Tuple

from auto_voice.text.abbreviations import (
    ALIASES,
    CAPITAL,
    KNOWN,
    NEVER,
    NUMBER,
    ORDINALS,
    abbreviations,
)
from auto_voice.text.characters import (
    BRACKETS_CLOSE,
    BRACKETS_OPEN,
    CLAUSE_MARKS,
    DOTS,
    LINE_ENDS,
    LOUD,
    QUOTES,
    SPEAKABLE,
    TIGHT,
    WORDSPACE,
    line_ends,
)
from auto_voice.text.first_words import AFTER_TIMES, PARTICLES, first_words

Verdict = Tuple[str, int]
"""One of the four below, and the index after what has been looked at: for END and WEAK the
sentence's end; the search for the next mark goes on from there."""

MORE = "more"
"""What follows decides, and is not there yet."""
NO = "no"
WEAK = "weak"
"""No, but where a sentence is too long this is a good place to cut it."""
END = "end"

MAX_WHITE = 64
"""Characters; more white space ends a sentence by itself (the columns of a table)."""
REACH = 32
"""Characters before a full stop that are looked at: more than any abbreviation has."""

_ORDINARY = "ordinary"
_INITIAL = "initial"

# Letters after a mark say at once that it stands within a word, a number or an address.
_INSIDE = "0-9A-Za-zሀ-ፚ"
_WIDE = re.compile("[⺀-⿟々-〇ぁ-ヿㄅ-ㆿ㐀-䶿一-鿿豈-﫿ｦ-ﾟ\U00020000-\U0003ffff]")
_FULLWIDTH_WORD = re.compile("[0-9A-Za-z０-９Ａ-Ｚａ-ｚ]")
_TIGHT = re.compile(f"[{TIGHT}]|{WORDSPACE}{WORDSPACE}")

# "*", "_" and "`" close what Markdown sets off; "[1]" is a footnote.
_AFTER = (
    rf"((?:[{QUOTES}{BRACKETS_CLOSE}*_`]|\[\d{{1,3}}\]%s){{0,16}})"
    rf"(\s{{0,{MAX_WHITE + 1}}})"
    rf"[{QUOTES}{BRACKETS_OPEN}¿¡*_`~‐-―\s-]{{0,16}}"
)
_CLOSING = re.compile(rf"[\"'”’»›{BRACKETS_CLOSE}*_]{{0,16}}")
_CLOSED_BEFORE = re.compile(rf"[”’»›{BRACKETS_CLOSE}]{{0,4}}\Z")
_PAIRS = tuple(zip("([{“«‹「『（", ")]}”»›」』）"))
_WHITE = re.compile(rf"\s{{0,{MAX_WHITE + 1}}}")
_NEVER_FIRST = re.compile(f"[{DOTS}{LOUD}{TIGHT}{BRACKETS_CLOSE}{CLAUSE_MARKS}]")
_OPENING = re.sub(r"\\", "", f"{QUOTES}{BRACKETS_OPEN}¿¡*_`~/–—-")
_DASH = re.compile("[‐-―-]")
_WORD = re.compile(r"[^\W\d_]{1,16}")
_ROMAN = re.compile("[IVXLC]{1,7}")
_ACRONYM = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,3}")

# Items of lists, and Markdown's headings, rules, code and rows of tables.
_NEW_LINE = re.compile(
    r"[•‣◦▪|]|(?:[-–—*+·]|\d{1,3}[.)]|\(?[A-Za-z]\)|#{1,6})\s|-{3}|={3}|\*{3}|_{3}|`{3}|~{3}"
)
_NEW_LINE_BEGUN = re.compile(
    r"[–—+·]|-{1,2}|={1,2}|\*{1,2}|_{1,2}|`{1,2}|~{1,2}|#{1,6}|\d{1,3}[.)]?|\(?[A-Za-z]?\)?"
)
_LINE_ALONE = re.compile(r"#{1,6}\s|`{3}|~{3}|\|")
"""A sentence that begins so ends with its line."""
_AHEAD = 7
"""Characters of a line that show how it begins."""

_MORE_MARKS = {"el": ";\u037e", "hy": ":"}
"""Greek asks with a semicolon; Armenian is often typed with a colon for its full stop."""


def _end(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def line_break(text: str, at: int, final: bool) -> Verdict:
    """Whether the white space at ``at`` ends a sentence: a blank line does, or what stands
    on a line of its own, such as a list's item."""
    white_end = _end(_WHITE, text, at)
    lines = line_ends(text[at:white_end])
    if lines >= 2 or white_end - at > MAX_WHITE:
        return END, at
    if white_end == len(text):
        return (NO if final else MORE), white_end
    if lines:
        ahead = text[white_end : white_end + _AHEAD]
        if _NEW_LINE.match(ahead):
            return END, at
        if not final and len(ahead) < _AHEAD and _NEW_LINE_BEGUN.fullmatch(ahead):
            return MORE, white_end
    return NO, white_end


class Boundaries:
    """Where sentences of one language end. Keeps no state; share it."""

    def __init__(self, language: str) -> None:
        """For a primary language subtag; an unknown one gets what is common to all."""
        more = _MORE_MARKS.get(language, "")
        # French closes with " »", which elsewhere may open.
        self._after = re.compile(_AFTER % ("|[ \xa0\u202f]»" if language == "fr" else ""))
        self._loud = re.compile(f"[{LOUD}{more}]")
        self._marks = re.compile(f"[{DOTS}{LOUD}{TIGHT}{WORDSPACE}{more}]{{1,64}}")
        # A set of characters first: the search then jumps to them instead of trying each branch.
        self.candidate = re.compile(
            f"[{DOTS}{LOUD}{TIGHT}{WORDSPACE}{more}{LINE_ENDS}]"
            f"(?:(?<=[{TIGHT}{LINE_ENDS}])|(?![{_INSIDE}]))"
        )
        """Finds everything that may end a sentence, for `judge`."""
        self._abbreviations = abbreviations(language)
        self._first_words = first_words(language)
        self._ordinals = ALIASES.get(language, language) in ORDINALS

    def judge(self, text: str, start: int, at: int, final: bool) -> Verdict:
        """Whether the sentence from ``start`` ends at the `candidate` at ``at``.

        Args:
            final: whether ``text`` is all there is; if so, the verdict is never MORE.
        """
        if text[at] in LINE_ENDS:
            if _LINE_ALONE.match(text, start):
                return END, at
            return line_break(text, at, final)
        marks_end = _end(self._marks, text, at)
        if marks_end == len(text):
            return (NO if final else MORE), marks_end
        marks = text[at:marks_end]
        if marks != "." and _TIGHT.search(marks):
            return self._tight(text, start, at, marks_end, final)
        return self._spaced(text, start, at, marks_end, final)

    def ends_clearly(self, text: str, start: int) -> bool:
        """Whether the sentence from ``start`` is most likely over where ``text`` ends.

        Said of a mark that rarely means anything but an end, where nothing that was opened is
        still open. What follows may yet prove it wrong ("example." and then "com").
        """
        sentence = text[start:].rstrip()
        before = _CLOSED_BEFORE.sub("", sentence)
        marks = self._marks.match(before, len(before) - 1) if before else None
        if marks is None:
            return False
        at = len(before) - 1
        while at > 0 and self._marks.match(before, at - 1):
            at -= 1
        if not SPEAKABLE.search(before, 0, at) or sentence.count('"') % 2:
            return False
        if any(sentence.count(opens) > sentence.count(closes) for opens, closes in _PAIRS):
            return False
        if before[at:] == ".":
            # "3." may become "3.14".
            is_word = self._kind(before, 0, at) is _ORDINARY and not before[at - 1].isdigit()
            return is_word and len(before) == len(sentence)
        if self._loud.search(before, at):
            return len(before) == len(sentence)  # "Why?" he asked.
        return _TIGHT.search(before, at) is not None

    def _tight(self, text: str, start: int, at: int, marks_end: int, final: bool) -> Verdict:
        """For marks that need no white space after them."""
        closed = _end(_CLOSING, text, marks_end)
        quote = text.find('"', marks_end, closed)
        if quote >= 0 and text.count('"', start, at) % 2:
            quote = text.find('"', quote + 1, closed)
        if quote >= 0:
            closed = quote  # every quotation before is closed: this one opens the next sentence
        white_end = _end(_WHITE, text, closed)
        if white_end - closed > MAX_WHITE or line_ends(text[closed:white_end]) >= 2:
            return END, closed
        if white_end == len(text):
            return (NO if final else MORE), marks_end
        char = text[white_end]
        if _NEVER_FIRST.match(char) or not SPEAKABLE.search(text, start, at):
            return NO, marks_end
        if closed == white_end:
            if closed > marks_end and char in "とっ":  # 「…。」と言った: the sentence goes on
                return WEAK, closed
            if text[marks_end - 1] == "．" and _FULLWIDTH_WORD.match(char):
                return NO, marks_end
        return END, closed

    def _spaced(self, text: str, start: int, at: int, marks_end: int, final: bool) -> Verdict:
        """For marks that end a sentence only before white space."""
        length = len(text)
        after = self._after.match(text, marks_end)
        # All of the pattern is optional: it always matches, which a type checker cannot know.
        assert after is not None  # nosec B101
        closed, white_end, next_at = after.end(1), after.end(2), after.end()
        if closed == white_end:
            # "[1" may still become a footnote.
            if not final and (closed == length or (text[closed] == "[" and length - closed < 5)):
                return MORE, marks_end
            if closed < length and self._between_wide(text, start, at, closed, marks_end):
                return END, closed
            return NO, marks_end
        white = white_end - closed
        if white > 1 and (white > MAX_WHITE or line_ends(text[closed:white_end]) >= 2):
            return END, closed
        if next_at == length:
            return (NO if final else MORE), marks_end
        char = text[next_at]
        first = SPEAKABLE.search(text, start, at)
        if _NEVER_FIRST.match(char) or first is None:
            return NO, marks_end
        ahead = text[white_end:next_at]
        inverted = "¿" in ahead or "¡" in ahead
        # Georgian letters count as lower case, but nobody writes their capitals.
        lower = char.islower() and not inverted and not "\u10d0" <= char <= "\u10ff"
        if text[at:marks_end] == ".":
            kind = self._kind(text, start, at)
            if kind is _ORDINARY and first.group().islower():
                return END, closed  # whoever began without a capital goes on without one
            return self._full_stop(text, kind, (closed, next_at), marks_end, lower, inverted, final)
        if self._loud.search(text, at, marks_end):
            if at > start and text[at - 1] in "([":
                return NO, marks_end  # He (!) knew.
            told = closed > marks_end or _DASH.search(ahead)
            return (WEAK if lower and told else END), closed  # "Why?" he asked.
        if text[at] == WORDSPACE:
            return NO, marks_end
        return (WEAK if lower or char.isdigit() else END), closed

    def _between_wide(self, text: str, start: int, at: int, closed: int, marks_end: int) -> bool:
        """Whether Chinese or Japanese is written with ASCII marks here."""
        if not _WIDE.match(text, closed) or not SPEAKABLE.search(text, start, at):
            return False
        marks = text[at:marks_end]
        if self._loud.search(marks):
            return True
        return marks == "." and at > start and _WIDE.match(text, at - 1) is not None

    def _full_stop(
        self,
        text: str,
        kind: str,
        ends: Tuple[int, int],
        marks_end: int,
        lower: bool,
        inverted: bool,
        final: bool,
    ) -> Verdict:
        """For a single full stop after a word of ``kind``."""
        closed, next_at = ends
        if kind is _ORDINARY:
            return (WEAK if lower else END), closed
        if kind is NEVER or lower:
            return NO, marks_end
        char = text[next_at]
        if not char.isalpha():
            return (END, closed) if kind is NUMBER and not char.isdigit() else (NO, marks_end)
        if inverted:
            return END, closed
        word = _WORD.match(text, next_at)
        word_end = word.end() if word else next_at
        if word_end == len(text) and not final:
            return MORE, marks_end
        following = text[next_at:word_end].lower()
        # "A" and "I" begin sentences, but "A." is an initial.
        first = following in self._first_words and not (
            len(following) == 1 and text[word_end : word_end + 1] == "."
        )
        if kind is NUMBER:
            numbered = len(following) == 1 or _ROMAN.fullmatch(text, next_at, word_end)
            ends_here = first or not numbered
        elif kind is CAPITAL:
            ends_here = following not in AFTER_TIMES
        elif kind is _INITIAL:
            ends_here = first and following not in PARTICLES
        else:
            ends_here = first
        return (END, closed) if ends_here else (NO, marks_end)

    def _kind(self, text: str, start: int, at: int) -> str:
        """What stands before the full stop at ``at``."""
        since = max(start, at - REACH)
        words = text[since:at].rsplit(None, 2)
        if not words or text[at - 1].isspace():
            return _ORDINARY
        word = words[-1].lstrip(_OPENING)
        if len(word) <= 4 and len(words) > 1 and words[-2].endswith("."):
            found = self._joined(text[since:at])
            if found is not None:
                return found
        found = self._look_up(word)
        if found is not None:
            return found
        is_first = since == start and len(words) == 1
        if word.isdecimal():
            return self._number(word, words, is_first)
        if len(word) == 1 and word.isalpha():
            return NEVER if is_first else _INITIAL  # A. First
        if _ROMAN.fullmatch(word):
            return NEVER if is_first else KNOWN if self._ordinals else _ORDINARY
        if "." in word and _ACRONYM.fullmatch(word):
            return KNOWN
        return self._last_part(word)

    def _number(self, word: str, words: List[str], is_first: bool) -> str:
        if len(word) <= 3 and is_first:
            return NEVER  # 1. First
        if len(word) <= 2 and len(words) > 1 and words[-2].endswith(":"):
            return NEVER  # Steps: 1. First
        # Without first words nothing but a longer number ends a sentence.
        digits = 3 if self._first_words else 2
        return KNOWN if self._ordinals and len(word) <= digits else _ORDINARY

    def _joined(self, tail: str) -> Optional[str]:
        """An abbreviation of several words: z. B., i. d. R., EE. UU."""
        words = tail.split()
        joined = words.pop()
        while words and len(words[-1]) <= 5 and words[-1].endswith("."):
            joined = words.pop().lstrip(_OPENING) + joined
            found = self._look_up(joined)
            if found is not None:
                return found
        return None

    def _last_part(self, word: str) -> str:
        """The kind of what comes after a hyphen or an apostrophe: Lt.-Col., l'av."""
        part = re.split("[-‐‑'’/]", word)[-1]
        if part == word:
            return _ORDINARY
        if len(part) == 1 and part.isalpha() and part.isupper():
            return _INITIAL
        return self._look_up(part) or _ORDINARY

    def _look_up(self, word: str) -> Optional[str]:
        known = self._abbreviations
        found = known.get(word)
        if found is None and len(word) > 1:  # a single capital is rather an initial
            found = known.get(word.lower())
            if found is None and word.isupper():
                found = known.get(word.capitalize())
        return found


@lru_cache(maxsize=256)
def boundaries(language: str) -> Boundaries:
    """The rules for a BCP 47 tag (its primary subtag decides)."""
    return Boundaries(re.split("[-_]", language, maxsplit=1)[0].lower())
