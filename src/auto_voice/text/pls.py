"""Lexicons as the W3C's Pronunciation Lexicon Specification 1.0 has them, in XML."""

import io
import xml.sax  # nosec B406: only its handler's type and its errors; defusedxml parses
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple
from xml.sax.saxutils import escape, quoteattr  # nosec B406: they write

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import create_parser

from auto_voice.errors import InvalidLexicon
from auto_voice.text.lexicon import MAX_ENTRIES, Lexicon
from auto_voice.text.lexicon_entry import Entry, checked, checked_language
from auto_voice.text.xsampa import to_ipa

CONTENT_TYPES = ("application/pls+xml", "application/xml", "text/xml")
"""What clients send it as, the right one first."""
NAMESPACE = "http://www.w3.org/2005/01/pronunciation-lexicon"

_ALPHABETS = ("ipa", "x-sampa")
_MAX_DEPTH = 20


class _Spoken(NamedTuple):
    text: str
    alphabet: Optional[str]
    """None: it is an alias, other words to read."""
    preferred: bool


def parse(source: bytes) -> Lexicon:
    """The lexicon that a PLS document describes.

    The preferred pronunciation is taken, else the first. Of several lexemes
    with one grapheme the first counts, as the specification says; such as
    differ in capitals alone become sensitive to them.

    Raises:
        InvalidLexicon: it is not a PLS document that can be used; the message names the line.
    """
    reader = _Reader()
    parser = create_parser(forbid_dtd=True)
    parser.setFeature(xml.sax.handler.feature_namespaces, True)
    parser.setContentHandler(reader)
    try:
        parser.parse(io.BytesIO(source))
    except DefusedXmlException:
        raise InvalidLexicon(
            "The PLS document has a DOCTYPE or entities; leave them out."
        ) from None
    except xml.sax.SAXParseException as error:
        raise InvalidLexicon(
            f"The PLS document is not well-formed XML: line {error.getLineNumber()}, "
            f"column {(error.getColumnNumber() or 0) + 1}: {error.getMessage()}."
        ) from None
    except (ValueError, LookupError) as error:  # an unknown encoding, or bytes that are not in it
        raise InvalidLexicon(f"The PLS document cannot be read: {error}.") from None
    return Lexicon(_without_doubles(reader.entries), reader.language)


def write(lexicon: Lexicon) -> bytes:
    """A PLS document of the entries; those in another language than the lexicon's are left out.

    PLS has one language for all; and nothing that says whether capitals matter.
    """
    language = lexicon.language or next(
        (entry.language for entry in lexicon.entries if entry.language), "en"
    )
    root = f'<lexicon version="1.0" xmlns="{NAMESPACE}" alphabet="ipa"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"{root} xml:lang={quoteattr(language)}>",
    ]
    for entry in lexicon.entries:
        if entry.language not in (None, language):
            continue
        said = f"<grapheme>{escape(entry.word)}</grapheme>"
        if entry.ipa is not None:
            said += f"<phoneme>{escape(entry.ipa)}</phoneme>"
        if entry.say is not None:
            said += f"<alias>{escape(entry.say)}</alias>"
        lines.append(f"  <lexeme>{said}</lexeme>")
    return "\n".join([*lines, "</lexicon>", ""]).encode()


