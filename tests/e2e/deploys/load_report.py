"""What a load client has seen, as JSON that can be read while it runs."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

WEBSOCKET = "websocket"


class Report:
    """Counts every request once, and keeps the reason of each that failed. Safe for threads.

    In the JSON, ``total`` and ``failed`` are of HTTP requests; times are those of ``time.time()``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.time()
        self._seconds: Dict[str, List[float]] = {}
        self._failures: List[Dict[str, Any]] = []
        self._sessions: List[Dict[str, Any]] = []

    def answered(self, kind: str, began: float) -> None:
        """A request, or what is said over a WebSocket, has been answered as it has to be.

        Args:
            kind: of request.
            began: in seconds of `time.time()`.
        """
        with self._lock:
            self._seconds.setdefault(kind, []).append(time.time() - began)

    def failed(self, kind: str, began: float, reason: str) -> None:
        """It has not, and why."""
        now = time.time()
        with self._lock:
            self._failures.append({"kind": kind, "began": began, "at": now, "reason": reason})

    def session(self, number: int) -> Dict[str, Any]:
        """A WebSocket is open; whoever has it keeps its entry up to date."""
        entry: Dict[str, Any] = {
            "number": number,
            "opened": time.time(),
            "spoken": None,
            "utterances": 0,
            "closed": None,
            "code": None,
        }
        with self._lock:
            self._sessions.append(entry)
        return entry

    def as_dict(self) -> Dict[str, Any]:
        """All of it."""
        with self._lock:
            failures, sessions = list(self._failures), [dict(entry) for entry in self._sessions]
            seconds = {kind: sorted(found) for kind, found in self._seconds.items()}
        kinds = {
            kind: self._kind(seconds.get(kind, []), kind, failures)
            for kind in sorted({*seconds, *(failure["kind"] for failure in failures)})
        }
        http = [counts for kind, counts in kinds.items() if kind != WEBSOCKET]
        return {
            "began": self._began,
            "seconds": round(time.time() - self._began, 3),
            "total": sum(counts["total"] for counts in http),
            "failed": sum(counts["failed"] for counts in http),
            "kinds": kinds,
            "failures": failures,
            "sessions": sessions,
        }

    @staticmethod
    def _kind(seconds: List[float], kind: str, failures: List[Dict[str, Any]]) -> Dict[str, Any]:
        failed = sum(failure["kind"] == kind for failure in failures)

        def ms(fraction: float) -> Optional[float]:
            if not seconds:
                return None
            return round(1e3 * seconds[int(fraction * (len(seconds) - 1))], 1)

        return {
            "total": len(seconds) + failed,
            "failed": failed,
            "p50_ms": ms(0.5),
            "p95_ms": ms(0.95),
            "slowest_ms": ms(1.0),
        }

    def write(self, path: Path) -> None:
        """All of it into a file, which is whole at any moment."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps(self.as_dict(), indent=1), encoding="utf-8")
        os.replace(new, path)
