"""Whether Redis answers, for those who need it."""

import threading
import time
from typing import Any, Optional

from auto_voice.errors import MissingDependency

TIMEOUT_S = 1.0
"""How long Redis may take to answer before it counts as gone."""
FRESH_S = 1.0
"""How long an answer holds: however many ask, Redis is asked once in this time."""


class RedisCheck:
    """Pings a Redis. Safe for threads."""

    def __init__(self, url: str) -> None:
        """
        Raises:
            MissingDependency: the extra ``redis`` is not installed.
            ValueError: the URL is not one of Redis.
        """
        try:
            import redis
        except ImportError:
            raise MissingDependency(
                "Redis needs a package: pip install 'autovoice[redis]'"
            ) from None
        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._errors = (redis.RedisError, OSError)
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._fault: Optional[str] = None

    def fault(self) -> Optional[str]:
        """Why Redis is of no use; None if it answers."""
        with self._lock:
            if time.monotonic() - self._looked > FRESH_S:
                try:
                    self._client.ping()
                except self._errors as error:
                    # The class, not the words: those may name the host and the user.
                    self._fault = f"it does not answer ({type(error).__name__})"
                else:
                    self._fault = None
                self._looked = time.monotonic()
            return self._fault

    def version(self) -> str:
        """Redis' own version.

        Raises:
            redis.RedisError, OSError: it does not answer.
        """
        found: str = self._client.info("server")["redis_version"]
        return found
