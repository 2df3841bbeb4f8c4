"""How a text is going to be said: sentence by sentence, in the order of speech."""

import re
from bisect import bisect_left, bisect_right
from collections import deque
from itertools import takewhile
from typing import Callable, Deque, Iterable, Iterator, List, NamedTuple, Sequence, Tuple, Union

from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.characters import LAYOUT, SPEAKABLE, UNSPEAKABLE
from auto_voice.text.script import Boundary, Break, Clip, Item, Mark, Style, Words
from auto_voice.text.sentences import segments

MAX_SENTENCE_CHARS = 400
"""Longer sentences are cut, so that no text gets more than its share at a time."""

_MARKS = re.compile(r"[^\w\s]")

Rule = Callable[[Aligned, str], Aligned]
"""Rewrites what is said, given its BCP 47 language: a lexicon, or normalisation."""


class Line(NamedTuple):
    """What is said in one go: a sentence, or a part of one where its style changes."""

    said: Aligned
    style: Style
    start: int
    """Index of its first character in the client's text."""
    end: int
    """Index after its last one."""
    sentence_end: bool = True
    paragraph_end: bool = False


Step = Union[Line, Break, Mark, Clip]
"""One thing after the other."""


def plan_text(text: str, language: str, rules: Sequence[Rule]) -> Iterator[Step]:
    """The lines of a text without markup. Lazy: a line costs no more than itself."""
    style = Style()
    for sentence in segments(text, language, MAX_SENTENCE_CHARS):
        said = Aligned.verbatim(sentence.text, sentence.start)
        for rule in rules:
            said = rule(said, language)
        yield Line(said, style, sentence.start, sentence.end, True, sentence.paragraph_end)


def plan_items(items: Iterable[Item], language: str, rules: Sequence[Rule]) -> Iterator[Step]:
    """The same for what a markup asks for.

    A sentence may go on across changes of style, pauses and marks, but not across a boundary.
    """
    passage = _Passage(language, rules)
    for item in items:
        if isinstance(item, Boundary):
            yield from passage.steps(item.paragraph)
            passage = _Passage(language, rules)
        else:
            passage.add(item)
    yield from passage.steps(True)


class _Passage:
    """Words up to a boundary, and what lies between them."""

    def __init__(self, language: str, rules: Sequence[Rule]) -> None:
        self._language = language
        self._rules = rules
        self._pieces: List[Piece] = []
        self._styles: List[Style] = []
        self._styled: List[int] = []
        """For each style, the index of the first character that is said in it."""
        self._between: Deque[Tuple[int, Step]] = deque()
        """Index in what is said, and what comes before the character there."""
        self._length = 0

    def add(self, item: Union[Words, Break, Mark, Clip]) -> None:
        if not isinstance(item, Words):
            self._between.append((self._length, item))
            return
        if not self._styles or self._styles[-1] != item.style:
            self._styles.append(item.style)
            self._styled.append(self._length)
        self._pieces.extend(item.pieces)
        self._length += sum(len(piece.text) for piece in item.pieces)

    def steps(self, paragraph: bool) -> Iterator[Step]:
        """Lines and what comes between them; ``paragraph``: whether one ends here."""
        text = Aligned(self._pieces)
        # What is settled has no sentence's end in it, whatever full stops it has.
        shown = "".join(
            _MARKS.sub("x", piece.text) if piece.settled else piece.text for piece in text.pieces
        )
        length = len(shown.rstrip())
        for sentence in segments(shown, self._language, MAX_SENTENCE_CHARS):
            is_last = sentence.end >= length
            ends_paragraph = paragraph if is_last else sentence.paragraph_end
            yield from self._sentence(text, sentence.start, sentence.end, ends_paragraph)
        yield from self._until(self._length + 1)

    def _sentence(self, text: Aligned, start: int, end: int, paragraph: bool) -> Iterator[Step]:
        """One sentence, cut where its style changes or something else comes between."""
        for low, high in self._parts(text.text, start, end):
            yield from self._until(low + 1)
            said = Aligned(map(_speakable, text.part(low, high).pieces))
            if not said.text.strip():
                continue
            first = SPEAKABLE.search(text.text, low, high)
            decides = first.start() if first else low
            style = self._styles[bisect_right(self._styled, decides) - 1]
            written = said.written(0, len(said.text))
            for rule in self._rules:
                said = rule(said, style.language or self._language)
            is_end = high == end
            yield Line(said, style, *written, is_end, is_end and paragraph)

    def _parts(self, text: str, start: int, end: int) -> List[Tuple[int, int]]:
        """Where a sentence is cut. What has nothing to speak in it goes with what has.

        A question mark after an emphasised word still makes it a question.
        """
        coming = takewhile(lambda at: at < end, (at for at, _ in self._between))
        fixed = {at for at in coming if at >= start}
        styled = self._styled[bisect_right(self._styled, start) : bisect_left(self._styled, end)]
        parts: List[Tuple[int, int]] = []
        low = start
        for high in [*sorted({*styled, *fixed} - {start}), end]:
            if parts and low not in fixed and not SPEAKABLE.search(text, low, high):
                low = parts.pop()[0]
            elif high != end and high not in fixed and not SPEAKABLE.search(text, low, high):
                continue
            parts.append((low, high))
            low = high
        return parts

    def _until(self, index: int) -> Iterator[Step]:
        """What comes between words before ``index`` and has not come yet."""
        while self._between and self._between[0][0] < index:
            yield self._between.popleft()[1]


def _speakable(piece: Piece) -> Piece:
    """A piece with a space for whatever an engine might take for more than that."""
    text = LAYOUT.sub(" ", UNSPEAKABLE.sub(" ", piece.text))
    return piece if text == piece.text else piece._replace(text=text)
