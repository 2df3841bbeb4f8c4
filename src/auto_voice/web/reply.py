"""An answer before it is Flask's or WSGI's."""

import math
from http.client import responses
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple, Union

import msgspec

from auto_voice.errors import AutoVoiceError

encode_json = msgspec.json.Encoder().encode

STATUS_LINES: Dict[int, str] = {code: f"{code} {phrase}" for code, phrase in responses.items()}
STATUS_LINES[499] = "499 Client Closed Request"


class Reply(NamedTuple):
    """Status, headers and body of an answer."""

    status: int
    headers: List[Tuple[str, str]]
    body: Union[bytes, Iterable[bytes]]
    """If it has a ``close``, that is called in the end, whatever happens."""


def json_reply(data: Any, status: int = 200, headers: Sequence[Tuple[str, str]] = ()) -> Reply:
    """An answer in JSON."""
    return bytes_reply(encode_json(data), "application/json", status, headers)


def bytes_reply(
    body: bytes, content_type: str, status: int = 200, headers: Sequence[Tuple[str, str]] = ()
) -> Reply:
    """An answer that is there whole."""
    own = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return Reply(status, [*headers, *own], body)


def error_detail(error: AutoVoiceError) -> Dict[str, Any]:
    """What OpenAI's error shape has in its ``error``."""
    return {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }


def error_reply(error: AutoVoiceError) -> Reply:
    """An error in OpenAI's shape."""
    body = encode_json({"error": error_detail(error)})
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    # OpenAI's clients obey the one, all others know the other.
    headers.append(("x-should-retry", "true" if error.retryable else "false"))
    if error.retryable:
        headers.append(("Retry-After", str(math.ceil(error.retry_after_s or 1.0))))
    if error.status == 426:
        headers += [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    if error.status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    return Reply(error.status, headers, body)


def last_words(error: AutoVoiceError) -> bytes:
    """An error as the whole answer that a connection ends with."""
    reply = error_reply(error)
    fields = [("Connection", "close"), *reply.headers]
    head = [f"HTTP/1.1 {STATUS_LINES.get(reply.status, str(reply.status))}"]
    head += [f"{name}: {value}" for name, value in fields]
    body = reply.body if isinstance(reply.body, bytes) else b""
    return "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body
