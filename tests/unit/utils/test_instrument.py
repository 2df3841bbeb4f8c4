"""What is bound, traced and timed is so within, and nowhere else, however things interleave."""

import contextlib
import contextvars
import gc
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.utils import instrument
from auto_voice.utils.instrument import bind, carry, timed, traced
from auto_voice.utils.log_formats import ConsoleFormatter, JSONFormatter
from auto_voice.utils.tracing_context import Context, current, received


@pytest.fixture(autouse=True)
def nobody_is_left():
    """No test leaves a context behind, whatever it does."""
    assert current.get() is None
    yield
    assert current.get() is None


def line(formatter=None):
    record = logging.LogRecord("auto_voice.test", logging.INFO, "", 0, "said", (), None)
    return (formatter or JSONFormatter()).format(record)


def shown():
    """What a line logged here would have besides the usual."""
    entry = json.loads(line())
    return {key: entry[key] for key in entry if key not in ("time", "level", "logger", "message")}


@contextlib.contextmanager
def served(request_id):
    """As around a request."""
    token = current.set(Context(request_id=request_id))
    try:
        yield
    finally:
        current.reset(token)


class TestBind:
    """Fields for the lines within."""

    def test_lines_within_have_the_fields(self):
        with served("r"), bind(job_id=7):
            with bind(voice="en", job_id=8):
                assert shown() == {"request_id": "r", "job_id": 8, "voice": "en"}
                assert "voice=en" in line(ConsoleFormatter(colour=False))
            assert shown() == {"request_id": "r", "job_id": 7}

    def test_without_a_request_they_have_them_too(self):
        with bind(job_id=7):
            assert shown() == {"job_id": 7}

    def test_after_an_error_they_are_gone(self):
        with pytest.raises(ZeroDivisionError), bind(job_id=7):
            raise ZeroDivisionError
        assert shown() == {}

    def test_around_a_function(self):
        @bind(job_id=7)
        def work(one, *, two):
            """Works."""
            return one, two, shown()

        assert work(1, two=2) == (1, 2, {"job_id": 7})
        assert (work.__name__, work.__doc__) == ("work", "Works.")

    def test_a_function_may_call_itself(self):
        @bind(job_id=7)
        def work(depth):
            return work(depth - 1) if depth else shown()

        assert work(5) == {"job_id": 7}

    @pytest.mark.parametrize("name", ["message", "time", "level", "request_id", "trace_id"])
    def test_what_a_line_has_already_cannot_be_replaced(self, name):
        with pytest.raises(ValueError, match=name):
            bind(**{name: "forged"})
        with pytest.raises(ValueError, match=name):
            traced("step", **{name: "forged"})


