"""How a log line looks: a JSON object for machines, a short line for people.

A record's extras become fields of its line; `extra={"facts": {...}}` hands many
over as they are, without logging's own look at each. What belongs to the request
being served (its id, its trace) is put on every line, from
`tracing_context.current`. Neither format shows a secret or can be forged by input.
"""

import logging
import os
import sys
import time
from typing import Any, Dict, Optional

import msgspec

from auto_voice.utils.redaction import Redactor
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


class SafeFormatter(logging.Formatter):
    """What both formats do: they show no secret, and never raise."""

    def __init__(self, redactor: Optional[Redactor]) -> None:
        super().__init__()
        self.redactor = redactor or Redactor()
        """What all that is formatted here passes through."""

    def formatException(self, ei: Any) -> str:
        """The traceback, or a word on why there is none."""
        try:
            return super().formatException(ei)
        except Exception as error:  # an error may be odd enough to break the printing of errors
            return f"{ei[0].__name__}: its traceback cannot be shown ({type(error).__name__})"


class LineHandler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in stubs only
    """Writes a line with its end at once, under one lock where the base class takes two."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + "\n")
            self.stream.flush()
        except RecursionError:
            raise
        except Exception:
            self.handleError(record)


class JSONFormatter(SafeFormatter):
    """One JSON object a line."""

    def __init__(self, redactor: Optional[Redactor] = None) -> None:
        super().__init__(redactor)
        self._encode = msgspec.json.Encoder().encode

    def format(self, record: logging.LogRecord) -> str:
        entry: Dict[str, Any] = {
            "time": _timestamp(record.created, record.msecs),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        served = current.get()
        if served is not None:
            entry.update(served.log_fields())
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = record.stack_info
        extra = _extra(record)
        whole = {**entry, **extra}
        if len(whole) != len(entry) + len(extra):  # nobody else says what time and level are
            whole = {**entry, **{f"{k}_" if k in entry else k: extra[k] for k in extra}}
        return self.redactor.render(whole, self._encode)


class ConsoleFormatter(SafeFormatter):
    """For people: time, level, message, and the rest as key=value.

    Control characters are shown escaped, so that no input can forge a line or
    move the cursor.
    """

    def __init__(self, colour: Optional[bool] = None, redactor: Optional[Redactor] = None) -> None:
        """``colour``: whether levels are coloured; None: on a terminal, unless NO_COLOR says no."""
        super().__init__(redactor)
        if colour is None:
            colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        extra = dict(_extra(record))
        served = current.get()
        if served is not None:
            extra.update(served.log_fields())
        redacted = self.redactor.redact_fields(extra)
        message = self.redactor.redact_text(_message(record))
        parts = [message, *(f"{key}={value}" for key, value in redacted.items())]
        text = " ".join(parts).translate(_CONTROL)
        level = f"{str(record.levelname).translate(_CONTROL):<7}"
        if self._colour:
            level = f"{_COLOURS.get(record.levelname, '')}{level}\x1b[0m"
        line = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {level} {text}"
        below = [self.formatException(record.exc_info)] if record.exc_info else []
        below += [record.stack_info] if record.stack_info else []
        for trace in below:
            parts = self.redactor.redact_text(trace).split("\n")
            line = "\n".join([line, *("  " + part.translate(_CONTROL) for part in parts)])
        return line


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # its arguments do not fit, or one cannot be shown
        text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return f"{text} (without its arguments: {type(error).__name__})"


def _extra(record: logging.LogRecord) -> Dict[str, Any]:
    facts: Optional[Dict[str, Any]] = getattr(record, "facts", None)
    if facts is not None:
        return facts
    extra = vars(record).copy()
    for name in _STANDARD:  # two thirds of the time that picking the others takes
        extra.pop(name, None)
    return extra


_last_second = (0, "")
_ENDS = [f".{milliseconds:03d}Z" for milliseconds in range(1000)]


def _timestamp(created: float, milliseconds: float) -> str:
    """ISO 8601 in UTC, such as 2026-01-31T12:00:00.123Z."""
    global _last_second
    second = int(created)
    cached = _last_second  # read once: another thread may replace it
    if cached[0] != second:
        cached = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        _last_second = cached
    return cached[1] + _ENDS[int(milliseconds) % 1000]
