"""What a marked-up text asks for, independent of the markup: items in the order of speech."""

from typing import NamedTuple, Optional, Tuple, Union

from auto_voice.text.aligned import Piece


class Style(NamedTuple):
    """How words are to be said. Factors and decibels are relative to the request's own."""

    voice: Optional[str] = None
    """The name that the markup calls its voice by; None: the request's."""
    language: Optional[str] = None
    """BCP 47 tag where it differs from the request's voice."""
    gender: Optional[str] = None
    """``female`` or ``male`` where the markup asks for a voice by it."""
    rate: float = 1.0
    """Factor on the pace."""
    pitch: float = 1.0
    """Factor on the pitch."""
    volume_db: float = 0.0
    """Decibels; -inf is silence."""
    variant: Optional[int] = None
    """Which of the voices that fit, from 1, where the markup asks for one."""


class Words(NamedTuple):
    """Something to say."""

    pieces: Tuple[Piece, ...]
    style: Style = Style()


class Break(NamedTuple):
    """Silence."""

    duration_s: float
    at: int
    """Index in the client's text."""


class Mark(NamedTuple):
    """A place whose time the client wants to know."""

    name: str
    at: int


class Clip(NamedTuple):
    """Recorded sound."""

    path: str
    """A file that the server allows."""
    start: int
    """Index of the first character of the element in the client's text."""
    end: int


class Boundary(NamedTuple):
    """No sentence goes on across this."""

    paragraph: bool
    at: int


Item = Union[Words, Break, Mark, Clip, Boundary]
