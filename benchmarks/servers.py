"""Starts servers as their users would, and reads what they take from /proc."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

from benchmarks import machine
from benchmarks.client import Connection

ROOT = Path(__file__).resolve().parents[1]
WEB, ENGINE = "web", "engine"
"""The parts of a server: what speaks HTTP, and the engine's processes."""
PLAIN_WORKERS, PLAIN_THREADS = 2, 8
_START_LIMIT_S = 30.0


class Server:
    """One server under test, on a port of its own; logs go to a file."""

    def __init__(
        self,
        command: List[str],
        log: Path,
        environ: Dict[str, str],
        command_per_request: bool = False,
    ) -> None:
        self._command_per_request = command_per_request
        # Whatever is set on this machine for Python or AutoVoice is not what is measured.
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AUTOVOICE_"))}
        self.port = _free_port()
        self.began = time.perf_counter()
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [part.format(port=self.port) for part in command],
                cwd=str(ROOT),
                env={**clean, **environ},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def wait(self, path: str = "/health/ready", poll_s: float = 0.005) -> float:
        """Seconds from the process's start to the first 200 for ``path``."""
        while True:
            try:
                connection = Connection(self.port)
                try:
                    status = connection.get(path).status
                finally:
                    connection.close()
                if status == 200:
                    return time.perf_counter() - self.began
            except OSError:
                pass  # it does not listen yet
            if self._process.poll() is not None:
                raise RuntimeError("the server has ended; the last lines of its log say why")
            if time.perf_counter() - self.began > _START_LIMIT_S:
                raise RuntimeError(f"the server does not answer {path}")
            time.sleep(poll_s)

    def parts(self) -> Dict[str, List[int]]:
        """The process ids of each part."""
        found: Dict[str, List[int]] = {WEB: [], ENGINE: []}
        for pid in machine.family(self._process.pid):
            found[ENGINE if "engines.worker" in _command(pid) else WEB].append(pid)
        return found

    def cpu_s(self) -> Dict[str, float]:
        """CPU seconds that each part has used so far."""
        return {
            part: sum(machine.cpu_s(pid, self._command_per_request) for pid in pids)
            for part, pids in self.parts().items()
        }

    def memory_mb(self) -> Dict[str, float]:
        """Resident megabytes of each part; what processes share counts in each."""
        return {part: sum(map(_rss_mb, pids)) for part, pids in self.parts().items()}

    def settle(self, limit_s: float = 20.0) -> None:
        """Wait until the server does nothing: what clients left behind has been noticed."""
        end = time.monotonic() + limit_s
        used = sum(self.cpu_s().values())
        while time.monotonic() < end:
            time.sleep(0.1)
            before, used = used, sum(self.cpu_s().values())
            if used - before <= 0.01:
                return

    def stop(self) -> None:
        """End it without ado."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            for pids in self.parts().values():
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def autovoice(log: Path, **settings: str) -> Server:
    """AutoVoice with its logs (JSON) and metrics on, and without its cache."""
    environ = {
        "AUTOVOICE_LOG_FORMAT": "json",
        "AUTOVOICE_CACHE": "off",
        "AUTOVOICE_MAX_INPUT_CHARS": "2000000",
        **{f"AUTOVOICE_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "auto_voice", "serve", "--port", "{port}"]
    return Server(command, log, environ)


def piper(log: Path, python: str, voice: Path) -> Server:
    """piper-tts' own server, under a Python that has it."""
    command = f"-m piper.http_server --host 127.0.0.1 --port {{port}} --model {voice}"
    return Server([python, *command.split()], log, {})


def plain(log: Path, engine: str = "locked") -> Server:
    """The rival with the engine under a lock, or (``command``) with a process per request."""
    command = f"-m gunicorn --worker-class gthread --workers {PLAIN_WORKERS}"
    command += f" --threads {PLAIN_THREADS} --bind 127.0.0.1:{{port}} --log-level error"
    command += " benchmarks.plain_server:app"
    return Server(
        [sys.executable, *command.split()], log, {"PLAIN_ENGINE": engine}, engine == "command"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _rss_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
