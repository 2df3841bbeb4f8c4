"""Whether Redis is asked at all: after it failed, it is left alone until it has proved itself."""

import threading
import time
from typing import Callable, Optional

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
_SOON_S = 10.0
"""Who fails again within this time of having come back is left alone for longer."""


class Breaker:
    """Open, nobody asks; closed, everybody does. Safe for threads; reading it takes no lock.

    No request is ever the one that tries whether Redis is back: a heartbeat does.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds that pass. It begins open, until the first heartbeat."""
        self.closed = False
        self.fault: Optional[str] = "it has not answered yet"
        """Why it is open; None while it is closed."""
        self._clock = clock
        self._lock = threading.Lock()
        self._pause_s = FIRST_PAUSE_S
        self._opened = self._closed_at = float("-inf")

    def trip(self, fault: str) -> bool:
        """Open it; whether it was closed before."""
        with self._lock:
            was_closed, self.closed, self.fault = self.closed, False, fault
            if was_closed:
                self._opened = self._clock()
                soon = self._opened - self._closed_at < _SOON_S
                longer = min(2 * self._pause_s, LONGEST_PAUSE_S)
                self._pause_s = longer if soon else FIRST_PAUSE_S
            return was_closed

    def answered(self, asked: float) -> bool:
        """A heartbeat sent at ``asked`` was answered: close it, unless that is too early.

        Returns:
            Whether it was open and is closed now.
        """
        with self._lock:
            if self.closed or asked < self._opened + self._pause_s:
                return False
            self.closed, self.fault = True, None
            self._closed_at = self._clock()
            return True
