"""Who speaks next: fair queueing over the sentences of all requests to one engine.

Every request gets an equal share of the workers, counted in characters of text.
The virtual time tells how much each has had a right to: a sentence that is
begun moves it on by its cost, divided among all. Sentences wait in two queues:

- Newcomers, the first sentences of requests, in the order of their arrival.
- Later sentences, by start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM
  1996): next is the one whose request has had least.

Newcomers go first, so that one sentence waits for no more than those that are
being spoken and the newcomers before it, however long the other texts are. So
that newcomers who keep coming starve nobody, a later sentence whose start lies
before the virtual time of a newcomer's arrival is due before it. But where many
are due at once, they take turns with newcomers, work for work; else one
sentence would wait for all of them. The price: of many long texts beside few
newcomers who keep coming, each gets half of its share at least, not all of it.
"""

import copy
import heapq
import itertools
import threading
from collections import deque
from typing import Deque, Dict, List, Optional, Tuple

from auto_voice.engines.job import Job
from auto_voice.engines.slot import Slot
from auto_voice.errors import AutoVoiceError, DeadlineExceeded

_FIXED_COST = 20
"""What a sentence costs besides its characters, in characters."""
_MOST_OWED = 1000.0
"""Characters by which a request may fall behind; what it lacks beyond that is forgotten."""


class Place:
    """A request's place in a queue."""

    __slots__ = ("finish", "held")

    def __init__(self) -> None:
        self.finish = 0.0
        """The virtual time at which the request's last sentence ends; 0.0 before the first."""
        self.held: Optional[List[Job]] = None
        """While the first sentence waits: those after it, which have no start before it begins."""


class Ticket:
    """A request's places, one in the queue of each engine that speaks for it."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        self.places: "Dict[FairQueue, Place]" = {}


class FairQueue:
    """Waiting sentences for the workers of one engine. Safe for threads."""

    def __init__(self, lock: threading.Lock) -> None:
        """``lock``: held whenever this queue is looked at; several may share it."""
        self._lock = lock
        self._free: List[Slot] = []
        self._waiting = 0
        self._again: Deque[Job] = deque()
        """Sentences whose worker died."""
        self._newcomers: Deque[Tuple[float, Job, Place]] = deque()
        """Each with the virtual time of its arrival."""
        self._later: List[Tuple[float, int, Job]] = []
        """A heap, by the virtual time at which each should begin."""
        self._sequence = itertools.count()
        self._virtual = 0.0
        """Never goes back, so that newcomers come due in the order of their arrival."""
        self._reached = 0.0
        """The latest start of a later sentence that was begun."""
        self._turn = 0
        """What newcomers have cost since a later sentence is due; for as much, it goes first."""
        self._requests = 0
        self._refusal: Optional[AutoVoiceError] = None

    @property
    def waiting(self) -> int:
        """Sentences that no worker has begun."""
        return self._waiting

    def leave(self) -> None:
        """A request that has a place here ends. With the lock held."""
        self._requests -= 1

    def submit(self, ticket: Ticket, job: Job) -> None:
        """Give a sentence to a free worker, or queue it for one; fails it if none will come."""
        with self._lock:
            place = ticket.places.get(self)
            if place is None:
                place = ticket.places[self] = Place()
                self._requests += 1
            if not self._free:
                self._queue(place, job)
                return
            # Nothing waits beside a free worker.
            slot = self._free.pop()
            if place.finish:
                self._begin_later(self._start_of(place, job), job)
            else:
                self._begin_first(self._virtual, job, place)
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
                if not self._refuses(job):
                    self._again.append(job)
                    self._waiting += 1
                return
            slot = self._free.pop()
        job.assign(slot)

    def refuse(self, error: Optional[AutoVoiceError]) -> None:
        """Fail what waits, and from now on what finds no worker free; None: let it wait again."""
        with self._lock:
            self._refusal = error
            if error is None:
                return
            for _, job, place in self._newcomers:
                self._again.append(job)
                self._again.extend(place.held or ())
                place.held = None
            self._again.extend(job for _, _, job in self._later)
            for job in self._again:
                self._refuses(job)
            self._again.clear()
            self._newcomers.clear()
            self._later.clear()
            self._waiting = 0

    # The rest has the lock held.

    def _refuses(self, job: Job) -> bool:
        if self._refusal is None:
            return False
        job.fail(copy.copy(self._refusal))  # its own: raising an error writes into it
        return True

    def _queue(self, place: Place, job: Job) -> None:
        if self._refuses(job):
            return
        self._waiting += 1
        if place.held is not None:
            place.held.append(job)
        elif place.finish:
            self._push(place, job)
        else:
            place.held = []
            self._newcomers.append((self._virtual, job, place))

    def _push(self, place: Place, job: Job) -> None:
        heapq.heappush(self._later, (self._start_of(place, job), next(self._sequence), job))

    def _start_of(self, place: Place, job: Job) -> float:
        """The virtual time at which a later sentence should begin."""
        start = max(self._reached, place.finish)
        place.finish = start + _cost(job)
        return start

    def _next(self) -> Optional[Job]:
        """The sentence whose turn it is."""
        while self._waiting:
            self._waiting -= 1
            if self._again:
                job = self._again.popleft()
                if _is_wanted(job):
                    return job
            elif self._newcomers and not self._is_later_next():
                arrived, job, place = self._newcomers.popleft()
                held, place.held = place.held or (), None
                wanted = _is_wanted(job)
                if wanted:
                    self._begin_first(arrived, job, place)
                for later in held:
                    self._push(place, later)
                if wanted:
                    return job
            else:
                start, _, job = heapq.heappop(self._later)
                if _is_wanted(job):
                    self._begin_later(start, job)
                    return job
        return None

    def _is_due(self, arrived: float) -> bool:
        """Whether a later sentence should begin before a newcomer that came at ``arrived``."""
        return bool(self._later) and self._later[0][0] < arrived

    def _is_later_next(self) -> bool:
        """Whether a later sentence goes before the newcomers that wait."""
        return self._is_due(self._newcomers[0][0]) and self._turn >= _cost(self._later[0][2])

    def _begin_first(self, arrived: float, job: Job, place: Place) -> None:
        cost = _cost(job)
        place.finish = max(self._reached, arrived) + cost
        if self._later:
            # No more than one turn is saved up.
            due = self._is_due(arrived)
            self._turn = cost + min(self._turn, _cost(self._later[0][2])) if due else 0
        self._charge(cost)

    def _begin_later(self, start: float, job: Job) -> None:
        cost = _cost(job)
        self._reached = max(self._reached, start)
        self._turn = max(0, self._turn - cost)
        self._virtual = max(self._virtual, start)
        self._charge(cost)

    def _charge(self, cost: int) -> None:
        now = self._virtual + cost / (self._requests or 1)
        if now - self._reached <= _MOST_OWED:
            self._virtual = now


def _is_wanted(job: Job) -> bool:
    """Whether it makes sense to begin; tells the job if it is too late."""
    if job.cancelled:
        return False
    if job.expired:
        job.fail(
            DeadlineExceeded(
                "The request did not get its turn within its deadline.", retry_after_s=5
            )
        )
        return False
    return True


def _cost(job: Job) -> int:
    return _FIXED_COST + len(job.utterance.text)
