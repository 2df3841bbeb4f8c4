"""From a request to a WebSocket: the handshake of RFC 6455, and who may have one."""

import base64
import binascii
import hashlib
import re
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from auto_voice.bootstrap import Service
from auto_voice.errors import (
    AutoVoiceError,
    InvalidAPIKey,
    InvalidRequest,
    OriginNotAllowed,
    UpgradeRequired,
)
from auto_voice.utils.instrument import carry
from auto_voice.web.connection import Connection
from auto_voice.web.elevenlabs import (
    ELEVENLABS_PATH,
    ElevenLabsQuery,
    ElevenLabsSession,
    elevenlabs_manner,
)
from auto_voice.web.endpoint import TEXT, Endpoint
from auto_voice.web.incoming import Environ, query_decoder, query_string, validated
from auto_voice.web.live.turn import Stage
from auto_voice.web.observe import FACTS
from auto_voice.web.reply import Reply
from auto_voice.web.schemas import ErrorBody
from auto_voice.web.websocket.contract import Limits
from auto_voice.web.websocket.hub import Hub
from auto_voice.web.websocket.link import Link
from auto_voice.web.websocket_handler import STREAM_PATH, LiveSession, SpeechSession

SUBPROTOCOL = "autovoice"
_KEY_SUBPROTOCOL = "key."
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""
_TOKENS = re.compile(r"[^\s,]+")

_elevenlabs_query = query_decoder(ElevenLabsQuery)
_ANSWERS = {
    101: TEXT,
    400: ErrorBody,
    401: ErrorBody,
    403: ErrorBody,
    404: ErrorBody,
    426: ErrorBody,
    503: ErrorBody,
}


