"""One request at a time over a bare socket, which notes when what arrived.

Python's own client takes a fifth of a millisecond for an answer, as much as
some of what is measured here.
"""

import hashlib
import socket
import time
from io import BufferedReader
from typing import Dict, Iterator, NamedTuple, Tuple, cast

SPEECH = "/v1/audio/speech"
WAV_HEADER_BYTES = 44
_PIECE_BYTES = 1 << 18


class Answer(NamedTuple):
    """An answer that has been read to its end; seconds count from before the request."""

    status: int
    first_byte_s: float
    """Of the body."""
    first_audio_s: float
    """The first sample: what follows the WAV's header."""
    whole_s: float
    bytes: int
    digest: str
    """Of the body; empty unless asked for."""


class Connection:
    """A connection that is kept; OSError if the server hangs up too early."""

    def __init__(self, port: int, timeout_s: float = 120.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = cast(BufferedReader, self._socket.makefile("rb", 1 << 16))

    def get(self, path: str) -> Answer:
        """A GET request."""
        return self._ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), False)

    def speak(self, body: bytes, digest: bool = False, path: str = SPEECH) -> Answer:
        """A request for speech."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return self._ask(head.encode() + body, digest)

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _ask(self, request: bytes, digest: bool) -> Answer:
        began = time.perf_counter()
        self._socket.sendall(request)
        status = int(self._line().split(b" ")[1])
        headers = dict(self._headers())
        first_byte = first_audio = None
        size, hashed = 0, hashlib.sha256()
        for piece in self._pieces(headers):
            now = time.perf_counter()
            size += len(piece)
            if first_byte is None:
                first_byte = now
            if first_audio is None and size > WAV_HEADER_BYTES:
                first_audio = now
            if digest:
                hashed.update(piece)
        end = time.perf_counter()
        return Answer(
            status,
            (first_byte or end) - began,
            (first_audio or end) - began,
            end - began,
            size,
            hashed.hexdigest() if digest else "",
        )

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server hung up")
        return line[:-2]

    def _headers(self) -> Iterator[Tuple[bytes, bytes]]:
        while True:
            name, colon, value = self._line().partition(b":")
            if not colon:
                return
            yield name.lower(), value.strip()

    def _pieces(self, headers: Dict[bytes, bytes]) -> Iterator[bytes]:
        if b"chunked" not in headers.get(b"transfer-encoding", b""):
            yield from self._exactly(int(headers[b"content-length"]))
            return
        while True:
            size = int(self._line(), 16)
            yield from self._exactly(size)
            self._line()
            if not size:
                return

    def _exactly(self, count: int) -> Iterator[bytes]:
        while count:
            piece = self._file.read1(min(count, _PIECE_BYTES))
            if not piece:
                raise ConnectionError("the server hung up in the middle of an answer")
            count -= len(piece)
            yield piece
