"""Rates and quantiles of the last minute: what Prometheus would say of the same counters."""

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.monitoring import window as module
from auto_voice.monitoring.metrics import Metrics
from auto_voice.monitoring.window import (
    FAMILIES,
    KEPT_S,
    STEP_S,
    WINDOW_S,
    History,
    Totals,
    Window,
    quantile,
    read,
)
from tests.unit.monitoring.test_metrics import done, watch

BOUNDS = (0.1, 0.5, 1.0, math.inf)


# --- quantiles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "part", "wanted"),
    [
        ((0, 0, 0, 0), 0.5, None),
        ((4, 0, 0, 0), 0.5, 0.05),  # evenly between 0 and 0.1
        ((4, 0, 0, 0), 0.95, 0.095),
        ((0, 10, 0, 0), 0.5, 0.3),  # the middle of 0.1 to 0.5
        ((10, 10, 0, 0), 0.5, 0.1),  # just the bound
        ((10, 0, 10, 0), 0.75, 0.75),  # an empty bucket in between
        ((2, 6, 2, 0), 0.5, 0.3),
        ((2, 6, 2, 0), 0.95, 0.875),
        ((0, 0, 0, 3), 0.5, 1.0),  # the last finite bound stands for all above it
        ((90, 0, 0, 10), 0.95, 1.0),
        ((1, 0, 0, 0), 0.0, 0.0),
        ((0, 0, 1, 0), 1.0, 1.0),
    ],
)
def test_quantiles_are_those_of_prometheus(counts, part, wanted):
    """histogram_quantile gives these numbers for these buckets."""
    found = quantile(BOUNDS, counts, part)
    assert found == (wanted if wanted is None else pytest.approx(wanted))


