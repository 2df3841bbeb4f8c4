"""Names from elsewhere that become names of files here: what is accepted as one."""

import re
from typing import Tuple
from urllib.parse import urlsplit, urlunsplit

from auto_voice.engines.engine import is_voice_id
from auto_voice.errors import InvalidRequest

_PART = re.compile(r"[^\x00-\x1f\x7f/\\:]{1,255}")
_MAX_PARTS = 16


def checked_voice_id(name: str) -> str:
    """``name`` itself.

    Raises:
        InvalidRequest: no voice can be called so.
    """
    if not is_voice_id(name):
        raise InvalidRequest(
            "A voice's id has 1 to 100 of letters, digits, '.', '_' and '-', the first of them a "
            "letter or a digit.",
            param="voice",
        )
    return name


def relative_parts(path: str) -> Tuple[str, ...]:
    """The parts of a path that stays below where it starts.

    Raises:
        ValueError: it is absolute, leads upwards, or has what no file's name should have.
    """
    parts = tuple(part for part in path.split("/") if part != ".")
    if parts and parts[-1] == "":
        parts = parts[:-1]  # a folder, as archives write it
    if not parts or len(parts) > _MAX_PARTS:
        raise ValueError(f"{path[:80]!r} has no or too many parts")
    for part in parts:
        if part == ".." or _PART.fullmatch(part) is None or len(part.encode()) > 255:
            raise ValueError(f"{path[:80]!r} is no path within a folder")
    return parts


def shown_url(url: str) -> str:
    """A URL for messages and logs: without a password, and without what signs a download."""
    try:
        split = urlsplit(url)
        host = split.netloc.rpartition("@")[2]
    except ValueError:
        return "(no URL)"
    return urlunsplit((split.scheme, host, split.path, "", ""))[:300]
