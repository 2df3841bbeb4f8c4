"""AutoVoice with a Piper voice beside ``piper.http_server``: as clients see them, over HTTP.

Both run at the same time, and one of them at a time is asked something; each request has a
connection of its own, since piper's server keeps none.
"""

import json
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, List, Tuple

from benchmarks import machine, piper_voices, servers
from benchmarks.client import SPEECH, WAV_HEADER_BYTES, Connection
from benchmarks.figures import percentile
from benchmarks.servers import ENGINE, Server
from benchmarks.texts import long_text, sentences

CLIENTS, LONG_CLIENTS = 8, 4
LONG_WORDS = 2_000
HUGE_CHARS = 1_000_000
LOAD_S, HUGE_S = 12.0, 8.0
Row = Tuple[str, str, float, str]
_TIMEOUT_S = 300.0


class Asked:
    """A server, and how it is asked to say something."""

    def __init__(self, server: Server, path: str, body: Callable[[str], bytes]) -> None:
        self.server = server
        self._path = path
        self._body = body

    def say(self, text: str) -> float:
        """Seconds to the end of the answer."""
        began = time.perf_counter()
        connection = Connection(self.server.port, _TIMEOUT_S)
        try:
            status = connection.speak(self._body(text), path=self._path).status
        finally:
            connection.close()
        if status != 200:
            raise RuntimeError(f"an answer has the status {status}")
        return time.perf_counter() - began

    def begin(self, text: str, most_bytes: int, most_s: float) -> float:
        """Ask, and leave after so many bytes or seconds: seconds until the first sample."""
        body = self._body(text)
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        got, first = b"", 0.0
        size = 0
        with socket.create_connection(("127.0.0.1", self.server.port)) as client:
            client.sendall(head.encode() + body)
            while size < most_bytes and time.perf_counter() - began < most_s:
                client.settimeout(max(0.01, began + most_s - time.perf_counter()))
                try:
                    piece = client.recv(1 << 16)
                except socket.timeout:
                    break
                if not piece:
                    break
                size += len(piece)
                if not first:
                    got += piece
                    _, _, audio = got.partition(b"\r\n\r\n")
                    # A chunk's length and the WAV's header stand before the samples.
                    if len(audio) > WAV_HEADER_BYTES + 16:
                        first = time.perf_counter() - began
        return first

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far."""
        return sum(self.server.cpu_s().values())


def measure(voice: Path, rounds: int, raw_s: float) -> Iterator[Row]:
    """Rows: what, its bound, the figure, and how it is shown.

    ``raw_s``: seconds that a raw loop took for a sentence a moment ago.
    """
    name = voice.name[: -len(".onnx")]

    def ours_body(text: str) -> bytes:
        asked = {"model": "piper", "input": text, "voice": name, "response_format": "wav"}
        return json.dumps(asked).encode()

    def piper_body(text: str) -> bytes:
        return json.dumps({"text": text}).encode()

    with tempfile.TemporaryDirectory() as folder, servers.autovoice(
        Path(folder, "ours"), engine="piper", voice_dir=_alone(voice, folder), data_dir=folder
    ) as one, servers.piper(Path(folder, "piper"), piper_voices.trainer(), voice) as other:
        one.wait()
        other.wait("/voices", poll_s=0.05)
        ours, piper = Asked(one, SPEECH, ours_body), Asked(other, "/synthesize", piper_body)
        for asked in (ours, piper):
            _clients(asked, CLIENTS, 2.0)  # each worker loads the voice when it first speaks it
        one.settle()
        for pid in one.parts()[ENGINE]:
            machine.forget_peak(pid)
        yield from _throughput(ours, piper, rounds)
        yield from _long(ours, rounds, raw_s)
        yield from _leaving(ours, piper)
        yield from _huge(ours)


def _alone(voice: Path, folder: str) -> str:
    """A folder of voices with this one: what another one takes would count with it."""
    voices = Path(folder, "voices")
    voices.mkdir()
    for path in (voice, voice.with_name(voice.name + ".json")):
        shutil.copy(path, voices)
    return str(voices)


def _throughput(ours: Asked, piper: Asked, rounds: int) -> Iterator[Row]:
    p95: List[List[float]] = [[], []]
    rates: List[List[float]] = [[], []]
    cpu: List[List[float]] = [[], []]
    for _ in range(rounds):
        for index, asked in enumerate((ours, piper)):
            used = asked.cpu_s()
            took = _clients(asked, CLIENTS, LOAD_S)
            cpu[index].append((asked.cpu_s() - used) / len(took))
            p95[index].append(percentile(took, 0.95))
            rates[index].append(CLIENTS / (sum(took) / len(took)))
            asked.server.settle()
    a, b = (percentile(figures, 0.5) for figures in p95)
    yield f"p95 of a sentence at {CLIENTS} clients, of piper.http_server's", "≤ 0.85", a / b, (
        f"{a / b:.2f} ({1e3 * a:.0f} of {1e3 * b:.0f} ms)"
    )
    a, b = (percentile(figures, 0.5) for figures in rates)
    yield f"sentences a second at {CLIENTS} clients, of piper.http_server's", "", a / b, (
        f"{a / b:.2f} ({a:.1f} of {b:.1f})"
    )
    a, b = (percentile(figures, 0.5) for figures in cpu)
    yield "CPU time of a sentence then, of piper.http_server's", "", a / b, (
        f"{a / b:.2f} ({1e3 * a:.0f} of {1e3 * b:.0f} ms)"
    )


def _long(ours: Asked, rounds: int, raw_s: float) -> Iterator[Row]:
    """A long text's first sound, and a short one beside several of them."""
    text = long_text(LONG_WORDS)
    firsts = []
    for _ in range(3 * rounds):
        firsts.append(ours.begin(text, 1024, 30.0))
        ours.server.settle()
    first = 1e3 * percentile(firsts, 0.5)
    yield f"first audio of {LONG_WORDS} words", "≤ 60 ms", first, (
        f"{first:.0f} ms (fastest {1e3 * min(firsts):.0f})"
    )
    yield "the same, of the raw loop's time for one of its sentences", "", first / raw_s / 1e3, (
        f"{first / raw_s / 1e3:.2f} (of {1e3 * raw_s:.0f} ms)"
    )
    short = sentences()
    alone = [ours.say(short[number]) for number in range(6 * rounds)]
    leave = threading.Event()

    def read() -> None:
        while not leave.is_set():
            ours.begin(text, 1 << 40, 2.0)  # a new reader now and then, as they come in life

    readers = [threading.Thread(target=read) for _ in range(LONG_CLIENTS)]
    for reader in readers:
        reader.start()
    time.sleep(0.5)
    beside = [ours.say(short[number]) for number in range(6 * rounds)]
    leave.set()
    for reader in readers:
        reader.join()
    ours.server.settle()
    a, b = (1e3 * percentile(figures, 0.5) for figures in (beside, alone))
    yield f"a sentence beside {LONG_CLIENTS} such texts, of its time alone", "≤ 3", a / b, (
        f"{a / b:.1f} ({a:.0f} of {b:.0f} ms; slowest {1e3 * max(beside):.0f})"
    )


