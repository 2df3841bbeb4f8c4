"""Changes to what is said that keep the place of every part in what was written."""

from typing import Iterable, Iterator, List, NamedTuple, Tuple

from auto_voice.text.aligned import Aligned, Piece

_CLOSES = frozenset(".,;:!?…)]}”’»%")


class Edit(NamedTuple):
    """What is said in another way."""

    start: int
    """Index in the text that is said now."""
    end: int
    text: str
    """What is said instead; empty: nothing."""


def open_runs(said: Aligned) -> Iterator[Tuple[int, str]]:
    """What no rule has settled yet: where it starts in ``said.text``, and its text.

    Neighbouring pieces are one text: a word may come in several, such as one with an XML entity.
    """
    at = start = 0
    for piece in said.pieces:
        if piece.settled:
            if start < at:
                yield start, said.text[start:at]
            start = at + len(piece.text)
        at += len(piece.text)
    if start < at:
        yield start, said.text[start:at]


def edited(said: Aligned, edits: Iterable[Edit]) -> Aligned:
    """``said`` with ``edits``, which are in order and do not overlap. What they say is settled.

    An edit's words do not run into those that were settled before, as "ten" would into what
    stands for the unit in "10kg".
    """
    pieces: List[Piece] = []
    waiting = list(reversed(said.pieces))
    at = 0

    def take(end: int) -> Iterator[Piece]:
        """The pieces up to ``end``, the last one cut there."""
        nonlocal at
        while at < end:
            piece = waiting.pop()
            if at + len(piece.text) > end:
                waiting.append(piece.part(end - at, len(piece.text)))
                piece = piece.part(0, end - at)
            at += len(piece.text)
            yield piece

    for edit in edits:
        pieces += take(edit.start)
        stood = list(take(edit.end))
        if edit.text and stood:
            text = edit.text
            if pieces and pieces[-1].settled and touch(pieces[-1].text, text):
                text = f" {text}"
            if waiting and waiting[-1].settled and touch(text, waiting[-1].text):
                text += " "
            pieces.append(Piece(text, stood[0].start, stood[-1].end, settled=True))
    pieces += reversed(waiting)
    return Aligned(pieces)


def spaced(text: str, start: int, end: int, said: str) -> str:
    """``said`` for ``text[start:end]``, with white space where it would touch a neighbour."""
    if start and not (text[start - 1].isspace() or text[start - 1] in "([{“‘«"):
        said = f" {said}"
    if end < len(text) and not (text[end].isspace() or text[end] in _CLOSES):
        said += " "
    return said


def touch(one: str, other: str) -> bool:
    """Whether the end of one text and the beginning of another would be read as one word."""
    return one[-1:].isalnum() and other[:1].isalnum()
