"""Messages between the server and an engine's worker process.

One message is a header (kind and payload length) and a payload. The server
sends SPEAK and CANCEL; the worker answers HELLO or FAILED after loading, and
then, per SPEAK, any number of AUDIO, WORD, LOADING, LOADED and MEMORY, and at last LAST_AUDIO or
FAILED.
There is at most one utterance under way, so messages need no number.

Samples themselves lie in memory that both processes share, where one copy and
one wake-up replace several of each that a socket takes.
"""

import os
import select
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
LOADING = 9
"""Worker: it loads a voice, in silence, before it goes on."""
LOADED = 10
"""Worker: it goes on."""

MEMORY = 11
"""Worker: what it has of voices in memory has changed; an `InMemory` as MessagePack."""

SPAN = struct.Struct("<QQ")
"""First byte and byte after the last of samples in the shared memory."""
SHARED_BYTES = 8 << 20
"""Of shared memory: 190 s at 22,050 Hz. Only what has been used takes real memory."""

_HEADER = struct.Struct("<II")
_MAX_PAYLOAD = 1 << 28
_RECEIVE_BYTES = 1 << 16


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


class Connection:
    """One end of the socket between a server and a worker. Used by one thread at a time."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._received = b""

    def send(self, kind: int, payload: bytes = b"") -> None:
        """Send one message, whole.

        Raises:
            ConnectionLost: the other process is gone.
        """
        try:
            self.socket.sendall(_HEADER.pack(kind, len(payload)) + payload)
        except OSError as error:
            raise ConnectionLost(str(error)) from None

    def receive(self) -> Tuple[int, bytes]:
        """Wait for one message.

        Most messages come whole with the first system call. What had come of a
        message is kept where the rest of it is late.

        Raises:
            ConnectionLost: the other process is gone.
            TimeoutError: nothing came within the socket's own receive timeout.
        """
        while True:
            data = self._received
            if len(data) >= _HEADER.size:
                kind, length = _HEADER.unpack_from(data)
                if length > _MAX_PAYLOAD:
                    raise ConnectionLost("a header is broken")
                end = _HEADER.size + length
                if len(data) >= end:
                    self._received = data[end:]
                    return kind, data[_HEADER.size : end]
            try:
                more = self.socket.recv(_RECEIVE_BYTES)
            except (BlockingIOError, socket.timeout):
                raise TimeoutError from None
            except OSError as error:
                raise ConnectionLost(str(error)) from None
            if not more:
                raise ConnectionLost("end of stream")
            self._received = data + more

    @property
    def pending(self) -> bool:
        """Whether something has been received that `receive` has not handed out."""
        return bool(self._received)

    def waits(self, seconds: float) -> bool:
        """Whether there is something to `receive` within that time."""
        if self._received:
            return True
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(1000 * seconds))

    def close(self) -> None:
        """Hang up."""
        self.socket.close()
