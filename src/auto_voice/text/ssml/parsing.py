"""A document's way into items: which elements are open, and what is in effect within them."""

from typing import Callable, FrozenSet, List, Mapping, Optional, Tuple

from auto_voice.text.aligned import Piece
from auto_voice.text.script import Item, Style
from auto_voice.text.ssml.elements import Context, Element, InvalidValue, begin
from auto_voice.text.ssml.items import Items
from auto_voice.text.ssml.reader import Receiver, invalid, read

NAMESPACE = "http://www.w3.org/2001/10/synthesis"


def parse(
    source: str, *, resolve: Callable[[str], Optional[str]], language: str = "en"
) -> Tuple[Item, ...]:
    """What an SSML document, or a part of one without its root, asks for.

    All places are indices of characters in ``source``. A piece of words that is not settled is
    verbatim, ``source[start:end]``, or stands for a whole entity such as ``&amp;``; a border of
    words without white space stands for nothing.

    Args:
        resolve: from the ``src`` of an audio element to a file that may be played, or to None:
            then the element's content is spoken instead.
        language: BCP 47 tag of the voice that reads where the document tells no language.

    Raises:
        InvalidSSML: the source is not well-formed, exceeds a limit, or has a value that means
            nothing; the message tells line and column.
    """
    items = Items()
    read(source, _Parser(source, Context(items, resolve, language)))
    return items.script()


class _Parser(Receiver):
    def __init__(self, source: str, context: Context) -> None:
        self._source = source
        self._context = context
        self._open: List[Element] = []
        self._prefixes: List[FrozenSet[str]] = [frozenset({"", "ssml"})]

    def start(self, name: str, attributes: Mapping[str, str], at: int) -> None:
        around = self._open[-1] if self._open else None
        self._prefixes.append(_prefixes(self._prefixes[-1], attributes))
        prefix, _, local = name.rpartition(":")
        known = local if prefix in self._prefixes[-1] else ""
        element = Element(known, attributes, at, around.style if around else Style())
        if around:
            element.pieces = around.pieces
            element.silent = around.silent
        self._open.append(element)
        if element.silent:
            return
        try:
            begin(element, self._context)
        except InvalidValue as error:
            raise invalid(self._source, at, str(error)) from None
        if around and around.pieces is not None:
            self._within_captured(element, around)

    def text(self, text: str, start: int, end: int) -> None:
        element = self._open[-1] if self._open else None
        piece = Piece(text, start, end)
        if element is None:
            self._context.items.say(piece, Style())
        elif element.silent:
            pass
        elif element.pieces is not None:
            element.pieces.append(piece)
        else:
            self._context.items.say(piece, element.style)

    def end(self, at: int, after: int) -> None:
        element = self._open.pop()
        self._prefixes.pop()
        if element.finish:
            element.finish(after)

    @staticmethod
    def _within_captured(element: Element, around: Element) -> None:
        """The text within sub, say-as and phoneme belongs to the outermost of them."""
        if element.pieces is not around.pieces:
            element.pieces = around.pieces
            element.finish = None


def _prefixes(known: FrozenSet[str], attributes: Mapping[str, str]) -> FrozenSet[str]:
    """The prefixes of SSML's own elements, with what this element declares."""
    for name, value in attributes.items():
        if name.startswith("xmlns:"):
            prefix = name[len("xmlns:") :]
            known = known | {prefix} if value == NAMESPACE else known - {prefix}
    return known
