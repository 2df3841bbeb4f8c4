"""The last requests that failed, for people who look.

Nothing of what a request said is kept: no text, no key, no path.
"""

import threading
import time
from collections import deque
from typing import Deque, List

import msgspec
from typing_extensions import Annotated

from auto_voice.errors import Cancelled

KEPT = 50
"""Of the server's own errors; and as many of clients', so that these push none of those out."""


class RecentError(msgspec.Struct, frozen=True):
    """A request that failed."""

    at: Annotated[float, msgspec.Meta(description="Unix time of its end.")]
    code: Annotated[str, msgspec.Meta(description="The error's machine-readable code.")]
    status: Annotated[
        int, msgspec.Meta(description="Of HTTP. 200: it failed after its answer had begun.")
    ]
    method: str
    route: Annotated[str, msgspec.Meta(description="The URL rule, never the path itself.")]
    request_id: str


class RecentErrors:
    """Remembers requests that failed. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: Deque[RecentError] = deque(maxlen=KEPT)
        self._clients: Deque[RecentError] = deque(maxlen=KEPT)

    def note(self, *, code: str, status: int, method: str, route: str, request_id: str) -> None:
        """A request failed. That its client left is no failure."""
        if code == Cancelled.code:
            return
        error = RecentError(time.time(), code, status, method, route, request_id)
        with self._lock:
            (self._clients if 400 <= status < 500 else self._servers).append(error)

    def newest_first(self) -> List[RecentError]:
        """All that are remembered."""
        with self._lock:
            found = [*self._servers, *self._clients]
        return sorted(found, key=lambda error: error.at, reverse=True)
