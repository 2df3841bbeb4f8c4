"""Log lines: JSON for machines, one short line each for people.

`setup_logging` is called once, first thing in a process. Values that belong to
the request being served (its id) are put on every line by `request_id`.
"""

import logging
import os
import sys
import time
from contextvars import ContextVar
from typing import Any, Dict, Optional

import msgspec

from auto_voice.settings import Settings
from auto_voice.utils.redaction import Redactor, configured_secrets

request_id: "ContextVar[str]" = ContextVar("request_id", default="")
"""The id of the request that this thread serves, or an empty string."""

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


class _Formatter(logging.Formatter):
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


class JSONFormatter(_Formatter):
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
        identity = request_id.get()
        if identity:
            entry["request_id"] = identity
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            entry["stack"] = record.stack_info
        extra = _extra(record)
        if not entry.keys().isdisjoint(extra):  # nobody else says what the time and the level are
            extra = {f"{key}_" if key in entry else key: extra[key] for key in extra}
        entry.update(extra)
        return self.redactor.render(entry, self._encode)


class ConsoleFormatter(_Formatter):
    """For people: time, level, message, and the rest as key=value.

    Control characters are shown escaped, so that no input can forge a line or
    move the cursor.
    """

    def __init__(self, colour: bool, redactor: Optional[Redactor] = None) -> None:
        super().__init__(redactor)
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        extra = _extra(record)
        identity = request_id.get()
        if identity:
            extra["request_id"] = identity
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


def setup_logging(settings: Settings) -> None:
    """Send all logging of this process to standard output, as the settings say."""
    # Nobody reads these of a record, and finding them out takes time on every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    form = settings.log_format
    if form == "auto":
        form = "console" if sys.stdout.isatty() else "json"
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # a terminal that knows few characters shows the others escaped
        reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    redactor = Redactor(configured_secrets(settings))
    handler.setFormatter(
        JSONFormatter(redactor)
        if form == "json"
        else ConsoleFormatter(colour=_wants_colour(), redactor=redactor)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)


def redactions() -> int:
    """Secrets that were kept out of this process's log since `setup_logging`."""
    formatters = (handler.formatter for handler in logging.getLogger().handlers)
    redactors = {each.redactor for each in formatters if isinstance(each, _Formatter)}
    return sum(redactor.count for redactor in redactors)


def _wants_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # its arguments do not fit, or one cannot be shown
        text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return f"{text} (without its arguments: {type(error).__name__})"


def _extra(record: logging.LogRecord) -> Dict[str, Any]:
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
