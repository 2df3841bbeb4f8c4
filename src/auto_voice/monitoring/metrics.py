"""Every Prometheus series that AutoVoice records, and who may record what.

Those of GPUs are not recorded but read at each scrape: see gpu.py.

Label values come from closed lists, so that no client can add a series, and
each of them is there, as zero, from the first scrape. What goes up and down (a
queue, connections) is looked at when Prometheus asks: counted by hand it drifts.
"""

import platform
from typing import Callable, Dict, Iterable, Mapping, Sequence, Tuple

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
)

from auto_voice import __version__
from auto_voice.monitoring.job_metrics import JobMetrics
from auto_voice.monitoring.series import DURATION_SECONDS, Counter, Families, Histogram, Live
from auto_voice.monitoring.synthesis_metrics import CacheMetrics, EngineMetrics, SynthesisMetrics
from auto_voice.monitoring.voice_metrics import VoiceMetrics
from auto_voice.monitoring.websocket_metrics import WebSocketMetrics

METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
UNMATCHED = "<unmatched>"
"""The route of paths that no endpoint has."""
OPERATION_ROUTES = (
    "/health",
    "/health/live",
    "/health/ready",
    "/health/startup",
    "/metrics",
    "/v1/status",
)
"""Asked every few seconds by machines: no traffic, and not worth a line in the log each."""

# When each series began is of no use to anybody and doubles what a scrape transfers.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The series of one server, in a registry of their own, by what they are about."""

    def __init__(
        self,
        *engines: str,
        revision: str = "unknown",
        deployment_slot: str = "default",
        of_files: Sequence[str] = (),
    ) -> None:
        """
        Args:
            engines: their names; requests for a voice that nobody has count for the first.
            of_files: those of them whose voices are files.
        """
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(PLATFORM_COLLECTOR)
        self.registry.register(GC_COLLECTOR)
        families = self.families = Families("autovoice_")
        """What the server records and reads of itself: without the process' and GPUs' series."""
        self.registry.register(families)
        self.http = HTTPMetrics(families)
        self.websocket = WebSocketMetrics(families)
        self.synthesis = SynthesisMetrics(families, engines)
        self.cache = CacheMetrics(families)
        self.engine = EngineMetrics(families, engines)
        self.voices = VoiceMetrics(families, of_files)
        self.jobs = JobMetrics(families)
        self.server = ServerMetrics(families, revision, deployment_slot)


class HTTPMetrics:
    """Of every request, whatever it is for."""

    def __init__(self, families: Families) -> None:
        self._lock = families.lock
        self._requests = families.counter(
            "http_requests_total", "HTTP requests answered.", ("method", "route", "code")
        )
        self._duration = families.histogram(
            "http_request_duration_seconds",
            "Seconds from a request's start to its last byte.",
            DURATION_SECONDS,
            ("method", "route"),
        )
        self._in_progress = 0
        families.gauge(
            "http_requests_in_progress", "HTTP requests being served.", lambda: self._in_progress
        )
        self._children: Dict[Tuple[str, str, int], Tuple[Counter, Histogram]] = {}

    def begun(self) -> None:
        """A request arrived."""
        with self._lock:
            self._in_progress += 1

    def done(self, method: str, route: str, code: int, duration_s: float) -> None:
        """A request is answered. ``route`` is a URL rule or `UNMATCHED`."""
        key = (method if method in METHODS else "other", route, code)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (
                self._requests(key[0], route, code),
                self._duration(key[0], route),
            )
        with self._lock:
            self._in_progress -= 1
            children[0].value += 1
            children[1].observe(duration_s)


class ServerMetrics:
    """Of the server itself."""

    def __init__(self, families: Families, revision: str, deployment_slot: str) -> None:
        self._families = families
        families.gauge(
            "build_info",
            "Which build this is; always 1.",
            lambda: 1,
            {
                "version": __version__,
                "revision": revision,
                "python": platform.python_version(),
            },
        )
        families.gauge(
            "deployment_info",
            "Which slot of a deployment this is; always 1.",
            lambda: 1,
            {"slot": deployment_slot, "version": __version__},
        )

    def watch(
        self,
        *,
        draining: Live,
        health_checks: Callable[[], Iterable[Tuple[str, bool]]],
        log_records: Callable[[], Mapping[str, int]],
        redactions: Live,
    ) -> None:
        """Read these at each scrape.

        Args:
            health_checks: each check's name and whether it passed when last looked at.
            log_records: how many lines were logged at each of `LOG_LEVELS`.
        """
        self._families.gauge("draining", "1 while the server finishes before it stops.", draining)
        self._families.gauges(
            "health_check_status",
            "1 if a health check passed when it was last looked at.",
            ("check",),
            lambda: (((name,), float(passed)) for name, passed in health_checks()),
        )
        self._families.live_counter(
            "log_records_total",
            "Lines logged.",
            ("level",),
            lambda: (((level,), log_records().get(level, 0)) for level in LOG_LEVELS),
        )
        self._families.live_counter(
            "log_redactions_total",
            "Secrets that were kept out of the log.",
            (),
            lambda: [((), redactions())],
        )