class TestGenerators:
    """Each runs in its own context, step by step, and leaves its reader's alone."""

    @staticmethod
    def steps(number):
        @bind(number=number)
        def generate():
            heard = None
            while True:
                with bind(heard=heard):
                    heard = yield shown()

        return generate

    def test_two_interleaved_see_their_own(self):
        with served("one"):
            one = self.steps(1)()
        with served("two"):
            two = self.steps(2)()
        for _ in range(3):
            assert next(one) == {"request_id": "one", "number": 1, "heard": None}
            assert shown() == {}
            assert next(two) == {"request_id": "two", "number": 2, "heard": None}
        with served("three"):
            assert one.send("a") == {"request_id": "one", "number": 1, "heard": "a"}
            assert shown() == {"request_id": "three"}
        one.close()
        assert shown() == {}
        assert next(two)["number"] == 2

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, 3), st.sampled_from(["next", "send", "throw", "close"])),
            max_size=40,
        )
    )
    def test_in_whatever_order_and_threads(self, schedule):
        """Two threads take turns with four generators; each step sees its own, its reader none."""
        generators = []
        for number in range(4):
            with served(f"request-{number}"):
                generators.append(self.steps(number)())
        problems = []

        def act(index, action):
            with served("reader") if index % 2 else contextlib.nullcontext():
                before = shown()
                try:
                    if action == "close":
                        generators[index].close()
                    elif action == "throw":
                        with contextlib.suppress(ZeroDivisionError):
                            generators[index].throw(ZeroDivisionError())
                    else:
                        step = generators[index].__next__
                        seen = step()
                        if (seen["request_id"], seen["number"]) != (f"request-{index}", index):
                            problems.append(seen)
                except StopIteration:
                    pass
                if shown() != before:
                    problems.append(shown())

        with ThreadPoolExecutor(1) as other:
            for turn, (index, action) in enumerate(schedule):
                if turn % 2:
                    other.submit(act, index, action).result()
                else:
                    act(index, action)
            assert other.submit(shown).result() == {}
        assert problems == []

    def test_what_it_does_at_its_end_is_done_in_its_context(self):
        ended = []

        @bind(number=1)
        def generate():
            try:
                yield
            finally:
                ended.append(shown())

        for end in (lambda made: made.close(), lambda made: list(made)):
            made = generate()
            next(made)
            end(made)
        made = generate()
        next(made)
        with pytest.raises(KeyError):
            made.throw(KeyError("thrown in"))
        made = generate()
        next(made)
        with served("another"):
            del made
            gc.collect()
        assert ended == [{"number": 1}] * 4

    def test_one_that_ends_in_a_strange_context_leaves_it_alone(self):
        """As the garbage collector may end one that is part of a circle."""

        def generate():
            with bind(number=1):
                yield

        made = generate()
        contextvars.copy_context().run(next, made)
        with served("another"):
            made.close()
            assert shown() == {"request_id": "another"}

    def test_values_go_in_and_come_out(self):
        @timed("summing")
        @bind(number=1)
        @traced("sum")
        def generate():
            total = 0
            while True:
                try:
                    given_in = yield total
                except KeyError:
                    given_in = 100
                if given_in is None:
                    return total
                total += given_in

        made = generate()
        assert next(made) == 0
        assert made.send(1) == 1
        assert made.throw(KeyError()) == 101
        with pytest.raises(StopIteration) as end:
            next(made)
        assert end.value.value == 101

    def test_one_that_is_never_read_has_never_begun(self):
        began = []

        @timed("never", began.append)
        def generate():
            yield began.append("begun")

        generate().close()
        assert began == []

    def test_something_made_of_a_decorated_one_is_taken_for_what_it_is(self):
        """`contextmanager` makes no generators, whatever it is made of."""

        @bind(outer=1)
        @contextlib.contextmanager
        @bind(inner=1)
        def manage():
            yield shown()

        with manage() as seen:
            assert seen == {"outer": 1, "inner": 1}
        assert shown() == {}


class TestThreads:
    """A thread has no context but what is carried there."""

    def test_by_itself_it_has_none(self):
        with served("r"), ThreadPoolExecutor(1) as other:
            assert other.submit(shown).result() == {}

    def test_what_is_carried_is_there(self):
        with served("r"), bind(job_id=7), ThreadPoolExecutor(1) as other:
            assert other.submit(carry(shown)).result() == {"request_id": "r", "job_id": 7}
            assert other.submit(shown).result() == {}

    def test_it_is_as_it_was_when_it_was_carried(self):
        with served("r"):
            carried = carry(shown)
        assert carried() == {"request_id": "r"}

    def test_what_changes_there_does_not_come_back(self):
        def change():
            current.set(None)

        with served("r"), ThreadPoolExecutor(1) as other:
            other.submit(carry(change)).result()
            assert shown() == {"request_id": "r"}
            carry(change)()
            assert shown() == {"request_id": "r"}

    def test_many_threads_may_call_it_at_once(self):
        together = threading.Barrier(8)

        def work():
            together.wait(30)
            return shown()

        with served("r"):
            carried = carry(work)
        with ThreadPoolExecutor(8) as others:
            found = [others.submit(carried) for _ in range(8)]
            assert [each.result() for each in found] == [{"request_id": "r"}] * 8

    def test_a_generator_is_read_there_as_if_it_were_here(self):
        def generate():
            with bind(number=1):
                yield shown()
            yield shown()

        with served("r"):
            made = carry(generate)()
        with ThreadPoolExecutor(1) as other:
            read = [other.submit(next, made).result(), next(made)]
            assert other.submit(shown).result() == {}
        assert read == [{"request_id": "r", "number": 1}, {"request_id": "r"}]
        assert next(made, None) is None


class FakeSpan:
    """A span that remembers."""

    def __init__(self, name="", number=1):
        self.name = name
        self.span_id = f"{number:016x}"
        self.children = []
        self.ended = None

    def child(self, name):
        self.children.append(FakeSpan(name, 16 * int(self.span_id, 16) + len(self.children) + 1))
        return self.children[-1]

    def end(self, error=""):
        assert self.ended is None
        self.ended = error


@contextlib.contextmanager
def sampled():
    """A request whose spans are sent to a collector."""
    span = FakeSpan("request")
    context = Context(request_id="r", trace_id="a" * 32, span_id=span.span_id, span=span)
    token = current.set(context)
    try:
        yield span
    finally:
        current.reset(token)


