"""Redis is left alone after it failed, for longer each time, and asked again by itself."""

import pytest

from auto_voice.shared.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, Breaker


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    made = Breaker(clock)
    assert made.answered(clock())
    clock.now += 60
    return made


def test_nobody_asks_before_the_first_heartbeat(clock):
    breaker = Breaker(clock)
    assert not breaker.closed and breaker.fault
    assert breaker.answered(clock())
    assert breaker.closed and breaker.fault is None


def test_after_a_failure_nobody_asks_until_it_has_proved_itself(breaker, clock):
    assert breaker.trip("slow")
    assert (breaker.closed, breaker.fault) == (False, "slow")
    assert not breaker.trip("slow"), "it is said once"
    asked_before = clock()
    clock.now += FIRST_PAUSE_S
    assert not breaker.answered(asked_before), "that was too early"
    assert breaker.answered(clock())


def test_whoever_fails_again_soon_is_left_alone_for_longer(breaker, clock):
    pauses = []
    for _ in range(8):
        breaker.trip("slow")
        tripped = clock.now
        while not breaker.answered(clock()):
            clock.now += 0.1
        pauses.append(clock.now - tripped)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE_S, abs=0.11)
    clock.now += 60
    breaker.trip("slow")
    clock.now += FIRST_PAUSE_S
    assert breaker.answered(clock()), "a long good time is remembered"
