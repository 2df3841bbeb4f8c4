"""Who speaks next: fair queueing over the sentences of all running requests.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), with the length
of the text as the cost of a sentence: every request gets an equal share of the
workers, so a request of one sentence waits for about one sentence of others,
however long their texts are. Requests of equal length are served in the order
of their arrival.

One thing is added: a request's first sentence goes before the others' that are
due at the same virtual time, so that it waits for no more than those being
spoken. So that first sentences that keep coming starve nobody, each moves the
virtual time on by its share.
"""

import heapq
import itertools
import threading
from typing import List, Optional, Tuple

from auto_voice.engines.job import Job
from auto_voice.engines.pool import Slot
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
        self._lock = threading.Lock()
        self._emptied = threading.Condition(self._lock)
        self._free: List[Slot] = []
        self._waiting: List[Tuple[float, bool, int, Job]] = []
        self._sequence = itertools.count()
        self._virtual = 0.0
        """The virtual time that a new request starts at."""
        self._reached = 0.0
        """The latest start of a sentence that was not a request's first."""
        self._requests = 0
        self._draining = False

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
        with self._lock:
            if self._draining:
                raise Draining("The server is stopping.", retry_after_s=5)
            if self._requests >= self.max_requests:
                raise Overloaded(
                    "As many requests as this server takes are being served already.",
                    retry_after_s=1,
                )
            self._requests += 1
            return Ticket()

    def leave(self) -> None:
        """Give back a place."""
        with self._lock:
            self._requests -= 1
            if not self._requests:
                self._emptied.notify_all()

    def submit(self, ticket: Ticket, job: Job) -> None:
        """Give a sentence to a free worker, or queue it for one."""
        with self._lock:
            first = not ticket.finish
            start = self._virtual if first else max(self._reached, ticket.finish)
            ticket.finish = start + _cost(job)
            if not self._free:
                # Among those whose turn it is equally, the newcomer goes first.
                heapq.heappush(self._waiting, (start, not first, next(self._sequence), job))
                return
            self._virtual = self._reached = start
            slot = self._free.pop()
        job.assign(slot)

    def offer(self, slot: Slot) -> None:
        """A worker is free: assign it the sentence whose turn it is, or keep it for the next."""
        with self._lock:
            job = self._next()
            if job is None:
                self._free.append(slot)
                return
        job.assign(slot)

    def withdraw(self, slot: Slot) -> bool:
        """Forget a free worker; False if it has been given a sentence."""
        with self._lock:
            if slot not in self._free:
                return False
            self._free.remove(slot)
            return True

    def put_back(self, job: Job) -> None:
        """Queue a sentence again, before all others."""
        with self._lock:
            if not self._free:
                heapq.heappush(self._waiting, (self._reached - 1, True, next(self._sequence), job))
                return
            slot = self._free.pop()
        job.assign(slot)

    def _next(self) -> Optional[Job]:
        """With the lock held: the sentence whose turn it is."""
        while self._waiting:
            start, later, _, job = heapq.heappop(self._waiting)
            if job.cancelled:
                continue
            if later:
                self._virtual = self._reached = max(self._reached, start)
            else:
                self._virtual = max(self._virtual, start) + _cost(job) / max(1, self._requests)
            if not job.expired:
                return job
            job.fail(
                DeadlineExceeded(
                    "The request did not get its turn within its deadline.", retry_after_s=5
                )
            )
        return None

    def drain(self) -> None:
        """Turn new requests away from now on."""
        with self._lock:
            self._draining = True

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no request is left; False if some still are."""
        with self._emptied:
            return self._emptied.wait_for(lambda: self._requests == 0, timeout_s)


def _cost(job: Job) -> int:
    return _FIXED_COST + len(job.utterance.text)
