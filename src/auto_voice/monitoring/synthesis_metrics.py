"""Series of requests for speech, the engine that speaks them, and the cache before it."""

from typing import Callable, Optional, Tuple

from auto_voice.monitoring.series import DURATION_SECONDS, Counter, Families, Histogram, Live

OUTCOMES = ("success", "error", "timeout", "rejected", "empty", "cancelled", "invalid")
MODES = ("whole", "stream", "none")
TRANSPORTS = ("http", "sse", "websocket", "wyoming")
ENGINE_ERRORS = ("oom", "timeout", "load", "crash", "backend", "other")
CACHE_RESULTS = ("hit", "miss", "joined")
SHARED_RESULTS = ("hit", "miss", "joined", "error")
CACHE_STORES = ("memory", "disk", "redis")

_FIRST_AUDIO_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_AUDIO_SECONDS = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_UNDERRUN_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30)
_REALTIME_FACTORS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 5)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32)


class SynthesisMetrics:
    """Of every request for speech, over whatever protocol."""

    def __init__(self, families: Families, engine: str) -> None:
        self._engine = engine
        self._families = families
        self._lock = families.lock
        requests = families.counter(
            "synthesis_requests_total",
            "Requests for speech, by how they ended.",
            ("engine", "mode", "outcome"),
        )
        self._requests = {(m, o): requests(engine, m, o) for m in MODES for o in OUTCOMES}
        duration = families.histogram(
            "synthesis_duration_seconds",
            "Seconds from a request for speech to its last byte.",
            DURATION_SECONDS,
            ("engine", "mode"),
        )
        self._duration = {mode: duration(engine, mode) for mode in MODES}
        first_audio = families.histogram(
            "synthesis_first_audio_seconds",
            "Seconds from a request for speech to its first audio.",
            _FIRST_AUDIO_SECONDS,
            ("engine", "transport"),
        )
        self._first_audio = {way: first_audio(engine, way) for way in TRANSPORTS}
        underrun = families.histogram(
            "synthesis_underrun_seconds",
            "Seconds that somebody who listens while a text is spoken had to wait in between.",
            _UNDERRUN_SECONDS,
            ("transport",),
        )
        self._underrun = {way: underrun(way) for way in TRANSPORTS}

        def histogram(name: str, about: str, bounds: Tuple[float, ...]) -> Histogram:
            return families.histogram(name, about, bounds, ("engine",))(engine)

        def counter(name: str, about: str) -> Counter:
            return families.counter(name, about, ("engine",))(engine)

        self._queue_wait = histogram(
            "synthesis_queue_wait_seconds",
            "Seconds a request's first sentence waited for a worker.",
            _WAIT_SECONDS,
        )
        self._realtime_factor = histogram(
            "synthesis_realtime_factor",
            "Seconds of speaking for a second of audio, for each request that was not cached.",
            _REALTIME_FACTORS,
        )
        self._audio_duration = histogram(
            "synthesis_audio_duration_seconds", "Seconds of audio in an answer.", _AUDIO_SECONDS
        )
        self._batch_size = histogram(
            "synthesis_batch_size", "Sentences that the engine spoke at once.", _BATCH_SIZES
        )
        self._compute = counter(
            "synthesis_compute_seconds_total", "Seconds that workers spent speaking."
        )
        self._audio = counter("synthesis_audio_seconds_total", "Seconds of audio made.")
        self._characters = counter(
            "synthesis_input_characters_total", "Characters of text that were to be spoken."
        )

    def watch(self, *, waiting: Live, in_progress: Live, capacity: int) -> None:
        """Read these at each scrape."""
        for name, about, read in (
            ("queue_depth", "Sentences waiting for a worker.", waiting),
            ("in_progress", "Requests in synthesis or waiting for it.", in_progress),
            (
                "queue_capacity",
                "Requests that may be in synthesis or wait for it.",
                lambda: capacity,
            ),
        ):
            self._families.gauge(f"synthesis_{name}", about, read, {"engine": self._engine})

    def refused(self, outcome: str) -> None:
        """A request ended before its first audio."""
        with self._lock:
            self._requests["none", outcome].value += 1

    def done(
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
        made_s: float,
        audio_s: float,
        sentences: int,
        underrun_s: float,
    ) -> None:
        """A request ended after its first audio.

        Args:
            made_s: seconds of audio spoken for it; 0.0 for what came out of the cache.
            audio_s: seconds of audio in the answer.
            sentences: how many the engine spoke for it.
        """
        with self._lock:
            self._requests[mode, outcome].value += 1
            self._duration[mode].observe(duration_s)
            if first_audio_s is not None:
                self._first_audio[transport].observe(first_audio_s)
            if mode == "stream":
                self._underrun[transport].observe(underrun_s)
            self._audio_duration.observe(audio_s)
            self._characters.value += characters
            if sentences:
                self._queue_wait.observe(queue_wait_s)
                self._batch_size.observe(1, sentences)
                self._compute.value += compute_s
                self._audio.value += made_s
                if made_s:
                    self._realtime_factor.observe(compute_s / made_s)


