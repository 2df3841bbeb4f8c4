"""What waits to be sent on a WebSocket."""

from collections import deque
from typing import Callable, Deque, Optional, Tuple, Union

FRAME_BYTES = 1 << 14
"""Of audio at most: between two frames, a client's cancel takes effect."""

Frame = Tuple[str, bytes, bool]
"""The event that it is, to the metrics; its bytes; whether they are binary."""


class Outbox:
    """Messages, and what is to be called between them, in their order."""

    __slots__ = ("_items", "_offset", "backlog")

    def __init__(self) -> None:
        self._items: Deque[Union[Callable[[], None], Frame]] = deque()
        self._offset = 0
        """Bytes of the first item that are on their way."""
        self.backlog = 0
        """Bytes that wait."""

    def __bool__(self) -> bool:
        return bool(self._items)

    def put(self, event: str, data: bytes, binary: bool) -> None:
        """Append a message; a binary one may become several."""
        self._items.append((event, data, binary))
        self.backlog += len(data)

    def put_call(self, function: Callable[[], None]) -> None:
        """Append something to be called when all before has been sent."""
        self._items.append(function)

    def clear(self) -> None:
        """Forget everything."""
        self._items.clear()
        self.backlog = self._offset = 0

    def take(self) -> Union[Callable[[], None], Frame, None]:
        """What is next; None: nothing."""
        if not self._items:
            return None
        item = self._items[0]
        if not isinstance(item, tuple):
            self._items.popleft()
            return item
        event, data, binary = item
        end: Optional[int] = self._offset + FRAME_BYTES if binary else None
        piece = data[self._offset : end]
        self._offset += len(piece)
        self.backlog -= len(piece)
        if self._offset >= len(data):
            self._items.popleft()
            self._offset = 0
        return event, piece, binary
