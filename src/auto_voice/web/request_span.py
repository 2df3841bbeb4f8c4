"""A request as a span, in the words of OpenTelemetry's semantic conventions for HTTP.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/. The text to be
spoken is in none of it, so neither is a query, nor a path that is no endpoint's.
"""

from typing import TYPE_CHECKING, Any, Dict

import msgspec

from auto_voice.errors import Cancelled
from auto_voice.monitoring.metrics import METHODS, UNMATCHED
from auto_voice.utils.tracing_context import SAMPLED, Context, Span, clean_tracestate

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from auto_voice.monitoring.tracing import Tracing

_FACTS = (
    "engine",
    "voice",
    "format",
    "characters",
    "audio_s",
    "cache",
    "outcome",
    "queue_wait_ms",
    "first_audio_ms",
)
"""What of a request's log line is on its span, too, as ``autovoice.…``."""

_MAX_CHARS = 256
"""Of what a client makes up."""


class RequestSpans:
    """Begins and ends the spans of requests."""

    def __init__(self, tracing: "Tracing") -> None:
        self._tracing = tracing

    def begin(self, context: Context, environ: "WSGIEnvironment") -> Context:
        """The same context with its span; without one if its trace is not sampled."""
        span = self._tracing.begin(
            _name(environ),
            trace_id=context.trace_id,
            span_id=context.span_id,
            parent_id=context.parent_id,
            flags=context.flags,
            tracestate=clean_tracestate(context.tracestate),
            attributes=_asked(environ, context),
        )
        flags = context.flags & ~SAMPLED if span is None else context.flags | SAMPLED
        return msgspec.structs.replace(context, span=span, flags=flags)

    def end(
        self,
        span: Span,
        environ: "WSGIEnvironment",
        facts: Dict[str, Any],
        status: int,
        body_bytes: int,
    ) -> None:
        """The answer has been sent, or given up."""
        attributes: Dict[str, Any] = {
            "http.response.status_code": status,
            "http.response.body.size": body_bytes,
        }
        route = facts["route"]
        if route != UNMATCHED:
            attributes["http.route"] = route
            attributes["url.path"] = environ["PATH_INFO"][:_MAX_CHARS]
        for name in _FACTS:
            if name in facts:
                attributes[f"autovoice.{name}"] = facts[name]
        error = facts.get("error", "")
        if error:
            attributes["error.type"] = error
        span.update(_name(environ, route), attributes)
        # What the client did wrong, or that it left, is no error of the server's; a stream that
        # broke off is one, although its status said 200.
        broken = status >= 500 or (status < 400 and error not in ("", Cancelled.code))
        span.end(error or str(status) if broken else "")


def _name(environ: "WSGIEnvironment", route: str = UNMATCHED) -> str:
    method = environ["REQUEST_METHOD"]
    known = method if method in METHODS else "HTTP"
    return known if route == UNMATCHED else f"{known} {route}"


def _asked(environ: "WSGIEnvironment", context: Context) -> Dict[str, Any]:
    method = environ["REQUEST_METHOD"]
    known = method in METHODS
    host, _, port = environ.get("HTTP_HOST", "").rpartition(":")
    if not (port.isdigit() and len(port) <= 5):
        host, port = environ.get("HTTP_HOST", ""), ""
    attributes: Dict[str, Any] = {
        "http.request.method": method if known else "_OTHER",
        "http.request.method_original": "" if known else method[:_MAX_CHARS],
        "url.scheme": environ.get("wsgi.url_scheme", "http"),
        "network.protocol.version": environ.get("SERVER_PROTOCOL", "").rpartition("/")[2],
        "server.address": host[:_MAX_CHARS],
        "server.port": int(port or 0),
        "client.address": environ.get("REMOTE_ADDR", ""),
        "user_agent.original": environ.get("HTTP_USER_AGENT", "")[:_MAX_CHARS],
        "autovoice.request_id": context.request_id,
    }
    return {name: value for name, value in attributes.items() if value}
