"""What a line of the log costs: ours without and with redaction, and three libraries'.

Each writes the same record, an answered request, as JSON to a file that takes
anything in no time. ``python benchmarks/logging_cost.py`` measures only this.
"""

import argparse
import contextlib
import json
import logging
import random
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks.figures import spread  # noqa: E402: after the line above

from auto_voice.utils.log_formats import JSONFormatter, LineHandler  # noqa: E402
from auto_voice.utils.redaction import Redactor  # noqa: E402
from auto_voice.utils.tracing_context import Context, current  # noqa: E402

_REQUEST_ID = "4bf92f3577b34da6"
ROUTE = "/v1/audio/speech"
LINE: Dict[str, Any] = {
    "method": "POST",
    "status": 200,
    "duration_ms": 12.345,
    "bytes": 45678,
    "client": "192.0.2.7",
    "route": ROUTE,
    "key": "alice",
    "voice": "en-us",
    "characters": 62,
    "cache": "miss",
    "audio_s": 3.2,
}
KEYS = 20
"""Configured API keys, each of which the redactor looks for."""

_UNREAD = {
    "logThreads": False,
    "logProcesses": False,
    "logMultiprocessing": False,
    "_srcfile": "",
}
"""What `setup_logging` switches off, here for everybody who builds on the standard library."""

Write = Callable[[], None]


class Sink:
    """A file that keeps nothing but the last line."""

    def __init__(self) -> None:
        self.last: Any = ""

    def write(self, line: Any) -> None:
        if len(line) > 1:  # some write the line's end by itself
            self.last = line

    def flush(self) -> None:
        """Nothing waits."""


class _Trusting(Redactor):
    """Believes that no line holds a secret."""

    def suspects(self, text: str) -> bool:
        return False


def contenders(sink: Sink) -> Dict[str, Write]:
    """Those that are installed, by name; each call logs the record once."""
    keys = random.Random(7)  # nosec B311: keys that open nothing
    redactor = Redactor(f"{keys.getrandbits(160):040x}" for _ in range(KEYS))
    found = {
        "plain": _standard(sink, JSONFormatter(_Trusting())),
        "redacting": _standard(sink, JSONFormatter(redactor)),
        "redacting a secret": _standard(sink, JSONFormatter(redactor), token="abcdefgh"),
    }
    for name, make in (
        ("python-json-logger", _python_json_logger),
        ("structlog", _structlog),
        ("loguru", _loguru),
    ):
        with contextlib.suppress(ImportError):
            found[name] = make(sink)
    return found


def measure(rounds: int, records: int = 2_000) -> Dict[str, Any]:
    """CPU microseconds of each, a record; in each round, everybody's turn comes once.

    CPU time, because on a machine that others use, too, it says more than the clock.
    """
    sink = Sink()
    times: Dict[str, List[float]] = {}
    token = current.set(Context(request_id=_REQUEST_ID))
    flags = {name: getattr(logging, name) for name in _UNREAD}
    for name, off in _UNREAD.items():
        setattr(logging, name, off)
    try:
        writers = contenders(sink)
        for write in writers.values():
            _check(write, sink)
        for _ in range(rounds):
            for name, write in writers.items():
                began = time.thread_time()
                for _ in range(records):
                    write()
                seconds = time.thread_time() - began
                times.setdefault(name, []).append(1e6 * seconds / records)
    finally:
        current.reset(token)
        for name, flag in flags.items():
            setattr(logging, name, flag)
    return {
        "rounds": rounds,
        "records": records,
        "us": {name: spread(each)._asdict() for name, each in times.items()},
        "versions": dict(_versions()),
    }


def _check(write: Write, sink: Sink) -> None:
    """Everybody has to have written the whole record, as JSON."""
    sink.last = ""
    write()
    entry = json.loads(sink.last)
    text = json.dumps(entry)
    missing = [name for name in LINE if f'"{name}": {json.dumps(LINE[name])}' not in text]
    if missing or f"POST {ROUTE} 200" not in text or "4bf92f3577b34da6" not in text:
        raise RuntimeError(f"this line lacks something: {sink.last!r}")


def _versions() -> Iterator[Any]:
    for name in ("python-json-logger", "structlog", "orjson", "loguru"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _standard(sink: Sink, formatter: logging.Formatter, **more: Any) -> Write:
    log = logging.Logger("benchmark")
    ours = isinstance(formatter, JSONFormatter)
    handler = LineHandler(sink) if ours else logging.StreamHandler(sink)
    handler.setFormatter(formatter)
    log.addHandler(handler)
    extra = {**LINE, **more}
    return lambda: log.info("%s %s %d", "POST", ROUTE, 200, extra=extra)


def _python_json_logger(sink: Sink) -> Write:
    from pythonjsonlogger.json import JsonFormatter

    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    return _standard(sink, JsonFormatter(fields), request_id=_REQUEST_ID)


def _structlog(sink: Sink) -> Write:
    """As its page on performance recommends."""
    import orjson
    import structlog

    class Bytes:
        """A file of bytes."""

        write = sink.write
        flush = sink.flush

    structlog.contextvars.bind_contextvars(request_id=_REQUEST_ID)
    log = structlog.wrap_logger(
        structlog.BytesLogger(Bytes()),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    ).bind()
    return lambda: log.info("%s %s %d", "POST", ROUTE, 200, logger="benchmark", **LINE)


def _loguru(sink: Sink) -> Write:
    from loguru import logger

    logger.remove()
    logger.add(sink.write, serialize=True, level="INFO")
    log = logger.bind(request_id=_REQUEST_ID)
    return lambda: log.bind(**LINE).info("{} {} {}", "POST", ROUTE, 200)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    print(json.dumps(measure(parser.parse_args().rounds), indent=2))


if __name__ == "__main__":
    main()
