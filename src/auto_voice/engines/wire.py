"""Messages between the server and an engine's worker process.

One message is a header (kind and payload length) and a payload. The server
sends SPEAK and CANCEL; the worker answers HELLO or FAILED after loading, and
then, per SPEAK, any number of AUDIO and WORD and at last LAST_AUDIO or FAILED.
There is at most one utterance under way, so messages need no number.

Samples themselves lie in memory that both processes share, where one copy and
one wake-up replace several of each that a socket takes.
"""

import os
import socket
import struct
import tempfile
from typing import Tuple

import msgspec

HELLO = 1
"""Worker: loaded; a `Description` as JSON."""
SPEAK = 2
"""Server: an `Utterance` as MessagePack."""
CANCEL = 3
"""Server: the utterance under way is not wanted any more."""
AUDIO = 4
"""Worker: there are samples; a `SPAN` of the shared memory."""
LAST_AUDIO = 5
"""Worker: likewise the last samples (or none) of this utterance, which has succeeded."""
WORD = 6
"""Worker: a `Word` as MessagePack."""
FAILED = 7
"""Worker: a `Failure` as MessagePack; the utterance (or loading) is over."""
OVERFLOW = 8
"""Worker: samples in the message itself, since the shared memory is full."""

SPAN = struct.Struct("<QQ")
"""First byte and byte after the last of samples in the shared memory."""
SHARED_BYTES = 8 << 20
"""Of shared memory: 190 s at 22,050 Hz. Only what has been used takes real memory."""

_HEADER = struct.Struct("<II")
_MAX_PAYLOAD = 1 << 28


class Failure(msgspec.Struct, frozen=True):
    """An error that travels."""

    message: str
    code: str


class ConnectionLost(Exception):
    """The other process is gone."""


def shared_memory() -> int:
    """A descriptor of `SHARED_BYTES` of new memory to map in both processes."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("autovoice-samples")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, SHARED_BYTES)
    return descriptor


def send(connection: socket.socket, kind: int, payload: bytes = b"") -> None:
    """Send one message, whole.

    Raises:
        ConnectionLost: the other process is gone.
    """
    try:
        sent = connection.sendmsg((_HEADER.pack(kind, len(payload)), payload))
        rest = memoryview(payload)[max(0, sent - _HEADER.size) :]
        if sent < _HEADER.size:
            raise ConnectionLost("a header was cut")
        if rest:
            connection.sendall(rest)
    except OSError as error:
        raise ConnectionLost(str(error)) from None


def receive(connection: socket.socket) -> Tuple[int, bytes]:
    """Wait for one message.

    Raises:
        ConnectionLost: the other process is gone.
        TimeoutError: nothing came within the socket's own receive timeout.
    """
    kind, length = _HEADER.unpack(_exactly(connection, _HEADER.size))
    if length > _MAX_PAYLOAD:
        raise ConnectionLost("a header is broken")
    return kind, _exactly(connection, length) if length else b""


def _exactly(connection: socket.socket, count: int) -> bytes:
    try:
        data = connection.recv(count, socket.MSG_WAITALL)
        while 0 < len(data) < count:  # a signal or a timeout may cut MSG_WAITALL short
            more = connection.recv(count - len(data), socket.MSG_WAITALL)
            if not more:
                break
            data += more
    except (BlockingIOError, socket.timeout):
        raise TimeoutError from None
    except OSError as error:
        raise ConnectionLost(str(error)) from None
    if len(data) < count:
        raise ConnectionLost("end of stream")
    return data
