"""How often a client may ask, whichever of the servers that share a Redis it asks."""

import time
from typing import Any, Optional

from auto_voice.errors import RateLimited
from auto_voice.shared.client import Away, SharedRedis, script
from auto_voice.shared.shelf import PREFIX

# Each key is the list of the times, newest first, of as many requests as its limit allows. All
# limits are asked before any is used up: what is refused counts nowhere.
_ADMIT = script("""
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
for number, key in ipairs(KEYS) do
  local amount, window = ARGV[2 * number - 1], tonumber(ARGV[2 * number])
  local oldest = redis.call('LINDEX', key, amount - 1)
  if oldest and tonumber(oldest) > now - window then
    return {number, tostring(oldest + window - now)}
  end
end
for number, key in ipairs(KEYS) do
  redis.call('LPUSH', key, string.format('%.6f', now))
  redis.call('LTRIM', key, 0, ARGV[2 * number - 1] - 1)
  redis.call('EXPIRE', key, ARGV[2 * number])
end
return {0, '0'}
""")


class RateLimit:
    """A moving-window limit per client, in memory or in a Redis that servers share.

    In Redis it takes one question, whatever the number of limits. While Redis does not answer,
    each server counts for itself: a limit is no reason to refuse everybody.
    """

    def __init__(self, limit: str, redis: Optional[SharedRedis] = None) -> None:
        """``limit``: such as ``60/minute`` or ``10/second;500/hour``."""
        import limits  # only where a limit is set: it costs start-up time

        self._limits = limits.parse_many(limit)
        self._own = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())
        self._redis = redis
        # How many, in how many seconds.
        self._words = [n for each in self._limits for n in (each.amount, each.get_expiry())]

    def check(self, client: str) -> None:
        """Count one request.

        Raises:
            RateLimited: it is one too many.
        """
        if self._redis is None or not self._redis.is_there:
            self._check_here(client)
            return
        keys = [f"{PREFIX}rate:{each.amount}/{each.get_expiry()}:{client}" for each in self._limits]
        try:
            number, wait_s = self._redis.run(_ADMIT, keys, *self._words)
        except Away:
            self._check_here(client)
            return
        if number:
            raise _refusal(self._limits[number - 1], float(wait_s))

    def _check_here(self, client: str) -> None:
        for limit in self._limits:
            if not self._own.test(limit, client):
                reset = self._own.get_window_stats(limit, client)[0]
                raise _refusal(limit, reset - time.time())
        for limit in self._limits:
            self._own.hit(limit, client)


def _refusal(limit: Any, wait_s: float) -> RateLimited:
    return RateLimited(
        f"The limit of {limit.amount} requests ({limit}) is reached.",
        retry_after_s=max(1.0, wait_s),
    )
