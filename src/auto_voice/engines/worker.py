"""The process that an engine lives in: ``python -m auto_voice.engines.worker``.

It speaks one utterance at a time, and ends when the server's end of its socket
closes, however the server went.
"""

import logging
import os
import select
import signal
import socket
import sys
import time
from typing import List

import msgspec

from auto_voice.engines import create, wire
from auto_voice.engines.engine import PCM, Utterance, Word, describe
from auto_voice.errors import AutoVoiceError

FLUSH_S = 0.002
"""Samples are held back for at most this long, to send them in few messages."""


class SocketEmitter:
    """Sends what the engine emits to the server."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held: List[PCM] = []
        self._flushed = time.perf_counter()
        self._cancelled = False
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def start(self) -> None:
        """Begin an utterance."""
        self._held.clear()
        self._cancelled = False
        self._flushed = time.perf_counter()

    def audio(self, pcm: PCM) -> bool:
        if self._cancelled:
            return False
        self._held.append(pcm)
        now = time.perf_counter()
        if now - self._flushed >= FLUSH_S:
            # While an utterance is under way the server has nothing else to say than CANCEL.
            if self._poll.poll(0):
                wire.receive(self._connection)
                self._cancelled = True
                return False
            wire.send(self._connection, wire.AUDIO, b"".join(self._held))
            self._held.clear()
            self._flushed = now
        return True

    def word(self, word: Word) -> None:
        wire.send(self._connection, wire.WORD, msgspec.msgpack.encode(word))

    def finish(self) -> None:
        """End an utterance that went well."""
        wire.send(self._connection, wire.LAST_AUDIO, b"".join(self._held))


def serve(connection: socket.socket, engine_name: str) -> None:
    """Load the engine and speak whatever the server sends, until it hangs up.

    Raises:
        wire.ConnectionLost: the server is gone, or closed this worker.
    """
    try:
        engine = create(engine_name)
        engine.load()
        hello = msgspec.json.encode(describe(engine))
    except Exception as error:
        wire.send(connection, wire.FAILED, _failure(error))
        return
    wire.send(connection, wire.HELLO, hello)
    emitter = SocketEmitter(connection)
    decoder = msgspec.msgpack.Decoder(Utterance)
    while True:
        kind, payload = wire.receive(connection)
        if kind != wire.SPEAK:
            continue  # a CANCEL that came after the utterance's end
        emitter.start()
        try:
            engine.speak(decoder.decode(payload), emitter)
        except wire.ConnectionLost:
            raise
        except Exception as error:
            if not isinstance(error, AutoVoiceError):
                logging.getLogger(__name__).exception("the engine failed")
            wire.send(connection, wire.FAILED, _failure(error))
        else:
            emitter.finish()


def _failure(error: Exception) -> bytes:
    code = error.code if isinstance(error, AutoVoiceError) else "engine_failed"
    message = str(error) or type(error).__name__
    return msgspec.msgpack.encode(wire.Failure(message, code))


def main() -> None:
    """Entry: socket's descriptor, engine's name, niceness."""
    descriptor, engine_name, niceness = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    # Ctrl-C and a service manager's SIGTERM reach the whole process group. The server then
    # finishes what it has begun, for which it needs its workers; they end when it hangs up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(niceness)
    connection = socket.socket(fileno=descriptor)
    try:
        serve(connection, engine_name)
    except wire.ConnectionLost:
        pass


if __name__ == "__main__":
    main()
