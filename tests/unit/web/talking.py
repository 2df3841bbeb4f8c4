"""A session without a network: a link whose client is the test."""

import asyncio
import contextlib
import json
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from auto_voice.bootstrap import Service
from auto_voice.monitoring.recent_errors import RecentErrors
from auto_voice.web.live.turn import Stage
from auto_voice.web.websocket.contract import Limits
from auto_voice.web.websocket.link import Link
from auto_voice.web.websocket_handler import SpeechSession

PATIENCE_S = 30.0
LIMITS = Limits(message_bytes=65_536, idle_s=300.0, stall_s=30.0)


class Wire:
    """What a link writes to, in place of a socket's transport."""

    def __init__(self) -> None:
        self.client = Protocol(Side.CLIENT, state=State.OPEN, max_size=None)
        self.messages: List[Any] = []
        """What the client has received: JSON's objects, audio's bytes."""
        self.blocked = 0
        """Bytes that the client has not taken."""
        self.aborted = False
        self.ended = False

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """As asyncio's."""

    def get_write_buffer_size(self) -> int:
        return self.blocked

    def write(self, data: bytes) -> None:
        assert not self.ended, "something comes after the end"
        self.client.receive_data(data)
        for frame in self.client.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.TEXT:
                self.messages.append(json.loads(frame.data))
            elif frame.opcode is Opcode.BINARY:
                self.messages.append(bytes(frame.data))
        self.client.data_to_send()

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.ended

    def abort(self) -> None:
        self.aborted = True

    @property
    def close_code(self) -> Optional[int]:
        closed = self.client.close_rcvd
        return closed.code if closed is not None else None


class Home:
    """A hub with one link."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self.loop = asyncio.new_event_loop()
        self.limits = limits
        self.metrics = service.metrics.websocket
        self.read_buffer = memoryview(bytearray(8192))
        self.gone = 0

    def left(self, link: Link) -> None:
        self.gone += 1


class Talk:
    """A session, whose loop runs while the test waits for something."""

    def __init__(self, service: Service, limits: Limits = LIMITS, max_chars: int = 4096) -> None:
        self.home = Home(service, limits)
        self.wire = Wire()
        self.errors = RecentErrors()
        self.refusal: Optional[Exception] = None
        """What counting an utterance raises."""
        stage = Stage(service.synthesizer, self.home.loop, max_chars, 5.0, 4)

        def make(link: Link) -> SpeechSession:
            return SpeechSession(
                link, stage, self.errors, {}, _call, self._permit, default_voice="en-us"
            )

        self.link = Link(self.home, b"", make)
        self.link.connection_made(self.wire)

    def _permit(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def send_bytes(self, data: bytes) -> None:
        """As they come from the network."""
        for at in range(0, len(data), len(self.home.read_buffer)):
            piece = data[at : at + len(self.home.read_buffer)]
            self.link.get_buffer(-1)[: len(piece)] = piece
            self.link.buffer_updated(len(piece))

    def send_text(self, text: str) -> None:
        self.wire.client.send_text(text.encode())
        self.send_bytes(b"".join(self.wire.client.data_to_send()))

    def send(self, kind: str, **fields: Any) -> None:
        self.send_text(json.dumps({"type": kind, **fields}))

    def run(self, seconds: float = 0.0) -> None:
        """Let the loop do what is due."""
        self.home.loop.run_until_complete(asyncio.sleep(seconds))

    def until(self, kind: str, count: int = 1) -> List[Any]:
        """Wait until so many events of a kind have come; all that has come so far."""
        self.wait_for(lambda: len(self.of(kind)) >= count, kind)
        return self.wire.messages

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Let the loop run until ``condition`` is true."""
        give_up = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < give_up, f"{what} does not come: {self.events()}"
            self.run(0.005)

    def of(self, kind: str) -> List[Dict[str, Any]]:
        return [event for event in self.events() if event["type"] == kind]

    def events(self) -> List[Dict[str, Any]]:
        return [message for message in self.wire.messages if isinstance(message, dict)]

    @property
    def is_open(self) -> bool:
        """Whether the client may still send."""
        return self.wire.client.state is State.OPEN

    @property
    def audio(self) -> bytes:
        return b"".join(each for each in self.wire.messages if isinstance(each, bytes))

    def end(self) -> None:
        self.link.connection_lost(None)
        self.run(0.01)


@contextlib.contextmanager
def talking(service: Service, **options: Any) -> Iterator[Talk]:
    """A session that ends with the block."""
    talk = Talk(service, **options)
    try:
        yield talk
    finally:
        talk.end()
        assert talk.home.gone == 1


def _call(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)
