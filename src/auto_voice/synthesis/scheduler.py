"""Who speaks next: fair queueing over the sentences of all running requests.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), with the length
of the text as the cost of a sentence: every request gets an equal share of the
workers, so a request of one sentence waits for about one sentence of others,
however long their texts are. Requests of equal length are served in the order
of their arrival.
"""

import heapq
import itertools
import threading
from typing import List, Optional, Tuple

from auto_voice.engines.job import Job
from auto_voice.errors import DeadlineExceeded, Draining, Overloaded

_FIXED_COST = 20
"""What a sentence costs besides its characters, in characters."""


class Ticket:
    """A request's place in the scheduler."""

    __slots__ = ("finish",)

    def __init__(self) -> None:
        self.finish = 0.0
        """The virtual time at which the request's last sentence ends."""


class FairScheduler:
    """A bounded set of requests and their waiting sentences. Safe for threads."""

    def __init__(self, max_requests: int) -> None:
        self.max_requests = max_requests
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._emptied = threading.Condition(lock)
        self._waiting: List[Tuple[float, int, Job]] = []
        self._sequence = itertools.count()
        self._virtual = 0.0
        self._requests = 0
        self._draining = False
        self._closed = False

    @property
    def requests(self) -> int:
        """Requests admitted and not finished."""
        return self._requests

    @property
    def waiting(self) -> int:
        """Sentences that no worker has begun."""
        return len(self._waiting)

    @property
    def draining(self) -> bool:
        """Whether new requests are turned away."""
        return self._draining

    def admit(self) -> Ticket:
        """Take a place for a request; `leave` gives it back.

        Raises:
            Overloaded: all places are taken.
            Draining: the server is stopping.
        """
        with self._changed:
            if self._draining:
                raise Draining("The server is stopping.", retry_after_s=5)
            if self._requests >= self.max_requests:
                raise Overloaded(
                    f"{self._requests} requests are being served already.", retry_after_s=1
                )
            self._requests += 1
            return Ticket()

    def leave(self) -> None:
        """Give back a place."""
        with self._changed:
            self._requests -= 1
            if not self._requests:
                self._emptied.notify_all()

    def submit(self, ticket: Ticket, job: Job) -> None:
        """Queue a sentence."""
        with self._changed:
            start = max(self._virtual, ticket.finish)
            ticket.finish = start + _FIXED_COST + len(job.utterance.text)
            heapq.heappush(self._waiting, (start, next(self._sequence), job))
            self._changed.notify()

    def take(self, timeout_s: float) -> Optional[Job]:
        """The sentence to speak next, or None where none comes for ``timeout_s`` seconds."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait(timeout_s)
            while self._waiting:
                start, _, job = heapq.heappop(self._waiting)
                self._virtual = max(self._virtual, start)
                if job.cancelled:
                    continue
                if job.expired:
                    job.fail(
                        DeadlineExceeded(
                            "The request did not get its turn within its deadline.",
                            retry_after_s=5,
                        )
                    )
                    continue
                return job
            return None

    def put_back(self, job: Job) -> None:
        """Queue a sentence again, before all others."""
        with self._changed:
            heapq.heappush(self._waiting, (self._virtual - 1, next(self._sequence), job))
            self._changed.notify()

    def drain(self) -> None:
        """Turn new requests away from now on."""
        with self._changed:
            self._draining = True

    def close(self) -> None:
        """Send waiting workers away: `take` returns None at once from now on."""
        with self._changed:
            self._draining = self._closed = True
            self._changed.notify_all()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no request is left; False if some still are."""
        with self._emptied:
            return self._emptied.wait_for(lambda: self._requests == 0, timeout_s)
