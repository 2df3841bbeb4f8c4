"""What comes from a client, read and validated within limits."""

import re
import socket
from typing import Any, Callable, Dict, Optional, Tuple, Type
from urllib.parse import parse_qsl

import msgspec
from gunicorn.http.errors import ParseException

from auto_voice.audio.encoders import FORMATS
from auto_voice.errors import (
    BodyTimeout,
    BodyTooLarge,
    InvalidJSON,
    InvalidRequest,
    UnsupportedMediaType,
)

Environ = Dict[str, Any]
"""WSGI's."""

BODY_READ = "autovoice.body_read"
"""The WSGI environment's key for whether the body has been read."""

MAX_NESTING = 32
"""Of arrays and objects in a body; what is documented needs two."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[][{}]")
_FIELD = re.compile(r" - at `\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")

_SWITCH = {"true": True, "false": False}
_LONG_VALUE = re.compile(r"('[^']{60})[^']+'")
_CHOICES = {"response_format": tuple(FORMATS), "stream_format": ("audio", "sse", "json")}


def read_body(environ: Environ, limit: int, also: Tuple[str, ...] = ()) -> bytes:
    """The body, of at most ``limit`` bytes: JSON, or of one of the content types ``also``.

    Raises:
        UnsupportedMediaType, BodyTooLarge
    """
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json") and kind not in also:
        others = f" Here {', '.join(also)} are read, too." if also else ""
        raise UnsupportedMediaType(
            f"Send the body as JSON, with the header 'Content-Type: application/json'.{others}"
        )
    length = environ.get("CONTENT_LENGTH")
    if length and length.isascii() and length.isdigit():
        if len(length) > 18 or int(length) > limit:
            raise BodyTooLarge(f"The body has {length[:18]} bytes; this server accepts {limit}.")
        data = _read(environ, int(length))
        if len(data) < int(length):
            raise InvalidRequest("The body is shorter than its Content-Length says.")
        return data
    # Without a length the server ends the stream itself, as chunked bodies are sent.
    if not environ.get("wsgi.input_terminated"):
        return b""
    data = _read(environ, limit + 1)
    if len(data) > limit:
        raise BodyTooLarge(f"The body is larger than {limit} bytes.")
    return data


def _read(environ: Environ, count: int) -> bytes:
    try:
        data: bytes = environ["wsgi.input"].read(count)
    except (TimeoutError, BlockingIOError):
        raise BodyTimeout("The body did not arrive in time.", retry_after_s=1) from None
    except (OSError, ParseException) as error:  # gunicorn has errors about chunks of both kinds
        raise InvalidRequest(f"The body is malformed: {str(error)[:100]}") from None
    environ[BODY_READ] = True
    return data


def query_string(environ: Environ) -> Dict[str, str]:
    """The last value of each parameter."""
    return dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))


def query_decoder(kind: Type[msgspec.Struct]) -> Callable[[Dict[str, str]], Any]:
    """A function that makes a query's parameters a ``kind``.

    Text stays text, so that ``null`` is a word like any other; only where a
    ``bool`` is wanted do ``true`` and ``false`` mean one.
    """
    switches = [field.name for field in msgspec.structs.fields(kind) if _is_switch(field.type)]

    def decode(values: Dict[str, str]) -> Any:
        typed: Dict[str, Any] = dict(values)
        for name in switches:
            if name in typed:
                typed[name] = _SWITCH.get(typed[name], typed[name])
        return msgspec.convert(typed, kind)

    return decode


def _is_switch(kind: Any) -> bool:
    return getattr(kind, "__origin__", kind) is bool  # of Annotated: what is annotated


def nested_within_reason(body: bytes) -> bytes:
    """``body`` itself, if it is nested no deeper than `MAX_NESTING`.

    Decoders have a limit, too, but some thousands deep, and another one with each Python.

    Raises:
        InvalidJSON: it is nested deeper.
    """
    if body.count(b"[") + body.count(b"{") > MAX_NESTING:
        depth = 0
        for bracket in _BRACKET.findall(_STRING.sub(b"", body)):
            depth += 1 if bracket in b"[{" else -1
            if depth > MAX_NESTING:
                raise InvalidJSON("The body is nested too deeply.")
    return body


def validated(decode: Callable[[Any], Any], data: Any) -> Any:
    """``decode(data)``, with a clear error that names the field."""
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        message = str(error)
        found = _FIELD.search(message) or _MISSING.search(message)
        param = found.group(1) if found else None
        message = _LONG_VALUE.sub(r"\1…'", message.replace("`$.", "`"))
        if param in _CHOICES and message.startswith("Invalid enum value"):
            message += f"; it is one of {', '.join(_CHOICES[param])}"
        raise InvalidRequest(message[:500], param=param) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidJSON(f"The body is not valid JSON: {error}") from None


def gone_check(environ: Environ) -> Callable[[], bool]:
    """A function that tells whether the client has closed its connection."""
    connection: Optional[socket.socket] = environ.get("gunicorn.socket")
    if connection is None:  # another WSGI server, or a test's client
        return lambda: False

    def gone() -> bool:
        try:
            return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, ValueError):
            return True

    return gone
