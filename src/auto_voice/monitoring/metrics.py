"""Every Prometheus series that AutoVoice records, and who may record what.

Those of GPUs are not recorded but read at each scrape: see gpu.py.

Children are bound once, since looking a label up costs more than counting.
Label values come from closed lists, so that no client can add a series.
"""

import platform
from typing import Callable, Dict, Optional, Tuple

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from auto_voice import __version__

OUTCOMES = ("success", "error", "timeout", "rejected", "empty", "cancelled", "invalid")
MODES = ("whole", "stream", "none")
TRANSPORTS = ("http", "sse")
ENGINE_ERRORS = ("crash", "timeout", "load")
METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
UNMATCHED = "<unmatched>"
"""The route of paths that no endpoint has."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_FIRST_AUDIO_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)


# When each series began is of no use to anybody and doubles what a scrape transfers.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The series of one server, in a registry of their own."""

    def __init__(self, engine: str) -> None:
        self.registry = registry = CollectorRegistry()

        ProcessCollector(registry=registry)
        registry.register(PLATFORM_COLLECTOR)
        registry.register(GC_COLLECTOR)

        def name(suffix: str) -> str:
            return f"autovoice_{suffix}"

        self._http_requests = Counter(
            name("http_requests_total"),
            "HTTP requests answered.",
            ("method", "route", "code"),
            registry=registry,
        )
        self._http_duration = Histogram(
            name("http_request_duration_seconds"),
            "Seconds from a request's start to its last byte.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._http_in_progress = Gauge(
            name("http_requests_in_progress"), "HTTP requests being served.", registry=registry
        )
        self._http_children: Dict[Tuple[str, str, int], Tuple[Counter, Histogram]] = {}

        self._requests = Counter(
            name("synthesis_requests_total"),
            "Requests for speech, by how they ended.",
            ("engine", "mode", "outcome"),
            registry=registry,
        )
        self._requests_children = {
            (mode, outcome): self._requests.labels(engine, mode, outcome)
            for mode in MODES
            for outcome in OUTCOMES
        }
        duration = Histogram(
            name("synthesis_duration_seconds"),
            "Seconds from a request for speech to its last byte.",
            ("engine", "mode"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._duration = {mode: duration.labels(engine, mode) for mode in MODES}
        first_audio = Histogram(
            name("synthesis_first_audio_seconds"),
            "Seconds from a request for speech to its first audio.",
            ("engine", "transport"),
            buckets=_FIRST_AUDIO_SECONDS,
            registry=registry,
        )
        self._first_audio = {way: first_audio.labels(engine, way) for way in TRANSPORTS}
        self._queue_wait = Histogram(
            name("synthesis_queue_wait_seconds"),
            "Seconds a request's first sentence waited for a worker.",
            ("engine",),
            buckets=_WAIT_SECONDS,
            registry=registry,
        ).labels(engine)
        self._compute = Counter(
            name("synthesis_compute_seconds_total"),
            "Seconds that workers spent speaking.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._audio = Counter(
            name("synthesis_audio_seconds_total"),
            "Seconds of audio made.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._characters = Counter(
            name("synthesis_input_characters_total"),
            "Characters of text spoken.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._queue_depth = Gauge(
            name("synthesis_queue_depth"),
            "Sentences waiting for a worker.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._queue_capacity = Gauge(
            name("synthesis_queue_capacity"),
            "Requests that may be in synthesis or wait for it.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._in_progress = Gauge(
            name("synthesis_in_progress"),
            "Requests in synthesis or waiting for it.",
            ("engine",),
            registry=registry,
        ).labels(engine)

        cache = Counter(
            name("cache_requests_total"),
            "Look-ups in a cache; joined: shared what another request was making.",
            ("cache", "result"),
            registry=registry,
        )
        self._cache = {
            result: cache.labels("audio", result) for result in ("hit", "miss", "joined")
        }
        evictions = Counter(
            name("cache_evictions_total"),
            "Entries dropped to make room.",
            ("cache",),
            registry=registry,
        )
        self._evictions = {store: evictions.labels(store) for store in ("memory", "disk")}
        self._cache_size = Gauge(
            name("cache_size_bytes"), "Bytes kept.", ("cache",), registry=registry
        )

        errors = Counter(
            name("engine_errors_total"),
            "Worker processes that ended by themselves or had to be ended.",
            ("engine", "reason"),
            registry=registry,
        )
        self._engine_errors = {reason: errors.labels(engine, reason) for reason in ENGINE_ERRORS}
        self._engine_ready = Gauge(
            name("engine_ready"),
            "1 while at least one worker has spoken and runs.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._engine_load = Gauge(
            name("engine_load_duration_seconds"),
            "Seconds the newest worker took from its start to its first word.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._engine_success = Gauge(
            name("engine_last_success_timestamp_seconds"),
            "Unix time of the last utterance spoken.",
            ("engine",),
            registry=registry,
        ).labels(engine)
        self._draining = Gauge(
            name("draining"), "1 while the server finishes before it stops.", registry=registry
        )
        Gauge(
            name("build_info"),
            "Which version this is; always 1.",
            ("version", "python"),
            registry=registry,
        ).labels(__version__, platform.python_version()).set(1)

    def watch(
        self,
        *,
        waiting: Callable[[], float],
        in_progress: Callable[[], float],
        capacity: int,
        ready: Callable[[], float],
        last_success: Callable[[], float],
        draining: Callable[[], float],
        cache_bytes: Callable[[], Tuple[int, int]],
    ) -> None:
        """Read these at each scrape: what is counted up and down by hand drifts."""
        self._queue_depth.set_function(waiting)
        self._in_progress.set_function(in_progress)
        self._queue_capacity.set(capacity)
        self._engine_ready.set_function(ready)
        self._engine_success.set_function(last_success)
        self._draining.set_function(draining)
        self._cache_size.labels("memory").set_function(lambda: cache_bytes()[0])
        self._cache_size.labels("disk").set_function(lambda: cache_bytes()[1])

    def http_begun(self) -> None:
        """A request arrived."""
        self._http_in_progress.inc()

    def http_done(self, method: str, route: str, code: int, duration_s: float) -> None:
        """A request is answered. ``route`` is a URL rule or `UNMATCHED`."""
        self._http_in_progress.dec()
        key = (method if method in METHODS else "other", route, code)
        children = self._http_children.get(key)
        if children is None:
            children = self._http_children[key] = (
                self._http_requests.labels(key[0], route, code),
                self._http_duration.labels(key[0], route),
            )
        children[0].inc()
        children[1].observe(duration_s)

    def synthesis_refused(self, outcome: str) -> None:
        """A request for speech ended before its first audio."""
        self._requests_children["none", outcome].inc()

    def synthesis_done(
        self,
        *,
        mode: str,
        outcome: str,
        transport: str,
        characters: int,
        duration_s: float,
        first_audio_s: Optional[float],
        queue_wait_s: float,
        compute_s: float,
        audio_s: float,
    ) -> None:
        """A request for speech ended after its first audio."""
        self._requests_children[mode, outcome].inc()
        self._duration[mode].observe(duration_s)
        if first_audio_s is not None:
            self._first_audio[transport].observe(first_audio_s)
        self._queue_wait.observe(queue_wait_s)
        self._compute.inc(compute_s)
        self._audio.inc(audio_s)
        self._characters.inc(characters)

    def cache(self, result: str) -> None:
        """The audio cache was asked: ``hit``, ``miss`` or ``joined``."""
        self._cache[result].inc()

    def evicted(self, store: str, count: int) -> None:
        """A cache dropped entries: ``memory`` or ``disk``."""
        self._evictions[store].inc(count)

    def worker_died(self, reason: str) -> None:
        """An engine's worker ended; ``reason`` is one of `ENGINE_ERRORS`."""
        self._engine_errors[reason].inc()

    def worker_ready(self, load_s: float) -> None:
        """An engine's worker is ready after ``load_s`` seconds."""
        self._engine_load.set(load_s)
