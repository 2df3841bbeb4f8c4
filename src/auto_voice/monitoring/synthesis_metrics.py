"""Series of requests for speech, the engine that speaks them, and the cache before it."""

from typing import Callable, Dict, Iterable, Optional, Sequence, Tuple

from auto_voice.monitoring.series import (
    DURATION_SECONDS,
    Children,
    Counter,
    Families,
    Histogram,
    Live,
)

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


class _Speech:
    """The series of one engine's speech."""

    __slots__ = (
        "requests",
        "duration",
        "first_audio",
        "queue_wait",
        "realtime_factor",
        "audio_duration",
        "batch_size",
        "compute",
        "audio",
        "characters",
    )

    requests: Dict[Tuple[str, str], Counter]
    duration: Dict[str, Histogram]
    first_audio: Dict[str, Histogram]
    queue_wait: Histogram
    realtime_factor: Histogram
    audio_duration: Histogram
    batch_size: Histogram
    compute: Counter
    audio: Counter
    characters: Counter


class SynthesisMetrics:
    """Of every request for speech, over whatever protocol."""

    def __init__(self, families: Families, engines: Sequence[str]) -> None:
        """``engines``: a request that no engine was found for counts as the first one's."""
        self._families = families
        self._lock = families.lock
        self._of: Dict[str, _Speech] = {engine: _Speech() for engine in engines}
        self._first = self._of[engines[0]]
        requests = families.counter(
            "synthesis_requests_total",
            "Requests for speech, by how they ended.",
            ("engine", "mode", "outcome"),
        )
        duration = families.histogram(
            "synthesis_duration_seconds",
            "Seconds from a request for speech to its last byte.",
            DURATION_SECONDS,
            ("engine", "mode"),
        )
        first_audio = families.histogram(
            "synthesis_first_audio_seconds",
            "Seconds from a request for speech to its first audio.",
            _FIRST_AUDIO_SECONDS,
            ("engine", "transport"),
        )
        underrun = families.histogram(
            "synthesis_underrun_seconds",
            "Seconds that somebody who listens while a text is spoken had to wait in between.",
            _UNDERRUN_SECONDS,
            ("transport",),
        )
        self._underrun = {way: underrun(way) for way in TRANSPORTS}

        def histogram(name: str, about: str, bounds: Tuple[float, ...]) -> Children[Histogram]:
            return families.histogram(f"synthesis_{name}", about, bounds, ("engine",))

        def counter(name: str, about: str) -> Children[Counter]:
            return families.counter(f"synthesis_{name}", about, ("engine",))

        queue_wait = histogram(
            "queue_wait_seconds",
            "Seconds a request's first sentence waited for a worker.",
            _WAIT_SECONDS,
        )
        realtime_factor = histogram(
            "realtime_factor",
            "Seconds of speaking for a second of audio, for each request that was not cached.",
            _REALTIME_FACTORS,
        )
        audio_duration = histogram(
            "audio_duration_seconds", "Seconds of audio in an answer.", _AUDIO_SECONDS
        )
        batch_size = histogram(
            "batch_size", "Sentences that the engine spoke at once.", _BATCH_SIZES
        )
        compute = counter("compute_seconds_total", "Seconds that workers spent speaking.")
        audio = counter("audio_seconds_total", "Seconds of audio made.")
        characters = counter("input_characters_total", "Characters of text that were to be spoken.")
        for engine, of in self._of.items():
            of.requests = {(m, o): requests(engine, m, o) for m in MODES for o in OUTCOMES}
            of.duration = {mode: duration(engine, mode) for mode in MODES}
            of.first_audio = {way: first_audio(engine, way) for way in TRANSPORTS}
            of.queue_wait, of.realtime_factor = queue_wait(engine), realtime_factor(engine)
            of.audio_duration, of.batch_size = audio_duration(engine), batch_size(engine)
            of.compute, of.audio, of.characters = compute(engine), audio(engine), characters(engine)

    def watch(self, *, waiting: Callable[[str], int], in_progress: Live, capacity: int) -> None:
        """Read these at each scrape; ``waiting``: of an engine."""
        self._families.gauges(
            "synthesis_queue_depth",
            "Sentences waiting for a worker.",
            ("engine",),
            lambda: [((engine,), waiting(engine)) for engine in self._of],
        )
        self._families.gauge(
            "synthesis_in_progress", "Requests in synthesis or waiting for it.", in_progress
        )
        self._families.gauge(
            "synthesis_queue_capacity",
            "Requests that may be in synthesis or wait for it.",
            lambda: capacity,
        )

    def refused(self, outcome: str, engine: str = "") -> None:
        """A request ended before its first audio; ``engine``: whose voice it was to be."""
        with self._lock:
            self._of.get(engine, self._first).requests["none", outcome].value += 1

    def done(
        self,
        *,
        engine: str,
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
            engine: of the voice that the request names.
            made_s: seconds of audio spoken for it; 0.0 for what came out of the cache.
            audio_s: seconds of audio in the answer.
            sentences: how many were spoken for it.
        """
        with self._lock:
            of = self._of.get(engine, self._first)
            of.requests[mode, outcome].value += 1
            of.duration[mode].observe(duration_s)
            if first_audio_s is not None:
                of.first_audio[transport].observe(first_audio_s)
            if mode == "stream":
                self._underrun[transport].observe(underrun_s)
            of.audio_duration.observe(audio_s)
            of.characters.value += characters
            if sentences:
                of.queue_wait.observe(queue_wait_s)
                of.batch_size.observe(1, sentences)
                of.compute.value += compute_s
                of.audio.value += made_s
                if made_s:
                    of.realtime_factor.observe(compute_s / made_s)


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
    """Of the engines' worker processes, and their voices."""

    def __init__(self, families: Families, engines: Sequence[str]) -> None:
        self._families = families
        self._lock = families.lock
        errors = families.counter(
            "engine_errors_total",
            "Worker processes that ended by themselves or had to be ended.",
            ("engine", "reason"),
        )
        self._errors = {(e, reason): errors(e, reason) for e in engines for reason in ENGINE_ERRORS}
        self._load_s = dict.fromkeys(engines, 0.0)
        families.gauges(
            "engine_load_duration_seconds",
            "Seconds the newest worker took from its start to its first word.",
            ("engine",),
            lambda: [((engine,), load_s) for engine, load_s in self._load_s.items()],
        )

    def watch(
        self,
        *,
        workers: Callable[[str], int],
        ready_workers: Callable[[str], int],
        last_success: Callable[[str], float],
        voices: Callable[[], Iterable[Tuple[Tuple[str, str], int]]],
    ) -> None:
        """Read these at each scrape.

        Args:
            workers: how many an engine should have; 0 while nobody needs it, and then it has no
                series of these.
            voices: engine and state, with the number of such voices.
        """

        def gauges(name: str, about: str, read: Callable[[str], float]) -> None:
            self._families.gauges(
                f"engine_{name}",
                about,
                ("engine",),
                lambda: [((engine,), read(engine)) for engine in self._load_s if workers(engine)],
            )

        gauges(
            "ready",
            "1 while at least one worker has spoken and runs.",
            lambda engine: float(ready_workers(engine) > 0),
        )
        gauges("workers", "Workers there should be.", workers)
        gauges("workers_ready", "Workers that have spoken and run.", ready_workers)
        gauges(
            "last_success_timestamp_seconds",
            "Unix time of the last utterance spoken.",
            last_success,
        )
        self._families.gauges("voices", "Voices, by their state.", ("engine", "state"), voices)

    def worker_died(self, engine: str, reason: str) -> None:
        """A worker ended; ``reason`` is one of `ENGINE_ERRORS`."""
        with self._lock:
            self._errors[engine, reason].value += 1

    def worker_ready(self, engine: str, load_s: float) -> None:
        """A worker is ready after ``load_s`` seconds."""
        self._load_s[engine] = load_s
