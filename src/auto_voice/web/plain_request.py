"""Plain requests for speech: read and answered without gunicorn's parser and framing.

Those are written in Python, for all of HTTP, and take longer than everything
else that the server does for a short sentence. Here is only what can be read in
one single way: HTTP/1.1, the one path, well-formed fields of which none comes
twice, a body with a length. Whatever is not exactly so is left, byte for byte,
to gunicorn.
"""

from __future__ import annotations

import io
import re
import socket
import sys
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from auto_voice.web.endpoint import SPEECH_PATH

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


MAX_BODY_BYTES = 64 * 1024
"""Larger bodies are gunicorn's: they seldom come with one read."""

_FIRST_LINE = f"POST {SPEECH_PATH} HTTP/1.1\r\n".encode()
_MAX_HEAD_BYTES = 8190
# Narrower than RFC 9110 on purpose: no underscore, no empty name, nothing beyond visible ASCII.
_FIELDS = re.compile(rb"(?:[A-Za-z0-9-]{1,64}:[ \t]*(?:[!-~](?:[ -~\t]*[!-~])?)?[ \t]*\r\n){1,64}")
_NOT_PLAIN = frozenset(
    {
        "HTTP_TRANSFER_ENCODING",
        "HTTP_EXPECT",
        "HTTP_UPGRADE",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_CONTENT_ENCODING",
        "HTTP_HTTP2_SETTINGS",
    }
)


class PlainRequest:
    """A request whose head is plain and whole."""

    __slots__ = ("environ", "close", "received", "body_at", "end")

    def __init__(
        self, environ: Dict[str, Any], close: bool, received: bytes, body_at: int, end: int
    ) -> None:
        self.environ = environ
        self.close = close
        """Whether the client wants the connection closed after the answer."""
        self.received = received
        self.body_at = body_at
        self.end = end
        """Where in ``received`` the request ends."""

    @property
    def missing(self) -> int:
        """Bytes of the body that have not come yet."""
        return self.end - len(self.received)

    @property
    def rest(self) -> bytes:
        """What came after the request: the beginning of the next one."""
        return self.received[self.end :]


def parse(received: bytes) -> Optional[PlainRequest]:
    """The plain request that ``received`` begins with; None if it is not one.

    Its environment holds WSGI's variables about the request itself.
    """
    if not received.startswith(_FIRST_LINE):
        return None
    # One more byte than the fields' last line break.
    head_end = received.find(b"\r\n\r\n", len(_FIRST_LINE) - 2, _MAX_HEAD_BYTES) + 2
    if head_end < len(_FIRST_LINE) or not _FIELDS.fullmatch(received, len(_FIRST_LINE), head_end):
        return None
    lines = received[len(_FIRST_LINE) : head_end - 2].decode("ascii").split("\r\n")
    fields: Dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields["HTTP_" + name.upper().replace("-", "_")] = value.strip(" \t")
    # A name that comes twice would have to be joined, or be refused.
    if len(fields) != len(lines) or "HTTP_HOST" not in fields or not _NOT_PLAIN.isdisjoint(fields):
        return None
    length = fields.pop("HTTP_CONTENT_LENGTH", "")
    connection = fields.get("HTTP_CONNECTION", "keep-alive").lower()
    if not length.isdigit() or len(length) > 6 or int(length) > MAX_BODY_BYTES:
        return None
    if connection not in ("keep-alive", "close"):
        return None
    fields["CONTENT_LENGTH"] = length
    if "HTTP_CONTENT_TYPE" in fields:
        fields["CONTENT_TYPE"] = fields.pop("HTTP_CONTENT_TYPE")
    body_at = head_end + 2
    return PlainRequest(fields, connection == "close", received, body_at, body_at + int(length))


def serve(
    request: PlainRequest, app: "WSGIApplication", sock: socket.socket, client: str, close: bool
) -> bool:
    """Answer a request whose body is there, through the WSGI application ``app``.

    Args:
        client: the client's address.
        close: the connection shall end with this answer, whatever the client wants.

    Returns:
        Whether the connection can take another request.

    Raises:
        OSError: the client is gone, or the application broke the answer off.
    """
    environ = request.environ
    environ.update(_CONSTANT)
    environ["REMOTE_ADDR"] = client
    environ["wsgi.input"] = io.BytesIO(request.received[request.body_at : request.end])
    environ["gunicorn.socket"] = sock
    answer = _Answer(sock, close or request.close)
    body = app(environ, answer.start)
    try:
        for piece in body:
            answer.write(piece)
        answer.end()
    finally:
        finish = getattr(body, "close", None)
        if finish is not None:
            finish()
    return not answer.close


_CONSTANT: Dict[str, Any] = {
    "REQUEST_METHOD": "POST",
    "SCRIPT_NAME": "",
    "PATH_INFO": SPEECH_PATH,
    "RAW_URI": SPEECH_PATH,
    "QUERY_STRING": "",
    "SERVER_NAME": "",
    "SERVER_PORT": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


class _Answer:
    """An answer on its way; its head leaves together with the beginning of its body."""

    def __init__(self, sock: socket.socket, close: bool) -> None:
        self.close = close
        self._sock = sock
        self._head = b""
        self._chunked = True

    def start(
        self, status: str, headers: List[Tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """WSGI's start_response."""
        fields = "".join([f"{name}: {value}\r\n" for name, value in headers])
        if not fields.count("\n") == fields.count("\r") == len(headers):
            raise ValueError("a line break in a header")
        names = {name.lower(): value for name, value in headers}
        self._chunked = "content-length" not in names
        if names.pop("connection", "") == "close":
            self.close = True
        elif self.close:
            fields += "Connection: close\r\n"
        else:
            fields += "Connection: keep-alive\r\n"
        if self._chunked:
            fields += "Transfer-Encoding: chunked\r\n"
        self._head = (
            f"HTTP/1.1 {status}\r\nServer: autovoice\r\nDate: {_date()}\r\n{fields}\r\n"
        ).encode("latin-1")
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if not data:
            return
        if self._chunked:
            self._send([b"%x\r\n" % len(data), data, b"\r\n"])
        else:
            self._send([data])

    def end(self) -> None:
        """Send what is left."""
        if self._chunked:
            self._send([b"0\r\n\r\n"])
        elif self._head:
            self._send([])

    def _send(self, pieces: List[bytes]) -> None:
        if self._head:
            pieces.insert(0, self._head)
            self._head = b""
        sent = self._sock.sendmsg(pieces)
        for piece in pieces:
            if sent < len(piece):
                self._sock.sendall(memoryview(piece)[sent:])
                sent = 0
            else:
                sent -= len(piece)


_last_date = (0, "")


def _date() -> str:
    """Now, as HTTP writes it; made once a second."""
    global _last_date
    now = int(time.time())
    last = _last_date  # read once: another thread may replace it
    if last[0] != now:
        last = _last_date = (now, formatdate(now, usegmt=True))
    return last[1]
