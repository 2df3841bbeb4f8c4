"""What each request gets of the workers, and when, on a clock that no test waits for.

A sentence keeps a worker busy for as long as it costs: its characters and the
fixed cost. So what is counted is exact, and so is the time.
"""

import heapq
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.engines.engine import Utterance
from auto_voice.engines.job import Job
from tests.examples import examples
from tests.unit.synthesis.queueing import OneEngine

FIXED_COST = 20
"""What a sentence costs besides its characters."""
LONGEST = 400 + FIXED_COST
"""The cost of the longest sentence."""
LOOKAHEAD = 2
SIXTY = pytest.param(60, marks=pytest.mark.slow)

costs = st.integers(FIXED_COST + 1, LONGEST)


class Room:
    """Workers and a clock."""

    def __init__(self, workers):
        self.scheduler = OneEngine(10_000)
        self.now = 0.0
        self.begun = []
        """The sentences that workers have begun, in that order."""
        self.arrivals = itertools.count()
        self._events = []
        self._sequence = itertools.count()
        for _ in range(workers):
            self.scheduler.offer(Worker(self))

    def after(self, delay, action):
        heapq.heappush(self._events, (self.now + delay, next(self._sequence), action))

    def run(self, until):
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()


class Worker:
    def __init__(self, room):
        self._room = room

    def give(self, job):
        room = self._room
        room.begun.append(job)
        job.begun = len(room.begun)
        room.after(job.cost, lambda: self._done(job))

    def _done(self, job):
        # As in the server: the worker is free before its request hears of it.
        self._room.scheduler.offer(self)
        job.client.done(job)


class Sentence(Job):
    """A sentence of a given cost, and what became of it."""

    def __init__(self, room, client, cost, first=True):
        forever = time.monotonic() + 10_000
        super().__init__(Utterance("x" * (cost - FIXED_COST), "en-us"), forever, forever)
        self.client = client
        self.cost = cost
        self.first = first
        self.arrival = next(room.arrivals)
        """Its number among those that came."""
        self.begun_before = len(room.begun)
        """How many sentences had been begun when it came."""
        self.begun = 0
        """Its number among those that were begun, from 1."""


class Client:
    """Asks for texts of so many sentences, one text after the other."""

    def __init__(self, room, costs, sentences=1, think=lambda: 0.0):
        self.work = 0
        """The cost of what was spoken for it."""
        self.asked = []
        self._room = room
        self._costs = itertools.cycle(costs)
        self._sentences = sentences
        self._think = think
        self.ask()

    def ask(self):
        self._ticket = self._room.scheduler.admit()
        self._submitted = self._spoken = 0
        for _ in range(LOOKAHEAD):
            self._submit()

    def _submit(self):
        if self._submitted < self._sentences:
            self._submitted += 1
            sentence = Sentence(self._room, self, next(self._costs), self._submitted == 1)
            self.asked.append(sentence)
            self._room.scheduler.submit(self._ticket, sentence)

    def done(self, sentence):
        self.work += sentence.cost
        self._spoken += 1
        self._submit()
        if self._spoken == self._sentences:
            self._room.scheduler.leave(self._ticket)
            think = self._think()
            if think:
                self._room.after(think, self.ask)
            else:
                self.ask()


def reader(room, costs):
    """A client with a text that does not end."""
    return Client(room, costs, sentences=10**9)


def newcomers(room):
    """The first sentences that workers have begun, in that order."""
    return [job for job in room.begun if job.first]


@pytest.mark.parametrize("clients", [1, 8, SIXTY])
@settings(deadline=None, max_examples=examples(25))
@given(
    workers=st.integers(1, 4),
    readers=st.lists(costs, max_size=5),
    data=st.data(),
)
def test_newcomers_are_served_in_the_order_of_their_arrival(clients, workers, readers, data):
    """However long the load lasts, and whatever else is being read; of any length each."""
    room = Room(workers)
    for cost in readers:
        reader(room, [cost])
    several = data.draw(st.integers(1, 3), label="sentences of each text")
    lengths = data.draw(st.lists(costs, min_size=1, max_size=7), label="costs")
    pauses = itertools.cycle(data.draw(st.lists(st.integers(0, 500), min_size=1, max_size=5)))
    for _ in range(clients):
        Client(room, lengths, sentences=several, think=lambda: next(pauses))
    room.run(10 * clients * LONGEST)
    order = [job.arrival for job in newcomers(room)]
    assert len(order) > clients
    assert order == sorted(order)


def shares(room, clients, until):
    """Of the work that is done from a fifth of the time on, what each client gets."""
    room.run(until / 5)
    before = [client.work for client in clients]
    room.run(until)
    work = [client.work - was for client, was in zip(clients, before)]
    return [each / sum(work) for each in work]


