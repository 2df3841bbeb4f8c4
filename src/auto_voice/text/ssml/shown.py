"""A document as it is shown to readers: its text without markup, and where each part stands."""

from typing import List, Mapping

from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.ssml.elements import BOUNDARIES
from auto_voice.text.ssml.reader import Receiver, read

_APART = {*BOUNDARIES, "audio", "break", "token", "w"}
"""Elements whose text is apart from what is around it, even where no white space says so."""


def shown(source: str) -> Aligned:
    """The text of an SSML document, with its places in ``source``.

    Raises:
        InvalidSSML: as `parse`, but for what attributes mean.
    """
    receiver = _Shown()
    read(source, receiver)
    return Aligned(receiver.pieces)


class _Shown(Receiver):
    def __init__(self) -> None:
        self.pieces: List[Piece] = []
        self._open: List[str] = []

    def start(self, name: str, attributes: Mapping[str, str], at: int) -> None:
        self._open.append(name.rpartition(":")[2])
        self._keep_apart(at)

    def text(self, text: str, start: int, end: int) -> None:
        self.pieces.append(Piece(text, start, end))

    def end(self, at: int, after: int) -> None:
        self._keep_apart(after)
        self._open.pop()

    def _keep_apart(self, at: int) -> None:
        if self._open[-1] in _APART:
            self.pieces.append(Piece("\n", at, at))
