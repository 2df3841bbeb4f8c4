"""One utterance on its way through a worker, and what comes out of it."""

from __future__ import annotations

import queue
import threading
import time
from contextvars import copy_context
from typing import Callable, Iterator, List, Optional, Protocol, Tuple, Union

from auto_voice.engines.engine import Utterance, Word
from auto_voice.errors import AutoVoiceError, Cancelled, DeadlineExceeded

POLL_S = 0.25
"""How often a waiting request looks whether its client is still there."""
LOOK_S = 0.05
"""The same while it is being spoken to its own thread."""

IsGone = Callable[[], bool]
_Item = Union[Tuple[bytes, bool], AutoVoiceError]


class Worker(Protocol):
    """A worker that is free for one job."""

    def give(self, job: Job) -> None:
        """Do the job in a thread of the worker's own."""

    def lend(self, job: Job, is_gone: IsGone) -> None:
        """Do the job in the calling thread."""

    def give_back(self) -> None:
        """The job does not want it any more."""


class Job:
    """One utterance, from its request's thread to a worker and back.

    A job whose worker died starts over on another one: since speech is
    reproducible, the samples already delivered are skipped and nobody hears a
    difference.

    Usually a thread of the worker's reads what the worker says, and a client
    that reads slowly holds up nobody. A ``direct`` job is read by the
    request's own thread, which saves two thread switches; that is for requests
    that send nothing before the job is done.
    """

    def __init__(
        self,
        utterance: Utterance,
        start_by: float,
        end_by: float,
        direct: bool = False,
        engine: str = "",
    ) -> None:
        """
        Args:
            start_by: deadline on time.monotonic()'s clock; `end_by` as well.
            engine: whose workers are to speak it.
        """
        self.utterance = utterance
        self.engine = engine
        self.direct = direct
        self.context = copy_context()
        """Whom the job is for; to be copied by each thread that runs in it."""
        self.attempts = 0
        self.cancelled = False
        self.delivered = 0
        """Bytes of samples so far."""
        self.words: List[Word] = []
        self.submitted = time.monotonic()
        self.started = 0.0
        """When a worker began (time.monotonic()); 0.0 before."""
        self.compute_s = 0.0
        """Seconds a worker spent on it."""
        self._start_by = start_by
        self._end_by = end_by
        self._done = False
        self._skip = 0
        self._out: "queue.SimpleQueue[_Item]" = queue.SimpleQueue()
        self._fault: Optional[Exception] = None
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._turn.acquire()
        self._worker: Optional[Worker] = None

    @property
    def expired(self) -> bool:
        """Whether it is too late to begin."""
        return time.monotonic() > (self._end_by if self.started else self._start_by)

    def assign(self, worker: Worker) -> None:
        """A worker is there for this job."""
        if not self.direct:
            worker.give(self)
            return
        with self._lock:
            if not self.cancelled:
                self._worker = worker
                self._turn.release()
                return
        worker.give_back()

    def begin(self) -> None:
        """A worker begins (again)."""
        self.attempts += 1
        self.started = time.monotonic()
        self._skip = self.delivered
        self.words.clear()

    def put(self, pcm: bytes, last: bool) -> bool:
        """Deliver samples; False if nobody wants them any more."""
        if self._skip:
            skipped = min(self._skip, len(pcm))
            self._skip -= skipped
            pcm = pcm[skipped:]
        self.delivered += len(pcm)
        if time.monotonic() > self._end_by:
            self.cancelled = True
        if last:
            self._done = True
            self.compute_s = time.monotonic() - self.started
        if pcm or last:
            self._out.put((pcm, last))
        return not self.cancelled

    def fail(self, error: AutoVoiceError) -> None:
        """Deliver an error instead of (more) samples."""
        self._done = True
        self._out.put(error)
        if self.direct and self._turn.locked():
            self._turn.release()

    def cancel(self) -> None:
        """Nobody wants the rest. Any thread may call this."""
        with self._lock:
            self.cancelled = True
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.give_back()

    def is_unwanted(self, is_gone: IsGone) -> bool:
        """Whether to stop; what ``is_gone`` raises is kept for `results` and means yes."""
        if not self.cancelled:
            try:
                if is_gone() or self.expired:
                    self.cancel()
            except Exception as fault:
                self._fault = fault
                self.cancel()
        return self.cancelled

    def results(self, is_gone: IsGone) -> Iterator[bytes]:
        """Samples as they come; polls ``is_gone`` while there are none.

        Raises:
            Cancelled: ``is_gone`` said so.
            DeadlineExceeded: a deadline passed.
            AutoVoiceError: what the job failed with.
            Exception: what ``is_gone`` raised.
        """
        if self.direct:
            self._run(is_gone)
            if self._fault is not None:
                raise self._fault
        last = False
        while not last:
            try:
                item = self._out.get(timeout=POLL_S)
            except queue.Empty:
                self.check(is_gone)
                continue
            if isinstance(item, AutoVoiceError):
                raise item
            pcm, last = item
            if last and self.cancelled:
                # The worker has stopped early; nobody may take that for the whole.
                if self.expired:
                    raise DeadlineExceeded("The request took longer than its deadline allows.")
                raise Cancelled("the request was cancelled")
            if pcm:
                yield pcm

    def check(self, is_gone: IsGone) -> None:
        """Give up if it makes no sense to wait any longer.

        Raises:
            Cancelled, DeadlineExceeded
            Exception: what ``is_gone`` raised.
        """
        try:
            if is_gone():
                raise Cancelled("the client went away")
            if self.expired:
                raise DeadlineExceeded(
                    "The request was not served within its deadline.", retry_after_s=5
                )
            if self.cancelled:
                raise Cancelled("the request was cancelled")
        except BaseException:
            self.cancel()
            raise

    def _run(self, is_gone: IsGone) -> None:
        """Wait for a worker and have it speak, in the request's own thread."""
        while not self._done:
            while not self._turn.acquire(timeout=POLL_S):
                self.check(is_gone)
            with self._lock:
                worker, self._worker = self._worker, None
            if worker is None:
                return  # failed without a worker
            worker.lend(self, is_gone)
