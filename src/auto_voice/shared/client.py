"""Redis: the only place that knows its package, and how long anybody waits for it.

A request asks Redis once or twice, and each time waits for 40 ms at most, or as long as is set.
Whatever could take longer, such as finding its address and connecting, is done in threads of its
own. As soon as Redis fails one request, the others do not ask it any more (see `breaker`), and go
on alone.
"""

import hashlib
import logging
import threading
import time
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple, Type, Union

from auto_voice.errors import MissingDependency
from auto_voice.shared.breaker import Breaker

log = logging.getLogger(__name__)

BEAT_S = 0.3
"""Between two heartbeats."""
_BEAT_ANSWER_S = 0.25
_CONNECT_S = 1.0
_LEAST_S = 0.001
"""What has arrived is read even where it is time already: it may be us who are late."""
_CONNECTIONS = 16
_REFUSED_S = 10.0
"""How long it counts as a fault that Redis refused something."""
_COMPLAIN_EVERY_S = 60.0

Word = Union[bytes, str, int]


class Away(Exception):
    """Redis is of no use for this at present: go on without it."""


class Script(NamedTuple):
    """Lua that Redis runs in one go, whoever else asks."""

    text: str
    digest: str


def script(text: str) -> Script:
    """Lua's ``text``, as Redis knows it once it has run it."""
    digest = hashlib.sha1(text.encode()).hexdigest()  # nosec B324: Redis' name for it, no secret
    return Script(text, digest)


