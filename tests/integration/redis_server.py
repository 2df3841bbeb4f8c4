"""A real Redis, and what may happen to it."""

import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
import redis

from tests.integration.serving import until, unused_port


class Redis:
    """A Redis of one's own, on a free port, that keeps nothing when it ends."""

    def __init__(self, folder: Path) -> None:
        self.port = unused_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client: Any = redis.Redis.from_url(self.url)
        self._folder = folder
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no"]
        program = shutil.which("redis-server")
        assert program is not None
        self.process = subprocess.Popen(
            [program, *options, "--bind", "127.0.0.1"],
            cwd=str(self._folder),
            stdout=subprocess.DEVNULL,
        )
        until(self.answers, "Redis answers")

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """It takes connections, and says nothing more."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def fill(self) -> None:
        """It keeps nothing new, and drops nothing old."""
        self.client.config_set("maxmemory-policy", "noeviction")
        self.client.config_set("maxmemory", 1)

    def empty(self) -> None:
        self.client.config_set("maxmemory", 0)

    def keys(self, pattern: str = "*") -> "list[str]":
        return sorted(key.decode() for key in self.client.scan_iter(pattern))


class SlowWay:
    """A way to a Redis on which every answer takes so much longer."""

    def __init__(self, port: int, delay_s: float) -> None:
        self.delay_s = delay_s
        self._to = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._socket.getsockname()[1]}/0"
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                near, _ = self._socket.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            for one, other, late in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pass, args=(one, other, late), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, late: bool) -> None:
        try:
            while True:
                data = one.recv(65536)
                if late:
                    time.sleep(self.delay_s)
                other.sendall(data)
                if not data:
                    break
        except OSError:
            pass
        for end in (one, other):
            end.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Redis]:
    """A Redis for one test."""
    made = Redis(tmp_path)
    yield made
    made.kill()
