"""A client's connection: the kernel's timeouts, and patience that ends."""

import socket
import struct
import time
from typing import Callable, List, Optional

from auto_voice.web.lobby import allowance_s

LINGER_S = 0.05
"""How long a thread waits for bytes before it does something else."""
WRITE_TIMEOUT_S = 60
"""How long a client may refuse to take audio before it counts as gone."""


class Connection(socket.socket):
    """A socket that stays blocking, with the kernel's own timeouts.

    gunicorn sets the timeout four times in each request, to what it was. Each
    time is a system call during which another thread may take the interpreter,
    and under load that is a thread switch.
    """

    opened = 0.0
    """When it was taken over, by time.monotonic()."""
    _tokens: List[None]
    _began = 0.0
    """When gunicorn began to read a request by itself; 0.0: it does not."""
    _received = 0
    """Bytes since then."""
    hand_over: Optional[Callable[[bytes], None]] = None
    """Where the connection goes after the answer instead of another request: a WebSocket's. Takes
    what the client has sent after its request; nobody else is to use the connection then."""

    @classmethod
    def of(cls, sock: socket.socket, tokens: List[None]) -> "Connection":
        """The same connection; ``sock`` itself is of no more use.

        Args:
            tokens: one is taken by each thread that waits for the rest of a
                request; where none is left, no thread does.
        """
        timeout = sock.gettimeout()
        same = cls(sock.family, sock.type, sock.proto, fileno=sock.detach())
        # A new object takes the descriptor for blocking, whatever it is.
        socket.socket.settimeout(same, timeout)
        same.opened = time.monotonic()
        same._tokens = tokens
        same._wait_at_most(LINGER_S)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(WRITE_TIMEOUT_S))
        return same

    def settimeout(self, value: Optional[float]) -> None:
        """Only between blocking and non-blocking; the kernel's timeouts hold anyway."""
        blocking = value != 0.0
        if blocking != (self.gettimeout() != 0.0):
            super().settimeout(None if blocking else 0.0)

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)

    def expect(self, request: bool) -> None:
        """Whether what is read from now on is the rest of a request, within its time."""
        self._began = time.monotonic() if request else 0.0
        self._received = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive.

        Raises:
            BlockingIOError: nothing came for `LINGER_S`.
            TimeoutError: the rest of a request does not come in time.
        """
        if flags or not self._began:
            return super().recv(size, flags)
        elapsed_s = time.monotonic() - self._began
        left_s = allowance_s(self._received) - elapsed_s
        if left_s <= 0:
            raise TimeoutError("the request did not arrive in time")
        try:
            data = super().recv(size, 0 if elapsed_s < LINGER_S else socket.MSG_DONTWAIT)
        except BlockingIOError:
            data = self._recv_slowly(size, left_s)
        self._received += len(data)
        return data

    def _recv_slowly(self, size: int, left_s: float) -> bytes:
        try:
            token = self._tokens.pop()
        except IndexError:
            raise TimeoutError("too many requests arrive slowly") from None
        try:
            self._wait_at_most(left_s)
            return super().recv(size)
        except BlockingIOError:
            raise TimeoutError("the request did not arrive in time") from None
        finally:
            self._wait_at_most(LINGER_S)
            self._tokens.append(token)

    def _wait_at_most(self, seconds: float) -> None:
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))


def _timeval(seconds: float) -> bytes:
    whole, fraction = divmod(max(seconds, 0.001), 1)  # zero would mean for ever
    return struct.pack("ll", int(whole), int(fraction * 1e6))
