"""Who speaks next, with workers that only note what they are given."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from auto_voice.engines.engine import Utterance
from auto_voice.engines.job import Job
from auto_voice.errors import DeadlineExceeded, Draining, EngineUnavailable, Overloaded
from tests.examples import examples
from tests.unit.synthesis.queueing import OneEngine

FIXED_COST = 20
"""What a sentence costs besides its characters."""


def job(text="x" * 40, start_in_s=1000.0, direct=False):
    now = time.monotonic()
    return Job(Utterance(text, "en-us"), now + start_in_s, now + 1000, direct)


def cost(work):
    return FIXED_COST + len(work.utterance.text)


class FakeWorker:
    """Notes the jobs that it is given, and says when it has done them."""

    def __init__(self, scheduler):
        self.jobs = []
        self._scheduler = scheduler

    @property
    def current(self):
        return self.jobs[-1]

    def give(self, work):
        self.jobs.append(work)

    def finish(self):
        """Done; returns what comes next, if something does."""
        before = len(self.jobs)
        self._scheduler.offer(self)
        return self.jobs[-1] if len(self.jobs) > before else None


@pytest.fixture
def scheduler():
    return OneEngine(100)


@pytest.fixture
def worker(scheduler):
    """A worker that is busy, so that what comes has to wait."""
    busy = FakeWorker(scheduler)
    scheduler.offer(busy)
    scheduler.submit(scheduler.admit(), job("busy"))
    assert busy.jobs
    return busy


class Request:
    """A request that keeps two sentences in the scheduler, as the server's do."""

    def __init__(self, scheduler, lengths):
        self._scheduler = scheduler
        self._lengths = iter(lengths)
        self._ticket = scheduler.admit()
        self.jobs = []
        self.submit()
        self.submit()

    def submit(self):
        length = next(self._lengths, None)
        if length is not None:
            work = job("x" * length)
            self.jobs.append(work)
            self._scheduler.submit(self._ticket, work)


def test_a_free_worker_is_given_what_comes(scheduler):
    worker = FakeWorker(scheduler)
    scheduler.offer(worker)
    work = job()
    scheduler.submit(scheduler.admit(), work)
    assert worker.jobs == [work]
    assert scheduler.waiting == 0


def test_what_comes_first_waits_for_a_worker(scheduler):
    work = job()
    scheduler.submit(scheduler.admit(), work)
    assert scheduler.waiting == 1
    worker = FakeWorker(scheduler)
    scheduler.offer(worker)
    assert worker.jobs == [work]
    assert scheduler.waiting == 0


def test_requests_of_equal_length_are_served_in_the_order_of_their_arrival(scheduler, worker):
    jobs = [job() for _ in range(20)]
    for work in jobs:
        scheduler.submit(scheduler.admit(), work)
    assert [worker.finish() for _ in jobs] == jobs


def test_sentences_of_one_request_keep_their_order(scheduler, worker):
    ticket = scheduler.admit()
    jobs = [job("x" * length) for length in (300, 1, 40, 1)]
    for work in jobs:
        scheduler.submit(ticket, work)
    assert [worker.finish() for _ in jobs] == jobs


class Server:
    """One worker, and requests that submit their next sentence when one is spoken."""

    def __init__(self, scheduler, worker):
        self.scheduler = scheduler
        self.requests = []
        self._worker = worker

    def begin(self, lengths):
        self.requests.append(Request(self.scheduler, lengths))
        return self.requests[-1]

    def serve(self):
        """Speak a sentence to its end; returns the next one."""
        done = self._worker.current
        for request in self.requests:
            if done in request.jobs:
                request.submit()
        return self._worker.finish()


@pytest.mark.parametrize("served_before", [0, 1, 7, 50])
@pytest.mark.parametrize("others", [1, 4, 20])
@pytest.mark.parametrize("lengths", [[200], [120, 350, 37, 210, 80]], ids=["equal", "mixed"])
def test_one_sentence_is_next_however_many_long_texts_are_being_read(
    scheduler, worker, lengths, others, served_before
):
    """It waits for the sentence that is being spoken, and for no other, be they in step or not."""
    server = Server(scheduler, worker)
    for index in range(others):
        turned = lengths[index % len(lengths) :] + lengths[: index % len(lengths)]
        server.begin(turned * 100)
    for _ in range(others + served_before):
        server.serve()
    short = job("Hello, world.")
    scheduler.submit(scheduler.admit(), short)
    assert server.serve() is short