class SharedRedis:
    """A Redis that may be slow, full, frozen or gone at any time. Safe for threads."""

    def __init__(self, url: str, answer_s: float = 0.04) -> None:
        """Does not connect yet: see `start`.

        Args:
            answer_s: how long a request waits for an answer, all of it.

        Raises:
            MissingDependency: the extra ``redis`` is not installed.
            ValueError: the URL is not one of Redis.
        """
        self._maker = _Maker(url)
        self._answer_s = answer_s
        self._breaker = Breaker()
        self._free = threading.Condition()
        self._idle: List[Any] = []
        self._connections = 0
        """Idle, in use, and those that are being made."""
        self._refused: Optional[Tuple[float, str]] = None
        self._complained = float("-inf")
        self._on_beat: List[Callable[[], None]] = []
        self._closing = threading.Event()
        self._looked = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="redis", daemon=True)

    def start(self, wait_s: float = 0.5) -> None:
        """Connect, and see from now on whether Redis is there; waits a little for it."""
        self._keeper.start()
        self._looked.wait(wait_s)

    def close(self) -> None:
        """Ask no more."""
        self._closing.set()
        self._breaker.trip("this server stops")
        self._drop_idle()

    @property
    def is_there(self) -> bool:
        """Whether it makes sense to ask."""
        return self._breaker.closed

    def fault(self) -> Optional[str]:
        """Why Redis is of no use, or not of all; None if all is well. Does not ask it."""
        fault = self._breaker.fault
        refused = self._refused
        if fault is None and refused is not None and time.monotonic() < refused[0] + _REFUSED_S:
            return f"it refuses to keep anything ({refused[1]})"
        return fault

    def on_beat(self, then: Callable[[], None]) -> None:
        """Have something done with each heartbeat; it may raise `Away`."""
        self._on_beat.append(then)

    # --- asking ---------------------------------------------------------------------------------

    def ask(self, *words: Word) -> Any:
        """The answer to a command.

        Raises:
            Away: there is none in time, or Redis refuses.
        """
        return self._ask(lambda connection: _exchange(connection, words))

    def run(self, lua: Script, keys: Sequence[str], *words: Word) -> Any:
        """What a script returns.

        Raises:
            Away: nothing in time, or Redis refuses.
        """

        def exchange(connection: Any) -> Any:
            rest = (len(keys), *keys, *words)
            try:
                return _exchange(connection, ("EVALSHA", lua.digest, *rest))
            except self._maker.no_script:  # the first time, and after a restart
                return _exchange(connection, ("EVAL", lua.text, *rest))

        return self._ask(exchange)

    def run_after(
        self, command: Sequence[Word], lua: Script, keys: Sequence[str], *words: Word
    ) -> Tuple[Any, Any]:
        """What a command returns, and then a script, asked together; others may come between them.

        A large value costs Redis a third as much in a command as on its way through a script.

        Raises:
            Away: nothing in time, or Redis refuses one of them.
        """

        def exchange(connection: Any) -> Tuple[Any, Any]:
            rest = (len(keys), *keys, *words)
            both = connection.pack_commands((command, ("EVALSHA", lua.digest, *rest)))
            connection.send_packed_command(both, check_health=False)
            answers: List[Any] = []
            for _ in range(2):  # both are read: what is left would be the next one's answer
                try:
                    answers.append(connection.read_response())
                except self._maker.refused as error:
                    answers.append(error)
            if isinstance(answers[1], self._maker.no_script):
                answers[1] = _exchange(connection, ("EVAL", lua.text, *rest))
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            return answers[0], answers[1]

        return self._ask(exchange)  # type: ignore[no-any-return]

    def _ask(self, exchange: Callable[[Any], Any]) -> Any:
        until = time.monotonic() + self._answer_s
        try:
            try:
                return self._once(exchange, until)
            except self._maker.hung_up:
                # Redis hangs up on who is silent for long: that alone is no reason to leave it.
                self._drop_idle()
                return self._once(exchange, until)
        except self._maker.refused as error:
            self._refused = time.monotonic(), type(error).__name__
            raise Away from None
        except self._maker.failed as error:
            self._trip(error)
            raise Away from None

    def _once(self, exchange: Callable[[Any], Any], until: float) -> Any:
        connection = self._take(until)
        connection.until = until
        whole = False
        try:
            answer = exchange(connection)
            whole = True
            return answer
        except self._maker.refused:
            whole = True
            raise
        finally:
            self._give(connection, whole)

    # --- connections ----------------------------------------------------------------------------

    def _take(self, until: float) -> Any:
        with self._free:
            while True:
                if not self._breaker.closed:
                    raise Away
                if self._idle:
                    return self._idle.pop()
                if self._connections < _CONNECTIONS:
                    self._connections += 1
                    threading.Thread(target=self._connect_another, daemon=True).start()
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                self._free.wait(left_s)

    def _give(self, connection: Any, whole: bool) -> None:
        with self._free:
            keep = whole and self._breaker.closed
            if keep:
                self._idle.append(connection)
                self._free.notify()
            else:
                self._connections -= 1
        if not keep:
            connection.disconnect()

    def _connect_another(self) -> None:
        connection = None
        try:
            connection = self._maker.connect()
        except self._maker.failed as error:
            self._trip(error)
        with self._free:
            if connection is None:
                self._connections -= 1
            else:
                self._idle.append(connection)
            self._free.notify_all()

    def _drop_idle(self) -> None:
        with self._free:
            dropped, self._idle = self._idle, []
            self._connections -= len(dropped)
            self._free.notify_all()
        for connection in dropped:
            connection.disconnect()

    # --- the heartbeat --------------------------------------------------------------------------

    def _keep(self) -> None:
        connection, answered = None, False
        while not self._closing.is_set():
            asked = time.monotonic()
            try:
                if connection is None:
                    connection = self._maker.connect()
                connection.until = time.monotonic() + max(_BEAT_ANSWER_S, self._answer_s)
                _exchange(connection, ("PING",))
                answered = True
                if self._breaker.answered(asked):
                    log.info("Redis answers")
                for then in self._on_beat if self._breaker.closed else ():
                    then()
            except Away:
                pass  # said already
            except self._maker.failed as error:
                if connection is not None:
                    connection.disconnect()
                connection = None
                if answered and isinstance(error, self._maker.hung_up):
                    answered = False
                    continue  # as in `_ask`: it may hang up on whom it likes
                self._trip(error)
            self._looked.set()
            self._closing.wait(BEAT_S)
        if connection is not None:
            connection.disconnect()

    def _trip(self, error: Exception) -> None:
        # The class, not the words: those may name the host and the user.
        name = type(error).__name__
        tripped = self._breaker.trip(f"it does not answer ({name})")
        self._refused = None  # that was before
        self._drop_idle()
        now = time.monotonic()
        first = not self._looked.is_set()
        if (tripped or first) and now - self._complained >= _COMPLAIN_EVERY_S:
            self._complained = now
            log.warning("Redis does not answer (%s): this server goes on without it", name)


