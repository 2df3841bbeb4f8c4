"""What a document says, collected in the order of speech."""

from typing import List, Optional, Tuple

from auto_voice.text.aligned import Piece
from auto_voice.text.script import Boundary, Item, Mark, Style, Words


class Items:
    """Takes pieces and items as they are found; gives a script."""

    def __init__(self) -> None:
        self._items: List[Item] = []
        self._pieces: List[Piece] = []
        self._style = Style()
        self._word_border: Optional[int] = None

    def say(self, piece: Piece, style: Style) -> None:
        """Words, in a style. Neighbours of one style become one item."""
        if not piece.text:
            return
        if style != self._style:
            self._close_words()
            self._style = style
        self._keep_words_apart(piece)
        self._pieces.append(piece)

    def word_border(self, at: int) -> None:
        """A word ends or begins here, even where no white space says so."""
        self._word_border = at

    def add(self, item: Item) -> None:
        """Anything but words."""
        self._close_words()
        self._items.append(item)

    def script(self) -> Tuple[Item, ...]:
        """All of it, without what means nothing."""
        self._close_words()
        return tuple(_boundaries_folded(_layout_dropped(self._items)))

    def _close_words(self) -> None:
        if self._pieces:
            self._items.append(Words(tuple(_joined(self._pieces)), self._style))
            self._pieces = []

    def _keep_words_apart(self, piece: Piece) -> None:
        at, self._word_border = self._word_border, None
        if at is None or not piece.text[0].isalnum():
            return
        before = self._pieces or (self._items and getattr(self._items[-1], "pieces", None))
        if before and before[-1].text[-1].isalnum():
            self._pieces.append(Piece(" ", at, at))


def _joined(pieces: List[Piece]) -> List[Piece]:
    """Pieces that are written one right after the other as one."""
    joined: List[Piece] = []
    run: List[Piece] = []
    for piece in pieces:
        if run and not (_plain(piece) and piece.start == run[-1].end):
            joined.append(_one(run))
            run = []
        if _plain(piece):
            run.append(piece)
        else:
            joined.append(piece)
    return joined + ([_one(run)] if run else [])


def _plain(piece: Piece) -> bool:
    return piece.verbatim and not piece.settled


def _one(run: List[Piece]) -> Piece:
    if len(run) == 1:
        return run[0]
    return Piece("".join(piece.text for piece in run), run[0].start, run[-1].end)


def _layout_dropped(items: List[Item]) -> List[Item]:
    """Without white space that separates no words: the indentation between elements."""
    speaks = [isinstance(item, Words) for item in items]
    last = False  # whether the last item, marks aside, was words
    after_words = []
    for item, words in zip(items, speaks):
        after_words.append(last)
        last = last if isinstance(item, Mark) else words
    following = False
    kept: List[Item] = []
    for item, after in zip(reversed(items), reversed(after_words)):
        if isinstance(item, Words):
            if not (after and following) and _is_white(item):
                continue
            following = True
        elif not isinstance(item, Mark):
            following = False
        kept.append(item)
    kept.reverse()
    return kept


def _is_white(words: Words) -> bool:
    return all(piece.text.isspace() for piece in words.pieces)


def _boundaries_folded(items: List[Item]) -> List[Item]:
    """One boundary for several in a row, and none where nothing is before or after it."""
    folded: List[Item] = []
    for item in items:
        if isinstance(item, Boundary):
            if not folded:
                continue
            last = folded[-1]
            if isinstance(last, Boundary):
                folded[-1] = last._replace(paragraph=last.paragraph or item.paragraph)
                continue
        folded.append(item)
    if folded and isinstance(folded[-1], Boundary):
        folded.pop()
    return folded
