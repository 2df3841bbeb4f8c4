"""Where all open WebSockets live: one thread, however many there are.

A WebSocket is silent most of the time, so it gets no thread of its own. It
begins as a request like any other, in one of gunicorn's threads; once that has
said yes, its socket moves in here.
"""

import asyncio
import logging
import socket
import threading
import time
from typing import Callable, Dict, Optional

from auto_voice.errors import Draining, Overloaded
from auto_voice.monitoring.websocket_metrics import WebSocketMetrics
from auto_voice.web.websocket.contract import Limits, Session
from auto_voice.web.websocket.link import Link

log = logging.getLogger(__name__)

TICK_S = 0.5
"""How often each WebSocket is looked after."""
SEND_BUFFER_BYTES = 1 << 16
"""In the kernel, for each WebSocket. What is in there cannot be taken back when a client cancels,
and left to itself the kernel keeps megabytes for a client that does not read."""
_GOODBYE_S = 1.0
"""How long clients get to take their last message when the server stops."""


class Hub:
    """The event loop that all WebSockets share, and how many there may be. Safe for threads."""

    def __init__(self, places: int, limits: Limits, metrics: WebSocketMetrics) -> None:
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()
        self.limits = limits
        self.metrics = metrics
        self.read_buffer = memoryview(bytearray(1 << 13))
        """Of all: what is received is taken out of it before anything else is received."""
        self._places = places
        self._taken = 0
        self._lock = threading.Lock()
        self._emptied = threading.Condition(self._lock)
        self._thread: Optional[threading.Thread] = None
        self._draining = False
        self._links: Dict[Link, None] = {}
        """In the order of their arrival; the loop's thread's own."""
        metrics.watch(lambda: float(len(self._links)))

    def allow(self, places: int) -> None:
        """So many WebSockets may be open from now on."""
        self._places = places

    def reserve(self) -> None:
        """Take a place for a WebSocket; it is given back when it ends, or by `release`.

        Raises:
            Overloaded: all are taken.
            Draining: the server is stopping.
        """
        with self._lock:
            if self._draining:
                raise Draining("The server is stopping.", retry_after_s=5)
            if self._taken >= self._places:
                raise Overloaded(
                    "As many WebSockets as this server takes are open already.", retry_after_s=5
                )
            self._taken += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="websockets", daemon=True)
                self._thread.start()

    def release(self) -> None:
        """Give a place back."""
        with self._lock:
            self._taken -= 1
            if not self._taken:
                self._emptied.notify_all()

    def adopt(self, sock: socket.socket, received: bytes, make: Callable[[Link], Session]) -> None:
        """Go on with a connection whose handshake is done, on a place that is reserved.

        Args:
            sock: of no more use to the caller.
            received: what the client has sent after its request.
            make: the session's beginning; called in the loop's thread.
        """
        if sock.fileno() < 0:  # it broke while it was answered
            self.release()
            return
        plain = socket.socket(fileno=sock.detach())
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError:
            pass  # it is gone already, or no TCP: reading will tell
        link = Link(self, received, make)
        self.loop.call_soon_threadsafe(self._begin, plain, link)

    def drain(self) -> None:
        """Take no new WebSockets; those that are open end with what they are saying."""
        with self._lock:
            self._draining = True
        self._soon(self._drain_all)

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait until no WebSocket is left; False if some still are."""
        with self._emptied:
            return self._emptied.wait_for(lambda: self._taken == 0, timeout_s)

    def close(self) -> None:
        """End all that are left."""
        self.drain()
        self._soon(self._end_all)
        if self._thread is not None:
            self.wait_until_empty(_GOODBYE_S)

    # --- in the loop's thread -------------------------------------------------------------------

    def left(self, link: Link) -> None:
        """A connection is gone; called once for each."""
        self._links.pop(link, None)
        self.release()

    def _drain_all(self) -> None:
        for link in list(self._links):
            link.drain()

    def _end_all(self) -> None:
        for link in list(self._links):
            link.go_away()

    def _soon(self, function: Callable[[], None]) -> None:
        if self._thread is not None:
            self.loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_later(TICK_S, self._tick)
        self.loop.run_forever()

    def _begin(self, sock: socket.socket, link: Link) -> None:
        self._links[link] = None
        joining = self.loop.create_task(self._join(sock, link))
        link.joining = joining  # a task that nobody holds may be collected

    async def _join(self, sock: socket.socket, link: Link) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: link, sock)
        except OSError:
            sock.close()
            self.left(link)
            return
        link.joining = None
        if self._draining:
            link.drain()

    def _tick(self) -> None:
        self.loop.call_later(TICK_S, self._tick)
        now = time.monotonic()
        for link in list(self._links):
            try:
                link.tick(now)
            except Exception:
                log.exception("a WebSocket was not looked after")