class WebSockets:
    """The endpoints that become WebSockets."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        self._service = service
        self._origins = tuple(filter(None, map(str.strip, settings.websocket_origins.split(","))))
        self._key_in_url = settings.websocket_key_in_url == "on"
        limits = Limits(
            message_bytes=settings.body_limit_bytes,
            idle_s=settings.websocket_idle_s,
            stall_s=settings.websocket_stall_s,
            close_code=int(settings.websocket_close_code),
        )
        self._metrics = service.metrics.websocket
        self.hub = Hub(settings.websocket_max_sessions, limits, self._metrics)
        self._stage = Stage(
            service.synthesizer,
            self.hub.loop,
            settings.max_input_chars,
            settings.start_deadline_s,
            settings.max_requests,
        )
        self.count: Callable[[str], None] = lambda client: None
        """Counts an utterance of a client's; raises where it is one too many."""
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint(
                "GET",
                STREAM_PATH,
                self.stream_speech,
                "Speak a text while it is being written (WebSocket)",
                dict(_ANSWERS),
            ),
            Endpoint(
                "GET",
                ELEVENLABS_PATH,
                self.stream_elevenlabs,
                "The same for ElevenLabs' clients (WebSocket)",
                dict(_ANSWERS),
                query=ElevenLabsQuery,
            ),
        )
        self.paths = frozenset(endpoint.path for endpoint in self.endpoints)

    def take_key(self, environ: Environ) -> None:
        """Put the API key where every other request has it.

        Browsers cannot set headers on a WebSocket: they can name it as a subprotocol.
        """
        if environ.get("HTTP_AUTHORIZATION") or environ.get("HTTP_X_API_KEY"):
            return
        key = environ.get("HTTP_XI_API_KEY", "") or _key_among(_subprotocols(environ))
        if not key and self._key_in_url:
            key = query_string(environ).get("api_key", "")
        if key:
            environ["HTTP_X_API_KEY"] = key

    def refused(self, error: AutoVoiceError) -> None:
        """Count a handshake that was refused."""
        outcome = "error"
        if isinstance(error, (InvalidAPIKey, OriginNotAllowed)):
            outcome = "unauthorized"
        elif error.status in (429, 503):
            outcome = "overloaded"
        elif error.status < 500:
            outcome = "invalid"
        self._metrics.attempted(outcome)

    def stream_speech(self, environ: Environ) -> Reply:
        """Text in as it is written, audio out as it is spoken; see docs/api-documentation.md."""
        default_voice = self._service.settings.default_voice
        accept = self._checked(environ)
        self._service.synthesizer.catalogue  # it has to be there before the session asks for it

        def make(*args: Any) -> LiveSession:
            return SpeechSession(*args, default_voice=default_voice)

        return self._accepted(environ, accept, make)

    def stream_elevenlabs(self, environ: Environ, voice_id: str) -> Reply:
        """Messages as ElevenLabs' `stream-input` has them."""
        accept = self._checked(environ)
        query: ElevenLabsQuery = validated(_elevenlabs_query, query_string(environ))
        manner = elevenlabs_manner(self._service.synthesizer, voice_id, query.output_format)

        def make(*args: Any) -> LiveSession:
            return ElevenLabsSession(*args, manner=manner)

        return self._accepted(environ, accept, make)

    def _checked(self, environ: Environ) -> str:
        """The handshake's answer to its key.

        Raises:
            UpgradeRequired, InvalidRequest, OriginNotAllowed
        """
        accept = _accept(environ)
        self._check_origin(environ)
        return accept

    def _check_origin(self, environ: Environ) -> None:
        origin = environ.get("HTTP_ORIGIN", "")
        if not origin or "*" in self._origins or origin in self._origins:
            return
        if not self._origins:
            # A page from elsewhere cannot know a key; but without keys it could use a server
            # that only its visitor can reach.
            if environ[FACTS].get("key"):
                return
            if urlsplit(origin).netloc.lower() == environ.get("HTTP_HOST", "").lower():
                return
        raise OriginNotAllowed("Pages of this origin may not open a WebSocket here.")

    def _accepted(self, environ: Environ, accept: str, make: Callable[..., LiveSession]) -> Reply:
        connection: Optional[Connection] = environ.get("gunicorn.socket")
        if connection is None:  # another WSGI server, or a test's client
            raise UpgradeRequired("This server cannot upgrade connections.")
        self.hub.reserve()
        facts: Dict[str, Any] = {}
        for name in ("key", "client"):
            if environ[FACTS].get(name):
                facts[name] = environ[FACTS][name]
        facts["client"] = environ.get("REMOTE_ADDR", "")
        client = facts.get("key") or facts["client"]
        run = carry(_call)

        def begin(link: Link) -> LiveSession:
            errors = self._service.errors
            return make(link, self._stage, errors, facts, run, lambda: self.count(client))

        connection.hand_over = lambda received: self.hub.adopt(connection, received, begin)
        self._metrics.attempted("accepted")
        headers = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept),
        ]
        if SUBPROTOCOL in _subprotocols(environ):
            headers.append(("Sec-WebSocket-Protocol", SUBPROTOCOL))
        return Reply(101, headers, b"")


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def _subprotocols(environ: Environ) -> List[str]:
    return _TOKENS.findall(environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", ""))


def _key_among(subprotocols: List[str]) -> str:
    """The API key that is named as a subprotocol: base64url, which has no forbidden characters."""
    for name in subprotocols:
        if name.startswith(_KEY_SUBPROTOCOL):
            encoded = name[len(_KEY_SUBPROTOCOL) :]
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii")
            except (binascii.Error, UnicodeDecodeError, ValueError):
                return "malformed"  # there was one, and it is wrong
    return ""


def _accept(environ: Environ) -> str:
    """The answer to a handshake's key.

    Raises:
        UpgradeRequired: the request does not ask for a WebSocket of this version.
        InvalidRequest: it does, but not as RFC 6455 wants it.
    """
    upgrade = _TOKENS.findall(environ.get("HTTP_UPGRADE", "").lower())
    connection = _TOKENS.findall(environ.get("HTTP_CONNECTION", "").lower())
    if "websocket" not in upgrade or "upgrade" not in connection:
        raise UpgradeRequired("This is a WebSocket: connect with 'Upgrade: websocket'.")
    if environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        raise InvalidRequest("A WebSocket begins with a request of HTTP/1.1.")
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        raise UpgradeRequired("Only version 13 of WebSocket is spoken here.")
    if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        raise InvalidRequest("A WebSocket's request has no body.")
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 16:
        raise InvalidRequest("Sec-WebSocket-Key has to be 16 bytes in base64.")
    digest = hashlib.sha1(key.encode() + _GUID).digest()  # nosec B324: RFC 6455 has no other
    return base64.b64encode(digest).decode()
