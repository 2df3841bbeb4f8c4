"""A scheduler with one engine, as most tests want it."""

from typing import Optional

from auto_voice.synthesis.fair_queue import FairQueue, Place, Ticket
from auto_voice.synthesis.scheduler import FairScheduler


class OneEngine(FairScheduler):
    """Takes workers and jobs without an engine's name."""

    def __init__(self, max_requests: int) -> None:
        super().__init__(max_requests)
        self.only: FairQueue = self.queue("")
        self.offer = self.only.offer
        self.withdraw = self.only.withdraw
        self.put_back = self.only.put_back
        self.refuse = self.only.refuse

    @property
    def waiting(self) -> int:
        """Sentences that no worker has begun."""
        return self.only.waiting

    def leave(self, ticket: Optional[Ticket] = None) -> None:
        """Without a ticket: somebody who has submitted something leaves, whoever it is."""
        if ticket is None:
            ticket = Ticket()
            ticket.places[self.only] = Place()
        super().leave(ticket)
