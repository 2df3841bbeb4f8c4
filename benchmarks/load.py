"""Requests as fast as they are answered, from a number of clients at a time.

The load shares the server's cores, so it has to be cheap: `wrk` where it is
installed (Debian's package wrk), else a loop of our own over epoll. As a
program this is that loop.
"""

import itertools
import json
import re
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from benchmarks.figures import percentile

ROOT = Path(__file__).resolve().parents[1]
_END = b"\r\n\r\n"
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Load(NamedTuple):
    """What became of one run."""

    requests: int
    seconds: float
    bytes: int
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_s: float = 0.0
    """What the load itself took."""


def write_bodies(path: Path, bodies: List[bytes]) -> None:
    """The file that `start` reads: a body a line."""
    path.write_bytes(b"\n".join(bodies) + b"\n")


def start(
    port: int, bodies: Path, clients: int, seconds: float, connections: str = "kept"
) -> "subprocess.Popen[str]":
    """Begin a run; connections are ``kept`` or made ``anew`` for each request."""
    if shutil.which("wrk"):
        url = f"http://127.0.0.1:{port}/v1/audio/speech"
        command = f"wrk --threads 1 --connections {clients} --duration {seconds:.0f}s"
        command += f" --timeout 60s --script benchmarks/load.lua {url} -- {bodies} {connections}"
    else:
        command = f"{sys.executable} -m benchmarks.load {port} {bodies} {clients} {seconds}"
        command += f" {connections}"
    return subprocess.Popen(
        command.split(), cwd=str(ROOT), stdout=subprocess.PIPE, universal_newlines=True
    )


def run(port: int, bodies: Path, clients: int, seconds: float) -> Load:
    """One run, from its start to its end."""
    before = _children_cpu_s()
    output, _ = start(port, bodies, clients, seconds).communicate()
    result: Dict[str, Any] = json.loads(output.rpartition("RESULT ")[2])
    return Load(**result, cpu_s=_children_cpu_s() - before)


def name() -> str:
    """What makes the load here, in words."""
    if not shutil.which("wrk"):
        return "an epoll loop in Python (wrk is not installed)"
    shown = subprocess.run(["wrk", "-v"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    version = re.search(r"\d+\.\d+(\.\d+)?", shown)
    return f"wrk {version.group() if version else ''}".strip()


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Client:
    """One connection of the loop."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.began = 0.0
        self._head = b""
        self._left: Optional[int] = None
        """Bytes that are still to come; None before that is known, and for chunks."""
        self._tail = b""

    def ask(self, request: bytes) -> None:
        self.began = time.perf_counter()
        self._head, self._left, self._tail = b"", None, b""
        self.socket.sendall(request)

    def receive(self, buffer: bytearray) -> Tuple[int, int]:
        """Read what there is: its bytes, and the answer's status once it is whole, else 0."""
        count = self.socket.recv_into(buffer)
        if not count:
            raise ConnectionError("the server hung up")
        if self._left is not None:
            self._left -= count
        elif _END not in self._head:
            self._head += bytes(buffer[:count])
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", self._head)
            if length is not None and _END in self._head:
                whole = self._head.index(_END) + len(_END) + int(length.group(1))
                self._left = whole - len(self._head)
        if self._left is None:
            self._tail = (self._tail + buffer[max(0, count - len(_LAST_CHUNK)) : count])[
                -len(_LAST_CHUNK) :
            ]
        ended = self._left == 0 or self._tail == _LAST_CHUNK
        return count, int(self._head[9:12]) if ended else 0


def _loop(port: int, requests: List[bytes], clients: int, seconds: float, anew: bool) -> Load:
    selector = selectors.DefaultSelector()
    buffer = bytearray(1 << 18)
    latencies: List[float] = []
    failed = size = 0
    upcoming = itertools.cycle(requests)
    began = time.perf_counter()

    def begin() -> None:
        client = _Client(port)
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.ask(next(upcoming))

    for _ in range(clients):
        begin()
    while time.perf_counter() < began + seconds:
        for key, _ in selector.select(0.1):
            client = key.data
            count, status = client.receive(buffer)
            size += count
            if not status:
                continue
            latencies.append(1e3 * (time.perf_counter() - client.began))
            failed += status != 200
            if anew:
                selector.unregister(client.socket)
                client.socket.close()
                begin()
            else:
                client.ask(next(upcoming))
    spent = time.perf_counter() - began
    p50, p95, p99 = (percentile(latencies or [0.0], f) for f in (0.5, 0.95, 0.99))
    return Load(len(latencies), spent, size, failed, p50, p95, p99)


def _main(port: int, bodies: str, clients: int, seconds: float, connections: str) -> None:
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
    if connections == "anew":
        head += "\r\nConnection: close"
    requests = [
        f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for body in Path(bodies).read_bytes().splitlines()
    ]
    first = int(time.time()) * 37 % len(requests)  # so that all get their turn
    requests = requests[first:] + requests[:first]
    result = _loop(port, requests, clients, seconds, connections == "anew")._asdict()
    del result["cpu_s"]
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
