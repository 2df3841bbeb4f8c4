"""gunicorn with threads, made fit for speech: quick keep-alive, an honest drain."""

import gc
import io
import logging
import socket
import struct
import sys
import threading
from typing import Any, Callable, Dict, Optional, Tuple

import gunicorn
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.workers.gthread import ThreadWorker

from auto_voice.bootstrap import Service, build, check
from auto_voice.errors import InvalidRequest
from auto_voice.settings import Settings
from auto_voice.web import plain_request
from auto_voice.web.app import create_app
from auto_voice.web.reply import STATUS_LINES, error_reply

log = logging.getLogger(__name__)

SPARE_THREADS = 32
"""Threads beyond those that speech can take, for health, metrics, listings and refusals."""
LINGER_S = 0.05
"""How long a thread waits for the next request of its connection before it gives it back."""
READ_TIMEOUT_S = 10
"""How long a client may be silent in the middle of a request."""
WRITE_TIMEOUT_S = 60
"""How long a client may refuse to take audio before it counts as gone."""

_READ_BYTES = 1 << 16
_ANSWERS_IN_PAIRS = gunicorn.version_info < (24,)
"""Whether gunicorn's `handle` returns (keep alive, connection)."""
_LINGER = struct.pack("ll", 0, int(LINGER_S * 1e6))
_READ_TIMEOUT = struct.pack("ll", READ_TIMEOUT_S, 0)
_WRITE_TIMEOUT = struct.pack("ll", WRITE_TIMEOUT_S, 0)


class SpeechWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker with two changes.

    A thread keeps its connection for a moment after an answer: most clients
    send the next request at once, and going through the main thread's poller
    costs two thread switches, as much as all the rest of a short request.

    SIGTERM first lets open requests finish while health checks are still
    answered (readiness with 503), and only then closes the listener.
    """

    cfg: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Half of the threads at most wait for requests that may never come; each takes a token.
        self._lingering = [None] * max(1, self.cfg.threads // 2)
        self._drain_begun = False

    def init_process(self) -> None:
        """Called by gunicorn in the worker process; serves until the end."""
        self.cfg = _Snapshot(self.cfg)
        super().init_process()

    def handle(self, conn: Any) -> Any:
        """Serve requests of one connection; gunicorn calls this in a pool's thread."""
        if conn.parser is None and type(conn.sock) is socket.socket:
            conn.sock = _Socket.of(conn.sock)
        conn.sock.setblocking(True)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _WRITE_TIMEOUT)
        received = self._read_ahead(conn)
        while True:
            request, received = self._plain(conn, received) if received else (None, b"")
            if request is not None:
                keep_alive = self._serve_plain(conn, request)
                if keep_alive:
                    conn.init()  # gunicorn expects its parser to be there
                # gunicorn 23 wants (keep alive, connection), newer ones only the first.
                result = (keep_alive, conn) if _ANSWERS_IN_PAIRS else keep_alive
                received = request.rest
            else:
                if received:
                    conn.init()
                    conn.parser.unreader.unread(received)
                conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _READ_TIMEOUT)
                result = super().handle(conn)
                keep_alive = result[0] if _ANSWERS_IN_PAIRS else result
                # True and nothing else: newer gunicorns also have a marker for "not begun yet".
                if keep_alive is not True or not _body_is_read(conn):
                    return result
                received = b""
            if not keep_alive:
                return result
            received = received or self._read_ahead(conn)
            if not received:
                return result

    def _read_ahead(self, conn: Any) -> bytes:
        """What the client sends within `LINGER_S`; nothing if it is silent, or gone."""
        if conn.parser is not None:
            received = _taken(conn.parser.unreader)
            if received:
                return received  # it came together with the request before
        try:
            token = self._lingering.pop()
        except IndexError:
            return b""
        try:
            # Not select and then read: each is a moment in which other threads take over.
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LINGER)
            data: bytes = conn.sock.recv(_READ_BYTES)
            return data
        except OSError:
            return b""  # silence; or a broken connection, which gunicorn will find so
        finally:
            self._lingering.append(token)

    def _plain(
        self, conn: Any, received: bytes
    ) -> Tuple[Optional[plain_request.PlainRequest], bytes]:
        """The whole plain request that ``received`` begins with, if it is one; and all received."""
        request = plain_request.parse(received)
        if request is not None and request.missing > 0:
            # Many clients send the body by itself, right after the head.
            try:
                received += conn.sock.recv(_READ_BYTES)
            except OSError:
                return None, received
            request.received = received
            if request.missing > 0:
                return None, received
        return request, received

    def _serve_plain(self, conn: Any, request: plain_request.PlainRequest) -> bool:
        """Answer; whether the connection can take another request."""
        self.nr += 1
        idle = self._keep if _ANSWERS_IN_PAIRS else self.keepalived_conns
        close = not self.alive or len(idle) >= self.max_keepalived
        try:
            return plain_request.serve(request, self.wsgi, conn.sock, conn.client[0], close)
        except OSError as error:
            log.debug("a connection ended before its answer: %s", error)
        except Exception:
            log.exception("a request failed outside the application")
        return False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM to this process: drain, then stop. A second one stops at once."""
        if self._drain_begun:
            super().handle_exit(sig, frame)
            return
        self._drain_begun = True
        service: Service = self.app.service

        def drain() -> None:
            service.drain()
            service.synthesizer.scheduler.wait_until_idle(service.settings.drain_s)
            super(SpeechWorker, self).handle_exit(sig, None)
            if service.tracing is not None:
                service.tracing.flush()  # streams that are cut off may leave no time for it later

        threading.Thread(target=drain, name="drain", daemon=True).start()


def _body_is_read(conn: Any) -> bool:
    """Read what the application left of a request's body, so that the next request comes after.

    gunicorn 23 does so only when it is about to parse that next request.
    """
    if _ANSWERS_IN_PAIRS:
        body = conn.parser.mesg.body
        try:
            while body.read(_READ_BYTES):
                pass
        except Exception:  # it will come up again where gunicorn can deal with it
            return False
    return True


def _taken(unreader: Any) -> bytes:
    """What an unreader of gunicorn's has read ahead; it then has it no more."""
    if not unreader.buf.tell():
        return b""
    data: bytes = unreader.buf.getvalue()
    unreader.buf = io.BytesIO()
    return data


class _Socket(socket.socket):
    """A socket that stays blocking, with the kernel's own timeouts.

    gunicorn sets the timeout four times in each request, to what it was. Each
    time is a system call during which another thread may take the interpreter,
    and under load that is a thread switch.
    """

    @classmethod
    def of(cls, sock: socket.socket) -> "_Socket":
        """The same connection; ``sock`` itself is of no more use."""
        timeout = sock.gettimeout()
        same = cls(sock.family, sock.type, sock.proto, fileno=sock.detach())
        # A new object takes the descriptor for blocking, whatever it is.
        socket.socket.settimeout(same, timeout)
        return same

    def settimeout(self, value: Optional[float]) -> None:
        """Only between blocking and non-blocking; `READ_TIMEOUT_S` bounds each read anyway."""
        blocking = value != 0.0
        if blocking != (self.gettimeout() != 0.0):
            super().settimeout(None if blocking else 0.0)

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)


class _Snapshot:
    """gunicorn's configuration with every value as a plain attribute.

    gunicorn looks some twenty settings up in each request, and in its own
    object that takes two calls of Python each.
    """

    def __init__(self, cfg: Any) -> None:
        self._cfg = cfg
        for name, setting in cfg.settings.items():
            setattr(self, name, setting.get())
        self.is_ssl = cfg.is_ssl

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfg, name)


