"""A job delivers each sample once, in order, and gives back what it holds when it is left."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.engines.engine import Utterance
from auto_voice.engines.job import Job
from auto_voice.errors import Cancelled, DeadlineExceeded, EngineCrashed, EngineFailed

FOREVER_S = 1000.0


def job(start_in_s=FOREVER_S, end_in_s=FOREVER_S, direct=False):
    now = time.monotonic()
    return Job(Utterance("text", "en-us"), now + start_in_s, now + end_in_s, direct)


class FakeSlot:
    """A worker that does what the test says."""

    def __init__(self, work=lambda job, is_gone: None):
        self.given = []
        self.lent = []
        self.returned = 0
        self._work = work

    def give(self, job):
        self.given.append(job)

    def give_back(self):
        self.returned += 1

    def lend(self, job, is_gone):
        self.lent.append(job)
        job.begin()
        self._work(job, is_gone)
        self.returned += 1


def here():
    return False


def gone():
    return True


def say(job, is_gone):
    """A worker's work."""
    job.put(b"ab", False)
    job.put(b"cd", True)


def broken():
    raise OSError("Bad file descriptor")


class TestPumped:
    """The worker's own thread reads what the worker says."""

    def test_a_worker_is_given_the_job(self):
        work, slot = job(), FakeSlot()
        work.assign(slot)
        assert slot.given == [work]

    def test_samples_come_in_order_until_the_last(self):
        work = job()
        work.begin()
        assert work.put(b"ab", False)
        assert work.put(b"", False)
        assert work.put(b"cd", True)
        assert list(work.results(here)) == [b"ab", b"cd"]

    def test_samples_can_be_had_before_the_last_ones_are_there(self):
        work = job()
        work.begin()
        work.put(b"ab", False)
        assert next(work.results(here)) == b"ab"

    def test_a_failure_comes_after_what_was_said_before(self):
        work = job()
        work.begin()
        work.put(b"ab", False)
        work.fail(EngineFailed("no"))
        results = work.results(here)
        assert next(results) == b"ab"
        with pytest.raises(EngineFailed):
            next(results)

    def test_a_client_that_goes_away_is_noticed_while_waiting(self):
        work = job()
        with pytest.raises(Cancelled):
            next(work.results(gone))
        assert work.cancelled
        work.begin()
        assert not work.put(b"ab", False), "the worker is told that nobody listens"

    def test_a_check_that_fails_is_raised_and_stops_the_worker(self):
        work = job()
        work.begin()
        with pytest.raises(OSError):
            next(work.results(broken))
        assert not work.put(b"ab", False)

    def test_what_is_cancelled_meanwhile_ends(self):
        """By another thread: nobody waits for the samples of a worker that has stopped."""
        work = job()
        work.cancel()
        with pytest.raises(Cancelled):
            next(work.results(here))

    def test_too_late_to_begin(self):
        work = job(start_in_s=0)
        with pytest.raises(DeadlineExceeded) as caught:
            next(work.results(here))
        assert caught.value.retryable and caught.value.retry_after_s
        assert work.cancelled

    def test_begun_in_time_it_may_take_until_its_end(self):
        work = job(start_in_s=0.05)
        work.begin()
        while not time.monotonic() > work.submitted + 0.05:
            pass
        assert not work.expired

    def test_too_late_to_end(self):
        work = job(end_in_s=0)
        work.begin()
        with pytest.raises(DeadlineExceeded):
            next(work.results(here))


