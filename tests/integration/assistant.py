"""A client of Wyoming that does as Home Assistant does, on the package's own client."""

import asyncio
import time
from typing import Any, Callable, Iterable, List, NamedTuple, Optional

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

PATIENCE_S = 30.0


class Heard(NamedTuple):
    """What came of one text."""

    pcm: bytes
    rate: int
    """Hertz; 0 where no audio began."""
    errors: List[Error]
    kinds: List[str]
    """Of all events, in order; chunks of audio that follow one another are one."""


class Assistant(AsyncTcpClient):
    """One connection."""

    def __init__(self, port: int) -> None:
        super().__init__("127.0.0.1", port)
        self._rate = 0

    async def next(self) -> Optional[Event]:
        """The next event; None at the end."""
        return await asyncio.wait_for(self.read_event(), PATIENCE_S)

    async def describe(self) -> Info:
        await self.write_event(Describe().event())
        event = await self.next()
        assert event is not None and Info.is_type(event.type)
        return Info.from_event(event)

    async def say(self, text: str, voice: Optional[SynthesizeVoice] = None) -> Heard:
        """A text that is all there."""
        await self.write_event(Synthesize(text, voice).event())
        return await self.hear(AudioStop)

    async def stream(self, pieces: Iterable[str], voice: Optional[SynthesizeVoice] = None) -> Heard:
        """A text in pieces, which is heard while it is written; at its end it is sent once more."""

        async def write() -> None:
            text = ""
            await self.write_event(SynthesizeStart(voice=voice).event())
            for piece in pieces:
                text += piece
                await self.write_event(SynthesizeChunk(piece).event())
            await self.write_event(Synthesize(text, voice).event())
            await self.write_event(SynthesizeStop().event())

        writing = asyncio.ensure_future(write())
        heard = await self.hear(SynthesizeStopped)
        await writing
        return heard

    async def begin_to_hear(self) -> None:
        """Wait until audio begins; `hear` has the rest."""
        event = await self.next()
        assert event is not None and AudioStart.is_type(event.type), event
        self._rate = AudioStart.from_event(event).rate

    async def hear(self, last: Any) -> Heard:
        """Everything up to an event of the kind ``last``."""
        pcm, errors, kinds = b"", [], []
        while True:
            event = await self.next()
            assert event is not None, f"the server hung up after {kinds}"
            if not (AudioChunk.is_type(event.type) and kinds[-1:] == [event.type]):
                kinds.append(event.type)
            if AudioStart.is_type(event.type):
                start = AudioStart.from_event(event)
                assert (start.width, start.channels) == (2, 1)
                self._rate = start.rate
            elif AudioChunk.is_type(event.type):
                chunk = AudioChunk.from_event(event)
                assert (chunk.rate, chunk.width, chunk.channels) == (self._rate, 2, 1)
                assert chunk.timestamp == round(1e3 * len(pcm) / 2 / self._rate)
                pcm += chunk.audio
            elif Error.is_type(event.type):
                errors.append(Error.from_event(event))
            if last.is_type(event.type):
                return Heard(pcm, self._rate, errors, kinds)

    async def send_bytes(self, data: bytes) -> None:
        """What no client library would send."""
        assert self._writer is not None
        self._writer.write(data)
        await self._writer.drain()

    def abort(self) -> None:
        """Vanish without a word."""
        assert self._writer is not None
        self._writer.transport.abort()


async def eventually(condition: Callable[[], Any], what: str) -> Any:
    """Wait until ``condition`` returns something true, and return that."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < give_up, f"waited in vain until {what}"
        await asyncio.sleep(0.01)
