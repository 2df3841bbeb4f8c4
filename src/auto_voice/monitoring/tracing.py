"""Spans through OpenTelemetry's SDK, sent in batches over OTLP (HTTP, protobuf).

Where to, with which headers, which traces and by which batches is said by the
standard variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, …), which
the SDK reads itself. Importing this module needs the extra ``tracing``, so it is
imported where tracing is switched on only; switched off, it costs nothing.
"""

from __future__ import annotations

import contextvars
import logging
import os
import re
import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
)
from opentelemetry.trace import Span as SDKSpan
from opentelemetry.trace import (
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from auto_voice import __version__
from auto_voice.errors import SettingsError

log = logging.getLogger(__name__)

FLUSH_S = 2.0
"""How long the end of the server may wait for the last spans to be sent."""

_COMPLAIN_EVERY_S = 60.0
_SDK_LOG = logging.getLogger("opentelemetry")
_DEFAULT_ENDPOINT = "http://localhost:4318"
_CONVENTIONS = "https://opentelemetry.io/schemas/1.27.0"
"""The semantic conventions that attributes follow."""


def check() -> None:
    """Whether OpenTelemetry's variables make sense; the SDK itself would not say before it sends.

    Raises:
        SettingsError: one of them does not.
    """
    for name, (is_right, right) in _VARIABLES.items():
        variable, value = _said(name)
        if value and not is_right(value):
            raise SettingsError(f"{variable} has to be {right}.")  # the value may be a secret
    try:
        OTLPSpanExporter()
    except ValueError as error:  # older releases take whole seconds only
        raise SettingsError(f"OTEL_EXPORTER_OTLP_…: {error}") from None


def address() -> Tuple[str, int]:
    """The collector's host and port, as OpenTelemetry's variables say."""
    url = urlsplit(_said("ENDPOINT")[1] or _DEFAULT_ENDPOINT)
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def _said(name: str) -> Tuple[str, str]:
    """A variable for exporters and its value; the one for traces goes first."""
    for variable in (f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        value = os.environ.get(variable, "").strip()
        if value:
            return variable, value
    return "", ""


def _is_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is none
        return False


_VARIABLES: Dict[str, Tuple[Callable[[str], object], str]] = {
    "ENDPOINT": (_is_url, "a URL such as http://collector:4318"),
    "PROTOCOL": (re.compile("http/protobuf").fullmatch, "http/protobuf, all that AutoVoice sends"),
    "TIMEOUT": (re.compile(r"\d+(\.\d+)?").fullmatch, "a number of seconds"),
    "COMPRESSION": (re.compile("none|gzip|deflate").fullmatch, "none, gzip or deflate"),
}
"""What OpenTelemetry's variables for exporters may be here."""


class Tracing:
    """Where spans go: to the collector, from a thread of the SDK's. Safe for threads."""

    def __init__(self) -> None:
        """Begin.

        Raises:
            SettingsError: one of OpenTelemetry's variables makes no sense.
        """
        check()
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            resource=_resource(), id_generator=self._ids, shutdown_on_exit=False
        )
        self._trouble = _Trouble()
        self._closing = threading.Lock()
        self._closed = False
        exporter = _Reporting(OTLPSpanExporter(), self._trouble)
        try:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        except ValueError as error:
            raise SettingsError(f"OTEL_BSP_…: {error}") from None
        self._tracer = self._provider.get_tracer("auto_voice", __version__, _CONVENTIONS)
        # Not before now: what the SDK says about its variables is no trouble with the collector.
        self._trouble.watch()

    def begin(
        self,
        name: str,
        *,
        trace_id: str,
        span_id: str,
        parent_id: str,
        flags: int,
        tracestate: str,
        attributes: Mapping[str, Any],
    ) -> Optional[Span]:
        """A request's span, which begins now; None if its trace is not to be recorded.

        Args:
            parent_id: the caller's span; empty if there is none.
            tracestate: well-formed, or empty.
        """
        within = Context()
        if parent_id:
            parent = SpanContext(
                int(trace_id, 16),
                int(parent_id, 16),
                is_remote=True,
                trace_flags=TraceFlags(flags),
                trace_state=TraceState.from_header([tracestate]) if tracestate else None,
            )
            within = set_span_in_context(NonRecordingSpan(parent), within)
        self._ids.give(int(trace_id, 16), int(span_id, 16))
        try:
            span = self._tracer.start_span(name, within, SpanKind.SERVER, dict(attributes))
        finally:
            self._ids.give(None, None)
        if not (span.is_recording() and span.get_span_context().trace_flags.sampled):
            return None
        return Span(self._tracer, span, time.time_ns() - time.monotonic_ns())

    def close(self, timeout_s: float = FLUSH_S) -> None:
        """Send what has ended, as far as that can be done in time; nothing after that."""
        # Whoever comes second waits for the first: the process may end right after.
        with self._closing:
            if self._closed:
                return
            self._closed = True
            # The SDK would wait for a collector that does not answer longer than anybody wants.
            ending = threading.Thread(
                target=self._provider.shutdown, name="last-spans", daemon=True
            )
            ending.start()
            ending.join(timeout_s)
            if ending.is_alive():
                log.warning("the last spans could not be sent in time")
            else:
                self._trouble.unwatch()


class Span:
    """A step of a request, sent when it ends; what `tracing_context.Span` asks for.

    Its parent is the step it was made from, whatever the SDK calls current.
    """

    __slots__ = ("_tracer", "_span", "_clock_ns")

    def __init__(self, tracer: Tracer, span: SDKSpan, clock_ns: int) -> None:
        """``clock_ns``: from time.monotonic_ns() to time.time_ns()."""
        self._tracer = tracer
        self._span = span
        self._clock_ns = clock_ns

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits."""
        return f"{self._span.get_span_context().span_id:016x}"

    def child(self, name: str) -> Span:
        """A step within this one, which begins now."""
        span = self._tracer.start_span(name, set_span_in_context(self._span, Context()))
        return Span(self._tracer, span, self._clock_ns)

    def record(
        self,
        name: str,
        began: float,
        ended: float,
        attributes: Mapping[str, Any],
        error: str = "",
    ) -> None:
        """A step within this one that is over already; times are time.monotonic()'s."""
        span = self._tracer.start_span(
            name,
            set_span_in_context(self._span, Context()),
            attributes=dict(attributes),
            start_time=self._clock_ns + int(1e9 * began),
        )
        _end(span, error, self._clock_ns + int(1e9 * ended))

    def link(self, other: Any) -> None:
        """Part of the work was done in another trace, by the span ``other``."""
        if isinstance(other, Span):
            self._span.add_link(other._span.get_span_context())

    def update(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Give it another name and more attributes."""
        self._span.update_name(name)
        self._span.set_attributes(dict(attributes))

    def end(self, error: str = "") -> None:
        """It is over; ``error`` names the kind of failure, if it is one."""
        _end(self._span, error)


def _end(span: SDKSpan, error: str, ended_ns: Optional[int] = None) -> None:
    if error:
        span.set_status(Status(StatusCode.ERROR))
        span.set_attribute("error.type", error)
    span.end(ended_ns)


def _resource() -> Resource:
    """Who sends: what the variables say, and AutoVoice by default."""
    said = Resource.create({SERVICE_VERSION: __version__})
    if str(said.attributes[SERVICE_NAME]).startswith("unknown_service"):
        said = said.merge(Resource({SERVICE_NAME: "autovoice"}))
    return said


class _GivenIds(RandomIdGenerator):
    """Ids for the next span of this thread; the SDK's own random ones for all others."""

    def __init__(self) -> None:
        self._given = threading.local()

    def give(self, trace_id: Optional[int], span_id: Optional[int]) -> None:
        self._given.ids = trace_id, span_id

    def generate_trace_id(self) -> int:
        return getattr(self._given, "ids", (None, None))[0] or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return getattr(self._given, "ids", (None, None))[1] or super().generate_span_id()


class _Reporting(SpanExporter):
    """An exporter that notices when spans get through."""

    def __init__(self, exporter: SpanExporter, trouble: _Trouble) -> None:
        self._exporter = exporter
        self._trouble = trouble

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._trouble.over()
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Trouble(logging.Handler):
    """Passes the SDK's complaints on: the first, and then none until spans get through again.

    The SDK complains of each batch, and with a full queue of each span. With a
    collector that comes and goes, one a minute is enough.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said = False
        self._next = 0.0

    def watch(self) -> None:
        _SDK_LOG.addHandler(self)
        _SDK_LOG.propagate = False
        _SDK_LOG.setLevel(logging.WARNING)

    def unwatch(self) -> None:
        _SDK_LOG.removeHandler(self)
        _SDK_LOG.propagate = True
        _SDK_LOG.setLevel(logging.NOTSET)

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if self._said or now < self._next:
            return
        self._said = True
        self._next = now + _COMPLAIN_EVERY_S
        _SDK_LOG.setLevel(logging.CRITICAL + 1)  # so that the next ones cost nothing
        reason = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            reason += f" ({record.exc_info[1]})"
        # Of no request in particular, although one may have found the queue full.
        say = contextvars.Context().run
        say(log.warning, "spans do not reach the collector: %s", reason[:500])

    def over(self) -> None:
        if not self._said:
            return
        self._said = False
        _SDK_LOG.setLevel(logging.WARNING)
        log.info("spans reach the collector again")
