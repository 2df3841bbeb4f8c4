"""Single flight across servers: what one of them speaks, the others wait for.

Who finds no audio claims to make it. The claim lives in Redis, and only as long as its holder
renews it: a server that is killed delays the others by `HOLD_S` at most. One whose speech fails
or whose client leaves gives it up, and one of those who wait takes over.

Whoever listens while a text is spoken does not wait for all of it: then a claim of others is
respected for `STREAM_PATIENCE_S` only. So a long text may be spoken once on each server.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import Callable, Optional, Set, Tuple

from auto_voice.errors import Cancelled
from auto_voice.monitoring.synthesis_metrics import CacheMetrics
from auto_voice.shared.client import BEAT_S, Away, SharedRedis
from auto_voice.shared.shelf import MINE, TAKEN, Claim, Found
from auto_voice.synthesis.cache import Entry
from auto_voice.synthesis.shared_audio import SharedAudio, decode

HOLD_S = 5 * BEAT_S
"""A claim that is not renewed for so long has ended."""
STREAM_PATIENCE_S = 0.1
"""By so much the first audio of a longer text may come later, for the sake of another server."""
PATIENCE_S = 10.0
"""How long a short text is waited for, however busy the server is that speaks it."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.03


class SharedFlights:
    """What is being spoken on all servers together. Safe for threads."""

    def __init__(
        self, redis: SharedRedis, audio: SharedAudio, metrics: CacheMetrics, most_waiting: int
    ) -> None:
        """``most_waiting``: requests that may wait for other servers, each with a thread."""
        self.audio = audio
        self._metrics = metrics
        self._redis = redis
        self._held: Set[Claim] = set()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(max(1, most_waiting))
        redis.on_beat(self._renew)

    @staticmethod
    def claim(key: str) -> Claim:
        """A claim of one's own to a key, for `find`."""
        return Claim(key, secrets.token_hex(8))

    def find(self, claim: Claim, whole: bool, is_gone: Callable[[], bool]) -> Optional[Entry]:
        """The audio, wherever it was made; None: make it, and tell `finish`.

        Args:
            whole: nobody listens before the end, so that waiting is worth while.

        Raises:
            Cancelled: nobody wants it any more.
        """
        if not self._redis.is_there:
            return None
        try:
            found, waited = self._look_or_wait(
                claim, PATIENCE_S if whole else STREAM_PATIENCE_S, is_gone
            )
        except Away:
            self._metrics.asked("error", "redis")
            return None
        if found.state == MINE:
            with self._lock:
                self._held.add(claim)
        return self._entry(claim.key, found, "joined" if waited else "hit")

    def look(self, key: str) -> Optional[Entry]:
        """The audio, if it is finished; whoever then makes it does so without a claim."""
        if not self._redis.is_there:
            return None
        try:
            found = self.audio.shelf.look(key)
        except Away:
            self._metrics.asked("error", "redis")
            return None
        return self._entry(key, found, "hit")

    def finish(self, claim: Claim, entry: Optional[Entry], compute_s: float = 0.0) -> None:
        """Keep what was made soon, without waiting for it; None: nothing came of it.

        Args:
            compute_s: seconds that workers spent on it.
        """

        def done() -> None:
            with self._lock:
                self._held.discard(claim)

        if entry is not None or claim in self._held:
            self.audio.finish(claim, entry, compute_s, done)

    def close(self) -> None:
        """As far as Redis is quick, keep what is to be kept."""
        self.audio.close()

    def _entry(self, key: str, found: Found, result: str) -> Optional[Entry]:
        """What was found, counted: as ``result``, or as a miss."""
        entry = decode(key, found.value) if found.value is not None else None
        self._metrics.asked("miss" if entry is None else result, "redis")
        return entry

    def _look_or_wait(
        self, claim: Claim, patience_s: float, is_gone: Callable[[], bool]
    ) -> Tuple[Found, bool]:
        """What there is, maybe after a while; and whether that was waited for."""

        def look() -> Found:
            return self.audio.shelf.look(claim.key, claim.token, HOLD_S)

        found = look()
        if found.state != TAKEN or not self._places.acquire(blocking=False):
            return found, False
        try:
            give_up, pause_s = time.monotonic() + patience_s, _FIRST_PAUSE_S
            while found.state == TAKEN and time.monotonic() + pause_s < give_up:
                if is_gone():
                    raise Cancelled("the client went away")
                time.sleep(pause_s)
                pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
                found = look()
        finally:
            self._places.release()
        return found, True

    def _renew(self) -> None:
        with self._lock:
            held = list(self._held)
        if held:
            self.audio.shelf.renew(held, HOLD_S)
