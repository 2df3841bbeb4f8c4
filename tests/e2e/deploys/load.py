"""A load client for deploys: many kinds of requests at once, and every answer is checked whole.

``python -m tests.e2e.deploys.load http://127.0.0.1:8080 --report load.json`` runs until SIGTERM.
Kept connections, a connection for each request, speech that streams to a slow reader, and
WebSockets that stay open and are spoken on. The report is written several times a second, so that
it can be read meanwhile. Traffic goes to loopback addresses only.
"""

import argparse
import ipaddress
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Sequence
from urllib.parse import urlsplit

from tests.e2e.deploys.load_http import Address, Answer, Client, Lost, get, post
from tests.e2e.deploys.load_report import Report
from tests.e2e.deploys.load_websocket import Talker

SPEECH = "/v1/audio/speech"
_WRITE_EVERY_S = 0.25
_AFTER_FAILURE_S = 0.05
"""A client that got nothing waits a moment: it is to count failures, not to make them."""
_WAV_HEADER_BYTES = 44
_STREAM_PIECE_PAUSE_S = 0.025
SHORT = ("One.", "Two words.", "Three more words.", "Is that so?")
LONG = " ".join(f"This is sentence number {n} of a text that is streamed." for n in range(40))
LONG_HERTZ = 48_000
"""More bytes than the kernel's buffers take, or the server would be done at once."""


class Mix(NamedTuple):
    """How many clients of each kind, and how often each of them asks."""

    kept: int
    kept_per_s: float
    fresh: int
    fresh_per_s: float
    streams: int
    sockets: int
    socket_pause_s: float


FULL = Mix(4, 90.0, 2, 45.0, 3, 20, 0.8)
LIGHT = Mix(1, 20.0, 1, 10.0, 1, 3, 0.5)


def speech(text: str, hertz: Optional[int] = None) -> bytes:
    """A request for speech."""
    body = {"input": text, "response_format": "wav", "sample_rate": hertz}
    return post(SPEECH, json.dumps(body).encode())


class Expected:
    """What each request has to be answered with: as it was before anything happened."""

    def __init__(self, address: Address) -> None:
        client = Client(address)
        asked = [get("/v1/models"), get("/v1/audio/models"), *map(speech, SHORT)]
        asked.append(speech(LONG, LONG_HERTZ))
        self.requests = asked[:-1]
        self.long = asked[-1]
        self._answers = {request: client.ask(request) for request in asked}
        client.close()
        for answer in self._answers.values():
            if answer.status != 200:
                raise SystemExit(f"the server answers {answer.status} before anything happened")

    def check(self, request: bytes, answer: Answer) -> None:
        """Raises Lost where the answer is another one."""
        wanted = self._answers.get(request)
        if answer.status != 200:
            raise Lost(f"status {answer.status}")
        if wanted is not None and answer != wanted:
            raise Lost(f"{answer.bytes} bytes instead of {wanted.bytes}, or others")
        if wanted is None:
            size = int.from_bytes(answer.head[40:44], "little")
            if answer.head[:4] != b"RIFF" or answer.bytes != size + _WAV_HEADER_BYTES or not size:
                raise Lost(f"{answer.bytes} bytes that are no whole speech")


class Load:
    """All clients, each in a thread."""

    def __init__(self, address: Address, mix: Mix) -> None:
        self.report = Report()
        self.stopping = threading.Event()
        self._address = address
        self._expected = Expected(address)
        url = "ws://{}:{}".format(*address)
        self.talkers = [
            Talker(url, number, self.report, mix.socket_pause_s) for number in range(mix.sockets)
        ]
        jobs: List[Callable[[], None]] = []
        for number in range(mix.kept):
            jobs.append(lambda n=number: self._ask(f"kept-{n}", mix.kept_per_s, True))
        for number in range(mix.fresh):
            jobs.append(lambda n=number: self._ask(f"fresh-{n}", mix.fresh_per_s, False))
        jobs += [self._stream] * mix.streams
        jobs += [lambda t=talker: t.run(self.stopping) for talker in self.talkers]
        self._threads = [threading.Thread(target=job, daemon=True) for job in jobs]

    def start(self) -> None:
        """Returns once every WebSocket is open and has been spoken on."""
        for thread in self._threads:
            thread.start()
        for talker in self.talkers:
            if not talker.spoke.wait(30):
                raise SystemExit("a WebSocket is silent before anything happened")

    def stop(self) -> None:
        """What is under way comes to its end."""
        self.stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, name: str, per_s: float, kept: bool) -> None:
        kind = "kept" if kept else "fresh"
        client: Optional[Client] = None
        number, due = 0, time.monotonic()
        while not self.stopping.is_set():
            # Every twentieth has the engine speak; the others are in the cache, or no speech.
            if number % 20 == 19:
                request = speech(f"Request {number} of {name}.")
            else:
                request = self._expected.requests[number % len(self._expected.requests)]
            number += 1
            client = client or Client(self._address)
            self._once(kind, client, request)
            if not kept:
                client.close()
                client = None
            due = max(due + 1 / per_s, time.monotonic() - 1)
            self.stopping.wait(max(0.0, due - time.monotonic()))

    def _stream(self) -> None:
        while not self.stopping.is_set():
            client = Client(self._address)
            self._once("stream", client, self._expected.long, _STREAM_PIECE_PAUSE_S)
            client.close()

    def _once(self, kind: str, client: Client, request: bytes, pause_s: float = 0.0) -> None:
        began = time.time()
        try:
            self._expected.check(request, client.ask(request, pause_s))
            self.report.answered(kind, began)
        except Lost as lost:
            self.report.failed(kind, began, str(lost))
            self.stopping.wait(_AFTER_FAILURE_S)


def main(arguments: Sequence[str]) -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--light", action="store_true", help="a tenth of it")
    options = parser.parse_args(arguments)
    parts = urlsplit(options.url)
    if not parts.port or not ipaddress.ip_address(parts.hostname or "").is_loopback:
        parser.error("the load is for a loopback address, with its port")
    load = Load((str(parts.hostname), parts.port), LIGHT if options.light else FULL)
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    load.start()
    while not asked_to_stop.wait(_WRITE_EVERY_S):
        load.report.write(options.report)
    load.stop()
    load.report.write(options.report)


if __name__ == "__main__":
    main(sys.argv[1:])
