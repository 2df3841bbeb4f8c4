"""What clients send, read within limits.

The package's own reader takes as much into memory as a header says: a
gigabyte, if a client likes.
"""

import asyncio
from typing import Any, Dict, Optional, Type, TypeVar

import msgspec
from typing_extensions import Annotated
from wyoming.event import Event

from auto_voice.errors import BodyTooLarge, InvalidJSON, InvalidRequest

MAX_HEADER_BYTES = 1 << 16
MAX_PAYLOAD_BYTES = 1 << 24
"""Of what is passed over: no event that is understood here has a payload."""

_SKIP_BYTES = 1 << 16

T = TypeVar("T")


class _Header(msgspec.Struct):
    type: str
    data: Optional[Dict[str, Any]] = None
    data_length: Optional[Annotated[int, msgspec.Meta(ge=0)]] = None
    payload_length: Optional[Annotated[int, msgspec.Meta(ge=0)]] = None


class VoiceWanted(msgspec.Struct, frozen=True):
    """Which voice an event asks for; all empty: the default one."""

    name: Optional[str] = None
    language: Optional[str] = None
    speaker: Optional[str] = None


class Start(msgspec.Struct, frozen=True):
    """The beginning of a text that is going to be written."""

    voice: Optional[VoiceWanted] = None
    text_format: Optional[str] = None


class Whole(Start, frozen=True, kw_only=True):
    """A text that is all there."""

    text: str


class Chunk(msgspec.Struct, frozen=True):
    """The next piece of a text."""

    text: str


async def read_event(reader: asyncio.StreamReader, max_data_bytes: int) -> Optional[Event]:
    """The next event, without its payload; None where the client has hung up.

    Args:
        reader: made with a limit of `MAX_HEADER_BYTES`.
        max_data_bytes: that an event's data may have.

    Raises:
        InvalidJSON: what came is no event. Nobody can say where the next one would begin.
        BodyTooLarge: it is one, but too long.
    """
    try:
        line = await reader.readuntil(b"\n")
        header = _decoded(line, _Header)
        data = header.data or {}
        if header.data_length:
            _check_length("data", header.data_length, max_data_bytes)
            data.update(_decoded(await reader.readexactly(header.data_length), Dict[str, Any]))
        left = header.payload_length or 0
        _check_length("payload", left, MAX_PAYLOAD_BYTES)
        while left:
            left -= len(await reader.readexactly(min(left, _SKIP_BYTES)))
    except asyncio.LimitOverrunError:
        raise BodyTooLarge(f"An event's header may have {MAX_HEADER_BYTES} bytes.") from None
    except asyncio.IncompleteReadError:
        return None
    return Event(header.type, data)


def understood(event: Event, kind: Type[T]) -> T:
    """An event's data as what it should be.

    Raises:
        InvalidRequest: it is something else.
    """
    try:
        return msgspec.convert(event.data, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{event.type[:60]}: {error}") from None


def _decoded(data: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InvalidJSON(f"This is no event of the Wyoming protocol: {why}") from None


def _check_length(what: str, length: int, limit: int) -> None:
    if length > limit:
        raise BodyTooLarge(f"An event's {what} may have {limit} bytes here, not {length}.")
