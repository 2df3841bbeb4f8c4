"""Requests for speech of the deployer's own, where there is not enough traffic to judge by."""

import math
import threading
import time
from typing import List, NamedTuple, Optional

from deployer.machine import Machine
from deployer.speech import fault_of, speech_request

_PAUSE_S = 0.05
_LIMITED_PAUSE_S = 1.0
_TOO_MANY_REQUESTS = 429


class Probe(NamedTuple):
    """One of them."""

    first_audio_s: float
    fault: Optional[str]


class Prober:
    """A thread that sends as many as it is told to, one after the other."""

    def __init__(self, machine: Machine, port: int, key: str, name: str, timeout_s: float) -> None:
        """``name``: in every text, so that no answer comes from a cache."""
        self._machine = machine
        self._port = port
        self._key = key
        self._name = name
        self._timeout_s = timeout_s
        self._wanted = 0
        self._over = False
        self._probes: List[Probe] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="prober", daemon=True)
        self._thread.start()

    def want(self, total: int) -> None:
        """Have that many been sent, some time."""
        with self._changed:
            self._wanted = max(self._wanted, total)
            self._changed.notify()

    @property
    def probes(self) -> List[Probe]:
        """Those that have been answered, or not in time."""
        with self._changed:
            return list(self._probes)

    def close(self) -> None:
        """Send no more."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def _run(self) -> None:
        sent = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or len(self._probes) < self._wanted)
                if self._over:
                    return
            sent += 1
            text = f"Deploy {self._name}, check number {sent}."
            probe, limited = self._send(text)
            if probe is not None:
                with self._changed:
                    self._probes.append(probe)
            time.sleep(_LIMITED_PAUSE_S if limited else _PAUSE_S)

    def _send(self, text: str) -> "tuple[Optional[Probe], bool]":
        try:
            answer = self._machine.ask(speech_request(self._port, text, self._key), self._timeout_s)
        except OSError as error:
            return Probe(self._timeout_s, str(error) or "no answer"), False
        if answer.status == _TOO_MANY_REQUESTS:  # our key's limit says nothing of the version
            return None, True
        return Probe(answer.first_byte_s, fault_of(answer)), False


def p95_s(probes: List[Probe]) -> Optional[float]:
    """95th percentile of their times to first audio."""
    times = sorted(probe.first_audio_s for probe in probes if probe.fault is None)
    return times[math.ceil(0.95 * len(times)) - 1] if times else None
