"""XML, read safely, and the place of everything in the source, in characters.

Expat does the reading, behind defusedxml: no document type, no entities but XML's own five,
nothing from outside. It knows no namespaces here, so that a prefix nobody declared, as vendors'
examples have it, is no error.
"""

import re
from typing import Any, Dict, List, Mapping, Tuple
from xml.sax import SAXParseException  # nosec B406: defusedxml parses, these are its types
from xml.sax.handler import ContentHandler  # nosec B406: see above
from xml.sax.xmlreader import AttributesImpl  # nosec B406: see above

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from auto_voice.errors import InvalidSSML

MAX_CHARACTERS = 5_000_000
"""Of the whole source; the server's own limit on a request is usually far below."""

MAX_DEPTH = 32
"""Elements open at one place."""

MAX_ELEMENTS = 100_000

MAX_ATTRIBUTES = 32
"""Of one element."""

MAX_ATTRIBUTE_CHARACTERS = 1000
"""Of one value."""

ROOT = "speak"

_DECLARATION = re.compile(r"\s*(?:<\?xml\s(?:(?!\?>).)*\?>)?", re.DOTALL)
_MISC = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_OPENS_DOCUMENT = re.compile(rf"<(?:[^\s<>/:\"'&;]+:)?{ROOT}[\s/>]|<!DOCTYPE")
_LINE_END = re.compile(r"\r\n|\r|\n")


class Receiver:
    """What is told of a document, in its order. All places are indices in the source."""

    def start(self, name: str, attributes: Mapping[str, str], at: int) -> None:
        """A tag opens an element; ``at`` is its ``<``."""

    def text(self, text: str, start: int, end: int) -> None:
        """Text: either exactly ``source[start:end]``, or what the entity there stands for."""

    def end(self, at: int, after: int) -> None:
        """The element opened last has its end; its content ends ``at``, it itself before ``after``.

        For an empty element (``<break/>``) both are the same.
        """


def read(source: str, receiver: Receiver) -> None:
    """Tell ``receiver`` what ``source`` holds. A source without a root is a root's content.

    Raises:
        InvalidSSML: the source is not well-formed, or exceeds a limit.
    """
    if len(source) > MAX_CHARACTERS:
        raise invalid(source, 0, f"there are more than {MAX_CHARACTERS:,} characters")
    _Reader(source, receiver).run()


def invalid(source: str, at: int, what: str) -> InvalidSSML:
    """The error that tells ``what`` is wrong and where."""
    lines = [0, *(end.end() for end in _LINE_END.finditer(source, 0, at))]
    place = f"line {len(lines)}, column {at - lines[-1] + 1}"
    return InvalidSSML(f"The SSML is not valid at {place}: {what}.", param="input")


class _Expat(DefusedExpatParser):
    """Expat, made to tell where it is."""

    _parser: Any
    """The standard library's `xml.parsers.expat` parser, new at each reset."""

    def __init__(self) -> None:
        super().__init__(forbid_dtd=True)
        self.in_cdata = False

    def reset(self) -> None:
        super().reset()
        # Text that is joined across events has lost its place.
        self._parser.buffer_text = False
        self._parser.StartCdataSectionHandler = lambda: self._cdata(True)
        self._parser.EndCdataSectionHandler = lambda: self._cdata(False)

    @property
    def byte(self) -> int:
        """Index of the event that is being told."""
        index: int = self._parser.CurrentByteIndex
        return index

    @property
    def error_byte(self) -> int:
        """Index of what could not be read."""
        index: int = self._parser.ErrorByteIndex
        return index

    def release(self) -> None:
        """Let go of the parser, which holds all that hears from it, and with it the document."""
        self._parser = None

    def _cdata(self, inside: bool) -> None:
        self.in_cdata = inside


