"""Values that servers share in Redis, within a bound of our own.

A Redis is often shared with others, and its `maxmemory` is its operator's affair. So each shelf
knows what its values take, and drops those that were used least recently before there is more
than it may have. Values nobody uses go by themselves, after their time to live.

In Redis, a shelf `audio` is made of

    autovoice:1:audio:<key>   a value
    autovoice:1:audio/used    a sorted set: each key by when it was last used
    autovoice:1:audio/sizes   a hash: each key's bytes; "=": of all

and a value that is being made can be claimed, as `autovoice:1:audio!<key>`. The 1 goes up when
any of this changes, so that servers of two versions do not read each other's. It takes Redis 5.
"""

from typing import NamedTuple, Optional, Sequence

from auto_voice.shared.client import SharedRedis, script

PREFIX = "autovoice:1:"

HIT, FREE, MINE, TAKEN = b"hit", b"free", b"mine", b"taken"

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# Runs right after the value was read. Where Redis is full, what is there can still be read: hence
# pcall for all that writes.
_LOOK = script(_NOW + """
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.pcall('PEXPIRE', KEYS[1], ARGV[2])
  redis.pcall('ZADD', KEYS[2], 'XX', now, ARGV[1])
  return 'hit'
end
if ARGV[3] == '' then return 'free' end
local claimed = redis.pcall('SET', KEYS[3], ARGV[3], 'NX', 'PX', ARGV[4])
if not claimed then return 'taken' end
return claimed.ok and 'mine' or 'free'
""")

# Accounts for a value that was just set, unless it is gone again. At most a hundred others are
# dropped at once, since nobody else is served meanwhile.
_PUT = script(_NOW + """
local used, sizes, claim, entry = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('EXISTS', entry) == 0 then return 0 end
local key, size, ttl, limit, token, prefix = unpack(ARGV)
local old = tonumber(redis.call('HGET', sizes, key) or 0)
local added = size - old
local total = tonumber(redis.call('HGET', sizes, '=') or 0)
local dropped = 0
for _ = 1, 100 do
  local oldest = redis.call('ZRANGE', used, 0, 0, 'WITHSCORES')
  local stale = oldest[2] and tonumber(oldest[2]) < now - ttl
  if not stale and total + added <= tonumber(limit) then break end
  if not oldest[1] then
    redis.call('DEL', sizes)
    total, added = 0, size
    break
  end
  if oldest[1] == key then
    redis.call('ZADD', used, 'XX', now, key)
  else
    local freed = tonumber(redis.call('HGET', sizes, oldest[1]) or 0)
    redis.call('ZREM', used, oldest[1])
    redis.call('HDEL', sizes, oldest[1])
    dropped = dropped + redis.call('DEL', prefix .. oldest[1])
    total = redis.call('HINCRBY', sizes, '=', -freed)
  end
end
redis.call('HSET', sizes, key, size)
redis.call('HINCRBY', sizes, '=', added)
redis.call('ZADD', used, now, key)
redis.call('PEXPIRE', sizes, ttl)
redis.call('PEXPIRE', used, ttl)
if token ~= '' and redis.call('GET', claim) == token then redis.call('DEL', claim) end
return dropped
""")

_DROP = script("""
local size = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[3], ARGV[1]) == 1 then redis.call('HINCRBY', KEYS[3], '=', -size) end
""")

_GIVE_UP = script(
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end"
)

_RENEW = script("""
for number, claim in ipairs(KEYS) do
  if redis.call('GET', claim) == ARGV[number + 1] then redis.call('PEXPIRE', claim, ARGV[1]) end
end
""")


class Found(NamedTuple):
    """What a look at a key has brought."""

    state: bytes
    """`HIT`; or else, of who wanted to make it: `MINE`, `TAKEN`, `FREE`: nobody has a claim."""
    value: Optional[bytes] = None


class Claim(NamedTuple):
    """That one server makes the value of a key, and the others wait for it."""

    key: str
    token: str
    """Secret, so that nobody ends what has become another one's claim."""


class Shelf:
    """Values by key. Every call may raise `Away`."""

    def __init__(self, redis: SharedRedis, name: str, limit_bytes: int, ttl_s: float) -> None:
        self._redis = redis
        self._prefix = f"{PREFIX}{name}"
        self._used = f"{self._prefix}/used"
        self._sizes = f"{self._prefix}/sizes"
        self._limit = limit_bytes
        self._ttl_ms = max(1, round(1e3 * ttl_s))

    def look(self, key: str, token: Optional[str] = None, claim_s: float = 0.0) -> Found:
        """The value, which becomes the most recently used one.

        Args:
            token: where there is no value, claim to make it.
            claim_s: how long that holds without being renewed.
        """
        entry = self._entry(key)
        value, state = self._redis.run_after(
            ("GET", entry),
            _LOOK,
            (entry, self._used, self._claim(key)),
            key,
            self._ttl_ms,
            token or "",
            max(1, round(1e3 * claim_s)),
        )
        if value is not None:  # even if it was dropped right then; a claim ends by itself
            return Found(HIT, value)
        if state == HIT:  # it was put there right then
            return self.look(key, token, claim_s)
        return Found(state)

    def put(self, key: str, value: bytes, token: Optional[str] = None) -> int:
        """Keep a value, and end the claim to make it; how many others were dropped for it."""
        entry = self._entry(key)
        _, dropped = self._redis.run_after(
            ("SET", entry, value, "PX", self._ttl_ms),
            _PUT,
            (self._used, self._sizes, self._claim(key), entry),
            key,
            len(value) + len(entry),
            self._ttl_ms,
            self._limit,
            token or "",
            self._prefix + ":",
        )
        return int(dropped)

    def drop(self, key: str) -> None:
        """Keep it no longer."""
        self._redis.run(_DROP, (self._entry(key), self._used, self._sizes), key)

    def give_up(self, claim: Claim) -> None:
        """Let others make it."""
        self._redis.run(_GIVE_UP, (self._claim(claim.key),), claim.token)

    def renew(self, claims: Sequence[Claim], claim_s: float) -> None:
        """Go on claiming."""
        keys = [self._claim(claim.key) for claim in claims]
        self._redis.run(_RENEW, keys, round(1e3 * claim_s), *(claim.token for claim in claims))

    def size_bytes(self) -> int:
        """What all values take, whichever server put them there."""
        return int(self._redis.ask("HGET", self._sizes, "=") or 0)

    def _entry(self, key: str) -> str:
        return f"{self._prefix}:{key}"

    def _claim(self, key: str) -> str:
        return f"{self._prefix}!{key}"