def _leaving(ours: Asked, piper: Asked) -> Iterator[Row]:
    """What is computed after the client has gone: one piece at most."""
    figures = []
    for asked, words in ((ours, LONG_WORDS), (piper, 300)):
        asked.begin(long_text(words), 1 << 40, 1.0)
        before = asked.cpu_s()
        asked.server.settle(60.0)
        figures.append(asked.cpu_s() - before)
    a, b = figures
    yield "CPU time after a client has left the long text", "≤ 0.6 s", a, (
        f"{a:.2f} s (piper.http_server with 300 words: {b:.1f})"
    )


def _huge(ours: Asked) -> Iterator[Row]:
    text = long_text(HUGE_CHARS // 5)[:HUGE_CHARS]
    before = sum(ours.server.memory_mb().values())
    peaks = [before]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            peaks.append(sum(ours.server.memory_mb().values()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    ours.begin(text, 1 << 40, HUGE_S)
    ended.set()
    watcher.join()
    ours.server.settle()
    most = max(machine.peak_mb(pid) for pid in ours.server.parts()[ENGINE])
    grown = max(peaks) - before
    yield f"memory that {HUGE_S:.0f} s of 1 MB of text take", "≤ 600 MB", grown, f"{grown:.0f} MB"
    yield "the most memory of a worker during all that", "≤ 233 MB", most, f"{most:.0f} MB"


def _clients(asked: Asked, count: int, seconds: float) -> List[float]:
    """What each request took, while so many clients send one after the other."""
    spoken = sentences()
    took: List[float] = []
    end = time.monotonic() + seconds

    def client(first: int) -> None:
        number = first
        while time.monotonic() < end:
            number = (number + 1) % len(spoken)
            took.append(asked.say(spoken[number]))

    threads = [threading.Thread(target=client, args=(61 * index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took