class TestTraced:
    """Steps of a trace."""

    def test_a_step_is_within_the_one_around_it(self):
        with sampled() as request, traced("outer") as outer, traced("inner", part=2) as inner:
            assert shown() == {
                "request_id": "r",
                "trace_id": "a" * 32,
                "span": "inner",
                "part": 2,
            }
        assert (outer.trace_id, inner.trace_id) == ("a" * 32, "a" * 32)
        assert (outer.parent_id, inner.parent_id) == (request.span_id, outer.span_id)
        (first,) = request.children
        (second,) = first.children
        assert [(each.name, each.span_id, each.ended) for each in (first, second)] == [
            ("outer", outer.span_id, ""),
            ("inner", inner.span_id, ""),
        ]

    def test_without_a_collector_ids_are_made_all_the_same(self):
        token = current.set(received("r"))
        with traced("outer") as outer, traced("inner") as inner:
            assert outer.trace_id == inner.trace_id
            assert len({outer.parent_id, outer.span_id, inner.span_id}) == 3
            assert inner.parent_id == outer.span_id
        current.reset(token)

    def test_without_a_trace_it_begins_one(self):
        """As a background job does: its lines can be found together."""
        with bind(job_id=7), traced("job") as context:
            assert shown() == {
                "request_id": context.request_id,
                "trace_id": context.trace_id,
                "job_id": 7,
                "span": "job",
            }
            assert len(context.trace_id) == 32 and context.parent_id == ""

    def test_a_failure_is_told(self):
        with sampled() as request:
            with pytest.raises(ZeroDivisionError), traced("step"):
                raise ZeroDivisionError
        assert [each.ended for each in request.children] == ["ZeroDivisionError"]

    def test_a_function_is_a_step_each_time(self):
        @traced("step")
        def work():
            return current.get().span_id

        with sampled() as request:
            assert [work(), work()] == [each.span_id for each in request.children]
        assert all(each.ended == "" for each in request.children)

    def test_a_generators_step_lasts_until_its_end(self):
        @traced("step")
        def generate():
            yield current.get().span_id
            yield current.get().span_id

        with sampled() as request:
            made = generate()
            ids = [next(made), next(made)]
            assert request.children[0].ended is None
            assert list(made) == []
            assert request.children[0].ended == ""
            assert ids == [request.children[0].span_id] * 2

            next(generate())  # and nobody reads on
            gc.collect()
            assert request.children[1].ended == ""

            made = generate()
            next(made)
            with pytest.raises(KeyError):
                made.throw(KeyError())
            assert request.children[2].ended == "KeyError"


class Clock:
    """A clock that is set by hand."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(instrument.time, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


class TestTimed:
    """How long something took."""

    def test_it_measures_logs_and_reports(self, clock, caplog):
        reported = []
        with caplog.at_level(logging.DEBUG), timed("loading", reported.append) as took:
            clock.now += 1.5
        assert (took.seconds, reported) == (1.5, [1.5])
        (record,) = caplog.records
        assert record.getMessage() == "loading took 1500.000 ms"
        assert record.levelno == logging.DEBUG
        assert json.loads(JSONFormatter().format(record))["duration_ms"] == 1500.0

    def test_where_nobody_wants_to_read_it_it_is_not_logged(self, clock, caplog):
        with caplog.at_level(logging.INFO), timed("loading"):
            clock.now += 1
        assert caplog.records == []

    def test_a_failure_took_time_too(self, clock, caplog):
        reported = []
        with caplog.at_level(logging.DEBUG):
            with pytest.raises(KeyError), timed("loading", reported.append):
                clock.now += 2
                raise KeyError
        assert reported == [2.0]
        assert caplog.records[0].facts["error"] == "KeyError"

    def test_a_function_is_measured_each_time(self, clock):
        reported = []

        @timed("work", reported.append)
        def work(seconds):
            clock.now += seconds
            return seconds

        assert [work(1.0), work(2.0)] == reported == [1.0, 2.0]

    def test_threads_do_not_measure_each_other(self):
        reported = []
        inside, outside = threading.Barrier(2), threading.Barrier(2)

        @timed("work", reported.append)
        def work():
            inside.wait(30)
            outside.wait(30)

        with ThreadPoolExecutor(2) as others:
            for each in [others.submit(work), others.submit(work)]:
                each.result()
        assert len(reported) == 2 and all(seconds > 0 for seconds in reported)

    def test_of_a_generator_its_own_time_counts(self, clock):
        reported = []

        @timed("generating", reported.append)
        def generate():
            for _ in range(3):
                clock.now += 1
                yield

        for _ in generate():
            clock.now += 10  # its reader's
        assert reported == [3.0]
        made = generate()
        next(made)
        clock.now += 10
        made.close()
        assert reported == [3.0, 1.0]