@given(
    st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_higher_quantile_is_never_lower(counts, one, other):
    low, high = sorted((one, other))
    assert 0 <= quantile(BOUNDS, counts, low) <= quantile(BOUNDS, counts, high) <= 1.0


# --- windows --------------------------------------------------------------------------------------


def totals(at_s, first_audio=(0, 0, 0, 0), **outcomes):
    return Totals(at_s, outcomes, {}, {}, BOUNDS, first_audio, 0)


def test_what_happened_is_the_difference():
    window = Window(
        totals(100, (5, 5, 0, 0), success=10, error=2),
        totals(160, (5, 9, 0, 0), success=40, error=2),
    )
    assert window.outcomes() == {"success": 30, "error": 0}
    assert window.rate(30) == 0.5
    assert window.first_audio() == [0, 4, 0, 0]
    assert window.first_audio_s(0.5) == pytest.approx(0.3)


def test_a_counter_that_began_anew_counts_from_zero():
    """There are no negative rates, and nothing of before is counted twice."""
    window = Window(
        totals(100, (50, 5, 0, 0), success=1000, error=2),
        totals(110, (0, 2, 0, 0), success=3, error=4),
    )
    assert window.outcomes() == {"success": 3, "error": 2}
    assert window.first_audio() == [0, 2, 0, 0]


def test_what_was_not_there_before_counts_from_zero():
    """A route that nobody had asked for yet has no series."""
    window = Window(totals(100), totals(110, success=3))
    assert window.outcomes() == {"success": 3}


def test_without_time_there_is_no_rate():
    """And no division by zero."""
    assert Window(totals(100), totals(100, success=3)).rate(3) == 0.0


def test_without_traffic_there_is_no_quantile():
    same = totals(100, (5, 5, 0, 0), success=10)
    window = Window(same, same._replace(at_s=160))
    assert window.outcomes() == {"success": 0}
    assert window.first_audio_s(0.95) is None


# --- what is read ---------------------------------------------------------------------------------


@pytest.fixture
def metrics():
    made = Metrics("stub")
    watch(made)
    return made


def test_the_counters_of_metrics_are_read(metrics):
    for seconds in (0.001, 0.02, 0.02, 7.0, 100.0):
        done(metrics, first_audio_s=seconds)
    done(metrics, transport="sse", first_audio_s=0.02)
    metrics.synthesis.refused("rejected")
    metrics.cache.asked("hit")
    for route, code in (("/v1/audio/speech", 503), ("/v1/audio/speech", 200), ("/v1/models", 200)):
        metrics.http.done("POST", route, code, 0.1)
    found = read(metrics.registry.collect(), 7.0)
    assert found.at_s == 7.0
    assert {name: count for name, count in found.outcomes.items() if count} == {
        "success": 6,
        "rejected": 1,
    }
    assert found.statuses == {"2xx": 2, "5xx": 1}
    assert found.cache == {"hit": 1, "miss": 0, "joined": 0}
    fell = {bound: count for bound, count in zip(found.bounds, found.first_audio) if count}
    assert fell == {0.0025: 1, 0.025: 3, 10.0: 1, math.inf: 1}
    assert found.in_progress == 2


def test_the_families_that_are_named_are_all_that_is_needed(metrics):
    done(metrics)
    metrics.cache.asked("miss")
    metrics.http.done("GET", "/v1/models", 200, 0.1)
    assert read(metrics.families.some(FAMILIES), 1.0) == read(metrics.registry.collect(), 1.0)


@pytest.mark.parametrize("route", ["/health", "/health/ready", "/metrics", "/v1/status"])
def test_machines_that_ask_every_few_seconds_are_no_traffic(metrics, route):
    """Else whoever looks at an idle server would see himself."""
    metrics.http.done("GET", route, 200, 0.1)
    assert read(metrics.registry.collect(), 1.0).statuses == {}


# --- history --------------------------------------------------------------------------------------


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def history(metrics, clock):
    return History(lambda: metrics.families.some(FAMILIES), clock)


def success(window):
    return window.outcomes()["success"]


def test_until_a_minute_is_over_everything_is_recent(history, metrics, clock):
    done(metrics)
    clock.now_s += 3
    window = history.window(history.now())
    assert (success(window), window.seconds) == (1, 3)


def test_what_is_older_than_a_minute_is_not_recent(history, metrics, clock):
    """A minute, or up to one step more."""
    done(metrics)
    while clock.now_s < 1000 + WINDOW_S + STEP_S:
        clock.now_s += STEP_S
        history.keep()
    done(metrics)
    clock.now_s += 0.5
    window = history.window(history.now())
    assert success(window) == 1
    assert WINDOW_S <= window.seconds < WINDOW_S + STEP_S


def test_the_last_minutes_come_in_steps(history, metrics, clock):
    for count in (2, 0, 1):
        for _ in range(count):
            done(metrics, first_audio_s=0.02)
        clock.now_s += STEP_S
        history.keep()
    steps = history.steps()
    assert [success(step) for step in steps] == [2, 0, 1]
    assert [step.seconds for step in steps] == [STEP_S] * 3
    assert [step.first_audio_s(0.5) is None for step in steps] == [False, True, False]


def test_history_does_not_grow_without_end(history, clock):
    for _ in range(int(3 * KEPT_S / STEP_S)):
        clock.now_s += STEP_S
        history.keep()
    steps = history.steps()
    assert steps[-1].after.at_s == clock.now_s
    assert steps[-1].after.at_s - steps[0].before.at_s == KEPT_S


def test_it_keeps_by_itself_until_it_is_closed(monkeypatch, metrics):
    """In a thread, which then ends."""
    monkeypatch.setattr(module, "STEP_S", 0.001)
    looked = threading.Semaphore(0)

    def look():
        looked.release()
        return metrics.families.some(FAMILIES)

    before = set(threading.enumerate())
    history = History(look)
    history.start()
    (thread,) = set(threading.enumerate()) - before
    for _ in range(5):
        assert looked.acquire(timeout=30)
    history.close()
    thread.join(30)
    assert not thread.is_alive()
    assert len(history.steps()) >= 3
