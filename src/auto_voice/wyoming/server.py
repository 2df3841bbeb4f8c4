"""Where Wyoming's clients connect: one thread with an event loop, beside all else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from typing import Dict, Optional

from auto_voice.bootstrap import Service
from auto_voice.errors import Overloaded, SettingsError
from auto_voice.settings import is_loopback
from auto_voice.wyoming.conversation import Conversation
from auto_voice.wyoming.incoming import MAX_HEADER_BYTES
from auto_voice.wyoming.shared import Limits, Shared

log = logging.getLogger(__name__)

_CLOSE_S = 2.0
"""How long what is cut off may take to end."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        SettingsError: nobody can listen there.
    """
    host = host.strip("[]")
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
    except (OSError, OverflowError) as error:
        raise SettingsError(f"Wyoming cannot listen at {uri(host, port)}: {error}") from None


def uri(host: str, port: int) -> str:
    """As Home Assistant and Wyoming's own programs write an address."""
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


class WyomingServer:
    """Serves one socket. What is not of the loop's thread may be called from any other."""

    def __init__(
        self, service: Service, sock: socket.socket, limits: Optional[Limits] = None
    ) -> None:
        """``sock``: from `listen`; it is closed in the end."""
        limits = limits or Limits(connections=service.settings.wyoming_max_connections)
        self._shared = Shared(service, limits)
        self._sock = sock
        self._loop = asyncio.new_event_loop()
        self._conversations: Dict[Conversation, "asyncio.Task[None]"] = {}
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wyoming", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._sock.getsockname()[1]
        return port

    def start(self) -> None:
        """Serve from now on."""
        host, port = self._sock.getsockname()[:2]
        if not is_loopback(host):
            log.warning("Wyoming knows no keys: whoever reaches %s can use it", uri(host, port))
        self._thread.start()
        self._ready.wait()
        log.info("Wyoming listens at %s", uri(host, port))

    def drain(self) -> None:
        """Begin nothing new; what has begun goes on."""
        self._shared.drain()
        self._loop.call_soon_threadsafe(self._drain_all)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until all that has begun is over; False if it is not."""
        return self._shared.wait_until_idle(timeout_s)

    def close(self) -> None:
        """Cut off what is left."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_CLOSE_S)
        self._sock.close()
        self._shared.threads.shutdown(wait=False)

    # --- in the loop's thread -------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._welcome, sock=self._sock, limit=MAX_HEADER_BYTES)
        self._ready.set()
        while not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), self._shared.limits.tick_s)
            except asyncio.TimeoutError:
                pass
            for conversation in list(self._conversations):
                conversation.tick(time.monotonic())
        server.close()
        for conversation in list(self._conversations):
            conversation.leave()
        if self._conversations:
            await asyncio.wait(set(self._conversations.values()), timeout=_CLOSE_S / 2)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Each event is several small writes. asyncio does this only where it made the listener.
        with contextlib.suppress(OSError):  # it is gone already
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        conversation = Conversation(self._shared, reader, writer)
        limit, present = self._shared.limits.connections, len(self._conversations)
        if present >= 2 * limit:
            conversation.leave()  # too many even of those who are being told so
            return
        task = asyncio.current_task()
        assert task is not None  # nosec B101: this is a coroutine
        self._conversations[conversation] = task
        try:
            if present >= limit:
                await conversation.send_away(Overloaded(f"{limit} connections are open already."))
            else:
                await conversation.run()
        finally:
            del self._conversations[conversation]

    def _drain_all(self) -> None:
        for conversation in list(self._conversations):
            conversation.drain()
