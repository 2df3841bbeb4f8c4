"""What a client is sent: one event at a time, no faster than it takes them."""

import asyncio
import time
from typing import Optional

from wyoming.error import Error
from wyoming.event import Event, async_write_event

from auto_voice.errors import AutoVoiceError

_GOODBYE_S = 0.5
_SKIP_BYTES = 1 << 16


class Outgoing:
    """A connection's way out. Used in the loop's thread."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._one_by_one = asyncio.Lock()
        self.client = str((writer.get_extra_info("peername") or ("",))[0])
        """Its address."""
        self.last = time.monotonic()
        """When something was sent completely, as far as the kernel takes it."""
        self.blocked_since: Optional[float] = None
        """Since when the client has taken nothing of what is being sent."""

    async def send(self, event: Event) -> None:
        """Returns once there is room for more.

        Raises:
            OSError: the client is gone.
        """
        async with self._one_by_one:
            self.blocked_since = time.monotonic()
            try:
                await async_write_event(event, self._writer)
            finally:
                self.blocked_since = None
            self.last = time.monotonic()

    async def send_error(self, error: AutoVoiceError) -> None:
        """As `send`."""
        await self.send(Error(error.message, error.code).event())

    async def send_last(self, error: AutoVoiceError, reader: asyncio.StreamReader) -> None:
        """The last that the client hears; `close` comes next.

        Who hangs up on a client that is still sending takes its own last words back, too: so what
        comes is passed over for a moment.
        """
        try:
            await self.send_error(error)
            self._writer.write_eof()
            await asyncio.wait_for(_pass_over(reader), _GOODBYE_S)
        except (OSError, asyncio.TimeoutError):
            pass  # nobody is there to hear it, or somebody does not listen

    def close(self) -> None:
        """Hang up once everything has been sent."""
        self._writer.close()

    def abort(self) -> None:
        """Hang up now."""
        self._writer.transport.abort()


async def _pass_over(reader: asyncio.StreamReader) -> None:
    while await reader.read(_SKIP_BYTES):
        pass