class _OneWrite:
    """A socket that sends an answer's headers together with the beginning of its body.

    One system call less here, and one wake-up less for the client.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.held = b""

    def sendall(self, data: bytes) -> None:
        held, self.held = self.held, b""
        if not held:
            self._sock.sendall(data)
            return
        sent = self._sock.sendmsg((held, data))
        if sent < len(held):
            self._sock.sendall(held[sent:])
            sent = len(held)
        if sent < len(held) + len(data):
            self._sock.sendall(memoryview(data)[sent - len(held) :])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Response(wsgi.Response):  # type: ignore[misc]
    """gunicorn's response, which would send headers and body one after the other."""

    headers_sent: bool

    def __init__(self, req: Any, sock: socket.socket, cfg: Any) -> None:
        super().__init__(req, _OneWrite(sock), cfg)
        self.version = "autovoice"

    def process_headers(self, headers: Any) -> None:
        super().process_headers(headers)
        if ("Connection", "close") in headers:
            self.force_close()

    def send_headers(self) -> None:
        if not self.headers_sent:
            lines = [*self.default_headers(), *(f"{k}: {v}\r\n" for k, v in self.headers), "\r\n"]
            self.sock.held = "".join(lines).encode("latin-1")
            self.headers_sent = True

    def close(self) -> None:
        super().close()
        if self.sock.held:  # there was no body
            self.sock.sendall(b"")


def _write_error(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """Answer a request that gunicorn itself refuses; its own answer is a page of HTML."""
    error = InvalidRequest(f"{reason}. {mesg[:200]}".strip())
    error.status = status_int
    reply = error_reply(error)
    head = [
        f"HTTP/1.1 {STATUS_LINES.get(status_int, str(status_int))}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    body = reply.body if isinstance(reply.body, bytes) else b""
    sock.sendall("\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body)


util.write_error = _write_error
wsgi.Response = _Response  # `wsgi.create`, which makes them, has no other way to be told


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's log lines go where all others go."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for logger in (self.error_log, self.access_log):
            logger.handlers[:] = []
            logger.propagate = True

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Nothing: `observe.Observed` writes one line a request."""

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if isinstance(sys.exc_info()[1], (BlockingIOError, TimeoutError)):
            self.debug("a client was silent for too long")
        else:
            super().exception(msg, *args, **kwargs)


class Server(BaseApplication):  # type: ignore[misc]
    """One gunicorn master with one worker process, which owns the service."""

    def __init__(self, settings: Settings, reload: bool = False) -> None:
        self.settings = settings
        self._reload = reload
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        values: Dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "worker_class": SpeechWorker,
            "workers": 1,
            "threads": settings.max_requests + SPARE_THREADS,
            "worker_connections": 4 * (settings.max_requests + SPARE_THREADS),
            "keepalive": 75,
            "timeout": 60,
            "graceful_timeout": int(settings.drain_s) + 5,
            "logger_class": _Logger,
            "loglevel": settings.log_level.lower(),
            "reload": self._reload,
            "limit_request_line": 8190,
            "limit_request_fields": 100,
            "worker_exit": lambda server, worker: self._close(),
        }
        for key, value in values.items():
            self.cfg.set(key, value)
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", True)

    def load(self) -> Callable[..., Any]:
        """Called by gunicorn in the worker process."""
        self.service = build(self.settings)
        app = create_app(self.service)
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        # What has been made so far lives as long as the process: the garbage collector need not
        # look at it again, and not after every few hundred objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        return app

    def _warm_up(self) -> None:
        try:
            self.service.warm_up()
        except Exception:
            log.exception("warming up failed")  # requests that need it will say so, too

    def _close(self) -> None:
        service = getattr(self, "service", None)
        if service is not None:
            service.close()


def serve(settings: Settings, reload: bool = False) -> None:
    """Serve until a signal says otherwise; does not return.

    Raises:
        SettingsError: found here rather than in the worker process, which could only log it.
    """
    check(settings)
    Server(settings, reload).run()
