"""One utterance on its way through a worker, and what comes out of it."""

import queue
import time
from typing import Callable, Iterator, List, Tuple, Union

from auto_voice.engines.engine import Utterance, Word
from auto_voice.errors import AutoVoiceError, Cancelled, DeadlineExceeded

POLL_S = 0.25
"""How often a waiting request looks whether its client is still there."""

_Item = Union[Tuple[bytes, bool], AutoVoiceError]


class Job:
    """Handed from a request's thread to a worker's thread and back.

    The request's thread creates it and reads `results`; a worker's thread
    calls `begin`, `put` and `fail`. A job whose worker died starts over on
    another one: since speech is reproducible, the samples already delivered
    are skipped and nobody hears a difference.
    """

    def __init__(self, utterance: Utterance, start_by: float, end_by: float) -> None:
        """``start_by`` and ``end_by``: deadlines on time.monotonic()'s clock."""
        self.utterance = utterance
        self.attempts = 0
        self.cancelled = False
        self.words: List[Word] = []
        self.submitted = time.monotonic()
        self.started = 0.0
        """When a worker began (time.monotonic()); 0.0 before."""
        self.compute_s = 0.0
        """Seconds a worker spent on it."""
        self._start_by = start_by
        self._end_by = end_by
        self._delivered = 0
        self._skip = 0
        self._out: "queue.SimpleQueue[_Item]" = queue.SimpleQueue()

    @property
    def expired(self) -> bool:
        """Whether it is too late to begin."""
        return time.monotonic() > (self._end_by if self.started else self._start_by)

    def begin(self) -> None:
        """A worker begins (again)."""
        self.attempts += 1
        self.started = time.monotonic()
        self._skip = self._delivered
        self.words.clear()

    def put(self, pcm: bytes, last: bool) -> bool:
        """Deliver samples; False if nobody wants them any more."""
        if self._skip:
            skipped = min(self._skip, len(pcm))
            self._skip -= skipped
            pcm = pcm[skipped:]
        self._delivered += len(pcm)
        if last:
            self.compute_s = time.monotonic() - self.started
        if pcm or last:
            self._out.put((pcm, last))
        return not self.cancelled

    def fail(self, error: AutoVoiceError) -> None:
        """Deliver an error instead of (more) samples."""
        self._out.put(error)

    def cancel(self) -> None:
        """Nobody wants the rest. Any thread may call this."""
        self.cancelled = True

    def results(self, is_gone: Callable[[], bool]) -> Iterator[bytes]:
        """Samples as they come; polls ``is_gone`` while there are none.

        Raises:
            Cancelled: ``is_gone`` said so.
            DeadlineExceeded: a deadline passed.
            AutoVoiceError: what the job failed with.
        """
        last = False
        while not last:
            try:
                item = self._out.get(timeout=POLL_S)
            except queue.Empty:
                if is_gone():
                    self.cancel()
                    raise Cancelled("the client went away") from None
                if self.expired:
                    self.cancel()
                    raise DeadlineExceeded(
                        "The request was not served within its deadline.", retry_after_s=5
                    ) from None
                continue
            if isinstance(item, AutoVoiceError):
                raise item
            pcm, last = item
            if pcm:
                yield pcm
