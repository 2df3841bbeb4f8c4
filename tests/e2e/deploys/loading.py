"""The load client as tests use it: a process that goes on while they deploy."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

from tests.e2e.containers import ROOT, until

Seen = Dict[str, Any]


class Loaded:
    """The client, at work."""

    def __init__(self, url: str, folder: Path, light: bool = True) -> None:
        self._report = folder / "load.json"
        self._report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.e2e.deploys.load", url]
        command += ["--report", str(self._report)] + ["--light"] * light
        self._process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        until(self._begun, "the load client has begun")

    def __enter__(self) -> "Loaded":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def _begun(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"the load client ended: {self._process.communicate()[1]}")
        return self._report.exists()

    def seen(self) -> Seen:
        """Its report of just now."""
        found: Seen = json.loads(self._report.read_text(encoding="utf-8"))
        return found

    def until(self, total: int, patience_s: float = 120.0) -> None:
        """Go on until it has made so many requests."""
        until(lambda: self.seen()["total"] >= total, f"{total} requests are made", patience_s)

    def stop(self) -> Seen:
        """Have what is under way come to its end; the whole report."""
        self._process.send_signal(signal.SIGTERM)
        errors = self._process.communicate(timeout=90)[1]
        assert self._process.returncode == 0, errors
        return self.seen()


def reasons(seen: Seen) -> List[str]:
    """Why requests failed, each reason once."""
    return sorted({f"{failure['kind']}: {failure['reason']}" for failure in seen["failures"]})
