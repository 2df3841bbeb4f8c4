"""How many messages a client may send."""

import time

MESSAGES_PER_S = 500
"""For long; half of a word each would be a novel in three minutes."""
MESSAGES_AT_ONCE = 1000
_BYTES = 1024
"""Of a message count as much as another message."""


class Allowance:
    """A bucket of tokens: each message takes some, time brings new ones."""

    __slots__ = ("_tokens", "_counted")

    def __init__(self) -> None:
        self._tokens = float(MESSAGES_AT_ONCE)
        self._counted = time.monotonic()

    def take(self, size_bytes: int) -> bool:
        """Count a message; whether it is still within what may be sent."""
        now = time.monotonic()
        self._tokens += (now - self._counted) * MESSAGES_PER_S
        self._tokens = min(self._tokens, MESSAGES_AT_ONCE) - 1 - size_bytes / _BYTES
        self._counted = now
        return self._tokens >= 0

    def charge(self, messages: int) -> None:
        """Count some more, for a message that was expensive."""
        self._tokens -= messages
