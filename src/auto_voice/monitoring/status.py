"""What the server does now, for the page at /status: the figures of /metrics, put together."""

import time
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional

import msgspec
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from typing_extensions import Annotated

from auto_voice.monitoring.health import Health
from auto_voice.monitoring.metrics import Metrics
from auto_voice.monitoring.recent_errors import RecentError, RecentErrors
from auto_voice.monitoring.window import FAILED, FAMILIES, History, Window, read


def _says(description: str) -> msgspec.Meta:
    return msgspec.Meta(description=description)


class Count(msgspec.Struct, frozen=True):
    """Something that is counted."""

    total: Annotated[int, _says("Since the server's start.")]
    recent: Annotated[int, _says("In the window.")]


class Bucket(msgspec.Struct, frozen=True):
    """A bucket of a histogram, with the values above the bucket before."""

    upto_s: Annotated[Optional[float], _says("Its upper bound in seconds; null: none.")]
    recent: Annotated[int, _says("In the window.")]


class FirstAudio(msgspec.Struct, frozen=True):
    """Seconds from a request for speech to its first audio."""

    p50_s: Annotated[Optional[float], _says("The median in the window; null without any.")]
    p95_s: Annotated[
        Optional[float],
        _says("95 of 100 in the window were no slower. The last bound stands for all above it."),
    ]
    buckets: List[Bucket]


class Speech(msgspec.Struct, frozen=True):
    """Requests for speech that have ended."""

    requests: Count
    per_s: Annotated[float, _says("In the window.")]
    outcomes: Dict[str, Count]
    first_audio: FirstAudio


class Http(msgspec.Struct, frozen=True):
    """HTTP requests, without those for health, metrics and this."""

    requests: Count
    per_s: Annotated[float, _says("In the window.")]
    statuses: Annotated[Dict[str, Count], _says("`2xx` and so on.")]


class Queue(msgspec.Struct, frozen=True):
    """Speech under way."""

    in_progress: Annotated[int, _says("Requests in synthesis or waiting for it.")]
    capacity: Annotated[int, _says("Requests that may be.")]
    waiting: Annotated[int, _says("Sentences that wait for a worker.")]


class EngineState(msgspec.Struct, frozen=True):
    """An engine and its workers."""

    name: str
    ready: bool
    workers: Annotated[int, _says("How many there should be.")]
    workers_ready: int
    last_success: Annotated[Optional[float], _says("Unix time of the last utterance spoken.")]
    load_s: Annotated[Optional[float], _says("The newest worker's, from start to first word.")]
    errors: Annotated[Dict[str, int], _says("Since the start, by reason.")]
    waiting: Annotated[int, _says("Sentences that wait for a worker.")]
    voices: Annotated[int, _says("That can be used.")]
    voices_broken: Annotated[int, _says("Installed, but of no use.")]


class CacheState(msgspec.Struct, frozen=True):
    """The cache for finished audio."""

    results: Annotated[Dict[str, Count], _says("Look-ups.")]
    hit_ratio: Annotated[Optional[float], _says("In the window; null without any look-up.")]
    hit_ratio_since_start: Optional[float]
    size_bytes: Dict[str, int]
    evictions: Annotated[int, _says("Since the start.")]


class GpuState(msgspec.Struct, frozen=True):
    """A GPU; null where its driver does not tell."""

    gpu: str
    model: Optional[str]
    utilization_ratio: Optional[float]
    memory_used_bytes: Optional[float]
    memory_limit_bytes: Optional[float]
    process_memory_bytes: Optional[float]
    temperature_celsius: Optional[float]


class Check(msgspec.Struct, frozen=True):
    """A health check, as last looked at."""

    name: str
    passed: bool
    output: Annotated[Optional[str], _says("Why it failed.")]
    needed: Annotated[bool, _says("Whether the server is not ready while it fails.")] = True


