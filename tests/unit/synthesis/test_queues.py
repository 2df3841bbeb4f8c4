"""Engines side by side: each has its own queue, and all have one bound."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.errors import EngineUnavailable, Overloaded
from auto_voice.synthesis.scheduler import FairScheduler
from tests.examples import examples
from tests.unit.synthesis.test_scheduler import FIXED_COST, FakeWorker, cost, job


def sentence(engine, length=40):
    work = job("x" * length)
    work.engine = engine
    return work


def test_a_slow_engine_holds_up_no_other():
    scheduler = FairScheduler(100)
    slow, fast = FakeWorker(scheduler.queue("slow")), FakeWorker(scheduler.queue("fast"))
    scheduler.queue("slow").offer(slow)
    scheduler.queue("fast").offer(fast)
    for _ in range(20):
        scheduler.submit(scheduler.admit(), sentence("slow"))
    for _ in range(3):
        work = sentence("fast")
        scheduler.submit(scheduler.admit(), work)
        assert fast.current is work
        fast.finish()
    assert len(slow.jobs) == 1
    assert (scheduler.queue("slow").waiting, scheduler.queue("fast").waiting) == (19, 0)


def test_one_request_may_have_sentences_in_several_queues():
    scheduler = FairScheduler(100)
    ticket = scheduler.admit()
    for engine in ("one", "other", "one"):
        scheduler.submit(ticket, sentence(engine))
    assert (scheduler.queue("one").waiting, scheduler.queue("other").waiting) == (2, 1)
    assert scheduler.requests == 1
    scheduler.leave(ticket)
    assert scheduler.requests == 0
    assert scheduler.wait_until_idle(0)


def test_places_are_counted_over_all_engines():
    scheduler = FairScheduler(2)
    for engine in ("one", "other"):
        scheduler.submit(scheduler.admit(), sentence(engine))
    with pytest.raises(Overloaded):
        scheduler.admit()


def test_an_engine_that_fails_fails_its_own_sentences_only():
    scheduler = FairScheduler(100)
    jobs = {engine: sentence(engine) for engine in ("dead", "alive")}
    for work in jobs.values():
        scheduler.submit(scheduler.admit(), work)
    scheduler.queue("dead").refuse(EngineUnavailable("It is gone."))
    with pytest.raises(EngineUnavailable):
        list(jobs["dead"].results(lambda: False))
    worker = FakeWorker(scheduler.queue("alive"))
    scheduler.queue("alive").offer(worker)
    assert worker.current is jobs["alive"]


class Mixed:
    """A request whose sentences go to several engines, two of them at a time."""

    def __init__(self, scheduler, lines):
        self.scheduler = scheduler
        self.lines = list(lines)
        self.ticket = scheduler.admit()
        self.under_way = []
        self.had = {}
        self.last = self.lines[-1] if self.lines else None
        self.submit()
        self.submit()

    def submit(self):
        if self.lines:
            work = sentence(*self.lines.pop(0))
            self.under_way.append(work)
            self.scheduler.submit(self.ticket, work)

    def done(self, work):
        self.under_way.remove(work)
        self.had[work.engine] = self.had.get(work.engine, 0) + cost(work)
        self.submit()
        if not self.under_way:
            self.scheduler.leave(self.ticket)


@settings(deadline=None, max_examples=examples(60))
@given(
    texts=st.lists(st.lists(st.integers(1, 400), min_size=8, max_size=30), min_size=2, max_size=5),
    others=st.lists(st.integers(1, 400), max_size=60),
    turns=st.lists(st.booleans(), min_size=400, max_size=400),
)
def test_shares_of_one_engine_do_not_depend_on_what_others_do(texts, others, turns):
    """However much waits for another engine and whenever that is done: of any two requests that
    always have something waiting for an engine, neither is ahead of the other by more than a
    sentence of each; everything is served.
    """
    scheduler = FairScheduler(1000)
    requests = [Mixed(scheduler, [("here", length) for length in text]) for text in texts]
    crowd = [Mixed(scheduler, [("there", length)] * 3) for length in others]
    workers = {name: FakeWorker(scheduler.queue(name)) for name in ("here", "there")}
    for name, worker in workers.items():
        scheduler.queue(name).offer(worker)
    served = {"here": 0, "there": 0}
    longest = [max(text) + FIXED_COST for text in texts]

    def step(name):
        worker = workers[name]
        if served[name] == len(worker.jobs):
            return False
        work = worker.current
        served[name] += 1
        for request in (*requests, *crowd):
            if work in request.under_way:
                request.done(work)
                break
        open_ = [i for i, request in enumerate(requests) if len(request.under_way) == 2]
        for i in open_:
            for j in open_:
                ahead = requests[i].had.get("here", 0) - requests[j].had.get("here", 0)
                assert ahead <= longest[i] + longest[j]
        worker.finish()
        return True

    for turn in turns:
        step("here" if turn else "there")
    while step("here") or step("there"):
        pass
    assert [request.had["here"] for request in requests] == [
        sum(length + FIXED_COST for length in text) for text in texts
    ]
    assert served["there"] == 3 * len(crowd)
    assert scheduler.requests == 0
