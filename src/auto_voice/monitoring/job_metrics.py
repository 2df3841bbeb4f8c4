"""Series of work that outlives its request: long texts, training."""

from typing import Callable, Iterable, Iterator, Mapping, Tuple

from auto_voice.monitoring.series import Families

KINDS = ("speech", "training")
STATES = ("queued", "running")
OUTCOMES = ("success", "error", "cancelled")

_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 14400, 86400)


class JobMetrics:
    """Of work that outlives its request."""

    def __init__(self, families: Families) -> None:
        self._lock = families.lock
        self._count: Callable[[], Mapping[Tuple[str, str], int]] = dict
        self._oldest: Callable[[], Mapping[str, float]] = dict
        families.gauges(
            "jobs",
            "Jobs that are not finished.",
            ("kind", "state"),
            lambda: _every(self._count(), [(k, s) for k in KINDS for s in STATES]),
        )
        families.gauges(
            "job_oldest_queued_age_seconds",
            "Seconds the longest waiting job has waited; 0 if none waits.",
            ("kind",),
            lambda: (((kind,), self._oldest().get(kind, 0.0)) for kind in KINDS),
        )
        finished = families.counter(
            "jobs_finished_total", "Jobs, by how they ended.", ("kind", "outcome")
        )
        self._finished = {(k, o): finished(k, o) for k in KINDS for o in OUTCOMES}
        duration = families.histogram(
            "job_duration_seconds", "Seconds a job ran.", _SECONDS, ("kind",)
        )
        self._duration = {kind: duration(kind) for kind in KINDS}
        wait = families.histogram(
            "job_queue_wait_seconds", "Seconds a job waited.", _SECONDS, ("kind",)
        )
        self._wait = {kind: wait(kind) for kind in KINDS}

    def watch(
        self,
        count: Callable[[], Mapping[Tuple[str, str], int]],
        oldest: Callable[[], Mapping[str, float]],
    ) -> None:
        """Read jobs by kind and state, and the oldest waiting one's age, at each scrape."""
        self._count, self._oldest = count, oldest

    def started(self, kind: str, waited_s: float) -> None:
        """A job's turn has come."""
        with self._lock:
            self._wait[kind].observe(waited_s)

    def finished(self, kind: str, outcome: str, duration_s: float) -> None:
        """A job ended: one of `OUTCOMES`."""
        with self._lock:
            self._finished[kind, outcome].value += 1
            self._duration[kind].observe(duration_s)


def _every(
    found: Mapping[Tuple[str, str], int], keys: Iterable[Tuple[str, str]]
) -> Iterator[Tuple[Tuple[str, ...], float]]:
    for key in keys:
        yield key, found.get(key, 0)
