"""Rates and quantiles over the last minute, out of counters that only grow.

The counters are those that /metrics shows. Here they are read every few seconds
and kept for some minutes, so that whoever looks sees at once what has been going
on. Nothing is added to the way of a request.
"""

import threading
import time
from collections import deque
from typing import Callable, Deque, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from prometheus_client.metrics_core import Metric

from auto_voice.monitoring.metrics import OPERATION_ROUTES

STEP_S = 5.0
"""Between two readings."""
WINDOW_S = 60.0
"""What rates and quantiles are of."""
KEPT_S = 300.0

FAMILIES = frozenset(
    {
        "http_requests_total",
        "synthesis_requests_total",
        "synthesis_first_audio_seconds",
        "synthesis_in_progress",
        "cache_requests_total",
    }
)
"""All that is read."""

FAILED = ("error", "timeout", "rejected", "empty")
"""Outcomes that count against the server; ``cancelled`` and ``invalid`` are the client's."""


class Totals(NamedTuple):
    """What the counters said at one moment."""

    at_s: float
    """On a clock that only advances."""
    outcomes: Mapping[str, float]
    """Requests for speech."""
    statuses: Mapping[str, float]
    """HTTP requests by ``2xx`` and so on, without those to `OPERATION_ROUTES`."""
    cache: Mapping[str, float]
    """Look-ups by their result."""
    bounds: Sequence[float]
    """Upper bounds of the buckets of first audio in seconds, rising; the last is infinite."""
    first_audio: Sequence[float]
    """How many fell into each of these buckets; not cumulative."""
    in_progress: float


def read(families: Iterable[Metric], at_s: float) -> Totals:
    """The totals in ``families``, summed over all engines."""
    outcomes: Dict[str, float] = {}
    statuses: Dict[str, float] = {}
    cache: Dict[str, float] = {}
    below: Dict[float, float] = {}
    in_progress = 0.0
    for family in families:
        for name, labels, value, *_ in family.samples:
            if name == "autovoice_synthesis_requests_total":
                _add(outcomes, labels["outcome"], value)
            elif name == "autovoice_http_requests_total":
                if labels["route"] not in OPERATION_ROUTES:
                    _add(statuses, labels["code"][0] + "xx", value)
            elif name == "autovoice_cache_requests_total" and labels["cache"] == "audio":
                _add(cache, labels["result"], value)
            elif name == "autovoice_synthesis_first_audio_seconds_bucket":
                bound = float(labels["le"])
                below[bound] = below.get(bound, 0.0) + value
            elif name == "autovoice_synthesis_in_progress":
                in_progress += value
    bounds = sorted(below)
    upto = [0.0, *(below[bound] for bound in bounds)]
    counts = [after - before for before, after in zip(upto, upto[1:])]
    return Totals(at_s, outcomes, statuses, cache, bounds, counts, in_progress)


def _add(sums: Dict[str, float], key: str, value: float) -> None:
    sums[key] = sums.get(key, 0.0) + value


class Window(NamedTuple):
    """From one moment to a later one."""

    before: Totals
    after: Totals

    @property
    def seconds(self) -> float:
        """How long it is."""
        return max(0.0, self.after.at_s - self.before.at_s)

    def rate(self, count: float) -> float:
        """``count`` in the window, for each second of it."""
        return count / self.seconds if self.seconds > 0 else 0.0

    def outcomes(self) -> Dict[str, float]:
        """How many requests for speech ended how."""
        return _increases(self.before.outcomes, self.after.outcomes)

    def statuses(self) -> Dict[str, float]:
        """How many HTTP requests were answered how."""
        return _increases(self.before.statuses, self.after.statuses)

    def cache(self) -> Dict[str, float]:
        """How many look-ups had which result."""
        return _increases(self.before.cache, self.after.cache)

    def first_audio(self) -> List[float]:
        """How many first audios fell into each bucket."""
        if len(self.before.first_audio) != len(self.after.first_audio):
            return list(self.after.first_audio)
        pairs = list(zip(self.before.first_audio, self.after.first_audio))
        if any(after < before for before, after in pairs):
            return list(self.after.first_audio)
        return [after - before for before, after in pairs]

    def first_audio_s(self, part: float) -> Optional[float]:
        """Seconds within which this ``part`` of the requests had their first audio."""
        return quantile(self.after.bounds, self.first_audio(), part)


def _increases(before: Mapping[str, float], after: Mapping[str, float]) -> Dict[str, float]:
    """As Prometheus has it: a counter that fell has begun anew, from zero."""
    return {
        key: value - before.get(key, 0.0) if value >= before.get(key, 0.0) else value
        for key, value in after.items()
    }


def quantile(bounds: Sequence[float], counts: Sequence[float], part: float) -> Optional[float]:
    """The value that this ``part`` (0 to 1) of all values does not exceed, or None without any.

    As Prometheus' histogram_quantile has it: values lie evenly within their bucket, from 0
    up, and the last finite bound stands for all that is above it.

    Args:
        bounds: the buckets' upper bounds, rising; the last is infinite.
        counts: how many values fell into each bucket; not cumulative.
    """
    rank = part * sum(counts)
    if not sum(counts):
        return None
    lower = 0.0
    for bound, count in zip(bounds[:-1], counts):
        if count and rank <= count:
            return lower + (bound - lower) * rank / count
        rank -= count
        lower = bound
    return lower


class History:
    """The totals of the last `KEPT_S` seconds, one each `STEP_S`."""

    def __init__(
        self, look: Callable[[], Iterable[Metric]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Args:
            look: gives the families named in `FAMILIES`.
            clock: seconds that pass.
        """
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Deque[Totals] = deque(maxlen=int(KEPT_S / STEP_S) + 1)
        self._closing = threading.Event()
        self.keep()

    def start(self) -> None:
        """Keep totals from now on, in a thread, until `close`."""
        threading.Thread(target=self._run, name="status", daemon=True).start()

    def close(self) -> None:
        """Keep no more."""
        self._closing.set()

    def keep(self) -> None:
        """Read the counters, and remember what they say."""
        totals = self.now()
        with self._lock:
            self._kept.append(totals)

    def now(self) -> Totals:
        """What the counters say now."""
        return read(self._look(), self._clock())

    def window(self, now: Totals) -> Window:
        """From `WINDOW_S` ago, or from the start, to ``now``."""
        kept = self._copy()
        old = [totals for totals in kept if now.at_s - totals.at_s >= WINDOW_S]
        return Window(old[-1] if old else kept[0], now)

    def steps(self) -> List[Window]:
        """From each reading to the next, oldest first."""
        kept = self._copy()
        return [Window(before, after) for before, after in zip(kept, kept[1:])]

    def _copy(self) -> List[Totals]:
        with self._lock:
            return list(self._kept)

    def _run(self) -> None:
        while not self._closing.wait(STEP_S):
            self.keep()
