"""Installations that a server does beside its work: started, watched, stopped."""

import contextlib
import logging
import threading
import time
import uuid
from typing import Callable, Dict, Iterator, List, Optional, Sequence

import msgspec

from auto_voice.errors import (
    AutoVoiceError,
    InstallCancelled,
    InstallNotFound,
    InvalidRequest,
    Overloaded,
)
from auto_voice.voices.index import VoiceIndex
from auto_voice.voices.install import Installer, Progress
from auto_voice.voices.names import checked_voice_id

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Downloads at one time; more would only share the line."""
MAX_WAITING = 100
KEPT = 100
"""How many that are over are remembered."""
FIRST_RETRY_S, LAST_RETRY_S = 10.0, 600.0
"""Between two tries of a voice that the settings want."""
RUNNING = ("queued", "running")


class Install(msgspec.Struct):
    """One installation, as it is now."""

    id: str
    voice: str
    state: str
    """``queued``, ``running``, ``installed``, ``failed`` or ``cancelled``."""
    stage: Optional[str] = None
    """Of one that runs: ``waiting``, ``downloading`` or ``unpacking``."""
    done_bytes: int = 0
    total_bytes: Optional[int] = None
    error: Optional[str] = None
    """Why it failed, for people."""
    code: Optional[str] = None
    """The same for programs: an error's code."""
    retry_at: Optional[float] = None
    """Unix time of the next try, of a voice that the settings want."""
    started_at: float = 0.0
    """Unix time."""
    ended_at: Optional[float] = None

    @property
    def is_over(self) -> bool:
        """Whether it will not change any more."""
        return self.state not in RUNNING and self.retry_at is None