class Point(msgspec.Struct, frozen=True):
    """Some seconds of the last minutes."""

    at: Annotated[float, _says("Unix time of their end.")]
    speech_per_s: float
    failed_per_s: Annotated[float, _says("Those that count against the server.")]
    first_audio_p95_s: Optional[float]
    in_progress: int


class Status(msgspec.Struct, frozen=True):
    """What the server does now. It tells what /metrics tells, and the last errors."""

    version: str
    revision: str
    slot: str
    started: Annotated[float, _says("Unix time. Another one: the server was restarted.")]
    now: Annotated[float, _says("Unix time on the server.")]
    uptime_s: float
    draining: bool
    checks: List[Check]
    window_s: Annotated[float, _says("Seconds that count as recent; about 60.")]
    speech: Speech
    http: Http
    queue: Queue
    engines: List[EngineState]
    cache: CacheState
    gpus: Annotated[List[GpuState], _says("Empty where there is none.")]
    gpus_complete: Annotated[
        Optional[bool], _says("Whether all that GPUs tell can be read; null: there never was one.")
    ]
    errors: Annotated[List[RecentError], _says("The last ones, newest first.")]
    history: Annotated[List[Point], _says("The last five minutes, oldest first.")]


class StatusReader:
    """Puts the status together whenever somebody asks for it."""

    def __init__(
        self,
        metrics: Metrics,
        health: Health,
        errors: RecentErrors,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock``: seconds that pass."""
        self._registry = metrics.registry
        self._health = health
        self._errors = errors
        self._clock = clock
        self._began_s = clock()
        self._started = time.time()
        self.history = History(lambda: metrics.families.some(FAMILIES), clock)
        """Must be started for more than what happened since the start."""

    def read(self) -> Status:
        """The status now. It never has the engine speak, as health checks do."""
        families = list(self._registry.collect())
        shown = _Shown(families)
        now_s, now = self._clock(), time.time()
        window = self.history.window(read(families, now_s))
        build = next(shown.labels("build_info"), {})
        up = shown.value("gpu_collector_up")
        return Status(
            version=build.get("version", ""),
            revision=build.get("revision", ""),
            slot=next(shown.labels("deployment_info"), {}).get("slot", ""),
            started=self._started,
            now=now,
            uptime_s=round(now_s - self._began_s, 3),
            draining=bool(shown.value("draining")),
            checks=[
                Check(
                    check["componentId"],
                    check["status"] == "pass",
                    check.get("output"),
                    check["status"] != "warn",
                )
                for check in self._health.checks(probe=False)
            ],
            window_s=round(window.seconds, 3),
            speech=_speech(window),
            http=_http(window),
            queue=Queue(
                int(shown.value("synthesis_in_progress") or 0),
                int(shown.value("synthesis_queue_capacity") or 0),
                int(shown.value("synthesis_queue_depth") or 0),
            ),
            engines=[_engine(shown, labels["engine"]) for labels in shown.labels("engine_ready")],
            cache=_cache(shown, window),
            gpus=[_gpu(shown, labels) for labels in shown.labels("gpu_info")],
            gpus_complete=None if up is None else bool(up),
            errors=self._errors.newest_first(),
            history=[
                _point(step, now - (now_s - step.after.at_s)) for step in self.history.steps()
            ],
        )


class _Shown:
    """The samples of a scrape, by name."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._samples: Dict[str, List[Sample]] = {}
        for family in families:
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append(sample)

    def _of(self, name: str) -> List[Sample]:
        return self._samples.get(f"autovoice_{name}", [])

    def labels(self, name: str) -> Iterator[Dict[str, str]]:
        """The labels of each sample of ``autovoice_<name>``."""
        return (sample.labels for sample in self._of(name))

    def value(self, name: str, **labels: str) -> Optional[float]:
        """The sum of the samples with these labels among theirs; None without any."""
        found = [
            sample.value for sample in self._of(name) if labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def by(self, label: str, name: str, **labels: str) -> Dict[str, int]:
        """The value for each value of a label."""
        return {
            each[label]: int(self.value(name, **{label: each[label]}, **labels) or 0)
            for each in self.labels(name)
            if labels.items() <= each.items()
        }


def _counts(totals: Mapping[str, float], recent: Mapping[str, float]) -> Dict[str, Count]:
    return {key: Count(int(total), int(recent[key])) for key, total in totals.items()}


def _sum(counts: Mapping[str, Count]) -> Count:
    return Count(
        sum(count.total for count in counts.values()),
        sum(count.recent for count in counts.values()),
    )


def _speech(window: Window) -> Speech:
    outcomes = _counts(window.after.outcomes, window.outcomes())
    requests = _sum(outcomes)
    buckets = [
        Bucket(None if bound == float("inf") else bound, int(count))
        for bound, count in zip(window.after.bounds, window.first_audio())
    ]
    first_audio = FirstAudio(
        _rounded(window.first_audio_s(0.5)), _rounded(window.first_audio_s(0.95)), buckets
    )
    return Speech(requests, round(window.rate(requests.recent), 3), outcomes, first_audio)


def _http(window: Window) -> Http:
    statuses = _counts(window.after.statuses, window.statuses())
    requests = _sum(statuses)
    return Http(requests, round(window.rate(requests.recent), 3), statuses)


def _engine(shown: _Shown, name: str) -> EngineState:
    def value(what: str) -> float:
        return shown.value(f"engine_{what}", engine=name) or 0.0

    return EngineState(
        name=name,
        ready=bool(value("ready")),
        workers=int(value("workers")),
        workers_ready=int(value("workers_ready")),
        # Both are 0 until there is something to tell.
        last_success=value("last_success_timestamp_seconds") or None,
        load_s=_rounded(value("load_duration_seconds") or None),
        errors=shown.by("reason", "engine_errors_total", engine=name),
        waiting=int(shown.value("synthesis_queue_depth", engine=name) or 0),
        voices=int(shown.value("voices", engine=name, state="usable") or 0),
        voices_broken=int(shown.value("voices", engine=name, state="broken") or 0),
    )


def _cache(shown: _Shown, window: Window) -> CacheState:
    results = _counts(window.after.cache, window.cache())
    asked = _sum(results)
    missed = results.get("miss", Count(0, 0))
    return CacheState(
        results=results,
        hit_ratio=_ratio(asked.recent - missed.recent, asked.recent),
        hit_ratio_since_start=_ratio(asked.total - missed.total, asked.total),
        size_bytes=shown.by("cache", "cache_size_bytes"),
        evictions=int(shown.value("cache_evictions_total") or 0),
    )


def _gpu(shown: _Shown, info: Mapping[str, str]) -> GpuState:
    def value(what: str) -> Optional[float]:
        return shown.value(f"gpu_{what}", gpu=info["gpu"])

    return GpuState(
        gpu=info["gpu"],
        model=info["model"] or None,
        utilization_ratio=value("utilization_ratio"),
        memory_used_bytes=value("memory_used_bytes"),
        memory_limit_bytes=value("memory_limit_bytes"),
        process_memory_bytes=value("process_memory_bytes"),
        temperature_celsius=value("temperature_celsius"),
    )


def _point(step: Window, at: float) -> Point:
    outcomes = step.outcomes()
    return Point(
        at=round(at, 1),
        speech_per_s=round(step.rate(sum(outcomes.values())), 3),
        failed_per_s=round(step.rate(sum(outcomes.get(each, 0.0) for each in FAILED)), 3),
        first_audio_p95_s=_rounded(step.first_audio_s(0.95)),
        in_progress=int(step.after.in_progress),
    )


def _ratio(part: float, whole: float) -> Optional[float]:
    return round(part / whole, 4) if whole else None


def _rounded(seconds: Optional[float]) -> Optional[float]:
    return None if seconds is None else round(seconds, 5)
