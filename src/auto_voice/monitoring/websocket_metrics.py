"""Series of WebSocket connections and the messages on them."""

import contextlib
import time
from typing import Callable, Iterator

from auto_voice.monitoring.series import DURATION_SECONDS, Families, Live

OUTCOMES = ("accepted", "unauthorized", "overloaded", "invalid", "error")
"""How an attempt to connect ends."""
ENDS = ("client", "server", "timeout", "error", "overload")
"""Who closed a connection, or why."""
FAULTS = ("invalid", "order", "too_large", "rate", "engine", "internal")
"""Why a client's message could not be handled."""
EVENTS = {
    "in": (
        "session.config",
        "input.text",
        "input.flush",
        "input.cancel",
        "input.done",
        "session.close",
        "ping",
        "other",
    ),
    "out": (
        "audio.start",
        "audio",
        "audio.timestamps",
        "audio.done",
        "session.done",
        "error",
        "pong",
        "other",
    ),
}
"""Messages by their direction, as the protocol calls them; ``audio`` are binary frames."""

_CONNECTION_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 14400)


class WebSocketMetrics:
    """Of WebSocket connections and the events on them."""

    def __init__(self, families: Families) -> None:
        self._lock = families.lock
        self._active: Live = lambda: 0
        families.gauge("websocket_connections_active", "Open WebSockets.", lambda: self._active())
        connections = families.counter(
            "websocket_connections_total", "Attempts to open a WebSocket.", ("outcome",)
        )
        self._connections = {each: connections(each) for each in OUTCOMES}
        ends = families.counter(
            "websocket_disconnects_total", "WebSockets closed, by whom or why.", ("reason",)
        )
        self._ends = {each: ends(each) for each in ENDS}
        self._duration = families.histogram(
            "websocket_connection_duration_seconds",
            "Seconds from a WebSocket's opening to its end.",
            _CONNECTION_SECONDS,
        )()
        events = families.counter(
            "websocket_events_total", "Messages on WebSockets.", ("event", "direction")
        )
        self._events = {(event, way): events(event, way) for way in EVENTS for event in EVENTS[way]}
        durations = families.histogram(
            "websocket_event_duration_seconds",
            "Seconds that handling a client's message took.",
            DURATION_SECONDS,
            ("event",),
        )
        self._durations = {event: durations(event) for event in EVENTS["in"]}
        errors = families.counter(
            "websocket_event_errors_total",
            "Clients' messages that could not be handled.",
            ("event", "reason"),
        )
        self._errors = {
            (event, reason): errors(event, reason) for event in EVENTS["in"] for reason in FAULTS
        }
        transferred = families.counter(
            "websocket_bytes_total", "Bytes of messages on WebSockets.", ("direction",)
        )
        self._bytes = {way: transferred(way) for way in EVENTS}

    def watch(self, active: Live) -> None:
        """Read how many are open at each scrape."""
        self._active = active

    def attempted(self, outcome: str) -> None:
        """Somebody wanted to connect: one of `OUTCOMES`."""
        with self._lock:
            self._connections[outcome].value += 1

    def closed(self, reason: str, duration_s: float) -> None:
        """A connection ended: one of `ENDS`."""
        with self._lock:
            self._ends[reason].value += 1
            self._duration.observe(duration_s)

    def sent(self, event: str, size_bytes: int) -> None:
        """A message went out."""
        if event not in EVENTS["out"]:
            event = "other"
        with self._lock:
            self._events[event, "out"].value += 1
            self._bytes["out"].value += size_bytes

    def failed(self, event: str, fault: str) -> None:
        """What a message asked for could not be done, after it had been taken."""
        with self._lock:
            self._errors[event, fault].value += 1

    @contextlib.contextmanager
    def handling(
        self, event: str, size_bytes: int, fault_of: Callable[[Exception], str]
    ) -> Iterator[None]:
        """Around the handling of a message that came in; counts, times and notes errors.

        Args:
            fault_of: tells which of `FAULTS` an exception stands for.
        """
        if event not in EVENTS["in"]:
            event = "other"
        began = time.perf_counter()
        fault = None
        try:
            yield
        except Exception as error:
            fault = fault_of(error)
            raise
        finally:
            duration_s = time.perf_counter() - began
            with self._lock:
                self._events[event, "in"].value += 1
                self._bytes["in"].value += size_bytes
                self._durations[event].observe(duration_s)
                if fault is not None:
                    self._errors[event, fault].value += 1
