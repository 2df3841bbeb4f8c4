"""gunicorn's threaded worker, made fit for speech."""

import io
import logging
import os
import resource
import socket
import threading
import time
from typing import Any, List, Optional, Tuple

import gunicorn
from gunicorn.workers.gthread import TConn, ThreadWorker

from auto_voice.bootstrap import Service
from auto_voice.errors import BodyTimeout
from auto_voice.monitoring.metrics import UNMATCHED
from auto_voice.web import plain_request
from auto_voice.web.connection import Connection
from auto_voice.web.lobby import Lobby, is_whole
from auto_voice.web.reply import last_words

log = logging.getLogger(__name__)

SLOW_THREADS = 16
"""How many threads at most wait for requests that only a thread can read."""

_READ_BYTES = 1 << 16
_SPARE_FILES = 256
"""Descriptors for all that is no client's connection; WebSockets have more of their own."""
_ANSWERS_IN_PAIRS = gunicorn.version_info < (24,)
"""Whether gunicorn's `handle` returns (keep alive, connection)."""
_SEEN_TO = object()
"""What `handle` returns where gunicorn is to do nothing with the connection."""


class SpeechWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker with three changes.

    A thread keeps its connection for a moment after an answer: most clients
    send the next request at once, and going through the main thread's poller
    costs two thread switches, as much as all the rest of a short request.

    A request that is not whole after that moment gets no thread until it is.

    SIGTERM first lets open requests finish while health checks are still
    answered (readiness with 503), and only then closes the listener.
    """

    cfg: Any
    worker_connections: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        threads = self.cfg.threads
        # Half of the threads at most wait for requests that may never come; each takes a token.
        self._lingering: List[None] = [None] * max(1, threads // 2)
        self._slow: List[None] = [None] * SLOW_THREADS
        self._drain_begun = False

    def init_process(self) -> None:
        """Called by gunicorn in the worker process; serves until the end."""
        self.cfg = _Snapshot(self.cfg)
        threads = self.cfg.threads
        websockets = self.app.settings.websocket_max_sessions
        files = _allow_files(self.worker_connections + websockets + _SPARE_FILES) - _SPARE_FILES
        # Where there are too few files, WebSockets get half of them at most.
        self._websockets = min(websockets, max(0, files // 2, files - self.worker_connections))
        most = files - self._websockets
        self.worker_connections = max(threads, min(self.worker_connections, most))
        # Two in five may be in the lobby, and two in five be silent between requests (past that a
        # connection ends with its answer), so that one in five is left for being served.
        self.max_keepalived = places = self.worker_connections * 2 // 5
        self._body_limit = self.app.settings.body_limit_bytes
        self._lobby = Lobby(places, self._is_whole, self._resume, self._dismiss)
        super().init_process()

    def load_wsgi(self) -> None:
        """Called by gunicorn to make the application."""
        super().load_wsgi()
        if hasattr(self.app, "hub"):  # gunicorn survives an application that cannot be loaded
            self.app.hub.allow(self._websockets)

    def accept(self, *args: Any) -> None:
        """Called by gunicorn where a listener has a new connection.

        gunicorn 23 waits for its first byte in a place that has no end.
        """
        if not _ANSWERS_IN_PAIRS:
            super().accept(*args)
            return
        server, listener = args
        try:
            sock, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        self.enqueue_req(TConn(self.cfg, sock, client, server))

    def handle(self, conn: Any) -> Any:
        """Serve requests of one connection; gunicorn calls this in a pool's thread."""
        if type(conn.sock) is socket.socket:
            conn.sock = Connection.of(conn.sock, self._slow)
            if conn.parser is not None:  # gunicorn 23's is there before
                conn.parser.unreader.sock = conn.sock
        conn.sock.setblocking(True)
        received: Optional[bytes] = getattr(conn, "sent_before", b"")
        if received:
            conn.sent_before = b""
        else:
            received = self._read_ahead(conn)
            if received is None:
                return self._wait(conn, b"")
        while received:
            request, received = self._plain(conn, received)
            if request is not None:
                keep_alive = self._serve_plain(conn, request)
                received = request.rest
            elif self._is_whole(received):
                keep_alive = self._serve(conn, received)
                received = b""
                if conn.sock.hand_over is not None:
                    self._hand_over(conn)
                    return _SEEN_TO
            else:
                return self._wait(conn, received)
            if not keep_alive:
                break
            received = received or self._read_ahead(conn)
            if received is None:
                conn.init()  # gunicorn expects its parser to be there
                return (True, conn) if _ANSWERS_IN_PAIRS else True
        else:  # the client is gone
            self._dismiss(conn, b"", False)
            return _SEEN_TO
        self._lobby.see_off(conn)
        return _SEEN_TO

    def _serve(self, conn: Any, received: bytes) -> bool:
        """Have gunicorn answer a request; whether the connection can take another one."""
        conn.init()
        conn.parser.unreader.unread(received)
        conn.sock.expect(True)
        result = super().handle(conn)
        keep_alive = result[0] if _ANSWERS_IN_PAIRS else result
        # True and nothing else: newer gunicorns also have a marker for "not begun yet".
        reusable = keep_alive is True and _body_is_read(conn)
        conn.sock.expect(False)
        return reusable

    def _hand_over(self, conn: Any) -> None:
        """The connection has become a WebSocket: it is gunicorn's no more."""
        conn.sock.hand_over(_taken(conn.parser.unreader))
        self._count_one_less()

    def _read_ahead(self, conn: Any) -> Optional[bytes]:
        """What the client sends within `LINGER_S`: None if it is silent, nothing if it is gone."""
        if conn.parser is not None:
            received = _taken(conn.parser.unreader)
            if received:
                return received  # it came together with the request before
        try:
            token = self._lingering.pop()
        except IndexError:
            return _received(conn.sock, socket.MSG_DONTWAIT)
        try:
            # Not select and then read: each is a moment in which other threads take over.
            return _received(conn.sock, 0)
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
                return None, received  # for the lobby
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

    # --- the lobby ------------------------------------------------------------------------------

    def _is_whole(self, received: bytes) -> bool:
        return is_whole(received, self._body_limit)

    def _wait(self, conn: Any, received: bytes) -> object:
        """Leave the connection to the lobby until its request is whole."""
        self._lobby.admit(conn, received, None if received else conn.sock.opened)
        return _SEEN_TO

    def finish_request(self, *args: Any) -> None:
        """Called by gunicorn with what became of `handle`: (connection and) future."""
        future = args[-1]
        if future.cancelled() or future.exception() or future.result() is not _SEEN_TO:
            super().finish_request(*args)

    def _resume(self, conn: Any, received: bytes) -> None:
        conn.sent_before = received
        if not _ANSWERS_IN_PAIRS:
            self.enqueue_req(conn)
            return
        # gunicorn 23's list of futures is for the main thread only.
        future: Any = self.tpool.submit(self.handle, conn)
        future.conn = conn
        future.add_done_callback(self.finish_request)

    def _dismiss(self, conn: Any, received: bytes, late: bool) -> None:
        if late and received:
            log.info("a request did not arrive in time", extra={"client": conn.client[0]})
            http = self.app.service.metrics.http
            http.begun()
            http.done(received.split(b" ", 1)[0].decode("latin-1"), UNMATCHED, 408, 0.0)
            error = BodyTimeout("The request did not arrive in time.", retry_after_s=1)
            try:
                conn.sock.send(last_words(error), socket.MSG_DONTWAIT)
                conn.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # nobody is there to read it
        conn.sock.close()
        self._count_one_less()

    def _count_one_less(self) -> None:
        if _ANSWERS_IN_PAIRS:
            self.nr_conns -= 1
        else:
            self.method_queue.defer(self._forget_one)

    def _forget_one(self) -> None:
        self.nr_conns -= 1

    # --- the end --------------------------------------------------------------------------------

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: drain, then stop. That it comes again means nothing.

        Service managers send it to each process, and the master passes its own on.
        """
        if not self._drain_begun:
            self._drain_begun = True
            threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGQUIT or SIGINT: stop at once."""
        # Not here: the main thread may be holding any lock.
        threading.Thread(target=self._leave, name="leave", daemon=True).start()

    def _drain(self) -> None:
        service: Optional[Service] = getattr(self.app, "service", None)
        if service is not None:
            drain_s = service.settings.drain_s
            over = time.monotonic() + drain_s
            service.drain()
            wyoming = self.app.wyoming
            self.app.hub.drain()
            if wyoming is not None:
                wyoming.drain()
            empty = self.app.hub.wait_until_empty(drain_s)
            if not empty:
                self.app.hub.close()
            if wyoming is not None:
                wyoming.wait_until_idle(max(0.0, over - time.monotonic()))
            left_s = max(0.0, over - time.monotonic())
            if empty and service.synthesizer.scheduler.wait_until_idle(left_s):
                # Other answers may still be on their way; gunicorn lets them arrive.
                self._lobby.close()
                super().handle_exit(0, None)
                time.sleep(max(0.0, over - time.monotonic()))
        self._leave()

    def _leave(self) -> None:
        """End this process; what is open is cut off."""
        try:
            self.cfg.worker_exit(None, self)
        finally:
            # Python's own way out would wait for each thread to finish its answer.
            os._exit(0)


def _received(sock: socket.socket, flags: int) -> Optional[bytes]:
    try:
        return sock.recv(_READ_BYTES, flags)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _allow_files(count: int) -> int:
    """Let this process open ``count`` files at once, or as many as it may; how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        count = min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        except (OSError, ValueError):  # macOS has a limit that it does not tell
            return soft
    return count


def _body_is_read(conn: Any) -> bool:
    """Read what the application left of a request's body, so that the next request comes after.

    gunicorn 23 does so only when it is about to parse that next request.
    """
    if _ANSWERS_IN_PAIRS:
        body = conn.parser.mesg.body
        try:
            while body.read(_READ_BYTES):
                pass
        except Exception:  # nobody knows where the next request would begin
            return False
    return True


def _taken(unreader: Any) -> bytes:
    """What an unreader of gunicorn's has read ahead; it then has it no more."""
    if not unreader.buf.tell():
        return b""
    data: bytes = unreader.buf.getvalue()
    unreader.buf = io.BytesIO()
    return data


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