class _Reader(xml.sax.ContentHandler):
    """Collects entries; elements it does not know are passed over with all that is in them."""

    def __init__(self) -> None:
        super().__init__()
        self.language: Optional[str] = None
        self.entries: List[Entry] = []
        self._locator: Optional[xml.sax.xmlreader.Locator] = None
        self._path: List[str] = []
        self._alphabet = "ipa"
        self._text: Optional[List[str]] = None
        self._spoken_as: Tuple[Optional[str], bool] = (None, False)
        self._graphemes: List[str] = []
        self._spoken: List[_Spoken] = []
        self._line = 1

    def setDocumentLocator(self, locator: xml.sax.xmlreader.Locator) -> None:
        self._locator = locator

    def startElementNS(
        self,
        name: Tuple[Optional[str], str],
        qname: Optional[str],
        attrs: "xml.sax.xmlreader.AttributesNSImpl",
    ) -> None:
        namespace, local = name
        known = local if namespace in (NAMESPACE, None) else f"{{{namespace}}}{local}"
        self._path.append(known)
        if len(self._path) > _MAX_DEPTH:
            raise self._wrong("the elements are nested too deeply")
        own = {key[1]: value for key, value in attrs.items()}
        path = "/".join(self._path)
        if len(self._path) == 1:
            if known != "lexicon":
                raise self._wrong(f"the root is <{local[:40]}>, not PLS's <lexicon>")
            if own.get("lang"):
                self.language = self._language(own["lang"])
            self._alphabet = self._checked_alphabet(own.get("alphabet", "ipa"))
        elif path == "lexicon/lexeme":
            self._graphemes, self._spoken = [], []
            self._line = self._here
        elif path in ("lexicon/lexeme/grapheme", "lexicon/lexeme/phoneme", "lexicon/lexeme/alias"):
            alphabet = None
            if known == "phoneme":
                alphabet = self._checked_alphabet(own.get("alphabet", self._alphabet))
            self._text = []
            self._spoken_as = alphabet, own.get("prefer", "").strip() in ("true", "1")

    def characters(self, content: str) -> None:
        if self._text is not None and len(self._path) == 3:
            self._text.append(content)

    def endElementNS(self, name: Tuple[Optional[str], str], qname: Optional[str]) -> None:
        path, known = "/".join(self._path), self._path.pop()
        if path == "lexicon/lexeme":
            self._finish()
        elif self._text is not None and len(self._path) == 2:
            text = " ".join("".join(self._text).split())
            self._text = None
            if known == "grapheme":
                self._graphemes.append(text)
            else:
                self._spoken.append(_Spoken(text, *self._spoken_as))

    def _finish(self) -> None:
        if not self._graphemes:
            raise self._wrong("the lexeme has no grapheme", self._line)
        chosen = self._chosen()
        if chosen is None:
            raise self._wrong("the lexeme has neither phoneme nor alias", self._line)
        say = ipa = None
        if chosen.alphabet is None:
            say = chosen.text
        else:
            ipa = self._ipa(chosen.text, chosen.alphabet)
            # For engines that do not know IPA.
            say = next((one.text for one in self._spoken if one.alphabet is None), None)
        for word in self._graphemes:
            try:
                self.entries.append(checked(Entry(word, say, ipa)))
            except InvalidLexicon as error:
                raise self._wrong(error.message.rstrip("."), self._line) from None
        if len(self.entries) > MAX_ENTRIES:
            raise self._wrong(f"a lexicon has at most {MAX_ENTRIES} entries")

    def _chosen(self) -> Optional[_Spoken]:
        """The preferred one; else the first phoneme, else the first alias.

        The specification takes the first of either kind; one with both, as
        `write` makes it, has the alias for engines without phonemes.
        """
        order = sorted(self._spoken, key=lambda one: (not one.preferred, one.alphabet is None))
        return order[0] if order else None

    def _language(self, tag: str) -> str:
        try:
            return checked_language(tag)
        except InvalidLexicon as error:
            raise self._wrong(f"xml:lang: {error.message}") from None

    def _ipa(self, text: str, alphabet: str) -> str:
        if alphabet == "ipa":
            return text
        try:
            return to_ipa(text)
        except ValueError as error:
            raise self._wrong(f"a phoneme {error}", self._line) from None

    def _checked_alphabet(self, name: str) -> str:
        alphabet = name.strip().lower().replace("xsampa", "x-sampa")
        alphabet = alphabet[2:] if alphabet == "x-x-sampa" else alphabet
        if alphabet not in _ALPHABETS:
            raise self._wrong(f"the alphabet {name[:40]!r} is neither ipa nor x-sampa")
        return alphabet

    @property
    def _here(self) -> int:
        return (self._locator.getLineNumber() if self._locator else None) or 1

    def _wrong(self, what: str, line: int = 0) -> InvalidLexicon:
        return InvalidLexicon(f"The PLS document is wrong: line {line or self._here}: {what}.")


def _without_doubles(entries: Iterable[Entry]) -> List[Entry]:
    by_key: Dict[Tuple[object, ...], Dict[str, Entry]] = {}
    for entry in entries:
        by_key.setdefault(entry.key, {}).setdefault(entry.word, entry)
    kept: List[Entry] = []
    for same in by_key.values():
        sensitive = len(same) > 1
        kept += [Entry(e.word, e.say, e.ipa, e.language, sensitive) for e in same.values()]
    return kept
