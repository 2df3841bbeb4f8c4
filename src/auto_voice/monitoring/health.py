"""Liveness and readiness that tell the truth."""

import threading
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from auto_voice import __version__

FRESH_S = 10.0
"""An engine that spoke within this time need not prove again that it can."""
PROBE_TIMEOUT_S = 2.0


class Health:
    """Answers whether this server works, by having it work.

    Args:
        probe: speaks a word through the same queue and workers as everybody
            (within the given seconds) and raises if that fails.
        last_success: when the engine last spoke (time.time()).
        ready_workers: how many workers can speak now.
        load_error: why no worker comes to speak, if that is known.
        is_draining: whether the server is stopping.
        is_full: whether a new request would be turned away.
        backends: other servers that this one is better off with, by name, each with a
            function that tells why it is of no use, or None. Without one it goes on, degraded.
        others: engines that it can do without, likewise.
        voices: why voices that the settings want are not there, likewise; None: they want none.
    """

    def __init__(
        self,
        *,
        engine: str,
        probe: Callable[[float], None],
        last_success: Callable[[], float],
        ready_workers: Callable[[], int],
        load_error: Callable[[], Optional[Exception]],
        is_draining: Callable[[], bool],
        is_full: Callable[[], bool],
        backends: Optional[Mapping[str, Callable[[], Optional[str]]]] = None,
        others: Optional[Mapping[str, Callable[[], Optional[str]]]] = None,
        voices: Optional[Callable[[], Optional[str]]] = None,
    ) -> None:
        self._engine = engine
        self._probe = probe
        self._last_success = last_success
        self._ready_workers = ready_workers
        self._load_error = load_error
        self._is_draining = is_draining
        self._is_full = is_full
        self._backends = dict(backends or {})
        self._others = dict(others or {})
        self._voices = {} if voices is None else {"voices": voices}
        self._started = False
        self._probing = threading.Lock()
        self._engine_said: Optional[str] = None
        """Its fault when last looked at. A worker that is ready has spoken: there is none yet."""

    @property
    def started(self) -> bool:
        """Whether the server has been able to speak at some time since its start."""
        self._started = self._started or self._ready_workers() > 0
        return self._started

    def reasons(self) -> List[str]:
        """Why the server is not ready; empty if it is."""
        return said(self.checks(), "fail")

    def checks(self, *, probe: bool = True) -> List[Dict[str, Any]]:
        """One entry per check, in the shape of draft-inadarei-api-health-check.

        Args:
            probe: whether the engine may be asked to speak, which can take `PROBE_TIMEOUT_S`;
                else what it said last counts.
        """
        if probe or not self._ready_workers() or self._is_fresh():
            self._engine_said = self._engine_fault()
        return [
            _check("draining", "the server is stopping" if self._is_draining() else None),
            _check("queue", "no place is free" if self._is_full() else None),
            _check(f"engine:{self._engine}", self._engine_said),
            *(_check(f"engine:{name}", fault(), "warn") for name, fault in self._others.items()),
            *(_check(name, fault(), "warn") for name, fault in self._voices.items()),
            *(_check(name, fault(), "warn") for name, fault in self._backends.items()),
        ]

    def last(self) -> List[Tuple[str, bool]]:
        """Each check and whether it passed when it was last looked at."""
        return [
            (check["componentId"], check["status"] == "pass") for check in self.checks(probe=False)
        ]

    def report(self) -> Dict[str, Any]:
        """All of it in the shape of application/health+json."""
        checks = self.checks()
        found = {check["status"] for check in checks}
        return {
            "status": next(each for each in ("fail", "warn", "pass") if each in found),
            "version": __version__,
            "serviceId": "autovoice",
            "checks": {check.pop("componentId"): [check] for check in checks},
        }

    def _is_fresh(self) -> bool:
        return time.time() - self._last_success() <= FRESH_S

    def _engine_fault(self) -> Optional[str]:
        if not self._ready_workers():
            error = self._load_error()
            return f"no worker is ready: {error}" if error else "no worker is ready"
        if self._is_fresh():
            return None
        if self._is_full() or self._is_draining():
            return None  # said by the other checks; a probe would get no place
        # One probe is enough, however many ask at once.
        if not self._probing.acquire(timeout=PROBE_TIMEOUT_S):
            return "another probe has had no answer yet"
        try:
            if not self._is_fresh():
                self._probe(PROBE_TIMEOUT_S)
        except Exception as error:
            return f"a probe failed: {error}"
        finally:
            self._probing.release()
        return None


def said(checks: List[Dict[str, Any]], status: str) -> List[str]:
    """What those checks say that have this status."""
    return [
        f"{check['componentId']}: {check['output']}"
        for check in checks
        if check["status"] == status
    ]


def _check(component: str, fault: Optional[str], otherwise: str = "fail") -> Dict[str, Any]:
    result: Dict[str, Any] = {
        "componentId": component,
        "componentType": "component",
        "status": otherwise if fault else "pass",
    }
    if fault:
        result["output"] = fault
    return result
