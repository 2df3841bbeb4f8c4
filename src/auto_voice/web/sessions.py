"""What the studio keeps of a browser: in this process, or in a Redis for all servers.

Why no package: those for Flask fail a request where Redis does, and load the session of every
request. This one is asked by one page, and goes on with what this process has.
"""

import hashlib
import re
import secrets
import threading
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from typing import Any, List, Optional, Tuple

import msgspec
from typing_extensions import Annotated

from auto_voice.bootstrap import Service
from auto_voice.shared.client import Away, SharedRedis
from auto_voice.shared.shelf import Shelf
from auto_voice.web.endpoint import NOTHING, Endpoint
from auto_voice.web.incoming import Environ, nested_within_reason, read_body, validated
from auto_voice.web.observe import FACTS
from auto_voice.web.reply import Reply, encode_json, json_reply
from auto_voice.web.schemas import ErrorBody

COOKIE = "autovoice_studio"
TTL_S = 7 * 86_400
"""How long a session is kept without being changed or looked at."""
LARGEST_BYTES = 64 << 10
"""Of one session; a browser sends no more than this when a page is left, either."""
HERE_BYTES = 8 << 20
"""All sessions in this process."""
SHARED_BYTES = 64 << 20
"""All sessions in Redis."""
MOST_RECENT = 10

_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)
_PATH = "/studio/session"

Short = Annotated[str, msgspec.Meta(max_length=200)]


class Recent(msgspec.Struct):
    """A text that was spoken."""

    text: str
    voice: Short


class StudioState(msgspec.Struct):
    """What is on the studio's page, and what was spoken there."""

    text: str = ""
    voice: Short = ""
    variant: Short = ""
    speed: float = 1.0
    pitch: float = 1.0
    ssml: bool = False
    normalize: bool = True
    lexicon: Short = ""
    format: Short = ""
    recent: Annotated[List[Recent], msgspec.Meta(max_length=MOST_RECENT)] = []
    """The newest first."""


_decode = msgspec.json.Decoder(StudioState).decode


class Sessions:
    """Sessions by their secret. Safe for threads."""

    def __init__(self, redis: Optional[SharedRedis]) -> None:
        self._redis = redis
        self._shelf = Shelf(redis, "session", SHARED_BYTES, TTL_S) if redis else None
        self._here: "OrderedDict[str, Tuple[float, bytes]]" = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def load(self, identity: str) -> Optional[bytes]:
        """What was saved; while Redis is away, what this process has of it."""
        if self._shelf is not None and self._redis is not None and self._redis.is_there:
            try:
                return self._shelf.look(identity).value
            except Away:
                pass
        with self._lock:
            until, value = self._here.get(identity, (0.0, None))
            return value if time.monotonic() < until else None

    def save(self, identity: str, value: bytes) -> None:
        """Keep it, here as well as in Redis."""
        with self._lock:
            self._drop(identity)
            self._here[identity] = time.monotonic() + TTL_S, value
            self._bytes += len(value)
            while self._bytes > HERE_BYTES:
                self._drop(next(iter(self._here)))
        if self._shelf is not None:
            try:
                self._shelf.put(identity, value)
            except Away:
                pass  # said by the client

    def forget(self, identity: str) -> None:
        """Keep it no longer. What Redis keeps, since it is away, nobody has the secret to."""
        with self._lock:
            self._drop(identity)
        if self._shelf is not None:
            try:
                self._shelf.drop(identity)
            except Away:
                pass

    def _drop(self, identity: str) -> None:
        """With the lock held."""
        _, value = self._here.pop(identity, (0.0, b""))
        self._bytes -= len(value)


class SessionAPI:
    """The endpoints that the studio keeps its state with."""

    def __init__(self, service: Service) -> None:
        self._sessions = Sessions(service.redis)
        refusals: Any = {401: ErrorBody}
        bad = {400: ErrorBody, 408: ErrorBody, 413: ErrorBody, 415: ErrorBody}
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint(
                "GET",
                _PATH,
                self.get_session,
                "What the studio keeps of this browser",
                {200: StudioState, 204: NOTHING, **refusals},
            ),
            Endpoint(
                "PUT",
                _PATH,
                self.put_session,
                "Keep it",
                {204: NOTHING, **refusals, **bad},
                body=StudioState,
            ),
            Endpoint("DELETE", _PATH, self.delete_session, "Forget it", {204: NOTHING, **refusals}),
        )

    def get_session(self, environ: Environ) -> Reply:
        """By the cookie that came with it; 204 where there is nothing."""
        token = _token(environ)
        value = self._sessions.load(_identity(environ, token)) if token else None
        if value is None:
            return Reply(204, [("Cache-Control", "no-store")], b"")
        return json_reply(_decode(value), headers=[("Cache-Control", "no-store")])

    def put_session(self, environ: Environ) -> Reply:
        """Up to 64 kB, for seven days, under a secret in a cookie that scripts cannot read."""
        body = nested_within_reason(read_body(environ, LARGEST_BYTES))
        state = validated(_decode, body)
        token = _token(environ)
        # A secret that is not one of ours may be somebody else's, who would read along.
        if not token or self._sessions.load(_identity(environ, token)) is None:
            token = secrets.token_urlsafe(32)
        self._sessions.save(_identity(environ, token), encode_json(state))
        return Reply(204, [_cookie(environ, token, TTL_S)], b"")

    def delete_session(self, environ: Environ) -> Reply:
        """On the server, and the cookie in the browser."""
        token = _token(environ)
        if token:
            self._sessions.forget(_identity(environ, token))
        return Reply(204, [_cookie(environ, "", 0)], b"")


def _token(environ: Environ) -> str:
    """The session's secret; empty without a proper one."""
    try:
        found = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None and _TOKEN.fullmatch(found.value) else ""


def _identity(environ: Environ, token: str) -> str:
    """What a session is kept under: neither its secret nor another API key's session."""
    key = environ.get(FACTS, {}).get("key") or ""
    return hashlib.sha256(f"{token}\0{key}".encode()).hexdigest()


def _cookie(environ: Environ, token: str, max_age_s: int) -> Tuple[str, str]:
    value = f"{COOKIE}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict"
    # A proxy that ends TLS says so; who lies about it only harms oneself.
    schemes = (environ.get("wsgi.url_scheme"), environ.get("HTTP_X_FORWARDED_PROTO"))
    return "Set-Cookie", f"{value}; Secure" if "https" in schemes else value
