"""What each element does.

A function of `ELEMENTS` runs at an element's start. It may change what is in effect within the
element (its style, whether anything is spoken), add items, and leave a function for the end.
"""

from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, TypeVar

from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.say_as import say_as
from auto_voice.text.script import Boundary, Break, Clip, Mark, Style
from auto_voice.text.ssml import prosody, values
from auto_voice.text.ssml.items import Items
from auto_voice.text.xsampa import to_ipa

_T = TypeVar("_T")


class Context(NamedTuple):
    """What elements work with."""

    items: Items
    resolve: Callable[[str], Optional[str]]
    """From an audio element's ``src`` to a file that may be played, or to None."""
    language: str
    """BCP 47 tag of what is around the document."""


class InvalidValue(ValueError):
    """An attribute is missing or means nothing; the message says which and what would be right."""


class Element:
    """An open element."""

    __slots__ = ("name", "attributes", "at", "style", "silent", "pieces", "finish")

    def __init__(self, name: str, attributes: Mapping[str, str], at: int, style: Style) -> None:
        self.name = name
        """Without a prefix; empty for one that is not SSML's."""
        self.attributes = attributes
        self.at = at
        """Index of its ``<``."""
        self.style = style
        """How its words are said."""
        self.silent = False
        """Whether nothing in it is spoken."""
        self.pieces: Optional[List[Piece]] = None
        """Where its text goes, if not straight to the items."""
        self.finish: Optional[Callable[[int], None]] = None
        """Runs at its end, with the index after its end tag."""

    def required(self, attribute: str) -> str:
        """A value that may be neither missing nor empty."""
        value = self.attributes.get(attribute, "").strip()
        if not value:
            raise InvalidValue(f"<{self.name}> needs the attribute {attribute}")
        return value

    def value(self, attribute: str, meaning: Callable[[str], _T]) -> Optional[_T]:
        """What an attribute means; None if it is not there."""
        value = self.attributes.get(attribute)
        if value is None:
            return None
        try:
            return meaning(value)
        except ValueError as error:
            shown = value if len(value) <= 40 else value[:40] + "…"
            where = f"{attribute}={shown!r} of <{self.name}>"
            raise InvalidValue(f"{where}: {error}") from None

    def content(self) -> Aligned:
        """The text within, as far as it was read."""
        return Aligned(self.pieces or ())


def begin(element: Element, context: Context) -> None:
    """Do what the element asks for at its start.

    Raises:
        InvalidValue: an attribute is wrong.
    """
    if element.name in BOUNDARIES:
        _boundary(element, context)
    elif element.name in ELEMENTS:
        ELEMENTS[element.name](element, context)
    # Any element may tell its language; vendors' elements, too.
    if "xml:lang" in element.attributes:
        language = element.value("xml:lang", values.language)
        element.style = element.style._replace(language=language)


def _boundary(element: Element, context: Context) -> None:
    paragraph = BOUNDARIES[element.name]

    def finish(after: int) -> None:
        context.items.add(Boundary(paragraph, after))

    context.items.add(Boundary(paragraph, element.at))
    element.finish = finish


def _word(element: Element, context: Context) -> None:
    context.items.word_border(element.at)
    element.finish = context.items.word_border


def _break(element: Element, context: Context) -> None:
    strength = element.value("strength", lambda value: values.break_s(None, value))
    time = element.value("time", lambda value: values.break_s(value, None))
    default = values.break_s(None, None) if strength is None else strength
    duration_s = default if time is None else time
    if duration_s:
        context.items.add(Break(duration_s, element.at))


def _mark(element: Element, context: Context) -> None:
    context.items.add(Mark(element.required("name"), element.at))


def _bookmark(element: Element, context: Context) -> None:
    context.items.add(Mark(element.required("mark"), element.at))


def _prosody(element: Element, context: Context) -> None:
    for attribute, change in (
        ("rate", prosody.with_rate),
        ("pitch", prosody.with_pitch),
        ("volume", prosody.with_volume),
    ):
        style = element.style
        element.style = element.value(attribute, lambda value: change(style, value)) or style


def _emphasis(element: Element, context: Context) -> None:
    style = element.style
    if "level" not in element.attributes:
        element.style = prosody.emphasised(style, "moderate")
    else:
        level = element.value("level", lambda value: prosody.emphasised(style, value))
        element.style = level or style


