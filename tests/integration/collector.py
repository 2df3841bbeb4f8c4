"""An OpenTelemetry collector for the tests: takes OTLP over HTTP and remembers the spans."""

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.integration.serving import PATIENCE_S


class Received(NamedTuple):
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    began_ns: int
    ended_ns: int
    attributes: Dict[str, Any]
    is_error: bool
    tracestate: str
    links: List[str]
    """The ids of the spans it points to."""
    resource: Dict[str, Any]
    """Attributes of who sent it."""


class Collector:
    """Listens on a free port, or on the one given."""

    def __init__(self, port: int = 0) -> None:
        self.raw: List[bytes] = []
        """What arrived, as it arrived."""
        self.headers: List[Dict[str, str]] = []
        self._spans: List[Received] = []
        self._changed = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector._take(self.path, headers, body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _take(self, path: str, headers: Dict[str, str], body: bytes) -> None:
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert path == "/v1/traces", path
        assert headers["content-type"] == "application/x-protobuf"
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            Received(
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                kind=span.kind,
                began_ns=span.start_time_unix_nano,
                ended_ns=span.end_time_unix_nano,
                attributes=_attributes(span.attributes),
                is_error=span.status.code == span.status.STATUS_CODE_ERROR,
                tracestate=span.trace_state,
                links=[link.span_id.hex() for link in span.links],
                resource=_attributes(resource.resource.attributes),
            )
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._changed:
            self.raw.append(body)
            self.headers.append(headers)
            self._spans += found
            self._changed.notify_all()

    def spans(self, **wanted: Any) -> List[Received]:
        """Those that arrived so far with these values: `spans(name="queue", trace_id=…)`."""
        with self._changed:
            return [
                span
                for span in self._spans
                if all(getattr(span, name) == value for name, value in wanted.items())
            ]

    def wait_for(self, enough: Callable[[List[Received]], Any], what: str, **wanted: Any) -> Any:
        """Wait until the spans with these values are ``enough``; returns them."""
        give_up = time.monotonic() + PATIENCE_S
        with self._changed:
            while not enough(self.spans(**wanted)):
                left = give_up - time.monotonic()
                assert left > 0, f"{what} did not come, but {self.spans(**wanted)}"
                self._changed.wait(left)
            return self.spans(**wanted)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _attributes(pairs: Any) -> Dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
