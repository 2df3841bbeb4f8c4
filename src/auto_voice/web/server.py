"""gunicorn, made fit for speech: its settings, its answers, its first process."""

import gc
import logging
import signal
import socket
import sys
import threading
from typing import Any, Callable, Dict, Optional

from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from prometheus_client import CollectorRegistry

from auto_voice.bootstrap import build, check
from auto_voice.errors import InvalidRequest
from auto_voice.settings import Settings
from auto_voice.web import metrics_port, reloading
from auto_voice.web.app import HUB, create_app
from auto_voice.web.reply import last_words
from auto_voice.web.worker import SpeechWorker
from auto_voice.wyoming.server import WyomingServer, listen

log = logging.getLogger(__name__)

SPARE_THREADS = 32
"""Threads beyond those that speech can take, for health, metrics, listings and refusals."""


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
    status_code: int

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

    def is_chunked(self) -> bool:
        # gunicorn 23 would say so of the answer that makes a WebSocket of a connection.
        return self.status_code != 101 and bool(super().is_chunked())

    def close(self) -> None:
        super().close()
        if self.sock.held:  # there was no body
            self.sock.sendall(b"")


def _write_error(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """Answer a request that gunicorn itself refuses; its own answer is a page of HTML."""
    error = InvalidRequest(f"{reason}. {mesg[:200]}".strip())
    error.status = status_int
    sock.sendall(last_words(error))


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


class _Master(Arbiter):  # type: ignore[misc]
    """gunicorn's first process, which stops the server at once when it is told twice.

    gunicorn's own no longer listens to SIGTERM, some versions to no signal at
    all, while it waits for open requests to end.
    """

    _told = 0

    def signal(self, sig: int, frame: Any) -> None:
        """Called for every signal but SIGCHLD."""
        if sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._told += 1
            if self._told > 1:
                # Whoever does not even stop now is made to.
                self.kill_workers(signal.SIGQUIT if self._told == 2 else signal.SIGKILL)
                return
        super().signal(sig, frame)

    def handle_usr2(self) -> None:
        """Called for SIGUSR2, which the worker process sends when the source has changed."""
        if not self.cfg.reload:
            super().handle_usr2()
        elif reloading.can_be_imported():
            self.stop(graceful=False)
            reloading.begin_anew()


def _nothing(worker: Any) -> None:
    """What gunicorn asks to be done where nothing is."""


class Server(BaseApplication):  # type: ignore[misc]
    """One gunicorn master with one worker process, which owns the service."""

    def __init__(
        self,
        settings: Settings,
        reload: bool = False,
        wyoming_socket: Optional[socket.socket] = None,
    ) -> None:
        self.settings = settings
        self._reload = reload
        self._wyoming_socket = wyoming_socket
        self.wyoming: Optional[WyomingServer] = None
        super().__init__()

    def load_config(self) -> None:
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        values: Dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "worker_class": SpeechWorker,
            "workers": 1,
            "threads": settings.max_requests + SPARE_THREADS,
            "worker_connections": 10 * (settings.max_requests + SPARE_THREADS),
            "keepalive": 75,
            "timeout": 60,
            # A worker ends by itself in time; this is for one that cannot.
            "graceful_timeout": int(settings.drain_s) + 5,
            "logger_class": _Logger,
            "loglevel": settings.log_level.lower(),
            "reload": self._reload,
            "worker_int": reloading.changed if self._reload else _nothing,
            "limit_request_line": 8190,
            "limit_request_fields": 100,
            "worker_exit": lambda server, worker: self._close(),
        }
        for key, value in values.items():
            self.cfg.set(key, value)
        if "control_socket_disable" in self.cfg.settings:
            self.cfg.set("control_socket_disable", True)

    def run(self) -> None:
        """Serve until a signal says otherwise; does not return."""
        _Master(self).run()

    def load(self) -> Callable[..., Any]:
        """Called by gunicorn in the worker process."""
        self.service = build(self.settings)
        app = create_app(self.service)
        self.hub = app.extensions[HUB]
        if self.settings.metrics_port:
            metrics_port.serve(self.settings, self.service.metrics.registry)
        if self._wyoming_socket is not None:
            self.wyoming = WyomingServer(self.service, self._wyoming_socket)
            self.wyoming.start()
        self.service.fetch_voices()
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
        if self.wyoming is not None:
            self.wyoming.close()
        service = getattr(self, "service", None)
        if service is not None:
            service.close()


def serve(settings: Settings, reload: bool = False) -> None:
    """Serve until a signal says otherwise; does not return.

    Raises:
        SettingsError: found here rather than in the worker process, which could only log it.
    """
    check(settings)
    if settings.metrics_port:
        metrics_port.listen(settings, CollectorRegistry()).server_close()
    wyoming_socket = None
    if settings.wyoming_port:
        # Here, and not in the worker process: one that takes its place gets it, too.
        wyoming_socket = listen(settings.wyoming_host, settings.wyoming_port)
    Server(settings, reload, wyoming_socket).run()
