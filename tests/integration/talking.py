"""A client that speaks AutoVoice's protocol over WebSocket."""

import json
import time
from typing import Any, Dict, List, NamedTuple, Union

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.integration.serving import PATIENCE_S, Server

STREAM = "/v1/audio/speech/stream"
ELEVENLABS = "/v1/text-to-speech/{voice}/stream-input"

Event = Union[Dict[str, Any], bytes]


class Heard(NamedTuple):
    """An utterance as its client got it."""

    audio: bytes
    events: List[Dict[str, Any]]
    done: Dict[str, Any]

    def of(self, kind: str) -> List[Dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def words(self) -> List[Dict[str, Any]]:
        return [word for event in self.of("audio.timestamps") for word in event["words"]]


class Talker:
    """One session."""

    def __init__(self, server: Server, path: str = STREAM, **options: Any) -> None:
        options.setdefault("open_timeout", PATIENCE_S)
        self._connecting: Any = connect(
            f"ws://127.0.0.1:{server.port}{path}", max_size=None, **options
        )
        # To older releases this is a connection, to newer ones a way to make one.
        self.ws: ClientConnection = self._connecting.__enter__()

    def __enter__(self) -> "Talker":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.ws.close()

    def send(self, kind: str, **fields: Any) -> None:
        self.ws.send(json.dumps({"type": kind, **fields}))

    def say(self, text: str, **fields: Any) -> None:
        """A whole utterance; ``fields`` configure the session before."""
        if fields:
            self.send("session.config", **fields)
        self.send("input.text", text=text)
        self.send("input.done")

    def next(self, patience_s: float = PATIENCE_S) -> Event:
        message = self.ws.recv(timeout=patience_s)
        return message if isinstance(message, bytes) else json.loads(message)

    def until(self, kind: str) -> List[Event]:
        """All that comes up to an event of this kind, or ``audio``, and that one."""
        found: List[Event] = []
        while True:
            event = self.next()
            found.append(event)
            if (event["type"] if isinstance(event, dict) else "audio") == kind:
                return found

    def hear(self) -> Heard:
        """The rest of an utterance."""
        *rest, done = self.until("audio.done")
        events = [event for event in rest if isinstance(event, dict)]
        assert isinstance(done, dict)
        return Heard(b"".join(event for event in rest if isinstance(event, bytes)), events, done)

    def error(self) -> Dict[str, Any]:
        """The next event, which is an error."""
        event = self.next()
        assert isinstance(event, dict) and event["type"] == "error", event
        assert set(event) >= {"code", "message", "retryable"}
        return event

    def close_code(self) -> int:
        """How the server closes the session; whatever it sends before is not looked at."""
        give_up = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < give_up:
                self.ws.recv(timeout=PATIENCE_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006
        raise AssertionError("the server does not close the session")