@pytest.mark.parametrize("clients", [2, 8, 60])
def test_short_requests_that_keep_coming_do_not_starve_a_long_one(scheduler, worker, clients):
    """The long text gets a share like each client's: its sentence after a few of each of theirs."""
    server = Server(scheduler, worker)
    long = server.begin([200] * 50)

    def come():
        work = job("Hello, world, here I am.")
        scheduler.submit(scheduler.admit(), work)

    for _ in range(clients):
        come()
    spoken = 0
    for _ in range(clients * 5 * 8):
        current = server.serve()
        if current in long.jobs:
            spoken += 1
        else:
            scheduler.leave()
            come()
    assert 2 <= spoken <= 16  # (200 + 20) / (24 + 20) = 5 short ones cost as much as a long one


@pytest.mark.parametrize("clients", [2, 8, 60])
def test_short_requests_that_keep_coming_keep_their_order(scheduler, worker, clients):
    """While long texts are being read, too, nobody who came later is served earlier."""
    server = Server(scheduler, worker)
    for _ in range(3):
        server.begin([200] * 100)
    came = []

    def come():
        came.append(job("Hello, world, here I am."))
        scheduler.submit(scheduler.admit(), came[-1])

    for _ in range(clients):
        come()
    served = []
    for _ in range(clients * 20):
        current = server.serve()
        if current in came:
            served.append(current)
            scheduler.leave()
            come()
    assert served == came[: len(served)]


def test_a_long_request_that_waits_to_begin_keeps_its_order(scheduler, worker):
    """Its second sentence does not overtake its first one, whatever goes on meanwhile."""
    for _ in range(30):
        scheduler.submit(scheduler.admit(), job("x" * 400))
    long = Request(scheduler, [1, 1, 1, 1])
    for _ in range(30):
        scheduler.submit(scheduler.admit(), job("x" * 400))
    order = []
    while len(order) < 4:
        work = worker.finish()
        scheduler.leave()
        if work in long.jobs:
            order.append(work)
            long.submit()
    assert order == long.jobs


def test_short_sentences_come_more_often_than_long_ones(scheduler, worker):
    """The share is in characters, not in sentences."""
    long, short = Request(scheduler, [380] * 20), Request(scheduler, [30] * 200)
    order = []
    for _ in range(44):
        work = worker.finish()
        owner = long if work in long.jobs else short
        order.append(owner)
        owner.submit()
    assert 7 <= order.count(short) / order.count(long) <= 9  # (380 + 20) / (30 + 20) = 8


def test_a_pause_saves_up_no_claims(scheduler, worker):
    """Who asked for little until now gets its share from now on, not more."""
    early = scheduler.admit()
    scheduler.submit(early, job("x"))
    first = worker.finish()
    assert len(first.utterance.text) == 1
    busy = Request(scheduler, [100] * 100)
    for _ in range(50):
        worker.finish()
        busy.submit()
    late = [job("x" * 100) for _ in range(10)]
    for work in late:
        scheduler.submit(early, work)
    served = []
    for _ in range(10):
        served.append(worker.finish() in late)
        busy.submit()
    assert 4 <= sum(served) <= 6


@settings(deadline=None, max_examples=examples(80))
@given(
    lengths=st.lists(
        st.lists(st.integers(1, 400), min_size=3, max_size=25), min_size=2, max_size=6
    ),
    workers=st.just(1),
)
def test_nobody_starves_and_nobody_gets_more_than_its_share(lengths, workers):
    """All is served; and of any two requests that always have something waiting, neither is
    ahead of the other by more than a sentence of each, as Goyal, Vin and Cheng prove.
    """
    scheduler = OneEngine(100)
    requests = [Request(scheduler, each) for each in lengths]
    owner = {id(work): index for index, request in enumerate(requests) for work in request.jobs}
    longest = [max(each) + FIXED_COST for each in lengths]
    work_done = [0] * len(requests)
    served = [0] * len(requests)
    worker = FakeWorker(scheduler)
    scheduler.offer(worker)
    while len(worker.jobs) > sum(served):
        current = worker.current
        index = owner[id(current)]
        served[index] += 1
        work_done[index] += cost(current)
        requests[index].submit()
        owner.update((id(work), index) for work in requests[index].jobs)
        open_ = [
            i for i, request in enumerate(requests) if served[i] + 1 < len(lengths[i])
        ]  # with a sentence waiting from the beginning until now
        for i in open_:
            for j in open_:
                assert work_done[i] - work_done[j] <= longest[i] + longest[j]
        worker.finish()
    assert served == [len(each) for each in lengths]
    for request in requests:
        order = [work for work in worker.jobs if work in request.jobs]
        assert order == request.jobs