def _voice(element: Element, context: Context) -> None:
    style = element.style
    name = " ".join(element.attributes.get("name", "").split())
    if name:
        # A voice that is named speaks its own language.
        style = Style(rate=style.rate, pitch=style.pitch, volume_db=style.volume_db, voice=name)
    for attribute in ("language", "languages"):
        if attribute in element.attributes:
            style = style._replace(language=element.value(attribute, values.first_language))
    if "gender" in element.attributes:
        style = style._replace(gender=element.value("gender", values.gender))
    if "variant" in element.attributes:
        style = style._replace(variant=element.value("variant", values.variant))
    element.style = style


def _lang(element: Element, context: Context) -> None:
    element.required("xml:lang")


def _say_as(element: Element, context: Context) -> None:
    interpret_as = element.required("interpret-as")
    attributes = element.attributes
    element.pieces = []

    def finish(after: int) -> None:
        said = element.content()
        for piece in say_as(
            said.text,
            0,
            interpret_as,
            attributes.get("format", ""),
            attributes.get("detail", ""),
            attributes.get("language") or element.style.language or context.language,
        ):
            if piece.settled:
                # What stands for "12" is not to become one word with "flight".
                context.items.word_border(element.at)
                start, end = said.written(piece.start, piece.end)
                context.items.say(piece._replace(start=start, end=end), element.style)
                context.items.word_border(after)
                continue
            for left in said.part(piece.start, piece.end).pieces:
                context.items.say(left, element.style)

    element.finish = finish


def _sub(element: Element, context: Context) -> None:
    alias = element.required("alias")
    element.pieces = []

    def finish(after: int) -> None:
        _replace(element, context, after, alias)

    element.finish = finish


def _phoneme(element: Element, context: Context) -> None:
    element.required("ph")
    alphabet = element.attributes.get("alphabet", "ipa").strip().lower()
    if alphabet == "ipa":
        ipa = element.value("ph", str.strip)
    elif alphabet == "x-sampa":
        ipa = element.value("ph", lambda value: to_ipa(value.strip()))
    else:
        return  # the content is spoken as it is
    element.pieces = []

    def finish(after: int) -> None:
        # Without content there is only the phonetic text to show an engine that reads none.
        text = element.content().text.strip() or ipa or ""
        _replace(element, context, after, text, ipa)

    element.finish = finish


def _replace(
    element: Element, context: Context, after: int, text: str, ipa: Optional[str] = None
) -> None:
    """Say ``text`` for the element's content, but for the white space around that."""
    said = element.content()
    low = len(said.text) - len(said.text.lstrip())
    high = len(said.text.rstrip())
    if low >= high:  # nothing to stand for, but for the element itself
        context.items.say(Piece(text, element.at, after, settled=True, ipa=ipa), element.style)
        return
    replacement = Piece(text, *said.written(low, high), settled=True, ipa=ipa)
    before, behind = said.part(0, low), said.part(high, len(said.text))
    for piece in (*before.pieces, replacement, *behind.pieces):
        context.items.say(piece, element.style)


def _audio(element: Element, context: Context) -> None:
    source = element.attributes.get("src", "").strip()
    path = context.resolve(source) if source else None
    if path is None:
        return  # the content is what to speak instead
    playable = path
    element.silent = True

    def finish(after: int) -> None:
        context.items.add(Clip(playable, element.at, after))

    element.finish = finish


def _never_spoken(element: Element, context: Context) -> None:
    element.silent = True


BOUNDARIES: Dict[str, bool] = {
    "speak": False,
    "p": True,
    "paragraph": True,
    "s": False,
    "sentence": False,
    # Google's tracks of sound.
    "par": False,
    "seq": False,
    "media": False,
}
"""Elements that no sentence crosses, and whether they are paragraphs."""

ELEMENTS: Dict[str, Callable[[Element, Context], None]] = {
    "audio": _audio,
    "bookmark": _bookmark,
    "break": _break,
    "desc": _never_spoken,
    "emphasis": _emphasis,
    "lang": _lang,
    "lexicon": _never_spoken,
    "mark": _mark,
    "meta": _never_spoken,
    "metadata": _never_spoken,
    "phoneme": _phoneme,
    "prosody": _prosody,
    "say-as": _say_as,
    "sub": _sub,
    "token": _word,
    "voice": _voice,
    "w": _word,
}
