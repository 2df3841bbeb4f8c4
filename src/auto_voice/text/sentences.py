"""Cuts a text into sentences, lazily, with exact offsets.

Own code, since the libraries that know sentences take quadratic time on hostile
text where they exist for Python 3.8 at all, want the whole text at once, and
give no offsets. This takes time linear in the text, and the first sentence of a
long text comes after looking at little more than that sentence. A text that
grows is cut just like a whole one, whatever pieces it comes in.
"""

import re
from typing import Iterator, List, NamedTuple, Optional, Tuple

from auto_voice.text.boundaries import END, MORE, WEAK, boundaries, line_break
from auto_voice.text.characters import LAYOUT, UNSPEAKABLE, line_ends
from auto_voice.text.cutting import cut

MAX_CHARS = 400
"""Characters of the longest segment, unless told otherwise."""

_PIECE = 2048
"""Characters of a text looked at in one go: the first sentence has not to wait for more."""
_WHITE = re.compile(r"\s*")


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

    Every character that is not white space is in exactly one of them. Control characters, lone
    surrogates and the like count as white space. What has nothing to speak in it ("...") is part
    of the sentence before it, or after it at a paragraph's begin; a paragraph of nothing else is a
    segment of its own.

    Args:
        language: BCP 47 tag; decides about abbreviations and ordinals.
        max_chars: longer sentences are cut, at a clause's end if possible.

    Raises:
        ValueError: ``max_chars`` is less than 1.
    """
    return _lazily(text, Segmenter(language, max_chars))


def _lazily(text: str, segmenter: "Segmenter") -> Iterator[Segment]:
    for start in range(0, len(text), _PIECE):
        yield from segmenter.feed(text[start : start + _PIECE])
    yield from segmenter.feed("", final=True)


class Segmenter:
    """Cuts a text that is still being written. Its state is bounded by ``max_chars``.

    A segment comes out as soon as no further text can change it, so it takes the first word of the
    next sentence, or a blank line, to get a sentence.
    """

    def __init__(self, language: str = "en", max_chars: int = MAX_CHARS) -> None:
        """See `segments`."""
        if max_chars < 1:
            raise ValueError(f"max_chars has to be at least 1, not {max_chars}")
        self._boundaries = boundaries(language)
        self._max_chars = max_chars
        self._text = ""
        self._before = 0
        """Characters of the whole text before ``_text``."""
        self._at = 0
        """Where the sentence under way starts in ``_text``, or the white space before it."""
        self._between = True
        """Whether ``_at`` is in white space between sentences."""
        self._scanned = 0
        """Up to where in ``_text`` no end of the sentence was found."""
        self._weak = 0
        """The last place in ``_text`` where the sentence almost ended, or 0."""
        self._waiting: Optional[Tuple[str, int, int]] = None
        """A segment without its ``paragraph_end``: the white space after it has not ended."""
        self._line_ends = 0
        """How many lines have ended since the waiting segment; 2 and more are the same."""
        self._after_return = False
        """Whether the last character dropped was a carriage return: a line feed belongs to it."""

    def push(self, text: str) -> List[Segment]:
        """Take the next piece of the text; the segments that it completes."""
        return list(self.feed(text))

    def finish(self) -> List[Segment]:
        """The rest, now that the text ends here.

        More may be pushed all the same: it is a new paragraph, and offsets count on.
        """
        return list(self.feed("", final=True))

    @property
    def ends_clearly(self) -> bool:
        """Whether what is held back is, most likely, a whole sentence.

        Only the next word could prove it; whoever hears nothing more for a moment may `settle`.
        """
        if self._waiting is not None:
            return True
        return not self._between and self._boundaries.ends_clearly(self._text, self._at)

    def settle(self) -> List[Segment]:
        """What is held back, if it `ends_clearly`; what comes later begins a new sentence."""
        if not self.ends_clearly:
            return []
        if self._waiting is None:
            self._complete(len(self._text))
        assert self._waiting is not None  # nosec B101: it has just been completed
        spoken, start, end = self._waiting
        self._waiting = None
        return [Segment(spoken, start, end, self._line_ends >= 2)]

    def feed(self, text: str, final: bool = False) -> Iterator[Segment]:
        """What `push` and `finish` return, one by one. Exhaust it before the next call."""
        done = self._at
        self._text = self._text[done:] + UNSPEAKABLE.sub(" ", text)
        self._before += done
        self._at = 0
        self._scanned = max(0, self._scanned - done)
        self._weak = max(0, self._weak - done)
        while True:
            if self._between:
                self._skip_white()
                if self._waiting and (self._at < len(self._text) or self._line_ends >= 2 or final):
                    at_end = self._at == len(self._text)
                    spoken, start, end = self._waiting
                    self._waiting = None
                    yield Segment(spoken, start, end, at_end or self._line_ends >= 2)
                if self._at == len(self._text):
                    return
                self._between = False
                self._scanned = self._at
                self._weak = 0
            sentence_end = self._sentence_end(final)
            if sentence_end is None:
                return
            self._complete(sentence_end)

    def _skip_white(self) -> None:
        match = _WHITE.match(self._text, self._at)
        white = match.group() if match else ""
        self._at += len(white)
        if white and self._waiting:
            self._line_ends += line_ends(white)
            if self._after_return and white[0] == "\n":
                self._line_ends -= 1  # counted with its "\r" in the piece before
            self._after_return = white[-1] == "\r"

    def _complete(self, sentence_end: int) -> None:
        sentence = self._text[self._at : sentence_end].rstrip()
        start = self._before + self._at
        self._at += len(sentence)
        if not sentence.isprintable():
            sentence = LAYOUT.sub(" ", sentence)
        self._waiting = (sentence, start, start + len(sentence))
        self._line_ends = 0
        self._after_return = False
        self._between = True

    def _sentence_end(self, final: bool) -> Optional[int]:
        """Index in ``_text`` after the sentence under way; None if more text decides."""
        text, start = self._text, self._at
        length, limit = len(text), start + self._max_chars
        search, judge = self._boundaries.candidate.search, self._boundaries.judge
        window = min(limit, length)
        scanned = self._scanned
        while True:
            candidate = search(text, scanned, window)
            if candidate is None:
                break
            verdict, index = judge(text, start, candidate.start(), final)
            if verdict is END:
                if index <= limit:
                    return index
                return cut(text, start, limit, self._weak)
            if verdict is MORE:
                self._scanned = candidate.start()
                return None
            if verdict is WEAK and index <= limit:
                self._weak = index
            scanned = index
        if length <= limit:
            self._scanned = length
            return length if final else None
        self._scanned = limit
        return self._at_limit(limit, final)

    def _at_limit(self, limit: int, final: bool) -> Optional[int]:
        """Where to end a sentence that does not end before ``limit``."""
        text, start = self._text, self._at
        end = start + len(text[start:limit].rstrip())
        if end < limit or text[limit].isspace():
            # The sentence fits if only white space sticks out, and nothing goes on after it.
            verdict, index = line_break(text, end, final)
            if verdict is END or index == len(text):
                return None if verdict is MORE else end
            if verdict is MORE:
                return None
        return cut(text, start, limit, self._weak)
