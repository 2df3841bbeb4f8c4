"""HTTP as strict as a client can be: whatever is not a whole answer is an error with its reason."""

import hashlib
import socket
import time
from typing import BinaryIO, Dict, Iterator, NamedTuple, Optional, Tuple, cast

Address = Tuple[str, int]
PATIENCE_S = 30.0
_PIECE_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 16


class Lost(Exception):
    """A request without the answer that it has to have; the message says why."""


class Answer(NamedTuple):
    """An answer that came to its end."""

    status: int
    bytes: int
    """Of the body."""
    digest: str
    """Of the body."""
    head: bytes
    """The body's first bytes."""


class Client:
    """One connection, which is kept as long as the server does not say that it closes it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: Optional[socket.socket] = None
        self._file: Optional[BinaryIO] = None

    def ask(self, request: bytes, piece_pause_s: float = 0.0) -> Answer:
        """Send a request and read its whole answer.

        Args:
            piece_pause_s: seconds between two reads, for a client that listens while it reads.

        Raises:
            Lost: there is none, or it breaks off. The next request has a connection of its own.
        """
        step = "connecting"
        try:
            if self._socket is None:
                self._connect()
            step = "sending"
            assert self._socket is not None
            self._socket.sendall(request)
            step = "waiting for the answer"
            status, headers = self._head()
            step = "reading the body"
            size, hashed, head = 0, hashlib.sha256(), b""
            for piece in self._pieces(headers):
                size += len(piece)
                hashed.update(piece)
                head = head or piece[:64]
                if piece_pause_s:
                    time.sleep(piece_pause_s)
        except (OSError, ValueError, IndexError, EOFError) as error:
            self.close()
            raise Lost(f"{step}: {type(error).__name__} {error}".strip()) from None
        if headers.get(b"connection", b"").lower() == b"close":
            self.close()
        return Answer(status, size, hashed.hexdigest(), head)

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            assert self._file is not None
            self._file.close()
            self._socket.close()
        self._socket = self._file = None

    def _connect(self) -> None:
        made = socket.socket()
        # What the kernel takes for a slow reader would let the server finish early.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(PATIENCE_S)
        try:
            made.connect(self._address)
        except OSError:
            made.close()
            raise
        self._socket = made
        self._file = cast(BinaryIO, made.makefile("rb", _BUFFER_BYTES))

    def _line(self) -> bytes:
        assert self._file is not None
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the server hung up")
        return line[:-2]

    def _head(self) -> Tuple[int, Dict[bytes, bytes]]:
        status = int(self._line().split(b" ")[1])
        headers = {}
        while True:
            name, colon, value = self._line().partition(b":")
            if not colon:
                return status, headers
            headers[name.lower()] = value.strip()

    def _pieces(self, headers: Dict[bytes, bytes]) -> Iterator[bytes]:
        if b"chunked" not in headers.get(b"transfer-encoding", b""):
            yield from self._exactly(int(headers.get(b"content-length", b"0")))
            return
        while True:
            size = int(self._line(), 16)
            yield from self._exactly(size)
            self._line()
            if not size:
                return

    def _exactly(self, count: int) -> Iterator[bytes]:
        assert self._file is not None
        while count:
            piece = self._file.read(min(count, _PIECE_BYTES))
            if not piece:
                raise EOFError("the server hung up")
            count -= len(piece)
            yield piece


def get(path: str) -> bytes:
    """A GET request's bytes."""
    return f"GET {path} HTTP/1.1\r\nHost: autovoice\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST request's bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: autovoice\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
