"""Where a connection waits for its client without holding a thread.

Threads are few, and a client that sends a byte now and then could keep one for
as long as it likes. So a request gets a thread once it is whole, and one thread
reads for all that are not yet. Each has to be whole within `REQUEST_S` of its
first byte, and a little longer for every byte that did come.

Connections that the server ends pass here, too. Closed at once, with something
unread, they would take the last answer with them.

Where places run out, whoever has been waited for the longest goes.
"""

import logging
import queue
import re
import selectors
import socket
import threading
import time
from typing import Any, Callable, Optional, Set

log = logging.getLogger(__name__)

REQUEST_S = 10.0
"""How long a request may take to arrive, from its first byte on."""
BYTES_PER_S = 1000
"""What has arrived buys more time at this rate."""
SILENCE_S = 75.0
"""How long a new connection may be silent, as long as one between two requests."""
MAX_HEAD_BYTES = 1 << 16
MAX_BODY_BYTES = 1 << 18
"""Larger bodies are not kept here: a thread reads them, if there is one to spare."""

GOODBYE_S = 2.0
"""How long a client gets to take its last answer and close its side."""
GOODBYE_BYTES = 1 << 20
"""How much of what it still sends is taken from it."""

_TICK_S = 0.5
_READ_BYTES = 1 << 16
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_UNTOLD = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)


def allowance_s(received: int) -> float:
    """How long a request of which ``received`` bytes have come may take."""
    return REQUEST_S + received / BYTES_PER_S


def is_whole(received: bytes, body_limit: int) -> bool:
    """Whether a thread can go about the request that ``received`` begins with.

    It can if the request is all there; or if the head alone tells what to
    answer; or if only a parser can tell where it ends (a body in chunks), or
    the client waits for a word before it goes on.

    Args:
        body_limit: longer bodies, in bytes, are refused, so nobody waits for them.
    """
    end = received.find(b"\r\n\r\n") + 4
    if end < 4:
        # A line break that is none would be refused, and never become an empty line.
        broken = received.count(b"\n") != received.count(b"\r\n")
        return broken or len(received) > MAX_HEAD_BYTES
    length = _LENGTH.search(received, 0, end - 2)
    if length is None or _UNTOLD.search(received, 0, end - 2):
        return True
    body = int(length.group(1))
    return body > min(body_limit, MAX_BODY_BYTES) or len(received) >= end + body


class _Guest:
    """A connection that is here, and what it has sent."""

    __slots__ = ("connection", "sock", "received", "leaving", "taken", "since")

    def __init__(
        self, connection: Any, received: bytes, leaving: bool, since: Optional[float] = None
    ) -> None:
        self.connection = connection
        self.sock: socket.socket = connection.sock
        self.received = received
        self.leaving = leaving
        """Whether it is only to be closed."""
        self.taken = 0
        """Bytes it has sent since then."""
        self.since = time.monotonic() if since is None else since
        """When the first byte came, or when the waiting for it began."""

    def is_late(self, now: float) -> bool:
        if self.leaving:
            allowed_s = GOODBYE_S
        else:
            allowed_s = allowance_s(len(self.received)) if self.received else SILENCE_S
        return now - self.since > allowed_s


class Lobby:
    """Connections whose requests are not whole yet, and those that are ending.

    Args:
        places: how many may be here at once.
        is_whole: whether these bytes are a request to go about.
        resume: takes a connection and the request that it has sent.
        dismiss: takes a connection that is to be closed, what it has sent, and
            whether its request took too long (else it has gone, or is done).
    """

    def __init__(
        self,
        places: int,
        is_whole: Callable[[bytes], bool],
        resume: Callable[[Any, bytes], None],
        dismiss: Callable[[Any, bytes, bool], None],
    ) -> None:
        self._places = places
        self._is_whole = is_whole
        self._resume = resume
        self._dismiss = dismiss
        self._guests: Set[_Guest] = set()
        self._arrived: "queue.SimpleQueue[_Guest]" = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._next_look = 0.0
        self._selector = selectors.DefaultSelector()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="lobby", daemon=True)
        self._thread.start()

    def admit(self, connection: Any, received: bytes, since: Optional[float] = None) -> None:
        """Wait for the rest of a request; the caller has nothing more to do with it.

        Args:
            since: when the waiting for it began, by time.monotonic(); now, unless it is told.
        """
        self._take(_Guest(connection, received, leaving=False, since=since))

    def see_off(self, connection: Any) -> None:
        """End a connection; the caller has nothing more to do with it."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._dismiss(connection, b"", False)
        else:
            self._take(_Guest(connection, b"", leaving=True))

    def _take(self, guest: _Guest) -> None:
        with self._lock:
            if not self._closed:
                self._arrived.put(guest)
                self._ring()
                return
        self._dismiss(guest.connection, guest.received, False)

    def close(self) -> None:
        """Send everybody away, and end."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._ring()
        self._thread.join()
        self._selector.close()
        self._bell.close()
        self._rope.close()

    def _ring(self) -> None:
        try:
            self._rope.send(b"\0")
        except BlockingIOError:
            pass  # it has been rung often enough

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(_TICK_S if self._guests else None):
                try:
                    if key.data is None:
                        self._let_in()
                    else:
                        self._read(key.data)
                except Exception:
                    log.exception("a waiting connection was not looked after")
            self._show_out()
        self._let_in()
        for guest in list(self._guests):
            self._send_away(guest, late=False)

    def _let_in(self) -> None:
        try:
            self._bell.recv(_READ_BYTES)
        except BlockingIOError:
            pass
        while not self._arrived.empty():
            guest = self._arrived.get()
            try:
                self._selector.register(guest.sock, selectors.EVENT_READ, guest)
            except (OSError, ValueError):  # it has broken meanwhile
                self._dismiss(guest.connection, guest.received, False)
            else:
                self._guests.add(guest)

    def _read(self, guest: _Guest) -> None:
        try:
            data = guest.sock.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._send_away(guest, late=False)
            return
        if guest.leaving:
            guest.taken += len(data)
            if guest.taken > GOODBYE_BYTES:
                self._send_away(guest, late=False)
            return
        if not guest.received:
            guest.since = time.monotonic()
        guest.received += data
        if self._is_whole(guest.received):
            self._forget(guest)
            self._resume(guest.connection, guest.received)

    def _show_out(self) -> None:
        while len(self._guests) > self._places:
            # Not whoever came first: on their way here, threads overtake each other.
            self._send_away(min(self._guests, key=lambda guest: guest.since), late=True)
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _TICK_S
            for guest in [guest for guest in self._guests if guest.is_late(now)]:
                self._send_away(guest, late=True)

    def _send_away(self, guest: _Guest, late: bool) -> None:
        self._forget(guest)
        self._dismiss(guest.connection, guest.received, late and not guest.leaving)

    def _forget(self, guest: _Guest) -> None:
        self._guests.remove(guest)
        self._selector.unregister(guest.sock)
