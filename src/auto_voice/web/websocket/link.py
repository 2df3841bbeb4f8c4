"""One WebSocket: frames in and out, and the limits on what a client may do with it.

The protocol itself (RFC 6455) is the package websockets', which does no input
and output of its own here. There is no compression: its state would take more
memory than all the rest of a silent WebSocket, and audio does not get smaller.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Callable, List, Optional, Tuple

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol as WebSocketProtocol
from websockets.protocol import Side, State

from auto_voice.errors import TooManyMessages
from auto_voice.monitoring.websocket_metrics import WebSocketMetrics
from auto_voice.web.websocket.allowance import MESSAGES_PER_S, Allowance
from auto_voice.web.websocket.contract import Home, Session
from auto_voice.web.websocket.outbox import Outbox

log = logging.getLogger(__name__)

PING_S = 20.0
"""Between two pings; whoever sends nothing from one to the next is gone."""
ERROR_COST = 20
"""Messages that one counts as if it is answered with an error."""

_HIGH_BYTES, _LOW_BYTES = 1 << 15, 1 << 13
"""Written and not yet taken by the kernel: the place where writing stops, and goes on."""
_MOST_BYTES = 1 << 20
"""The same for answers that do not wait for their turn, such as pongs."""
_SLICE_BYTES = 1 << 12
"""Parsed in one go: some hundred small frames."""
_CLOSE_S = 5.0
"""How long a client gets to answer a closing message."""
_GOODBYE_S = 2.0
"""How long it gets to close the connection after that."""

# websockets' own would write each frame, and so the text, at DEBUG.
_frames_log = logging.getLogger("auto_voice.web.frames")
_frames_log.setLevel(logging.WARNING)


class Link(asyncio.BufferedProtocol):
    """A client's WebSocket, open from its first moment. Belongs to the hub's thread."""

    def __init__(self, hub: Home, received: bytes, make: Callable[["Link"], Session]) -> None:
        self.joining: Optional["asyncio.Task[None]"] = None
        self._hub = hub
        self._limits = hub.limits
        self._metrics = hub.metrics
        self._received = received
        self._make = make
        self._session: Optional[Session] = None
        self._transport: Any = None
        self._ws = WebSocketProtocol(
            Side.SERVER,
            state=State.OPEN,
            max_size=hub.limits.message_bytes,
            logger=_frames_log,
        )
        self._parts: List[bytes] = []
        self._is_text = True
        self._outbox = Outbox()
        self._paused = False
        self._pumping = False
        self._began = self._active = self._heard = self._pinged = time.monotonic()
        self._stalled: Optional[Tuple[int, float]] = None
        """Bytes that wait to be taken, and since when none has been."""
        self._allowance = Allowance()
        self._end_by = 0.0
        """When the connection is cut; 0.0: not at all."""
        self._ended_by = ""
        self._close_code = 1006
        self._close_reason = ""

    # --- for the session ------------------------------------------------------------------------

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where all of this happens."""
        return self._hub.loop

    @property
    def metrics(self) -> WebSocketMetrics:
        """Of all WebSockets."""
        return self._metrics

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return self._ws.state is State.OPEN and self._transport is not None

    @property
    def backlog(self) -> int:
        """Bytes that wait for their turn."""
        return self._outbox.backlog

    def send(self, event: str, data: bytes) -> None:
        """Send a message of text now, before all that is queued."""
        if self.is_open:
            self._ws.send_text(data)
            self._metrics.sent(event, len(data))
            self._active = time.monotonic()
            self._flush()

    def queue(self, event: str, data: bytes, binary: bool = False) -> None:
        """Send a message when the client takes it, after all that is queued."""
        self._outbox.put(event, data, binary)
        self._pump()

    def queue_call(self, function: Callable[[], None]) -> None:
        """Call ``function`` when all that is queued has been sent."""
        self._outbox.put_call(function)
        self._pump()

    def drop_queued(self) -> None:
        """Send nothing of what is queued."""
        self._outbox.clear()

    def charge(self, messages: int) -> None:
        """Count some more messages, for one that was expensive."""
        self._allowance.charge(messages)

    def close(
        self, code: int, reason: str, ended_by: str = "server", abruptly: bool = False
    ) -> None:
        """Say goodbye; what is queued is dropped.

        Args:
            ended_by: one of the metrics' `ENDS`. A client that breaks the rules ends it itself.
            abruptly: not even to parse what the client still sends.
        """
        if self.is_open:
            self._ended_by = self._ended_by or ended_by
            if abruptly:
                self._ws.fail(code, reason)
            else:
                self._ws.send_close(code, reason)
            self._end_by = time.monotonic() + _CLOSE_S
            self._flush()
            self._stop()

    def drain(self) -> None:
        """End once nothing is being said any more."""
        if self._session is not None:
            self._session.drain()

    def go_away(self) -> None:
        """End now, since the server stops."""
        self.close(self._limits.close_code, "the server is stopping")

    # --- asyncio's ------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """The socket has arrived."""
        self._transport = transport
        transport.set_write_buffer_limits(_HIGH_BYTES, _LOW_BYTES)
        self._session = self._make(self)
        received, self._received = self._received, b""
        self._feed(received)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to put what comes next."""
        return self._hub.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Something has come."""
        self._heard = time.monotonic()
        self._feed(bytes(self._hub.read_buffer[:nbytes]))

    def eof_received(self) -> Optional[bool]:
        """Nothing more will come."""
        self._ws.receive_eof()
        self._stop()
        return None

    def pause_writing(self) -> None:
        """The client does not take what was written."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has taken most of it."""
        self._paused = False
        self._pump()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """The connection is no more."""
        self._stop()
        ws = self._ws
        if ws.close_rcvd is not None and (ws.close_rcvd_then_sent or not ws.close_sent):
            self._close_code, self._close_reason = ws.close_rcvd.code, ""
            self._ended_by = self._ended_by or "client"
        elif ws.close_sent is not None:
            self._close_code, self._close_reason = ws.close_sent.code, ws.close_sent.reason
        duration_s = time.monotonic() - self._began
        self._metrics.closed(self._ended_by or "client", duration_s)
        if self._session is not None:
            self._session.over(self._close_code, self._close_reason, duration_s)
        self._transport = None
        self._hub.left(self)

    # --- in -------------------------------------------------------------------------------------

    def _feed(self, data: bytes) -> None:
        for at in range(0, len(data), _SLICE_BYTES):
            self._ws.receive_data(data[at : at + _SLICE_BYTES])
            for frame in self._ws.events_received():
                assert isinstance(frame, Frame)  # nosec B101: the handshake is over
                if self._ws.state is not State.OPEN and frame.opcode is not Opcode.CLOSE:
                    continue
                try:
                    self._handle(frame)
                except Exception:
                    log.exception("a message on a WebSocket was not handled")
                    self.close(1011, "an internal error occurred", "error", abruptly=True)
            self._notice_failure()
            self._flush()

    def _handle(self, frame: Frame) -> None:
        data = bytes(frame.data)
        if not self._may_send(len(data)):
            return
        if frame.opcode is Opcode.CLOSE:
            self._stop()
        elif frame.opcode is Opcode.PING:
            with self._metrics.handling("ping", len(data), _fault):
                self._metrics.sent("pong", len(data))
        elif frame.opcode is Opcode.PONG:
            with self._metrics.handling("other", len(data), _fault):
                pass
        else:
            if frame.opcode is not Opcode.CONT:
                self._is_text = frame.opcode is Opcode.TEXT
            self._parts.append(data)
            if frame.fin:
                data, self._parts = b"".join(self._parts), []
                self._message(data)

    def _message(self, data: bytes) -> None:
        assert self._session is not None  # nosec B101: made with the connection
        self._active = time.monotonic()
        if not self._is_text:
            self._invalid(len(data), 1003, "only text is understood here")
            return
        try:
            data.decode()
        except UnicodeDecodeError:
            self._invalid(len(data), 1007, "text has to be UTF-8")
            return
        self._session.received(data)

    def _invalid(self, size: int, code: int, reason: str) -> None:
        with self._metrics.handling("other", size, _fault):
            self._metrics.failed("other", "invalid")
        self.close(code, reason, "client", abruptly=True)

    def _may_send(self, size: int) -> bool:
        """Whether one more frame is within what a client may send; says goodbye if not."""
        if self._allowance.take(size):
            return True
        if self.is_open and self._session is not None:
            self._metrics.failed("other", "rate")
            self._session.refuse(
                TooManyMessages(
                    f"More than {MESSAGES_PER_S} messages a second; send longer pieces of text."
                )
            )
            self.close(1008, "too many messages", "client", abruptly=True)
        return False

    def _notice_failure(self) -> None:
        error = self._ws.parser_exc
        if error is None or self._end_by:
            return
        if isinstance(error, (ProtocolError, PayloadTooBig)):
            self._ended_by = "client"
            too_large = isinstance(error, PayloadTooBig)
            self._metrics.failed("other", "too_large" if too_large else "invalid")
        self._end_by = time.monotonic() + _GOODBYE_S
        self._stop()

    # --- out ------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Send what is queued, as far as the client takes it."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._outbox and not self._paused and self.is_open:
                item = self._outbox.take()
                if isinstance(item, tuple):
                    self._send_frame(*item)
                elif item is not None:
                    item()
                if self._session is not None:
                    self._session.sent()
        finally:
            self._pumping = False

    def _send_frame(self, event: str, data: bytes, binary: bool) -> None:
        self._active = time.monotonic()
        (self._ws.send_binary if binary else self._ws.send_text)(data)
        self._metrics.sent(event, len(data))
        self._flush()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._ws.data_to_send():
            if data:
                transport.write(data)
            elif not transport.is_closing():
                # Closed at once, with something unread, the connection would take the last
                # message with it.
                self._end_by = time.monotonic() + _GOODBYE_S
                transport.write_eof()
        if transport.get_write_buffer_size() > _MOST_BYTES:
            self._cut("client")

    # --- the end --------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Look after the connection; called twice a second."""
        if self._transport is None or self._session is None:
            return
        if self._end_by:
            if now >= self._end_by:
                self._cut("timeout")
            return
        if self._is_stalled(now):
            self._cut("timeout")
        elif self._session.is_busy or self._outbox.backlog:
            self._active = now
        elif now - self._active > self._limits.idle_s:
            self.close(1000, "idle for too long", "timeout")
        if not self._stalled and self.is_open and now - self._pinged >= PING_S:
            if self._heard < self._pinged and self._pinged > self._began:
                self._cut("timeout")
                return
            self._pinged = now
            self._ws.send_ping(b"")
            self._metrics.sent("other", 0)
            self._flush()

    def _is_stalled(self, now: float) -> bool:
        """Whether the client has taken nothing for too long."""
        waiting = self._transport.get_write_buffer_size()
        if not waiting:
            self._stalled = None
        elif self._stalled is None or self._stalled[0] != waiting:
            self._stalled = (waiting, now)
        return self._stalled is not None and now - self._stalled[1] > self._limits.stall_s

    def _cut(self, ended_by: str) -> None:
        self._ended_by = self._ended_by or ended_by
        if self._transport is not None:
            self._transport.abort()

    def _stop(self) -> None:
        self.drop_queued()
        if self._session is not None:
            self._session.stop()


def _fault(error: Exception) -> str:
    return "internal"
