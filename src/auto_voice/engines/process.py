"""The server's end of one worker process."""

import os
import socket
import struct
import subprocess  # nosec B404: starts our own interpreter, no shell
import sys
from pathlib import Path
from typing import Callable, Optional

import msgspec

from auto_voice.engines import wire
from auto_voice.engines.engine import Description, Utterance, Word
from auto_voice.errors import EngineFailed, MissingDependency

LOAD_TIMEOUT_S = 60.0
SOCKET_BUFFER_BYTES = 1 << 20
"""Room for a sentence's samples (the kernel may grant less), so that few switches are needed."""

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


class WorkerDied(Exception):
    """The worker process ended, or had to be ended."""


class WorkerHung(WorkerDied):
    """The worker gave no sign of life in time."""


class WorkerProcess:
    """Starts a worker, has it speak, and ends it. Used by one thread, but for `kill`."""

    def __init__(self, engine_name: str, timeout_s: float, niceness: int = 0) -> None:
        """``timeout_s``: seconds without a message after which the worker counts as hung."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
        self._connection = ours
        self._timeout_s = timeout_s
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
                    engine_name,
                    str(niceness),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            ours.close()
            raise WorkerDied(f"cannot start a worker process: {error}") from None
        finally:
            theirs.close()

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
        kind, payload = self._receive()
        if kind == wire.FAILED:
            raise _error(payload)
        self._set_timeout(self._timeout_s)
        return msgspec.json.decode(payload, type=Description)

    def speak(
        self,
        utterance: Utterance,
        on_audio: Callable[[bytes, bool], bool],
        on_word: Optional[Callable[[Word], None]] = None,
    ) -> None:
        """Speak one utterance.

        Args:
            on_audio: called with samples and whether they are the last ones;
                False cancels the rest.

        Raises:
            WorkerDied: in the middle; this object is of no more use.
            EngineFailed: the engine refused this utterance.
        """
        self._send(wire.SPEAK, msgspec.msgpack.encode(utterance))
        cancelled = False
        while True:
            kind, payload = self._receive()
            if kind == wire.LAST_AUDIO:
                on_audio(payload, True)
                return
            if kind == wire.AUDIO:
                if not on_audio(payload, False) and not cancelled:
                    cancelled = True
                    self._send(wire.CANCEL)
            elif kind == wire.WORD:
                if on_word is not None:
                    on_word(msgspec.msgpack.decode(payload, type=Word))
            elif kind == wire.FAILED:
                raise _error(payload)

    def kill(self) -> None:
        """End the process at once. Any thread may call this."""
        self._process.kill()

    def close(self) -> Optional[int]:
        """End the process, wait for its end, and return its exit status."""
        self._connection.close()
        try:
            return self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _send(self, kind: int, payload: bytes = b"") -> None:
        try:
            wire.send(self._connection, kind, payload)
        except wire.ConnectionLost as error:
            raise WorkerDied(str(error)) from None

    def _receive(self) -> "tuple[int, bytes]":
        try:
            return wire.receive(self._connection)
        except wire.ConnectionLost as error:
            raise WorkerDied(str(error)) from None
        except TimeoutError:
            raise WorkerHung("no sign of life") from None

    def _set_timeout(self, seconds: float) -> None:
        # The kernel's timeout leaves the socket blocking, which MSG_WAITALL needs.
        whole, fraction = divmod(seconds, 1)
        value = struct.pack("ll", int(whole), int(fraction * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._connection.setsockopt(socket.SOL_SOCKET, option, value)


def _error(payload: bytes) -> Exception:
    failure = msgspec.msgpack.decode(payload, type=wire.Failure)
    if failure.code == MissingDependency.code:
        return MissingDependency(failure.message)
    return EngineFailed(failure.message)