class CacheMetrics:
    """Of the cache for finished audio."""

    def __init__(self, families: Families) -> None:
        self._families = families
        self._lock = families.lock
        requests = families.counter(
            "cache_requests_total",
            "Look-ups in a cache; joined: shared what another request was making.",
            ("cache", "result"),
        )
        self._requests = {
            (cache, result): requests(cache, result)
            for cache, results in (("audio", CACHE_RESULTS), ("redis", SHARED_RESULTS))
            for result in results
        }
        evictions = families.counter(
            "cache_evictions_total", "Entries dropped to make room.", ("cache",)
        )
        self._evictions = {store: evictions(store) for store in CACHE_STORES}

    def watch(self, size_bytes: Callable[[], Tuple[int, int, int]]) -> None:
        """Read bytes in each of `CACHE_STORES` at each scrape."""
        self._families.gauges(
            "cache_size_bytes",
            "Bytes kept.",
            ("cache",),
            lambda: [((store,), size) for store, size in zip(CACHE_STORES, size_bytes())],
        )

    def asked(self, result: str, cache: str = "audio") -> None:
        """It was asked, or Redis, because it had nothing.

        Args:
            result: one of `CACHE_RESULTS`, of ``redis`` one of `SHARED_RESULTS`.
        """
        with self._lock:
            self._requests[cache, result].value += 1

    def evicted(self, store: str, count: int) -> None:
        """Entries were dropped from one of `CACHE_STORES`."""
        with self._lock:
            self._evictions[store].value += count


class EngineMetrics:
    """Of an engine's worker processes."""

    def __init__(self, families: Families, engine: str) -> None:
        self._families = families
        self._lock = families.lock
        self._labels = {"engine": engine}
        errors = families.counter(
            "engine_errors_total",
            "Worker processes that ended by themselves or had to be ended.",
            ("engine", "reason"),
        )
        self._errors = {reason: errors(engine, reason) for reason in ENGINE_ERRORS}
        self._load_s = 0.0
        families.gauge(
            "engine_load_duration_seconds",
            "Seconds the newest worker took from its start to its first word.",
            lambda: self._load_s,
            self._labels,
        )

    def watch(self, *, ready_workers: Live, workers: int, last_success: Live) -> None:
        """Read these at each scrape; ``workers``: how many there should be."""
        self._families.gauge(
            "engine_ready",
            "1 while at least one worker has spoken and runs.",
            lambda: float(ready_workers() > 0),
            self._labels,
        )
        self._families.gauge(
            "engine_workers", "Workers there should be.", lambda: workers, self._labels
        )
        self._families.gauge(
            "engine_workers_ready",
            "Workers that have spoken and run.",
            ready_workers,
            self._labels,
        )
        self._families.gauge(
            "engine_last_success_timestamp_seconds",
            "Unix time of the last utterance spoken.",
            last_success,
            self._labels,
        )

    def worker_died(self, reason: str) -> None:
        """A worker ended; ``reason`` is one of `ENGINE_ERRORS`."""
        with self._lock:
            self._errors[reason].value += 1

    def worker_ready(self, load_s: float) -> None:
        """A worker is ready after ``load_s`` seconds."""
        self._load_s = load_s