class Scheduling(RuleBasedStateMachine):
    """Whatever comes in whatever order: each job once, no worker idle while something waits."""

    def __init__(self):
        super().__init__()
        self.scheduler = OneEngine(1000)
        self.tickets = [self.scheduler.admit() for _ in range(4)]
        self.free = []
        self.busy = []
        self.submitted = []
        self.withdrawn = 0

    def settle(self):
        for worker in [worker for worker in self.free if worker.given]:
            self.free.remove(worker)
            self.busy.append(worker)

    @rule()
    def a_worker_starts(self):
        worker = Counted()
        self.free.append(worker)
        self.scheduler.offer(worker)
        self.settle()

    @rule(who=st.integers(0, 3), length=st.integers(1, 400))
    def a_sentence_comes(self, who, length):
        work = job("x" * length)
        self.submitted.append(work)
        self.scheduler.submit(self.tickets[who], work)
        self.settle()

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def a_worker_has_done(self, data):
        worker = data.draw(st.sampled_from(self.busy))
        self.busy.remove(worker)
        worker.done.append(worker.given.pop())
        self.free.append(worker)
        self.scheduler.offer(worker)
        self.settle()

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def a_worker_dies_at_work(self, data):
        worker = data.draw(st.sampled_from(self.busy))
        self.busy.remove(worker)
        work = worker.given.pop()
        if work.cancelled:
            self.submitted.remove(work)
        else:
            self.scheduler.put_back(work)
            self.settle()

    @precondition(lambda self: self.free)
    @rule(data=st.data())
    def a_worker_dies_idle(self, data):
        worker = data.draw(st.sampled_from(self.free))
        assert self.scheduler.withdraw(worker)
        self.free.remove(worker)

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def a_client_goes_away(self, data):
        data.draw(st.sampled_from(self.submitted)).cancel()

    @invariant()
    def nothing_waits_beside_a_free_worker(self):
        assert not (self.free and self.scheduler.waiting)

    @invariant()
    def everybody_has_at_most_one_job(self):
        assert all(len(worker.given) == 1 for worker in self.busy)

    def teardown(self):
        worker = Counted()
        self.scheduler.offer(worker)
        while worker.given:
            worker.done.append(worker.given.pop())
            self.scheduler.offer(worker)
        assert self.scheduler.waiting == 0


class Counted:
    def __init__(self):
        self.given = []
        self.done = []

    def give(self, work):
        assert not self.given and work not in self.done
        self.given.append(work)

    def give_back(self):
        raise AssertionError("only direct jobs are given back")


Scheduling.TestCase.settings = settings(
    deadline=None, max_examples=examples(40), stateful_step_count=40
)
TestScheduling = Scheduling.TestCase


def test_no_more_requests_than_places():
    scheduler = OneEngine(2)
    scheduler.admit()
    scheduler.admit()
    with pytest.raises(Overloaded) as caught:
        scheduler.admit()
    assert caught.value.retry_after_s
    assert scheduler.requests == 2
    scheduler.leave()
    scheduler.admit()
    assert scheduler.requests == 2


def test_draining_turns_new_requests_away_and_finishes_the_old(scheduler):
    ticket = scheduler.admit()
    scheduler.drain()
    assert scheduler.draining
    with pytest.raises(Draining) as caught:
        scheduler.admit()
    assert caught.value.retry_after_s
    worker = FakeWorker(scheduler)
    scheduler.offer(worker)
    work = job()
    scheduler.submit(ticket, work)
    assert worker.jobs == [work]
    assert not scheduler.wait_until_idle(0)
    scheduler.leave()
    assert scheduler.wait_until_idle(0)


def test_the_last_request_ends_the_waiting(scheduler):
    for _ in range(3):
        scheduler.admit()
    waiting = threading.Thread(target=scheduler.wait_until_idle, args=(60,))
    waiting.start()
    for _ in range(3):
        assert waiting.is_alive()
        scheduler.leave()
    waiting.join(20)
    assert not waiting.is_alive()


def test_what_waited_too_long_is_told_so(scheduler, worker):
    """And the worker takes what comes after it."""
    late, next_one = job(start_in_s=0), job()
    for work in (late, next_one):
        scheduler.submit(scheduler.admit(), work)
    assert worker.finish() is next_one
    with pytest.raises(DeadlineExceeded):
        list(late.results(lambda: False))


@pytest.mark.parametrize("direct", [False, True])
def test_what_waited_too_long_is_told_so_in_its_own_thread_too(scheduler, worker, direct):
    late = job(start_in_s=0.1, direct=direct)
    scheduler.submit(scheduler.admit(), late)
    with pytest.raises(DeadlineExceeded):
        list(late.results(lambda: False))
    assert worker.finish() is None


def test_what_nobody_waits_for_is_left_out(scheduler, worker):
    left, next_one = job(), job()
    for work in (left, next_one):
        scheduler.submit(scheduler.admit(), work)
    left.cancel()
    assert worker.finish() is next_one
    assert worker.finish() is None


