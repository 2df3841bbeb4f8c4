"""One worker after the other, and the thread that looks after them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from contextvars import copy_context
from typing import Optional, Protocol, Union

from auto_voice.engines.engine import Description, EngineOptions, Utterance
from auto_voice.engines.job import LOOK_S, POLL_S, IsGone, Job
from auto_voice.engines.process import (
    LOAD_TIMEOUT_S,
    WorkerDied,
    WorkerGone,
    WorkerHung,
    WorkerProcess,
)
from auto_voice.errors import (
    AutoVoiceError,
    EngineCrashed,
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
)

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
NICENESS = 5
"""Workers yield to the server's own threads, which have little to do and wait for nobody."""
_IDLE_POLL_S = 1.0
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.05, 5.0
_DEATHS = 3
"""So many workers in a row that die while they start are no chance, though others had worked."""
_PROBE = "ready"


class Dispatcher(Protocol):
    """Decides which job a free worker gets."""

    def offer(self, slot: Slot) -> None:
        """A worker is free: assign it a job now, or when there is one."""

    def withdraw(self, slot: Slot) -> bool:
        """Forget a free worker; False if it has a job already."""

    def put_back(self, job: Job) -> None:
        """Take a job back whose worker died; it goes first."""

    def refuse(self, error: Optional[AutoVoiceError]) -> None:
        """Fail jobs that find no worker free, those that wait included; None: let them wait."""


class Listener:
    """Is told what happens to workers; any thread may call."""

    def worker_died(self, reason: str) -> None:
        """A worker ended by ``crash`` or ``timeout``, or did not ``load``."""

    def worker_ready(self, load_s: float) -> None:
        """A worker has spoken its first word, ``load_s`` seconds after its start."""

    def voice_loaded(self, load_s: Optional[float]) -> None:
        """A worker took so many seconds to load a voice; None: it failed at that."""

    def voices_unloaded(self, count: int) -> None:
        """A worker has let go of so many voices."""

    def voice_spoke(self, voice: str) -> None:
        """A voice, by the engine's own id, has been heard."""

    def voice_failed(self, voice: str, error: AutoVoiceError) -> AutoVoiceError:
        """A voice, by the engine's own id, was not heard; returns what its client is told."""
        return error


class Pool(Protocol):
    """What a slot has to know of the workers that its own is one of."""

    engine_name: str
    options: EngineOptions
    timeout_s: float
    voices_are_files: bool
    dispatcher: Dispatcher
    listener: Listener
    closing: threading.Event
    last_success: float

    def started(self, slot: Slot, description: Description) -> None:
        """A worker has loaded the engine, and spoken."""

    def not_started(self, slot: Slot, error: AutoVoiceError) -> None:
        """A worker has not come so far; if none does, nobody needs to wait for one."""