def version(url: str) -> str:
    """The version of the Redis at ``url``, asked with patience.

    Raises:
        MissingDependency, ValueError: as `SharedRedis`.
        ConnectionError: it does not answer; says how.
    """
    maker = _Maker(url)
    try:
        connection = maker.connect()
        try:
            told = dict(
                line.partition(b":")[::2]
                for line in _exchange(connection, ("INFO", "server")).splitlines()
            )
        finally:
            connection.disconnect()
    except maker.failed + (maker.refused,) as error:
        raise ConnectionError(f"it does not answer ({type(error).__name__})") from None
    return str(told[b"redis_version"].decode())


def _exchange(connection: Any, words: Sequence[Word]) -> Any:
    connection.send_packed_command(connection.pack_command(*words), check_health=False)
    return connection.read_response()


class _Maker:
    """Makes connections, and knows the package's errors."""

    def __init__(self, url: str) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise MissingDependency(
                "Redis needs a package: pip install 'autovoice[redis]'"
            ) from None
        pool = redis.ConnectionPool.from_url(url)
        # What the package's own pool adds for itself is not for ours.
        given = {
            name: value
            for name, value in pool.connection_kwargs.items()
            if not name.startswith(("maint_", "orig_"))
        }
        self._kind = _timed(pool.connection_class)
        self._options = {
            **given,
            "decode_responses": False,
            "health_check_interval": 0,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": _CONNECT_S,
            "socket_timeout": _CONNECT_S,
        }
        self.no_script: Type[Exception] = redis.exceptions.NoScriptError
        self.refused: Type[Exception] = redis.ResponseError
        self.hung_up: Type[Exception] = redis.ConnectionError
        self.failed: Tuple[Type[Exception], ...] = (redis.RedisError, OSError)

    def connect(self) -> Any:
        """A connection that is ready for use; may take a second, and longer to find the host."""
        connection = self._kind(**self._options)
        connection.until = time.monotonic() + _CONNECT_S
        connection.connect()
        return connection


def _timed(kind: Any) -> Any:
    """Connections of a ``kind`` whose answers have to be there whole by ``until``."""

    class Timed(kind):  # type: ignore[misc]  # the package's class depends on the URL
        until = 0.0
        """time.monotonic() at which an answer comes too late."""

        def _connect(self) -> Any:
            return _TimedSocket(super()._connect(), self)

        def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            # Large values come apart from what is around them: one call for all of that.
            if not isinstance(command, str) and len(command) > 1 and self._sock is not None:
                command = [b"".join(command)]
            super().send_packed_command(command, check_health)

    return Timed


class _TimedSocket:
    """A socket whose time limit is for all that is read, where Redis' package has one a read."""

    def __init__(self, sock: Any, timed: Any) -> None:
        self._sock = sock
        self._timed = timed

    def recv(self, *arguments: Any) -> Any:
        self._limit()
        return self._sock.recv(*arguments)

    def recv_into(self, *arguments: Any) -> Any:
        self._limit()
        return self._sock.recv_into(*arguments)

    def sendall(self, data: bytes) -> None:
        self._limit()
        self._sock.sendall(data)

    def settimeout(self, timeout_s: Optional[float]) -> None:
        """Nothing: `until` says it."""

    def _limit(self) -> None:
        self._sock.settimeout(max(_LEAST_S, self._timed.until - time.monotonic()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