def test_many_that_left_hold_nobody_up(scheduler, worker):
    """A thousand requests that were given up leave nothing behind."""
    for _ in range(1000):
        work = job()
        scheduler.submit(scheduler.admit(), work)
        work.cancel()
        scheduler.leave()
    assert worker.finish() is None
    assert (scheduler.waiting, scheduler.requests) == (0, 1)


def test_what_is_put_back_comes_first(scheduler, worker):
    """Its client has waited longest; even short texts and earlier ones come later."""
    died = worker.current
    others = [job("x"), job("y")]
    for work in others:
        scheduler.submit(scheduler.admit(), work)
    scheduler.put_back(died)
    assert [worker.finish() for _ in range(3)] == [died, *others]


def test_what_is_put_back_goes_to_a_free_worker_at_once(scheduler, worker):
    other = FakeWorker(scheduler)
    scheduler.offer(other)
    scheduler.put_back(worker.current)
    assert other.jobs == [worker.current]


def test_several_that_are_put_back_keep_their_order(scheduler, worker):
    jobs = [job() for _ in range(3)]
    scheduler.submit(scheduler.admit(), job())
    for work in jobs:
        scheduler.put_back(work)
    assert [worker.finish() for _ in jobs] == jobs


@pytest.fixture
def waiting(scheduler, worker):
    """One of each kind of sentences that wait."""
    begun, waits = scheduler.admit(), scheduler.admit()
    jobs = [job("begun"), job("put back"), job("second"), job("first"), job("held")]
    scheduler.submit(begun, jobs[0])
    assert worker.finish() is jobs[0]
    scheduler.put_back(jobs[1])
    scheduler.submit(begun, jobs[2])
    scheduler.submit(waits, jobs[3])
    scheduler.submit(waits, jobs[4])
    assert scheduler.waiting == 4
    return jobs[1:]


@pytest.mark.parametrize("direct", [False, True])
def test_where_no_worker_will_come_all_that_waits_and_comes_fails(
    scheduler, worker, waiting, direct
):
    """Each with an error of its own, as raising one writes into it."""
    scheduler.refuse(EngineUnavailable("It is broken.", retry_after_s=7))
    late = [job(direct=direct), job(direct=direct)]
    scheduler.submit(scheduler.admit(), late[0])
    scheduler.put_back(late[1])
    errors = []
    for work in (*waiting, *late):
        with pytest.raises(EngineUnavailable, match="It is broken") as caught:
            list(work.results(lambda: False))
        assert caught.value.retry_after_s == 7
        errors.append(caught.value)
    assert len(set(map(id, errors))) == len(errors)
    assert scheduler.waiting == 0
    assert worker.finish() is None


def test_where_a_worker_comes_again_requests_are_served(scheduler, worker, waiting):
    """Those that failed meanwhile can go on, too."""
    ticket = scheduler.admit()
    scheduler.submit(ticket, job())
    scheduler.refuse(EngineUnavailable("It is broken."))
    scheduler.refuse(None)
    jobs = [job("one"), job("two"), job("three")]
    for work in jobs:
        scheduler.submit(ticket, work)
    assert [worker.finish() for _ in jobs] == jobs
    assert worker.finish() is None


def test_a_worker_that_withdrew_is_given_nothing(scheduler):
    worker = FakeWorker(scheduler)
    scheduler.offer(worker)
    assert scheduler.withdraw(worker)
    scheduler.submit(scheduler.admit(), job())
    assert worker.jobs == []
    assert scheduler.waiting == 1


def test_a_worker_that_has_been_given_something_cannot_withdraw(scheduler, worker):
    assert not scheduler.withdraw(worker)


def test_threads_lose_nothing_and_do_nothing_twice():
    """Eight requests submit while four workers work: each sentence is spoken exactly once."""
    scheduler = OneEngine(100)
    spoken = []
    enough = threading.Event()

    class Eager:
        def give(self, work):
            spoken.append(work)
            threading.Thread(target=scheduler.offer, args=(self,)).start()

    def request():
        ticket = scheduler.admit()
        for _ in range(50):
            work = job("x")
            jobs.append(work)
            scheduler.submit(ticket, work)
        scheduler.leave()

    jobs = []
    for _ in range(4):
        scheduler.offer(Eager())
    threads = [threading.Thread(target=request) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    give_up = time.monotonic() + 20
    while len(spoken) < 400 and time.monotonic() < give_up:
        enough.wait(0.01)
    assert len(spoken) == 400
    assert set(map(id, spoken)) == set(map(id, jobs))
    assert scheduler.wait_until_idle(20)
