"""A closed pool keeps nobody waiting: what it will not do any more fails at once."""

import threading

import pytest

from auto_voice.errors import EngineUnavailable
from tests.integration.pools import Pool, in_workers, runs, together, until
from tests.unit.engines.speaking import tones

both_paths = pytest.mark.parametrize("direct", [False, True], ids=["pumped", "direct"])


@pytest.fixture
def start():
    """Starts pools that are closed with the test."""
    pools = []

    def begin(*args, **kwargs):
        pools.append(Pool(*args, **kwargs))
        return pools[-1]

    yield begin
    for each in pools:
        each.close()


class Reader(threading.Thread):
    """A client that reads a job to its end."""

    def __init__(self, job):
        super().__init__(daemon=True)
        self.job = job
        self.outcome = None
        self.start()

    def run(self):
        [self.outcome] = together([lambda: b"".join(self.job.results(lambda: False))], 1)

    def assert_told(self):
        """It has been told, long before its deadline, that another try may help."""
        until(lambda: self.outcome is not None, "the client is told")
        assert isinstance(self.outcome, EngineUnavailable), self.outcome
        assert self.outcome.retryable and self.outcome.retry_after_s
        assert "stopping" in self.outcome.message


@both_paths
def test_what_is_being_spoken_fails(start, direct):
    pool = start(workers=2).wait_until_ready()
    readers = [Reader(pool.submit("one PAUSE HANG", direct=direct)) for _ in range(2)]
    until(lambda: all(len(each.job.words) >= 2 for each in readers), "both are being spoken")
    pool.close()
    for reader in readers:
        reader.assert_told()


@both_paths
def test_what_waits_fails(start, direct):
    pool = start().wait_until_ready()
    busy = pool.submit("PAUSE HANG")
    next(busy.results(lambda: False))
    readers = [Reader(pool.submit("two", direct=direct)) for _ in range(5)]
    assert pool.scheduler.waiting == 5
    pool.close()
    for reader in readers:
        reader.assert_told()
    assert pool.scheduler.waiting == 0


@both_paths
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_what_comes_later_fails(start, direct, busy):
    """However many come; and whether a worker was free or in the middle of something."""
    pool = start(workers=2).wait_until_ready()
    if busy:
        for job in [pool.submit("PAUSE HANG") for _ in range(2)]:
            next(job.results(lambda: False))
    pool.close()
    for _ in range(5):
        Reader(pool.submit("two", direct=direct)).assert_told()


@both_paths
def test_what_waits_for_the_first_worker_fails(start, monkeypatch, tmp_path, direct):
    """Also those who wait to hear what voices there are."""
    in_workers(tmp_path, monkeypatch, "import time; time.sleep(3600)")
    pool = start()
    reader = Reader(pool.submit("one", direct=direct))
    asked = []
    asking = threading.Thread(
        target=lambda: asked.extend(together([lambda: pool.pool.description(600)], 1)), daemon=True
    )
    asking.start()
    until(lambda: pool.pool.pids, "its process has been started")
    [pid] = pool.pool.pids
    pool.close()
    reader.assert_told()
    until(lambda: asked, "who asked for the voices is told")
    assert isinstance(asked[0], EngineUnavailable)
    until(lambda: not runs(pid), "the process has ended")


def test_what_comes_while_it_is_closing_is_spoken_or_fails(start):
    """Eight clients ask without a pause; each is told in the end, and none waits on."""
    for _ in range(5):
        pool = start(workers=2).wait_until_ready()
        spoken = threading.Semaphore(0)

        def ask(direct, pool=pool, spoken=spoken):
            while True:
                assert pool.say("one", direct=direct) == tones("one")
                spoken.release()

        outcomes = []
        clients = threading.Thread(
            target=lambda pool=pool, ask=ask, outcomes=outcomes: outcomes.extend(
                together([lambda direct=i % 2 == 0: ask(direct) for i in range(8)], 8)
            ),
            daemon=True,
        )
        clients.start()
        for _ in range(20):
            assert spoken.acquire(timeout=40)
        pool.close()
        until(lambda outcomes=outcomes: len(outcomes) == 8, "all have been told")
        assert {type(outcome) for outcome in outcomes} == {EngineUnavailable}


def test_closing_twice_is_closing(start):
    pool = start().wait_until_ready()
    pool.close()
    pool.close()
    Reader(pool.submit("one")).assert_told()
