"""A process that speaks Wyoming and nothing else."""

import logging
import os
import signal
import sys
import threading
from typing import Any

from auto_voice.bootstrap import build, check
from auto_voice.settings import Settings
from auto_voice.wyoming.server import WyomingServer, listen

log = logging.getLogger(__name__)


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until a signal says otherwise, then end the process. The first lets what began finish.

    Raises:
        SettingsError: a setting is wrong, or nobody can listen there.
    """
    check(settings)
    sock = listen(host, port)
    told = threading.Semaphore(0)

    def tell(number: int, frame: Any) -> None:
        told.release()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    service = build(settings)
    server = WyomingServer(service, sock)
    try:
        server.start()
        service.fetch_voices()
        threading.Thread(target=_warm_up, args=(service.warm_up,), daemon=True).start()
        told.acquire()
        log.info("stopping; what has begun may take %g s", settings.drain_s)
        service.drain()
        server.drain()
        waiting = threading.Thread(target=_wait, args=(server, settings, told), daemon=True)
        waiting.start()
        told.acquire()  # all is over, or somebody is impatient
    finally:
        server.close()
        service.close()
    # Python's own way out waits for its threads, and what loads a codec in one of them for ever.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _wait(server: WyomingServer, settings: Settings, told: threading.Semaphore) -> None:
    server.wait_until_idle(settings.drain_s)
    told.release()


def _warm_up(warm_up: Any) -> None:
    try:
        warm_up()
    except Exception:
        log.exception("warming up failed")  # requests that need it will say so, too
