"""Keeps an engine's worker processes alive and busy.

One thread per worker takes a job, has the worker speak it, and starts the
worker anew when it dies. Threads never wait for a client: what a worker says
goes into the job's own queue, so a slow reader holds nobody up.
"""

import logging
import threading
import time
from typing import List, Optional

from typing_extensions import Protocol

from auto_voice.engines.engine import Description, Utterance
from auto_voice.engines.job import Job
from auto_voice.engines.process import WorkerDied, WorkerHung, WorkerProcess
from auto_voice.errors import (
    AutoVoiceError,
    EngineCrashed,
    EngineTimeout,
    EngineUnavailable,
    MissingDependency,
)

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
NICENESS = 5
"""Workers yield to the server's own threads, which have little to do and wait for nobody."""
_IDLE_POLL_S = 1.0
_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 0.05, 5.0
_PROBE = "ready"


class JobSource(Protocol):
    """Where workers get their jobs from."""

    def take(self, timeout_s: float) -> Optional[Job]:
        """The next job, or None where there is none for ``timeout_s`` seconds."""

    def put_back(self, job: Job) -> None:
        """Return a job whose worker died; it goes first."""


class Listener:
    """Is told what happens to workers; any worker's thread may call."""

    def worker_died(self, reason: str) -> None:
        """A worker ended by ``crash`` or ``timeout``, or did not ``load``."""

    def worker_ready(self, load_s: float) -> None:
        """A worker has spoken its first word, ``load_s`` seconds after its start."""


class WorkerPool:
    """The workers of one engine."""

    def __init__(
        self,
        engine_name: str,
        source: JobSource,
        workers: int,
        timeout_s: float,
        listener: Optional[Listener] = None,
    ) -> None:
        self.engine_name = engine_name
        self.last_success = 0.0
        """When a worker last spoke real audio (time.time()); 0.0 before."""
        self._source = source
        self._timeout_s = timeout_s
        self._listener = listener or Listener()
        self._described = threading.Event()
        self._description: Optional[Description] = None
        self._load_error: Optional[AutoVoiceError] = None
        self._closing = threading.Event()
        self._slots = [_Slot(self) for _ in range(workers)]

    def start(self) -> None:
        """Start all workers without waiting for them."""
        for slot in self._slots:
            slot.thread.start()

    def description(self, timeout_s: float) -> Description:
        """What the engine can do; waits for its first worker.

        Raises:
            MissingDependency, EngineUnavailable: it does not load.
        """
        if not self._described.wait(timeout_s) or self._description is None:
            raise self._load_error or EngineUnavailable(
                f"The engine {self.engine_name} is still loading.", retry_after_s=1
            )
        return self._description

    @property
    def ready_workers(self) -> int:
        """How many workers run and have spoken."""
        return sum(slot.ready for slot in self._slots)

    @property
    def load_error(self) -> Optional[AutoVoiceError]:
        """Why the engine could not be loaded at the last try, if it could not."""
        return self._load_error

    @property
    def pids(self) -> List[int]:
        """The process ids of the running workers."""
        return [slot.process.pid for slot in self._slots if slot.process is not None]

    def close(self) -> None:
        """End all workers; jobs under way fail."""
        self._closing.set()
        for slot in self._slots:
            process = slot.process
            if process is not None:
                process.kill()
        for slot in self._slots:
            if slot.thread.is_alive():
                slot.thread.join(2)

    def _loaded(self, description: Description) -> None:
        self._description, self._load_error = description, None
        self._described.set()

    def _not_loaded(self, error: AutoVoiceError) -> None:
        self._load_error = error
        self._described.set()


class _Slot:
    """One worker after the other, and the thread that feeds them."""

    def __init__(self, pool: WorkerPool) -> None:
        self.thread = threading.Thread(target=self._run, name="engine-worker", daemon=True)
        self.process: Optional[WorkerProcess] = None
        self.ready = False
        self._pool = pool

    def _run(self) -> None:
        backoff_s = _FIRST_BACKOFF_S
        closing = self._pool._closing
        while not closing.is_set():
            began = time.monotonic()
            try:
                self._live()
            except (WorkerDied, MissingDependency, AutoVoiceError) as error:
                if closing.is_set():
                    break
                self._note_death(error)
            finally:
                self.ready = False
                if self.process is not None:
                    self.process.close()
                    self.process = None
            # One crash is answered at once; a worker that keeps dying is given time.
            lived_s = time.monotonic() - began
            backoff_s = _FIRST_BACKOFF_S if lived_s > 5 else min(2 * backoff_s, _LAST_BACKOFF_S)
            closing.wait(0 if lived_s > 5 else backoff_s / 2)

    def _live(self) -> None:
        """Start a worker and feed it until it dies."""
        pool = self._pool
        began = time.monotonic()
        self.process = process = WorkerProcess(pool.engine_name, pool._timeout_s, NICENESS)
        try:
            description = process.wait_until_loaded()
        except WorkerDied:
            pool._not_loaded(EngineUnavailable(f"The engine {pool.engine_name} does not start."))
            raise
        except AutoVoiceError as error:
            pool._not_loaded(error)
            raise
        pool._loaded(description)
        # Only a worker that has really spoken is ready.
        probe = Utterance(_PROBE, description.voices[0].id)
        process.speak(probe, lambda pcm, last: True)
        self.ready = True
        pool.last_success = time.time()
        pool._listener.worker_ready(time.monotonic() - began)
        while not pool._closing.is_set():
            job = pool._source.take(_IDLE_POLL_S)
            if job is not None:
                self._serve(process, job)

    def _serve(self, process: WorkerProcess, job: Job) -> None:
        pool = self._pool
        job.begin()
        try:
            process.speak(job.utterance, job.put, job.words.append)
        except WorkerDied as death:
            if pool._closing.is_set():
                job.fail(EngineUnavailable("The server is stopping.", retry_after_s=5))
            elif job.cancelled:
                pass
            elif job.attempts < MAX_ATTEMPTS:
                pool._source.put_back(job)
            elif isinstance(death, WorkerHung):
                job.fail(EngineTimeout("The engine did not answer in time.", retry_after_s=1))
            else:
                job.fail(EngineCrashed("The engine crashed on this text.", retry_after_s=1))
            raise
        except AutoVoiceError as error:
            job.fail(error)
        else:
            pool.last_success = time.time()

    def _note_death(self, error: Exception) -> None:
        if isinstance(error, WorkerHung):
            reason = "timeout"
        elif isinstance(error, WorkerDied):
            reason = "crash"
        else:
            reason = "load"
        pid = self.process.pid if self.process is not None else None
        log.warning("engine worker ended: %s", error, extra={"reason": reason, "worker_pid": pid})
        self._pool._listener.worker_died(reason)
