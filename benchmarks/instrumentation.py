"""What watching a request costs: metrics, its id, and its line in the log.

Each way is an application that answers at once, with and without being watched;
the difference is what watching takes. Rounds alternate between the ways, so that
a busy moment hits all of them.
"""

import io
import json
import logging
import statistics
import sys
import time
from contextlib import redirect_stdout
from typing import Any, Callable, Dict, Iterable, List

from prometheus_client import generate_latest

from auto_voice.monitoring.metrics import Metrics
from auto_voice.settings import Settings
from auto_voice.utils.logging_config import setup_logging
from auto_voice.web.observe import FACTS, Observed

CALLS = 400
"""Requests of one round."""

_ENVIRON = {
    "REQUEST_METHOD": "POST",
    "PATH_INFO": "/v1/audio/speech",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "5000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "wsgi.url_scheme": "http",
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}

Application = Callable[..., Iterable[bytes]]


class _Nowhere(io.TextIOBase):
    """Takes text and forgets it: what a disk or a terminal adds is not ours."""

    def write(self, text: str) -> int:
        return len(text)


def measure(rounds: int) -> Dict[str, Any]:
    """Microseconds that watching adds to a request: median over rounds, ours and the rival's."""
    ways = {"autovoice": _ours()}
    try:
        ways["rival"] = _rival()
    except ImportError as error:
        print(f"without the rival: {error}", file=sys.stderr)
    added: Dict[str, List[float]] = {name: [] for name in ways}
    for round_number in range(rounds + 1):
        for name, (bare, watched) in ways.items():
            difference = _us(watched) - _us(bare)
            if round_number:  # the first one warms up
                added[name].append(difference)
    medians = {f"{name}_us": statistics.median(found) for name, found in added.items()}
    return {**medians, "scrape_ms": statistics.median(_scrape_ms() for _ in range(rounds))}


def _scrape_ms() -> float:
    """Milliseconds that a scrape takes with every family there is and fifty routes asked."""
    metrics = Metrics("espeak")
    for number in range(50):
        metrics.http.begun()
        metrics.http.done("GET", f"/v1/route/{number}", 200, 0.01)
    began = time.perf_counter()
    generate_latest(metrics.registry)
    return 1e3 * (time.perf_counter() - began)


def _us(application: Application) -> float:
    """Microseconds for one request."""

    def start(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        return lambda data: None

    began = time.perf_counter()
    for _ in range(CALLS):
        body = application(dict(_ENVIRON, **{"wsgi.input": io.BytesIO()}), start)
        for _piece in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return 1e6 * (time.perf_counter() - began) / CALLS


def _ours() -> "tuple[Application, Application]":
    """A speech request as the server counts and logs it."""
    metrics = Metrics("espeak")
    with redirect_stdout(_Nowhere()):
        setup_logging(Settings(log_format="json"))
    logging.getLogger("auto_voice.access").handlers = logging.getLogger().handlers

    def bare(environ: Dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "audio/wav"), ("Content-Length", "3")])
        return [b"abc"]

    def speaking(environ: Dict[str, Any], start_response: Any) -> Iterable[bytes]:
        metrics.cache.asked("miss")
        body = bare(environ, start_response)
        metrics.synthesis.done(
            engine="espeak",
            mode="whole",
            outcome="success",
            transport="http",
            characters=60,
            duration_s=0.005,
            first_audio_s=0.005,
            queue_wait_s=0.0001,
            compute_s=0.003,
            made_s=3.2,
            audio_s=3.2,
            sentences=1,
            underrun_s=0.0,
        )
        environ[FACTS].update(
            route="/v1/audio/speech",
            engine="espeak",
            voice="en-us",
            format="wav",
            characters=60,
            audio_s=3.2,
            cache="miss",
            outcome="success",
            queue_wait_ms=0.1,
            first_audio_ms=5.0,
        )
        return body

    return bare, Observed(speaking, metrics)


def _rival() -> "tuple[Application, Application]":
    """What one takes off the shelf: prometheus-flask-exporter and python-json-logger."""
    from flask import Flask, request
    from prometheus_client import CollectorRegistry
    from prometheus_flask_exporter import PrometheusMetrics
    from pythonjsonlogger.json import JsonFormatter

    def app() -> Flask:
        made = Flask("rival")
        made.add_url_rule("/v1/audio/speech", "speech", lambda: b"abc", methods=["POST"])
        return made

    bare, watched = app(), app()
    PrometheusMetrics(watched, path=None, registry=CollectorRegistry())
    logger = logging.getLogger("rival")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = logging.StreamHandler(_Nowhere())
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)

    @watched.after_request
    def log_it(response: Any) -> Any:
        line = {"method": request.method, "path": request.path, "status": response.status_code}
        logger.info("request", extra={**line, "duration_ms": 5.0, "client": request.remote_addr})
        return response

    return bare.wsgi_app, watched.wsgi_app


if __name__ == "__main__":
    print(json.dumps(measure(40), indent=2))
