"""What all conversations share: the service, its threads, limits, and whether it goes on."""

import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec

from auto_voice.bootstrap import Service


class Limits(msgspec.Struct, frozen=True):
    """What clients may do."""

    connections: int = 64
    idle_s: float = 300.0
    """Seconds without anything sent or received after which a connection is closed."""
    stall_s: float = 30.0
    """Seconds within which a client has to take something of its audio."""
    tick_s: float = 0.5
    """How often that is looked at."""


class Shared:
    """Safe for threads."""

    def __init__(self, service: Service, limits: Limits) -> None:
        self.service = service
        self.limits = limits
        self.max_data_bytes = service.settings.body_limit_bytes
        """Of one event."""
        self.threads = ThreadPoolExecutor(limits.connections + 1, "wyoming")
        """Where those wait who wait for the engine."""
        self._unfinished = 0
        self._idle = threading.Condition()
        self._draining = False

    @property
    def draining(self) -> bool:
        """Whether nothing new is begun."""
        return self._draining or self.service.synthesizer.scheduler.draining

    def drain(self) -> None:
        """Begin nothing new; what has begun goes on."""
        self._draining = True

    def begun(self) -> None:
        """An utterance has begun."""
        with self._idle:
            self._unfinished += 1

    def finished(self) -> None:
        """One is over."""
        with self._idle:
            self._unfinished -= 1
            if not self._unfinished:
                self._idle.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until all that has begun is over; False if it is not."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._unfinished, timeout_s)
