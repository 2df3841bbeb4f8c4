"""What a WebSocket's link deals with: a session above it, a hub around it."""

import asyncio
from typing import Any, NamedTuple

from typing_extensions import Protocol

from auto_voice.errors import AutoVoiceError
from auto_voice.monitoring.websocket_metrics import WebSocketMetrics


class Limits(NamedTuple):
    """Of every WebSocket."""

    message_bytes: int
    idle_s: float
    stall_s: float
    close_code: int = 1001
    """When the server stops."""


class Session(Protocol):
    """What is spoken over a WebSocket. All in the loop's thread."""

    @property
    def is_busy(self) -> bool:
        """Whether something is being said, or about to be."""

    def received(self, data: bytes) -> None:
        """A message of text has come, as UTF-8."""

    def refuse(self, error: AutoVoiceError) -> None:
        """Tell the client of an error."""

    def sent(self) -> None:
        """Some of what was queued has been sent."""

    def drain(self) -> None:
        """The server is about to stop."""

    def stop(self) -> None:
        """The client is gone, or is no longer listened to."""

    def over(self, code: int, reason: str, duration_s: float) -> None:
        """The connection is no more."""


class Home(Protocol):
    """Where links live."""

    loop: asyncio.AbstractEventLoop
    limits: Limits
    metrics: WebSocketMetrics
    read_buffer: memoryview

    def left(self, link: Any) -> None:
        """A connection is no more."""