class Installs:
    """The server's installations. Safe for threads."""

    def __init__(
        self,
        index: VoiceIndex,
        installer: Installer,
        ended: Callable[[str], None] = lambda outcome: None,
    ) -> None:
        """``ended``: told how each try ended: ``installed``, ``failed`` or ``cancelled``."""
        self._ended = ended
        self.index = index
        self.installer = installer
        self._all: Dict[str, Install] = {}
        self._changed = threading.Condition()
        self._slots = threading.Semaphore(AT_ONCE)
        self._closing = threading.Event()
        self._stop: Dict[str, threading.Event] = {}
        self._wake: Dict[str, threading.Event] = {}
        """What ends the wait before another try."""

    def start(self, voice: str, force: bool = False) -> Install:
        """Install a voice; one that is under way already is that one.

        Raises:
            InvalidRequest: it can be no voice's id.
            Overloaded: too many wait.
        """
        return self._start(checked_voice_id(voice), force, False)

    def want(self, voices: Sequence[str]) -> None:
        """Have these voices, again and again until they are there."""
        for voice in voices:
            try:
                self._start(checked_voice_id(voice), False, True)
            except InvalidRequest as error:
                log.error("voice %s cannot be installed: %s", voice, error.message)

    def fault(self) -> Optional[str]:
        """Which voices that the settings want are not there, and why; None if all are, or come."""
        with self._changed:
            missing = [one for one in self._all.values() if one.retry_at is not None]
            return "; ".join(f"{one.voice}: {one.error}" for one in missing) or None

    @property
    def in_progress(self) -> int:
        """How many run, or wait for their turn."""
        with self._changed:
            return sum(one.state in RUNNING for one in self._all.values())

    def list(self) -> List[Install]:
        """All that are remembered, the newest first."""
        with self._changed:
            found = [msgspec.structs.replace(one) for one in self._all.values()]
        return found[::-1]

    def get(self, install: str) -> Install:
        """One as it is now.

        Raises:
            InstallNotFound
        """
        with self._changed:
            return msgspec.structs.replace(self._find(install))

    def watch(self, install: str, every_s: float = 0.25, beat_s: float = 15.0) -> Iterator[Install]:
        """One whenever it has changed, until it is over; at least every ``beat_s`` seconds.

        Raises:
            InstallNotFound
        """
        shown: Optional[Install] = None
        shown_at = 0.0
        while True:
            with self._changed:
                now = self._find(install)
                if now == shown and not self._closing.is_set():
                    self._changed.wait(beat_s - (time.monotonic() - shown_at))
                    now = self._find(install)
                current = msgspec.structs.replace(now)
            yield current
            shown, shown_at = current, time.monotonic()
            if current.is_over or self._closing.is_set():
                return
            self._closing.wait(every_s)

    def cancel(self, install: str) -> Install:
        """Stop one; what has arrived is kept for the next.

        Raises:
            InstallNotFound
        """
        with self._changed:
            self._find(install)
            self._stop[install].set()
            self._wake[install].set()
            self._changed.notify_all()
        return self.get(install)

    def close(self) -> None:
        """Stop all."""
        self._closing.set()
        with self._changed:
            for event in (*self._stop.values(), *self._wake.values()):
                event.set()
            self._changed.notify_all()

    # --- one of them ----------------------------------------------------------------------------

    def _start(self, voice: str, force: bool, again: bool) -> Install:
        with self._changed:
            for one in self._all.values():
                if one.voice == voice and not one.is_over:
                    self._wake[one.id].set()
                    return msgspec.structs.replace(one)
            if sum(not one.is_over for one in self._all.values()) >= MAX_WAITING:
                raise Overloaded(f"{MAX_WAITING} installations wait already.")
            made = Install(uuid.uuid4().hex[:12], voice, "queued", started_at=time.time())
            self._all[made.id] = made
            self._stop[made.id], self._wake[made.id] = threading.Event(), threading.Event()
            self._forget()
            shown = msgspec.structs.replace(made)
        threading.Thread(
            target=self._run, args=(made, force, again), name=f"install {voice}", daemon=True
        ).start()
        return shown

    def _run(self, made: Install, force: bool, again: bool) -> None:
        pause_s = FIRST_RETRY_S
        while not self._once(made, force, pause_s if again else None):
            if made.retry_at is None:
                return
            self._wake[made.id].wait(pause_s)
            self._wake[made.id].clear()
            self._change(made, retry_at=None, state="queued", error=None, code=None, ended_at=None)
            pause_s = min(2 * pause_s, LAST_RETRY_S)

    def _once(self, made: Install, force: bool, retry_s: Optional[float]) -> bool:
        stop = self._stop[made.id]
        error: Optional[Exception] = None
        with self._slot(stop):
            try:
                if stop.is_set():
                    raise InstallCancelled("The installation was cancelled.")
                self._change(made, state="running")
                if force or not self._is_there(made.voice, wanted=retry_s is not None):
                    offer = self.index.find(made.voice)
                    self.installer.install(offer, self._teller(made), stop.is_set, force)
            except Exception as raised:  # whatever it is, it is this installation's end
                error = raised
        ended_at = time.time()
        if error is None:
            self._ended("installed")
            self._change(made, state="installed", stage=None, ended_at=ended_at)
            log.info("voice %s is installed", made.voice, extra={"voice": made.voice})
            return True
        message, code = "An internal error occurred; the log has the details.", "internal_error"
        if isinstance(error, AutoVoiceError):
            message, code = error.message, error.code
            log.warning("voice %s is not installed: %s", made.voice, message)
        else:
            log.error("voice %s is not installed", made.voice, exc_info=error)
        cancelled = isinstance(error, InstallCancelled)
        self._ended("cancelled" if cancelled else "failed")
        self._change(
            made,
            state="cancelled" if cancelled else "failed",
            stage=None,
            error=message,
            code=code,
            ended_at=ended_at,
            retry_at=ended_at + retry_s if retry_s is not None and not cancelled else None,
        )
        return False

    def _is_there(self, voice: str, wanted: bool) -> bool:
        """Whether nothing is to be done, for which no list has to be reached."""
        store = self.installer.store
        by_hand = wanted and store.is_there(voice) and store.record(voice) is None
        return by_hand or store.is_as_recorded(voice)

    @contextlib.contextmanager
    def _slot(self, stop: threading.Event) -> Iterator[None]:
        held = False
        while not held and not stop.is_set():
            held = self._slots.acquire(timeout=0.2)
        try:
            yield
        finally:
            if held:
                self._slots.release()

    def _teller(self, made: Install) -> Callable[[Progress], None]:
        def tell(progress: Progress) -> None:
            self._change(
                made,
                stage=progress.stage if progress.stage != "installed" else None,
                done_bytes=progress.done_bytes,
                total_bytes=progress.total_bytes,
            )

        return tell

    def _change(self, made: Install, **values: object) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(made, name, value)
            self._changed.notify_all()

    def _find(self, install: str) -> Install:
        found = self._all.get(install)
        if found is None:
            raise InstallNotFound(f"There is no installation {install[:40]!r}.", param="install")
        return found

    def _forget(self) -> None:
        over = [one.id for one in self._all.values() if one.is_over]
        for install in over[: max(0, len(over) - KEPT)]:
            del self._all[install], self._stop[install], self._wake[install]
