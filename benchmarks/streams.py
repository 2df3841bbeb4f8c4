"""Long texts: how soon they begin, what they take, and how others fare meanwhile."""

import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from benchmarks import load
from benchmarks.client import Connection
from benchmarks.figures import percentile
from benchmarks.servers import Server
from benchmarks.texts import long_text, sentences, speech_body

LONG_WORDS = 2_000
STREAMS = 4
PAUSE_S = 0.005
"""Between two short requests, so that they do not queue behind each other."""


def first_audio(running: Dict[str, Server], times: int) -> Dict[str, Any]:
    """The long text on idle servers, in turns; each time on a new connection, to its end."""
    body = speech_body(long_text(LONG_WORDS))
    seen: Dict[str, List[Any]] = {name: [] for name in running}
    for _ in range(times):
        for name, server in running.items():
            began = time.perf_counter()
            connection = Connection(server.port)
            connected_s = time.perf_counter() - began
            answer = connection.speak(body)
            connection.close()
            _check(answer.status)
            seen[name].append(
                (
                    connected_s + answer.first_byte_s,
                    connected_s + answer.first_audio_s,
                    connected_s + answer.whole_s,
                )
            )
            time.sleep(0.05)
    names = ("first_byte_ms", "first_audio_ms", "whole_ms")
    return {
        "words": LONG_WORDS,
        "times": times,
        "servers": {
            server: {
                name: _p50_p95([row[column] for row in rows]) for column, name in enumerate(names)
            }
            for server, rows in seen.items()
        },
    }


def memory(server: Server, words: List[int], say: Callable[[str], None]) -> List[Dict[str, Any]]:
    """The most resident memory while one text of each length is streamed to a client."""
    rows = []
    for count in words:
        body = speech_body(long_text(count))
        with _Peak(server) as peak:
            connection = Connection(server.port)
            answer = connection.speak(body)
            connection.close()
        _check(answer.status)
        rows.append({"words": count, "answer_mb": answer.bytes / 1e6, "peak_mb": peak.most_mb})
        say(f"{count} words: {peak.most_mb:.0f} MB, {answer.whole_s:.1f} s")
        server.settle()
    return rows


def fairness(server: Server, folder: Path, rounds: int, idle_s: float, busy_s: float) -> Any:
    """One-sentence requests on an idle server, and while `STREAMS` clients read long texts."""
    long_body = folder / "long.jsonl"
    load.write_bodies(long_body, [speech_body(long_text(LONG_WORDS))])
    bodies = [speech_body(sentence) for sentence in sentences()]
    idle: List[float] = []
    busy: List[float] = []
    for _ in range(rounds):
        connection = Connection(server.port)
        idle += _short_requests(connection, bodies, idle_s)
        # A server of several processes gets them spread over all of these by new connections.
        streams = load.start(server.port, long_body, STREAMS, busy_s + 30, "anew")
        time.sleep(1)
        busy += _short_requests(connection, bodies, busy_s)
        streams.terminate()
        streams.communicate()
        connection.close()
        server.settle()
    return {
        "streams": STREAMS,
        "words": LONG_WORDS,
        "idle_ms": _p50_p95(idle),
        "busy_ms": _p50_p95(busy),
        "idle_requests": len(idle),
        "busy_requests": len(busy),
        "ratio": {
            name: percentile(busy, fraction) / percentile(idle, fraction)
            for name, fraction in (("p50", 0.5), ("p95", 0.95))
        },
    }


def _short_requests(connection: Connection, bodies: List[bytes], seconds: float) -> List[float]:
    _check(connection.speak(bodies[0]).status)  # warm
    took: List[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        answer = connection.speak(bodies[len(took) % len(bodies)])
        _check(answer.status)
        took.append(answer.whole_s)
        time.sleep(PAUSE_S)
    return took


class _Peak:
    """Watches a server's memory from a thread."""

    def __init__(self, server: Server) -> None:
        self.most_mb = 0.0
        self._server = server
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            self.most_mb = max(self.most_mb, sum(self._server.memory_mb().values()))


def _p50_p95(seconds: List[float]) -> Dict[str, float]:
    return {"p50": 1e3 * percentile(seconds, 0.5), "p95": 1e3 * percentile(seconds, 0.95)}


def _check(status: int) -> None:
    if status != 200:
        raise RuntimeError(f"the server answered {status}")
