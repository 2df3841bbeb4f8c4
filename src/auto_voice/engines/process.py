"""The server's end of one worker process."""

from __future__ import annotations

import mmap
import os
import socket
import struct
import subprocess  # nosec B404: starts our own interpreter, no shell
import sys
from contextvars import Context
from pathlib import Path
from typing import Callable, Optional, Tuple

import msgspec

from auto_voice.engines import wire
from auto_voice.engines.engine import Description, EngineOptions, InMemory, Utterance, Word
from auto_voice.errors import EngineFailed, MissingDependency, VoiceUnavailable

LOAD_TIMEOUT_S = 60.0

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


class WorkerDied(Exception):
    """The worker process ended, or had to be ended."""

    context: Optional[Context] = None
    """Of the job that it was busy with, if it was."""


class WorkerGone(WorkerDied):
    """The worker process had ended before it could be given anything to do."""


class WorkerHung(WorkerDied):
    """The worker gave no sign of life in time."""


class WorkerProcess:
    """Starts a worker, has it speak, and ends it. Used by one thread, but for `kill`."""

    def __init__(
        self, engine_name: str, options: EngineOptions = EngineOptions(), niceness: int = 0
    ) -> None:
        ours, theirs = socket.socketpair()
        shared = wire.shared_memory()
        self._connection = wire.Connection(ours)
        self._memory = mmap.mmap(shared, wire.SHARED_BYTES)
        self.in_memory = InMemory()
        """What the worker has of voices in memory, as it said last."""
        self._cancelled = False
        self._silence_s = 0.0
        environment = dict(os.environ)
        # Also where the package is not installed, as in a source checkout.
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, (_PACKAGE_PARENT, environment.get("PYTHONPATH")))
        )
        try:
            self._process = subprocess.Popen(  # nosec B603: no outside input
                [
                    sys.executable,
                    "-m",
                    "auto_voice.engines.worker",
                    str(theirs.fileno()),
                    str(shared),
                    engine_name,
                    str(niceness),
                    msgspec.json.encode(options).decode(),
                ],
                pass_fds=[theirs.fileno(), shared],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            ours.close()
            raise WorkerDied(f"cannot start a worker process: {error}") from None
        finally:
            theirs.close()
            os.close(shared)

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    def wait_until_loaded(self) -> Description:
        """Wait for the engine to load.

        Raises:
            WorkerDied: the process ended instead.
            MissingDependency, EngineFailed: the engine cannot be loaded.
        """
        self._set_timeout(LOAD_TIMEOUT_S)
        try:
            kind, payload = self._receive()
        except TimeoutError:
            raise WorkerHung("it does not finish loading") from None
        if kind == wire.FAILED:
            raise _error(payload)
        return msgspec.json.decode(payload, type=Description)

    def speak(
        self,
        utterance: Utterance,
        on_audio: Callable[[bytes, bool], bool],
        on_word: Callable[[Word], None],
        on_idle: Callable[[], None],
        idle_s: float,
        on_loading: Callable[[bool], None] = lambda done: None,
    ) -> None:
        """Speak one utterance.

        Args:
            on_audio: called with samples and whether they are the last ones;
                False cancels the rest.
            on_word: called with each word's time.
            on_idle: called whenever the worker has been silent for ``idle_s`` seconds.
            on_loading: called when the worker begins to load the voice, and when that is done.

        Raises:
            WorkerGone: at once; this object is of no more use.
            WorkerDied: in the middle; this object is of no more use.
            EngineFailed: the engine refused this utterance.
        """
        self._set_timeout(idle_s)
        self._cancelled = False
        try:
            self._connection.send(wire.SPEAK, msgspec.msgpack.encode(utterance))
        except wire.ConnectionLost as error:
            raise WorkerGone(str(error)) from None
        while True:
            try:
                kind, payload = self._receive()
            except TimeoutError:
                on_idle()
                continue
            if kind in (wire.AUDIO, wire.LAST_AUDIO, wire.OVERFLOW):
                if kind != wire.OVERFLOW:
                    start, end = wire.SPAN.unpack(payload)
                    payload = self._memory[start:end]  # copied: the worker will write here again
                last = kind == wire.LAST_AUDIO
                wanted = on_audio(payload, last)
                if last:
                    return
                if not wanted:
                    self.cancel()
            elif kind == wire.WORD:
                on_word(msgspec.msgpack.decode(payload, type=Word))
            elif kind in (wire.LOADING, wire.LOADED):
                on_loading(kind == wire.LOADED)
            elif kind == wire.MEMORY:
                self.in_memory = msgspec.msgpack.decode(payload, type=InMemory)
            elif kind == wire.FAILED:
                raise _error(payload)

    def cancel(self) -> None:
        """Ask the worker to stop speaking; it still says when it has.

        Raises:
            WorkerDied
        """
        if self._cancelled:
            return
        self._cancelled = True
        try:
            self._connection.send(wire.CANCEL)
        except wire.ConnectionLost as error:
            raise WorkerDied(str(error)) from None

    def has_ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End the process at once. Any thread may call this."""
        self._process.kill()

    def close(self) -> Optional[int]:
        """End the process, wait for its end, and return its exit status."""
        self._connection.close()
        self._memory.close()
        try:
            return self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _receive(self) -> Tuple[int, bytes]:
        try:
            return self._connection.receive()
        except wire.ConnectionLost as error:
            raise WorkerDied(str(error)) from None

    def _set_timeout(self, seconds: float) -> None:
        if seconds == self._silence_s:
            return
        self._silence_s = seconds
        # The kernel's timeout costs nothing per call; Python's own takes another system call each.
        whole, fraction = divmod(seconds, 1)
        value = struct.pack("ll", int(whole), int(fraction * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._connection.socket.setsockopt(socket.SOL_SOCKET, option, value)


def _error(payload: bytes) -> Exception:
    failure = msgspec.msgpack.decode(payload, type=wire.Failure)
    for kind in (MissingDependency, VoiceUnavailable):
        if failure.code == kind.code:
            return kind(failure.message)
    return EngineFailed(failure.message)
