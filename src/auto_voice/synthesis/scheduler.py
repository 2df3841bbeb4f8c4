"""All requests under way: how many there may be, and to which queue their sentences go.

Each engine has a queue of its own, so that a slow engine's sentences hold up
no other engine's. What a request may ask for is one: its place among all.
"""

import threading
from typing import Dict

from auto_voice.engines.job import Job
from auto_voice.errors import Draining, Overloaded
from auto_voice.synthesis.fair_queue import FairQueue, Ticket


class FairScheduler:
    """A bounded set of requests, and a queue for each engine. Safe for threads."""

    def __init__(self, max_requests: int) -> None:
        self.max_requests = max_requests
        self._lock = threading.Lock()
        self._emptied = threading.Condition(self._lock)
        self._queues: Dict[str, FairQueue] = {}
        self._requests = 0
        self._draining = False

    def queue(self, engine: str) -> FairQueue:
        """The queue of an engine."""
        queue = self._queues.get(engine)
        if queue is None:
            with self._lock:
                queue = self._queues.setdefault(engine, FairQueue(self._lock))
        return queue

    @property
    def requests(self) -> int:
        """Requests admitted and not finished."""
        return self._requests

    @property
    def draining(self) -> bool:
        """Whether new requests are turned away."""
        return self._draining

    def admit(self, begun: bool = False) -> Ticket:
        """Take a place for a request; `leave` gives it back.

        Args:
            begun: it goes on with something that began before the server was told to stop.

        Raises:
            Overloaded: all places are taken.
            Draining: the server is stopping.
        """
        with self._lock:
            if self._draining and not begun:
                raise Draining("The server is stopping.", retry_after_s=5)
            if self._requests >= self.max_requests:
                raise Overloaded(
                    "As many requests as this server takes are being served already.",
                    retry_after_s=1,
                )
            self._requests += 1
            return Ticket()

    def submit(self, ticket: Ticket, job: Job) -> None:
        """Give a sentence to a free worker of its engine, or queue it for one; fails it if none
        will come.
        """
        self.queue(job.engine).submit(ticket, job)

    def leave(self, ticket: Ticket) -> None:
        """Give back a request's place."""
        with self._lock:
            for queue in ticket.places:
                queue.leave()
            ticket.places.clear()
            self._requests -= 1
            if not self._requests:
                self._emptied.notify_all()

    def drain(self) -> None:
        """Turn new requests away from now on."""
        with self._lock:
            self._draining = True

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no request is left; False if some still are."""
        with self._emptied:
            return self._emptied.wait_for(lambda: self._requests == 0, timeout_s)
