"""Log lines: JSON for machines, one short line each for people.

A record's extras become fields of its line; `extra={"facts": {...}}` hands many
over as they are, without logging's own look at each. `setup_logging` is called
once, first thing in a process. What belongs to the request being served (its id,
its trace) is put on every line, from `tracing_context.current`.
"""

import json
import logging
import os
import sys
import time
from typing import Any, Dict, Optional

import msgspec

from auto_voice.settings import Settings
from auto_voice.utils.tracing_context import current

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTROL = {i: f"\\x{i:02x}" for i in (*range(32), *range(127, 160))}
_CONTROL.update({0x2028: "\\u2028", 0x2029: "\\u2029", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"})
# What turns the direction of text around could make a line read as another one.
_CONTROL.update(
    {
        i: f"\\u{i:04x}"
        for i in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    }
)
_CONTROL.update({i: f"\\u{i:04x}" for i in range(0xD800, 0xE000)})
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31m"}


class JSONFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = msgspec.json.Encoder(enc_hook=repr)

    def format(self, record: logging.LogRecord) -> str:
        entry: Dict[str, Any] = {
            "time": _timestamp(record.created, record.msecs),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        served = current.get()
        if served is not None:
            entry.update(served.log_fields())
        entry.update(_extra(record))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        try:
            return self._encoder.encode(entry).decode()
        except (UnicodeEncodeError, TypeError, ValueError, RecursionError):
            # Lone surrogates, odd keys, endless nesting: a line all the same.
            return json.dumps({k: v if isinstance(v, str) else repr(v) for k, v in entry.items()})


class ConsoleFormatter(logging.Formatter):
    """For people: time, level, message, and the rest as key=value.

    Control characters are shown escaped, so that no input can forge a line or
    move the cursor.
    """

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        extra = dict(_extra(record))
        served = current.get()
        if served is not None:
            extra.update(served.log_fields())
        parts = [record.getMessage(), *(f"{key}={value}" for key, value in extra.items())]
        text = " ".join(parts).translate(_CONTROL)
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"{_COLOURS.get(record.levelname, '')}{level}\x1b[0m"
        line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {level} {text}"
        if record.exc_info:
            trace = self.formatException(record.exc_info).split("\n")
            line = "\n".join([line, *("  " + part.translate(_CONTROL) for part in trace)])
        return line


def setup_logging(settings: Settings) -> None:
    """Send all logging of this process to standard output, as the settings say."""
    # Nobody reads these of a record, and finding them out takes time on every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = ""  # likewise where it was logged; so says Python's own manual
    form = settings.log_format
    if form == "auto":
        form = "console" if sys.stdout.isatty() else "json"
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # a terminal that knows few characters shows the others escaped
        reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_count)
    handler.setFormatter(
        JSONFormatter() if form == "json" else ConsoleFormatter(colour=_wants_colour())
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)


_counts: Dict[str, int] = {}


def record_counts() -> Dict[str, int]:
    """How many lines this process has logged, by level."""
    return dict(_counts)


def _count(record: logging.LogRecord) -> bool:
    # Two threads at once may count one line only; no line is worth a lock.
    _counts[record.levelname] = _counts.get(record.levelname, 0) + 1
    return True


def _wants_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _extra(record: logging.LogRecord) -> Dict[str, Any]:
    facts: Optional[Dict[str, Any]] = getattr(record, "facts", None)
    if facts is not None:
        return facts
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


_last_second = (0, "")


def _timestamp(created: float, milliseconds: float) -> str:
    """ISO 8601 in UTC, such as 2026-01-31T12:00:00.123Z."""
    global _last_second
    second = int(created)
    cached = _last_second  # read once: another thread may replace it
    if cached[0] != second:
        cached = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        _last_second = cached
    return f"{cached[1]}.{int(milliseconds):03d}Z"
