"""The process that an engine lives in: ``python -m auto_voice.engines.worker``.

It speaks one utterance at a time, and ends when the server's end of its socket
closes, however the server went.
"""

import logging
import mmap
import os
import select
import signal
import socket
import sys
import time

import msgspec

from auto_voice.engines import create, wire
from auto_voice.engines.engine import PCM, EngineOptions, InMemory, Utterance, Word, describe
from auto_voice.errors import AutoVoiceError

FLUSH_S = 0.005
"""Samples are held back for at most this long: most sentences then cost one message."""
REST_S = 0.5
"""After so long without work an engine gives back what it kept for more of it."""


class SharedEmitter:
    """Puts what the engine emits where the server can read it."""

    def __init__(self, connection: wire.Connection, memory: mmap.mmap) -> None:
        self._connection = connection
        self._memory = memory
        self._told = self._end = 0
        self._flushed = 0.0
        self._cancelled = False
        self._poll = select.poll()
        self._poll.register(connection.socket, select.POLLIN)

    def start(self) -> None:
        """Begin an utterance. The server has copied all samples of the one before."""
        self._told = self._end = 0
        self._cancelled = False
        self._flushed = time.perf_counter()

    def audio(self, pcm: PCM) -> bool:
        if self._cancelled:
            return False
        end = self._end + len(pcm)
        if end > len(self._memory):
            self._tell(wire.AUDIO)
            self._connection.send(wire.OVERFLOW, bytes(pcm))
        else:
            self._memory[self._end : end] = pcm
            self._end = end
        now = time.perf_counter()
        if now - self._flushed >= FLUSH_S:
            self._flushed = now
            # While an utterance is under way the server has nothing else to say than CANCEL.
            if self._connection.pending or self._poll.poll(0):
                self._connection.receive()
                self._cancelled = True
                return False
            self._tell(wire.AUDIO)
        return True

    def word(self, word: Word) -> None:
        self._connection.send(wire.WORD, msgspec.msgpack.encode(word))

    def loading(self, done: bool = False) -> None:
        self._connection.send(wire.LOADED if done else wire.LOADING)

    def finish(self) -> None:
        """End an utterance that went well."""
        self._tell(wire.LAST_AUDIO)

    def _tell(self, kind: int) -> None:
        if self._end > self._told or kind == wire.LAST_AUDIO:
            self._connection.send(kind, wire.SPAN.pack(self._told, self._end))
            self._told = self._end


def serve(
    connection: wire.Connection,
    memory: mmap.mmap,
    engine_name: str,
    options: EngineOptions = EngineOptions(),
) -> None:
    """Load the engine and speak whatever the server sends, until it hangs up.

    Raises:
        wire.ConnectionLost: the server is gone, or closed this worker.
    """
    try:
        engine = create(engine_name, options)
        engine.load()
        hello = msgspec.json.encode(describe(engine))
    except Exception as error:
        connection.send(wire.FAILED, _failure(error))
        return
    connection.send(wire.HELLO, hello)
    emitter = SharedEmitter(connection, memory)
    decoder = msgspec.msgpack.Decoder(Utterance)
    rested = True
    told = InMemory()
    while True:
        if not (rested or connection.waits(REST_S)):
            engine.rest()
            rested = True
        kind, payload = connection.receive()
        if kind != wire.SPEAK:
            continue  # a CANCEL that came after the utterance's end
        emitter.start()
        rested = False
        try:
            try:
                engine.speak(decoder.decode(payload), emitter)
            finally:
                now = engine.in_memory()
                if now != told:
                    told = now
                    connection.send(wire.MEMORY, msgspec.msgpack.encode(now))
        except wire.ConnectionLost:
            raise
        except Exception as error:
            if not isinstance(error, AutoVoiceError):
                logging.getLogger(__name__).exception("the engine failed")
            connection.send(wire.FAILED, _failure(error))
        else:
            emitter.finish()


def _failure(error: Exception) -> bytes:
    code = error.code if isinstance(error, AutoVoiceError) else "engine_failed"
    message = str(error) or type(error).__name__
    return msgspec.msgpack.encode(wire.Failure(message, code))


def main() -> None:
    """Entry: descriptors of the socket and the shared memory, engine's name, niceness, options."""
    descriptor, shared, niceness = (int(sys.argv[index]) for index in (1, 2, 4))
    # Ctrl-C and a service manager's SIGTERM reach the whole process group. The server then
    # finishes what it has begun, for which it needs its workers; they end when it hangs up.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    options = msgspec.json.decode(sys.argv[5], type=EngineOptions)
    os.nice(niceness)
    connection = wire.Connection(socket.socket(fileno=descriptor))
    memory = mmap.mmap(shared, wire.SHARED_BYTES)
    os.close(shared)
    try:
        serve(connection, memory, sys.argv[3], options)
    except wire.ConnectionLost:
        pass


if __name__ == "__main__":
    main()