class TestDirect:
    """The request's own thread reads what the worker says."""

    def test_the_request_does_the_work_itself(self):
        work, slot = job(direct=True), FakeSlot(say)
        work.assign(slot)
        assert slot.lent == slot.given == []
        assert list(work.results(here)) == [b"ab", b"cd"]
        assert slot.lent == [work]
        assert slot.returned == 1

    def test_it_waits_for_a_worker(self):
        work, slot = job(direct=True), FakeSlot(say)
        asked = threading.Event()

        def is_gone():
            asked.set()
            return False

        thread = threading.Thread(target=lambda: (asked.wait(20), work.assign(slot)))
        thread.start()
        assert list(work.results(is_gone)) == [b"ab", b"cd"]
        thread.join()

    def test_after_a_worker_died_it_goes_on_with_another(self):
        other = FakeSlot(say)

        def die(job, is_gone):
            job.put(b"ab", False)
            job.assign(other)  # as the scheduler's put_back does

        work = job(direct=True)
        work.assign(FakeSlot(die))
        assert b"".join(work.results(here)) == b"abcd"
        assert work.attempts == 2

    def test_a_failure_is_raised(self):
        def fail(job, is_gone):
            job.fail(EngineCrashed("no"))

        work = job(direct=True)
        work.assign(FakeSlot(fail))
        with pytest.raises(EngineCrashed):
            list(work.results(here))

    def test_a_failure_without_a_worker_ends_the_waiting(self):
        """As of the scheduler, where the deadline passed in the queue."""
        work = job(direct=True)
        work.fail(DeadlineExceeded("late"))
        with pytest.raises(DeadlineExceeded):
            list(work.results(here))

    def test_a_client_that_goes_away_is_noticed_while_waiting(self):
        work = job(direct=True)
        with pytest.raises(Cancelled):
            list(work.results(gone))
        assert work.cancelled

    def test_too_late_to_begin(self):
        with pytest.raises(DeadlineExceeded):
            list(job(start_in_s=0, direct=True).results(here))

    def test_a_worker_assigned_while_giving_up_is_given_back(self):
        """It comes after the look at the queue and before the request has left."""
        work, slot = job(direct=True), FakeSlot(say)

        def assigned_and_gone():
            work.assign(slot)
            return True

        with pytest.raises(Cancelled):
            list(work.results(assigned_and_gone))
        assert (slot.returned, slot.lent) == (1, [])

    def test_a_worker_assigned_just_after_giving_up_is_given_back(self):
        """The scheduler took the job from its queue before it was cancelled, and assigns it now."""
        work, slot = job(direct=True), FakeSlot(say)
        with pytest.raises(Cancelled):
            list(work.results(gone))
        work.assign(slot)
        assert (slot.returned, slot.lent) == (1, [])

    def test_a_worker_assigned_while_its_check_fails_is_given_back(self):
        work, slot = job(direct=True), FakeSlot(say)

        def assigned_and_broken():
            work.assign(slot)
            broken()

        with pytest.raises(OSError):
            list(work.results(assigned_and_broken))
        assert (slot.returned, slot.lent) == (1, [])

    def test_a_worker_assigned_after_its_check_failed_is_given_back(self):
        work, slot = job(direct=True), FakeSlot(say)
        with pytest.raises(OSError):
            list(work.results(broken))
        work.assign(slot)
        assert (slot.returned, slot.lent) == (1, [])

    def test_a_worker_that_was_assigned_before_its_request_failed_is_given_back(self):
        """As where the deadline passes between the two: nobody comes to read."""
        work, slot = job(direct=True), FakeSlot(say)
        work.assign(slot)
        work.cancel()
        assert (slot.returned, slot.lent) == (1, [])

    def test_a_check_that_fails_in_the_middle_is_raised_once_the_worker_has_stopped(self):
        def stop_early(job, is_gone):
            job.put(b"ab", False)
            assert job.is_unwanted(is_gone)
            assert not job.put(b"cd", False)
            job.put(b"", True)

        work, slot = job(direct=True), FakeSlot(stop_early)
        work.assign(slot)
        with pytest.raises(OSError):
            list(work.results(broken))
        assert slot.returned == 1

    def test_half_an_answer_of_a_left_request_is_no_answer(self):
        """The worker stops early then; nobody may take that for the whole, a cache least of all."""

        def leave(job, is_gone):
            job.put(b"ab", False)
            assert is_gone()
            job.cancel()
            job.put(b"", True)

        work = job(direct=True)
        work.assign(FakeSlot(leave))
        with pytest.raises(Cancelled):
            list(work.results(gone))


@given(data=st.binary(min_size=1, max_size=60), rest=st.data())
def test_a_second_attempt_goes_on_where_the_first_one_ended(data, rest):
    """However the samples are cut, before and after: nothing is said twice, nothing is left out."""
    work = job()
    work.begin()
    done = rest.draw(st.integers(0, len(data)))
    for end in (done, len(data)):
        start = 0
        while start < end:
            piece = data[start : min(end, start + rest.draw(st.integers(1, 9)))]
            start += len(piece)
            work.put(piece, end == len(data) and start == end)
        if end == done and done < len(data):
            work.begin()
        elif end == done:
            break
    if done == len(data):
        work.begin()
        work.put(data, True)
    assert b"".join(work.results(here)) == data
    assert work.attempts == 2


def test_words_of_the_first_attempt_are_forgotten():
    work = job()
    work.begin()
    work.words.append("one")
    work.begin()
    assert work.words == []


def test_the_time_of_the_attempt_that_worked_is_told():
    work = job()
    assert (work.started, work.compute_s) == (0.0, 0.0)
    work.begin()
    assert work.started >= work.submitted
    work.put(b"ab", True)
    assert work.compute_s > 0