@pytest.mark.parametrize("clients", [1, 2, 8, SIXTY])
@settings(deadline=None, max_examples=examples(10))
@given(
    workers=st.sampled_from([1, 2, 8]),
    long=st.lists(costs, min_size=1, max_size=5),
    short=st.lists(costs, min_size=1, max_size=5),
    sentences=st.integers(1, 3),
)
def test_a_long_text_gets_its_share_beside_texts_that_keep_coming(
    clients, workers, long, short, sentences
):
    """One of k + 1 that ask all the time gets a (k + 1)th; that of others is no less, either."""
    room = Room(workers)
    everybody = [reader(room, long)]
    everybody += [Client(room, short, sentences) for _ in range(clients)]
    got = shares(room, everybody, 100 * (clients + 1) * LONGEST / workers)
    # Where there are workers for all, nobody has to share.
    if clients + 1 > LOOKAHEAD * workers:
        assert got[0] >= 0.8 / (clients + 1)
    if clients >= 2 * workers:
        assert got[0] <= 1.6 / (clients + 1), "nor does it get more at the others' cost"


@pytest.mark.parametrize("clients", [1, 8, SIXTY])
@pytest.mark.parametrize("readers", [2, pytest.param(20, marks=pytest.mark.slow)])
@settings(deadline=None, max_examples=examples(8))
@given(workers=st.integers(1, 3), long=costs, short=costs)
def test_many_long_texts_get_half_of_their_shares_at_least(clients, readers, workers, long, short):
    """Newcomers go first, and where few of them compete with many texts this has its price."""
    room = Room(workers)
    everybody = [reader(room, [long]) for _ in range(readers)]
    everybody += [Client(room, [short]) for _ in range(clients)]
    got = shares(room, everybody, 60 * (clients + readers) * LONGEST / workers)
    assert min(got[:readers]) >= 0.45 / (clients + readers)
    assert max(got[:readers]) <= 1.3 * min(got[:readers]), "equal shares among them"


@settings(deadline=None, max_examples=examples(40))
@given(
    workers=st.integers(1, 4),
    readers=st.lists(costs, min_size=1, max_size=25),
    clients=st.lists(
        st.tuples(costs, st.integers(1, 3), st.integers(0, 3000)), min_size=1, max_size=8
    ),
)
def test_a_newcomer_waits_for_a_sentence_or_two_and_the_newcomers_before_it(
    workers, readers, clients
):
    """And, since the long texts have a right to turns, for as much as those newcomers cost."""
    room = Room(workers)
    for cost in readers:
        reader(room, [cost])
    for cost, sentences, think in clients:
        Client(room, [cost], sentences, lambda think=think: think)
    room.run(40_000)
    for job in newcomers(room):
        between = room.begun[job.begun_before : job.begun - 1]
        before = sum(other.cost for other in between if other.first)
        assert sum(other.cost for other in between if not other.first) <= before + 2 * LONGEST


@settings(deadline=None, max_examples=examples(25))
@given(
    workers=st.integers(1, 4),
    readers=st.lists(st.lists(costs, min_size=1, max_size=4), min_size=1, max_size=25),
    short=st.lists(costs, min_size=1, max_size=5),
    think=st.integers(5 * LONGEST, 20 * LONGEST),
)
def test_one_who_asks_now_and_then_is_next(workers, readers, short, think):
    """A sentence waits for the first worker to be free, and for nothing else."""
    room = Room(workers)
    for each in readers:
        reader(room, each)
    client = Client(room, short, think=lambda: think)
    room.run(100_000)
    assert len(client.asked) > 5
    for job in client.asked[1:-1]:
        assert job.begun == job.begun_before + 1


@pytest.mark.parametrize("readers", [2, 20])
def test_texts_in_step_are_due_at_once_and_one_sentence_waits_for_one_of_them(readers):
    """As where a playlist begins: all sentences are of one length, and so are due together."""
    room = Room(1)
    for _ in range(readers):
        reader(room, [220])
    client = Client(room, [220], think=lambda: 1)
    room.run(200_000)
    waited = [job.begun - job.begun_before - 1 for job in client.asked[1:-1]]
    assert len(waited) > 100
    assert max(waited) <= 1


def test_clients_that_hang_up_after_a_sentence_starve_nobody():
    """What they had spoken is counted, though they never come to ask for the rest."""

    class Hasty(Client):
        def done(self, sentence):
            self.work += sentence.cost
            if sentence is self.asked[0]:
                for each in self.asked:
                    each.cancel()
                self.asked.clear()
                self._room.scheduler.leave(self._ticket)
                self._room.after(0, self.ask)

    room = Room(1)
    long = reader(room, [220])
    hasty = [Hasty(room, [44], sentences=10) for _ in range(8)]
    got = shares(room, [long, *hasty], 200_000)
    assert got[0] >= 0.8 / 9


def test_who_paused_has_saved_up_little():
    """A reader that stopped reading goes on with its share, and not with all that it missed."""
    room = Room(1)
    for _ in range(8):
        Client(room, [44])

    class Pausing(Client):
        def done(self, sentence):
            if 1000 < room.now < 50_000:
                room.after(50_000 - room.now, lambda: self.done(sentence))
            else:
                super().done(sentence)

    long = Pausing(room, [220], sentences=10**9)
    room.run(50_000)
    before = long.work
    room.run(90_000)
    owed, under_way = 1000, LOOKAHEAD * 220
    assert 0.9 * 40_000 / 9 <= long.work - before <= 40_000 / 9 + owed + under_way