class Slot:
    """One worker after the other, and the thread that looks after them."""

    def __init__(self, pool: Pool) -> None:
        self.thread = threading.Thread(target=self._run, name="engine-worker", daemon=True)
        self.process: Optional[WorkerProcess] = None
        self.ready = False
        self.fault: Optional[AutoVoiceError] = None
        """Why the last worker did not come to speak, if it did not."""
        self._stage = ""
        self._has_worked = self._was_ready = False
        self._deaths = 0
        """Workers in a row that died while they started."""
        self._pool = pool
        self._inbox: "queue.SimpleQueue[Union[Job, WorkerDied]]" = queue.SimpleQueue()
        """Jobs for the slot's own thread, or why it has to look after its worker."""
        self._ended = False
        self._using = threading.Lock()
        """Held by who talks to the worker; it is not taken away meanwhile."""

    def give(self, job: Job) -> None:
        """Have the slot's own thread do ``job``."""
        self._inbox.put(job)
        if self._ended:
            self._turn_away()

    def give_back(self) -> None:
        """The job this slot was assigned to does not want it."""
        self._pool.dispatcher.offer(self)

    def lend(self, job: Job, is_gone: IsGone) -> None:
        """Do ``job`` in the calling thread, which must have been assigned this slot."""
        try:
            with self._using:
                self._serve(job, is_gone)
        except WorkerDied as death:
            self._inbox.put(death)
        except BaseException:  # Ctrl-C, in the command line's only thread
            self._inbox.put(WorkerDied("it was left in the middle of something"))
            raise
        else:
            self._pool.dispatcher.offer(self)

    def stop(self) -> None:
        """End the worker and, since the pool is closing, the thread."""
        process = self.process
        if process is not None:
            process.kill()
        self._inbox.put(WorkerDied("the pool is closed"))

    def _run(self) -> None:
        backoff_s = _FIRST_BACKOFF_S
        closing = self._pool.closing
        while not closing.is_set():
            self._was_ready = False
            try:
                self._live()
            except Exception as error:  # whatever it is, another worker may do better
                if not closing.is_set():
                    self._note_death(error)
                    if not self._was_ready:
                        self._note_failure(error)
            finally:
                self.ready = False
                with self._using:
                    process, self.process = self.process, None
                if process is not None:
                    process.close()
            # A worker that had got so far as to speak is replaced at once, however often it dies;
            # one that does not even start is given time.
            if self._was_ready:
                backoff_s = _FIRST_BACKOFF_S
            else:
                closing.wait(backoff_s)
                backoff_s = min(2 * backoff_s, _LAST_BACKOFF_S)
        self._ended = True
        self._turn_away()

    def _turn_away(self) -> None:
        """Fail the jobs that came when the thread had ended, or was about to."""
        while True:
            try:
                job = self._inbox.get_nowait()
            except queue.Empty:
                return
            if isinstance(job, Job):
                job.fail(stopping())

    def _live(self) -> None:
        """Start a worker and feed it until it dies."""
        pool = self._pool
        began = time.monotonic()
        self._stage = "start"
        self.process = process = WorkerProcess(pool.engine_name, pool.options, NICENESS)
        if pool.closing.is_set():
            raise WorkerDied("the pool is closed")  # when there was no process to end yet
        description = process.wait_until_loaded()
        self._stage = "speak"
        self._try(process, description)
        self.ready = self._was_ready = self._has_worked = True
        self._deaths = 0
        pool.started(self, description)
        pool.listener.worker_ready(time.monotonic() - began)
        pool.dispatcher.offer(self)
        while True:
            try:
                job = self._inbox.get(timeout=_IDLE_POLL_S)
            except queue.Empty:
                # A worker that died while it had nothing to do is replaced before it is needed.
                if process.has_ended() and pool.dispatcher.withdraw(self):
                    raise WorkerDied("it ended while idle") from None
                continue
            if isinstance(job, WorkerDied):
                raise job
            with self._using:
                # What is logged of a job is logged of its request.
                job.context.copy().run(self._serve, job, lambda: False)
            pool.dispatcher.offer(self)

    def _try(self, process: WorkerProcess, description: Description) -> None:
        """Have a worker speak, since only one that really has is ready.

        An engine whose voices are files is ready when it is loaded: none of its voices is to
        stand for the others, which may be there without it.

        Raises:
            WorkerDied, EngineFailed: it does not.
        """
        if self._pool.voices_are_files:
            return
        end_by = time.monotonic() + LOAD_TIMEOUT_S
        probe = Job(Utterance(_PROBE, description.voices[0].id), end_by, end_by)
        self._speak(process, probe, lambda: False)
        if probe.cancelled:
            raise WorkerHung("it does not come to an end")
        if not probe.delivered:
            raise EngineFailed("The engine is silent.")

    def _serve(self, job: Job, is_gone: IsGone) -> None:
        """Have the worker do ``job``, or see to it that another one does.

        Raises:
            WorkerDied: this worker is of no more use; the job has been seen to.
        """
        pool = self._pool
        process = self.process
        if process is None:
            job.fail(stopping())
            raise WorkerDied("the pool is closed")
        job.begin()
        try:
            self._speak(process, job, is_gone)
        except WorkerDied as death:
            self.ready = False
            if isinstance(death, WorkerGone):
                job.attempts -= 1  # it had died before: no fault of this text
            else:
                death.context = job.context.copy()
            if pool.closing.is_set():
                job.fail(stopping())
            elif job.cancelled:
                job.fail(EngineUnavailable("The request was cancelled."))
            elif job.attempts < MAX_ATTEMPTS:
                pool.dispatcher.put_back(job)
            elif isinstance(death, WorkerHung):
                self._fail(
                    job, EngineTimeout("The engine did not answer in time.", retry_after_s=1)
                )
            else:
                self._fail(job, EngineCrashed("The engine crashed on this text.", retry_after_s=1))
            raise
        except AutoVoiceError as error:
            self._fail(job, error)
        except Exception as error:
            # Ours, not the worker's; but who knows what it has been told.
            log.exception("a job failed unexpectedly")
            job.fail(EngineFailed(f"internal error: {type(error).__name__}"))
            process.kill()
            raise WorkerDied("it was in the middle of something") from error

    def _fail(self, job: Job, error: AutoVoiceError) -> None:
        """An engine could not do ``job``; the voice may be to blame, and not the text."""
        job.fail(self._pool.listener.voice_failed(job.utterance.voice, error))

    def _speak(self, process: WorkerProcess, job: Job, is_gone: IsGone) -> None:
        pool = self._pool
        heard = asked = time.monotonic()
        loads_since: Optional[float] = None
        unloaded = process.in_memory.unloaded
        patience_s = pool.timeout_s

        def idle() -> None:
            if job.is_unwanted(is_gone):
                process.cancel()
            if time.monotonic() - heard > patience_s:
                process.kill()
                raise WorkerHung("no sign of life")

        def loading(done: bool) -> None:
            nonlocal heard, patience_s, loads_since
            heard = time.monotonic()
            if done and loads_since is not None:
                pool.listener.voice_loaded(heard - loads_since)
            loads_since = None if done else heard
            patience_s = pool.timeout_s if done else max(pool.timeout_s, LOAD_TIMEOUT_S)

        def audio(pcm: bytes, last: bool) -> bool:
            nonlocal heard, asked, patience_s
            heard, patience_s = time.monotonic(), pool.timeout_s
            if heard - asked > LOOK_S:  # a worker that keeps talking is never idle
                asked = heard
                job.is_unwanted(is_gone)
            return job.put(pcm, last)

        try:
            process.speak(job.utterance, audio, job.words.append, idle, POLL_S, loading)
        finally:
            if loads_since is not None:
                pool.listener.voice_loaded(None)
            if process.in_memory.unloaded != unloaded:
                pool.listener.voices_unloaded(process.in_memory.unloaded - unloaded)
        pool.last_success = time.time()
        if job.delivered:
            pool.listener.voice_spoke(job.utterance.voice)

    def _note_death(self, error: Exception) -> None:
        if isinstance(error, WorkerHung):
            reason = "timeout"
        elif isinstance(error, WorkerDied):
            reason = "crash"
        else:
            reason = "load"
            if not isinstance(error, AutoVoiceError):
                log.error("a worker failed unexpectedly", exc_info=error)
        pid = self.process.pid if self.process is not None else None
        extra = {"reason": reason, "worker_pid": pid}
        context = getattr(error, "context", None) or copy_context()
        context.run(log.warning, "engine worker ended: %s", error, extra=extra)
        self._pool.listener.worker_died(reason)

    def _note_failure(self, error: Exception) -> None:
        """A worker has not come to speak."""
        fault: AutoVoiceError
        if isinstance(error, AutoVoiceError):
            fault = error
        elif isinstance(error, WorkerHung):
            fault = self._unavailable("its worker hangs")
        elif isinstance(error, WorkerDied):
            self._deaths += 1
            if self._has_worked and self._deaths < _DEATHS:
                return
            fault = self._unavailable("its worker dies")
        else:
            fault = self._unavailable(f"internal error: {type(error).__name__}")
        self._pool.not_started(self, fault)

    def _unavailable(self, why: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"The engine {self._pool.engine_name} does not {self._stage}: {why}.", retry_after_s=5
        )


def stopping() -> EngineUnavailable:
    """What the jobs of a closed pool fail with."""
    return EngineUnavailable("The server is stopping.", retry_after_s=5)
