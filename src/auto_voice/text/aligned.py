"""What is said, beside what was written: text whose every part knows where it comes from."""

from bisect import bisect_left, bisect_right
from typing import Iterable, NamedTuple, Optional, Tuple


class Piece(NamedTuple):
    """A part of what is said."""

    text: str
    """What is said."""
    start: int
    """Index of the first character, in the client's own text, that this stands for."""
    end: int
    """Index after the last one."""
    settled: bool = False
    """Whether later rules have to leave it as it is."""
    ipa: Optional[str] = None
    """How it is pronounced, in the International Phonetic Alphabet; None: as it is written."""

    @property
    def verbatim(self) -> bool:
        """Whether each of its characters has its own place in what was written.

        A rule's words stand for their whole span, even if they happen to be as long as it.
        """
        return not self.settled and len(self.text) == self.end - self.start

    def part(self, low: int, high: int) -> "Piece":
        """``text[low:high]`` with its origin: its own if the piece is verbatim, else the whole.

        It has no pronunciation: that is the whole piece's.
        """
        text = self.text[low:high]
        if not self.verbatim:
            return self._replace(text=text, ipa=None)
        return Piece(text, self.start + low, self.start + high)


class Aligned:
    """Pieces in the order in which they are said. Immutable."""

    __slots__ = ("pieces", "text", "_starts")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.pieces: Tuple[Piece, ...] = tuple(piece for piece in pieces if piece.text)
        self.text = "".join(piece.text for piece in self.pieces)
        """What is said, whole."""
        self._starts = [0]
        for piece in self.pieces:
            self._starts.append(self._starts[-1] + len(piece.text))

    @classmethod
    def verbatim(cls, text: str, start: int = 0) -> "Aligned":
        """``text`` said as it is written, from index ``start`` of the client's text on."""
        return cls((Piece(text, start, start + len(text)),))

    def written(self, start: int, end: int) -> Tuple[int, int]:
        """The span of the client's text that ``text[start:end]`` stands for.

        A part of a piece that is not verbatim stands for all that the piece stands for.
        """
        if not self.pieces:
            return 0, 0
        end = min(end, len(self.text))
        first, first_offset = self._at(start)
        low = first.start + first_offset if first.verbatim else first.start
        if start >= end:
            return low, low
        last, last_offset = self._at(end - 1)
        high = last.start + last_offset + 1 if last.verbatim else last.end
        return low, max(low, high)

    def part(self, start: int, end: int) -> "Aligned":
        """``text[start:end]``, with its origin.

        A piece that is not verbatim and lies across a border keeps the whole span on both sides.
        """
        parts = []
        first = max(bisect_right(self._starts, start) - 1, 0)
        for number in range(first, bisect_left(self._starts, end, 0, len(self.pieces))):
            piece, at = self.pieces[number], self._starts[number]
            low, high = max(start - at, 0), min(end - at, len(piece.text))
            if low < high:
                whole = high - low == len(piece.text)
                parts.append(piece if whole else piece.part(low, high))
        return Aligned(parts)

    def _at(self, index: int) -> Tuple[Piece, int]:
        number = min(bisect_right(self._starts, index), len(self.pieces)) - 1
        number = max(number, 0)
        return self.pieces[number], index - self._starts[number]
