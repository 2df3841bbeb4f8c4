"""Around every request: its id, its place in a trace, its one log line, its metrics."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, Optional

from auto_voice.errors import AutoVoiceError
from auto_voice.monitoring.metrics import METHODS, OPERATION_ROUTES, UNMATCHED, Metrics
from auto_voice.monitoring.recent_errors import RecentErrors
from auto_voice.utils.tracing_context import Context, current, received
from auto_voice.web.request_span import RequestSpans

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("auto_voice.access")

FACTS = "autovoice.facts"
"""The WSGI environment's key for what the log line shall say; ``route`` is for the metrics, too."""

_QUIET_ROUTES = (*OPERATION_ROUTES, "/studio/<file>")
_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class Observed:
    """WSGI middleware; counts a request until its last byte is sent.

    Code runs in the request's context whenever it runs for the request, and then
    only: while an answer waits to be sent on, its thread may serve another one.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        metrics: Metrics,
        spans: Optional[RequestSpans] = None,
        errors: Optional[RecentErrors] = None,
    ) -> None:
        """
        Args:
            spans: where requests are sent to a collector, who does so.
            errors: who remembers requests that failed, if anybody shall.
        """
        self._app = app
        self._metrics = metrics
        self._spans = spans
        self._errors = errors

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        began = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        context = received(
            given if _ID.fullmatch(given) else "",
            environ.get("HTTP_TRACEPARENT", ""),
            environ.get("HTTP_TRACESTATE", ""),
        )
        if self._spans is not None and environ["PATH_INFO"] not in OPERATION_ROUTES:
            context = self._spans.begin(context, environ)
        facts: Dict[str, Any] = {"route": UNMATCHED}
        environ[FACTS] = facts
        own = [("X-Request-ID", context.request_id), ("traceparent", context.traceparent)]
        status = [500]

        def start(line: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            status[0] = int(line[:3])
            if exc_info is not None:
                return start_response(line, headers + own, exc_info)
            return start_response(line, headers + own)

        self._metrics.http.begun()
        counted = _Counted(self, environ, facts, status, began, context)
        token = current.set(context)
        try:
            counted.body = self._app(environ, start)
        except BaseException:
            facts.setdefault("error", AutoVoiceError.code)
            counted.close()
            raise
        finally:
            current.reset(token)
        return counted

    def done(self, counted: "_Counted") -> None:
        """The answer has been sent, or given up."""
        environ, facts, status = counted.environ, counted.facts, counted.status[0]
        duration_s = time.perf_counter() - counted.began
        method = environ.get("REQUEST_METHOD", "")
        route = facts["route"]
        self._metrics.http.done(method, route, status, duration_s)
        if self._errors is not None and "error" in facts:
            self._errors.note(
                code=facts["error"],
                status=status,
                method=method if method in METHODS else "other",
                route=route,
                request_id=counted.context.request_id,
            )
        # Those who ask every few seconds, and a page's many files, are worth one only if they fail.
        quiet = route in _QUIET_ROUTES and status < 400
        level = logging.DEBUG if quiet else logging.INFO
        if log.isEnabledFor(level):
            line = {
                "method": method,
                "status": status,
                "duration_ms": round(1e3 * duration_s, 3),
                "bytes": counted.bytes,
                "client": environ.get("REMOTE_ADDR", ""),
            }
            line.update(facts)
            log.log(level, "%s %s %d", method, route, status, extra={"facts": line})
        if counted.context.span is not None and self._spans is not None:
            self._spans.end(counted.context.span, environ, facts, status, counted.bytes)


class _Counted:
    """An answer's body whose bytes and end are noticed."""

    def __init__(
        self,
        observed: Observed,
        environ: "WSGIEnvironment",
        facts: Dict[str, Any],
        status: "list[int]",
        began: float,
        context: Context,
    ) -> None:
        self.body: Iterable[bytes] = ()
        self.bytes = 0
        self.environ = environ
        self.facts = facts
        self.status = status
        self.began = began
        self.context = context
        self._observed = observed
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        pieces = iter(self.body)
        while True:
            token = current.set(self.context)
            try:
                piece = next(pieces, None)
            except Exception:
                self.facts.setdefault("error", AutoVoiceError.code)
                raise
            finally:
                current.reset(token)
            if piece is None:
                return
            self.bytes += len(piece)
            yield piece

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        token = current.set(self.context)
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                close()
        finally:
            try:
                self._observed.done(self)
            finally:
                current.reset(token)
