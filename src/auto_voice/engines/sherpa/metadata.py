"""What an ONNX file says of itself, read without loading it.

sherpa-onnx ends the process where it misses something there, and a list of voices is not worth
loading them all.
"""

import mmap
from pathlib import Path
from typing import Dict, Iterator, Tuple

_METADATA = 14
"""The field's number in ONNX's ``ModelProto``: pairs of key and value."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VALUE = 1 << 16


def read_metadata(path: Path) -> Dict[str, str]:
    """Key to value; empty where the file is no ONNX, or says nothing.

    Raises:
        OSError: the file cannot be read.
    """
    found: Dict[str, str] = {}
    with open(path, "rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file
            return found
        with data:
            try:
                for number, start, end in _fields(data, 0, len(data)):
                    if number == _METADATA and end - start <= _MAX_VALUE:
                        pair = {key: data[low:high] for key, low, high in _fields(data, start, end)}
                        found[_text(pair.get(1, b""))] = _text(pair.get(2, b""))
            except (ValueError, IndexError):
                return {}
    return found


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[Tuple[int, int, int]]:
    """Number, start and end of each field of a message that is bytes in turn.

    Raises:
        ValueError, IndexError: it is no such message.
    """
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _FIXED64:
            at += 8
        elif kind == _FIXED32:
            at += 4
        elif kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > end:
                raise ValueError("it is cut off")
            yield number, at, at + length
            at += length
        else:
            raise ValueError("no such field")


def _varint(data: mmap.mmap, at: int) -> Tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise ValueError("a number does not end")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
