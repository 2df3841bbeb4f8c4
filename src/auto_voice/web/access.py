"""Who may use the server, and how often."""

import hmac
import logging
import time
from typing import Any, Container, Dict, Mapping

from auto_voice.errors import InvalidAPIKey, RateLimited

log = logging.getLogger(__name__)

_REDIS_TIMEOUT_S = 0.25
"""How long a request may wait for Redis' answer."""
_REDIS_PAUSE_S = 5.0
"""How long Redis is left alone after it did not answer."""


class KeyRing:
    """The API keys that are accepted; without any, everybody is."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """``keys``: key to name."""
        self._keys = [(key.encode(), name) for key, name in keys.items()]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def name_of(self, authorization: str, x_api_key: str) -> str:
        """The name of the key in either header; empty where no keys are configured.

        Raises:
            InvalidAPIKey: there are keys, and this is none of them.
        """
        if not self._keys:
            return ""
        scheme, _, given = authorization.partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        wanted = (given or x_api_key.strip()).encode("latin-1", "replace")
        found = ""
        for key, name in self._keys:
            # Every key is compared, in constant time: the time taken tells nothing.
            if hmac.compare_digest(key, wanted):
                found = name
        if not found:
            what = "is not valid" if wanted else "is missing"
            raise InvalidAPIKey(f"The API key {what}. Send it as 'Authorization: Bearer <key>'.")
        return found


def is_bearer(token: str, authorization: str) -> bool:
    """Whether an Authorization header carries this token; compared in constant time."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("latin-1", "replace"), token.encode()
    )


class RateLimit:
    """A moving-window limit per client, in memory or in a Redis that servers share.

    While Redis does not answer, each server counts for itself: a limit is no
    reason to refuse everybody.
    """

    def __init__(self, limit: str, redis_url: str = "") -> None:
        """``limit``: such as ``60/minute`` or ``10/second;500/hour``."""
        import limits  # only where a limit is set: it costs start-up time

        self._limits = limits.parse_many(limit)
        self._own = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())
        self._shared: Any = None
        self._shared_again = 0.0
        """When Redis may be asked again (time.monotonic())."""
        self._storage_error = limits.errors.StorageError
        if redis_url:
            storage = limits.storage.storage_from_string(
                redis_url,
                wrap_exceptions=True,
                socket_timeout=_REDIS_TIMEOUT_S,
                socket_connect_timeout=_REDIS_TIMEOUT_S,
            )
            self._shared = limits.strategies.MovingWindowRateLimiter(storage)

    def check(self, client: str) -> None:
        """Count one request.

        Raises:
            RateLimited: it is one too many.
        """
        if self._shared is not None and time.monotonic() >= self._shared_again:
            try:
                self._check(self._shared, client)
                return
            except self._storage_error as error:
                self._shared_again = time.monotonic() + _REDIS_PAUSE_S
                log.warning(
                    "rate limits are counted by each server alone: %s", type(error.args[0]).__name__
                )
        self._check(self._own, client)

    def _check(self, limiter: Any, client: str) -> None:
        # All are asked before any is used up: what is refused counts nowhere.
        for limit in self._limits:
            if not limiter.test(limit, client):
                reset = limiter.get_window_stats(limit, client)[0]
                raise RateLimited(
                    f"The limit of {limit.amount} requests ({limit}) is reached.",
                    retry_after_s=max(1.0, reset - time.time()),
                )
        for limit in self._limits:
            limiter.hit(limit, client)


class Gate:
    """What a request has to pass before its endpoint sees it."""

    def __init__(
        self,
        keys: Mapping[str, str],
        rate_limit: str,
        public: Container[str],
        limited: Container[str],
        redis_url: str = "",
    ) -> None:
        """
        Args:
            keys: API key to its name.
            rate_limit: as for `RateLimit`, or empty for none.
            public: routes that need no key.
            limited: routes whose POST requests count for the limit.
            redis_url: where the limit is counted; empty: in memory.
        """
        self._keys = KeyRing(keys)
        self._limit = RateLimit(rate_limit, redis_url) if rate_limit else None
        self._public = public
        self._limited = limited

    def admit(self, environ: Mapping[str, Any], facts: Dict[str, Any]) -> None:
        """Let a request for ``facts["route"]`` in; notes the key's name as ``facts["key"]``.

        Raises:
            InvalidAPIKey, RateLimited
        """
        route = facts["route"]
        if self._keys and route not in self._public:
            facts["key"] = self._keys.name_of(
                environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", "")
            )
        limited = route in self._limited and environ.get("REQUEST_METHOD") == "POST"
        if self._limit is not None and limited:
            self._limit.check(facts.get("key") or environ.get("REMOTE_ADDR", ""))

    def count(self, client: str) -> None:
        """Count something that is as much as a request, of a key's name or an address.

        Raises:
            RateLimited
        """
        if self._limit is not None:
            self._limit.check(client)
