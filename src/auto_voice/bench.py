"""``autovoice bench``: a load generator for a running server."""

import http.client
import json
import statistics
import threading
import time
from typing import List, NamedTuple, Optional
from urllib.parse import urlsplit

from auto_voice.errors import InvalidRequest

TEXT = "The quick brown fox jumps over the lazy dog near the river."


class Result(NamedTuple):
    """What a run has shown."""

    seconds: float
    """From the first request to the last answer."""
    latencies_s: List[float]
    """Of each request that succeeded, until its last byte, sorted."""
    first_bytes_s: List[float]
    """Of each request that succeeded, until its first byte of audio, sorted."""
    bytes: int
    failed: int
    problem: Optional[str]
    """The first failure, in words."""

    def percentile_ms(self, fraction: float) -> float:
        """A percentile of the latencies."""
        return 1e3 * _percentile(self.latencies_s, fraction)

    def report(self) -> str:
        """A few lines for people."""
        done = len(self.latencies_s)
        if not done:
            return "No request succeeded."
        return "\n".join(
            (
                f"{done} requests in {self.seconds:.2f} s: {done / self.seconds:.1f} a second, "
                f"{self.bytes / self.seconds / 1e6:.1f} MB/s",
                f"whole answer  p50 {self.percentile_ms(0.5):.2f} ms, "
                f"p95 {self.percentile_ms(0.95):.2f} ms, p99 {self.percentile_ms(0.99):.2f} ms, "
                f"mean {1e3 * statistics.mean(self.latencies_s):.2f} ms",
                f"first audio   p50 {1e3 * _percentile(self.first_bytes_s, 0.5):.2f} ms, "
                f"p95 {1e3 * _percentile(self.first_bytes_s, 0.95):.2f} ms",
            )
        )


def run(
    url: str, *, clients: int, requests: int, voice: str, format_name: str, text: str, key: str
) -> Result:
    """Send ``requests`` requests over ``clients`` connections that are kept alive.

    Raises:
        InvalidRequest: the URL is not one of a server.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(f"{url!r} is not the URL of a server.")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    numbers = iter(range(requests))
    lock = threading.Lock()
    latencies: List[float] = []
    first_bytes: List[float] = []
    problems: List[str] = []
    received = [0]

    def client() -> None:
        connection = kind(parts.hostname or "", parts.port, timeout=60)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                connection.close()
                return
            body = json.dumps(
                {"input": f"{number}. {text}", "voice": voice, "response_format": format_name}
            )
            began = time.perf_counter()
            try:
                connection.request("POST", f"{parts.path}/v1/audio/speech", body, headers)
                answer = connection.getresponse()
                size = len(answer.read(1))
                first = time.perf_counter() - began
                rest = answer.read()
                size += len(rest)
                if answer.status != 200:
                    raise OSError(f"{answer.status} {rest[:200]!r}")
            except (OSError, http.client.HTTPException) as error:
                with lock:
                    problems.append(str(error) or type(error).__name__)
                connection.close()
                continue
            with lock:
                latencies.append(time.perf_counter() - began)
                first_bytes.append(first)
                received[0] += size

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Result(
        seconds=time.perf_counter() - began,
        latencies_s=sorted(latencies),
        first_bytes_s=sorted(first_bytes),
        bytes=received[0],
        failed=len(problems),
        problem=problems[0] if problems else None,
    )


def _percentile(ordered: List[float], fraction: float) -> float:
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
