"""A route, with all that its documentation needs."""

from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple, Type

import msgspec

from auto_voice.web.reply import Reply

SPEECH_PATH = "/v1/audio/speech"

AUDIO = "audio"
"""Stands for an answer that is audio in the format asked for, or server-sent events."""
CAPTIONS = "captions"
"""Stands for a file of captions."""
TEXT = "text/plain"
HTML = "text/html"
ASSET = "asset"
"""Stands for a script or a style sheet."""
NOTHING = "nothing"
"""Stands for an answer without a body."""


class Endpoint(NamedTuple):
    """A route, and all that its documentation needs."""

    method: str
    path: str
    """Flask's rule."""
    function: Callable[..., Reply]
    """Takes the WSGI environment and the path's parameters."""
    summary: str
    answers: Dict[int, Any]
    """Status to schema type, or to a content type with raw bytes."""
    body: Optional[Type[msgspec.Struct]] = None
    query: Optional[Type[msgspec.Struct]] = None
    also: Tuple[str, ...] = ()
    """Content types, beside JSON, that the body or else the answer may have."""
    public: bool = False
    """Whether it never needs a key."""
    admin: bool = False
    """Whether it needs an administrator's key."""
    limited: bool = False
    """Whether a request counts for the rate limit."""
    listing: bool = False
    """Whether it needs no key while listings are public."""

    @property
    def name(self) -> str:
        """Flask's endpoint name and OpenAPI's operationId."""
        return self.function.__name__