class _Reader(ContentHandler):
    def __init__(self, source: str, receiver: Receiver) -> None:
        super().__init__()
        self._source = source
        self._receiver = receiver
        begin, self._wrapped = _document(source)
        try:
            data = source[begin:].encode("utf-8")
        except UnicodeEncodeError as error:
            what = "a surrogate stands alone, which is no character"
            raise invalid(source, begin + error.start, what) from None
        self._skipped = 0
        if self._wrapped:
            self._skipped = len(f"<{ROOT}>")
            data = b"<%s>%s</%s>" % (ROOT.encode(), data, ROOT.encode())
        self._data = data
        # Events come in order, so one pair of indices that moves on is enough.
        self._byte, self._index = self._skipped, begin
        self._open: List[str] = []
        self._elements = 0
        self._just_opened = False
        self._expat = _Expat()

    def run(self) -> None:
        """Read all."""
        self._expat.setContentHandler(self)
        try:
            # Not close(), which forgets the place of an error that only the end shows.
            self._expat.feed(self._data, True)
        except SAXParseException as error:
            raise self._not_well_formed(error.getMessage()) from None
        except DefusedXmlException:
            what = "a document type (<!DOCTYPE …>) or an entity is declared, which is not allowed"
            raise invalid(self._source, self._at(self._expat.byte), what) from None
        finally:
            self._expat.release()

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        """As `xml.sax` has it."""
        self._open.append(name)
        if self._wrapped and len(self._open) == 1:
            return
        at = self._at(self._expat.byte)
        attributes: Dict[str, str] = dict(attrs.items())
        self._check(name, attributes, at)
        self._just_opened = True
        self._receiver.start(name, attributes, at)

    def endElement(self, name: str) -> None:
        """As `xml.sax` has it."""
        self._open.pop()
        if self._wrapped and not self._open:
            return
        at = self._at(self._expat.byte)
        # After <break/>, Expat is behind the tag; before </p>, in front of it.
        empty = self._just_opened and self._source.endswith("/>", 0, at)
        # Not found where the tag is the end of the root put around, a <speak> being open: an error.
        after = at if empty else self._source.find(">", at) + 1 or len(self._source)
        self._just_opened = False
        self._receiver.end(at, after)

    def characters(self, content: str) -> None:
        """As `xml.sax` has it."""
        self._just_opened = False
        source, start = self._source, self._at(self._expat.byte)
        end = start + len(content)
        if start == len(source):
            return  # the end of the root put around, in a CDATA section that is still open
        if source[start] == "&" and not self._expat.in_cdata:
            end = source.index(";", start) + 1
        elif source[start] == "\r":
            # XML has one line feed for these; what was written has a place for each.
            end = start + (2 if source.startswith("\r\n", start) else 1)
            content = source[start:end]
        self._receiver.text(content, start, end)

    def _at(self, byte: int) -> int:
        """The index in the source of a byte, not before any asked for earlier."""
        if byte > self._byte:
            self._index += len(self._data[self._byte : byte].decode("utf-8", "ignore"))
            self._byte = byte
        return min(self._index, len(self._source))

    def _check(self, name: str, attributes: Mapping[str, str], at: int) -> None:
        self._elements += 1
        problem = ""
        if len(self._open) - self._wrapped > MAX_DEPTH:
            problem = f"elements are nested more than {MAX_DEPTH} deep"
        elif self._elements > MAX_ELEMENTS:
            problem = f"there are more than {MAX_ELEMENTS:,} elements"
        elif len(attributes) > MAX_ATTRIBUTES:
            problem = f"an element has more than {MAX_ATTRIBUTES} attributes"
        elif any(len(value) > MAX_ATTRIBUTE_CHARACTERS for value in attributes.values()):
            problem = f"an attribute has more than {MAX_ATTRIBUTE_CHARACTERS} characters"
        if problem:
            raise invalid(self._source, at, problem)

    def _not_well_formed(self, message: str) -> InvalidSSML:
        inner = self._open[self._wrapped :]
        if message == "undefined entity":
            message += " (XML knows &amp; &lt; &gt; &quot; &apos; and numbers such as &#8217;)"
        elif inner and len(inner[-1]) < 50:
            message += f", within <{inner[-1]}>"
        return invalid(self._source, self._at(self._expat.error_byte), message)


def _document(source: str) -> Tuple[int, bool]:
    """Where to begin to read, and whether a root has to be put around."""
    # A byte order mark is the encoding's, a declaration tells of bytes, and here are characters.
    # White space before a declaration is an error in XML, and usual in clients' code.
    begin = 1 if source.startswith("\ufeff") else 0
    declaration = _DECLARATION.match(source, begin)
    at = begin = declaration.end() if declaration else begin
    misc = _MISC.match(source, at)
    while misc:
        at = misc.end()
        misc = _MISC.match(source, at)
    return begin, not _OPENS_DOCUMENT.match(source, at)
