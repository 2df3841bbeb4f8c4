"""WebSockets that stay open and are spoken on, again and again, and that say how they ended."""

import json
import threading
import time
from typing import Any, Dict, Optional

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from tests.e2e.deploys.load_http import PATIENCE_S, Lost
from tests.e2e.deploys.load_report import WEBSOCKET, Report

PATH = "/v1/audio/speech/stream"
TEXT = "Word by word over a WebSocket"
"""No end of a sentence: it is spoken when it is said to be done, however late that comes."""
SERVICE_RESTART = 1012
"""The close code that tells a client to come back: another server is there already."""


class _Ended(Exception):
    """The server has closed the session at a moment at which nothing is lost by it."""


class Talker:
    """Keeps one WebSocket open for as long as the server does, then opens the next one."""

    def __init__(self, url: str, number: int, report: Report, pause_s: float) -> None:
        """``pause_s``: seconds from the end of one utterance to the beginning of the next."""
        self._url = url
        self._number = number
        self._report = report
        self._pause_s = pause_s
        self._expected: Optional[int] = None
        self.spoke = threading.Event()
        """Set once it has heard something."""

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop."""
        while not stopping.is_set():
            began = time.time()
            try:
                # To older releases this is a connection, to newer ones a way to make one.
                with connect(self._url + PATH, max_size=None, open_timeout=PATIENCE_S) as session:
                    self._talk(session, stopping)
            except Lost as lost:
                self._report.failed(WEBSOCKET, began, str(lost))
            except ConnectionClosed:
                pass  # while it is being closed from here
            except (OSError, InvalidHandshake, TimeoutError) as error:
                self._report.failed(
                    WEBSOCKET, began, f"opening: {type(error).__name__} {error}".strip()
                )
                stopping.wait(0.1)

    def _talk(self, session: ClientConnection, stopping: threading.Event) -> None:
        entry = self._report.session(self._number)
        try:
            session.send(json.dumps({"type": "session.config", "response_format": "wav"}))
            while not stopping.is_set():
                self._speak(session, entry)
                self._wait(session)
        except _Ended:
            pass
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else 1006
            entry["code"] = code
            if code != SERVICE_RESTART:
                raise Lost(f"closed with {code} while nothing was being said") from None
        finally:
            entry["closed"] = time.time()

    def _speak(self, session: ClientConnection, entry: Dict[str, Any]) -> None:
        """One utterance, to its end."""
        began, size, started = time.time(), 0, False
        try:
            session.send(json.dumps({"type": "input.text", "text": TEXT}))
            session.send(json.dumps({"type": "input.done"}))
            while True:
                message = session.recv(timeout=PATIENCE_S)
                if isinstance(message, bytes):
                    size += len(message)
                    continue
                event = json.loads(message)
                started = started or event["type"] == "audio.start"
                if event["type"] == "audio.done":
                    break
                if event["type"] == "error":
                    if event["code"] != "draining":
                        raise Lost(f"error {event['code']}: {event['message']}")
                    self._await_close(session, entry)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd is not None else 1006
            entry["code"] = code
            if started or code != SERVICE_RESTART:
                raise Lost(
                    f"closed with {code} " + ("in the middle of speech" if started else "unheard")
                ) from None
            raise _Ended from None
        except TimeoutError:
            raise Lost("silence instead of speech") from None
        self._expected = self._expected or size
        if size != self._expected or not size:
            raise Lost(f"{size} bytes of audio instead of {self._expected}")
        self._report.answered(WEBSOCKET, began)
        self.spoke.set()
        entry["utterances"] += 1
        entry["spoken"] = time.time()

    def _wait(self, session: ClientConnection) -> None:
        """Be silent for a while, and notice it when the server closes meanwhile."""
        try:
            session.recv(timeout=self._pause_s)
        except TimeoutError:
            return

    @staticmethod
    def _await_close(session: ClientConnection, entry: Dict[str, Any]) -> None:
        """It is going: nothing new begins. Raises what the close turns out to be."""
        while True:
            session.recv(timeout=PATIENCE_S)
