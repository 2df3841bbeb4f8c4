"""Ready means that it works, and nothing else."""

import threading
import time

import pytest

from auto_voice import __version__
from auto_voice.errors import DeadlineExceeded, MissingDependency
from auto_voice.monitoring import health as module
from auto_voice.monitoring.health import FRESH_S, Health


class World:
    """What health is told, and how often it had a probe made."""

    def __init__(self):
        self.workers = 1
        self.last_success = time.time()
        self.draining = False
        self.full = False
        self.probes = []
        self.error = None
        self.load_error = None
        self.health = Health(
            engine="stub",
            probe=self.probe,
            last_success=lambda: self.last_success,
            ready_workers=lambda: self.workers,
            load_error=lambda: self.load_error,
            is_draining=lambda: self.draining,
            is_full=lambda: self.full,
        )

    def probe(self, timeout_s):
        self.probes.append(timeout_s)
        if self.error is not None:
            raise self.error
        self.last_success = time.time()

    def stale(self):
        self.last_success = time.time() - FRESH_S - 1


@pytest.fixture
def world():
    return World()


def test_a_server_that_spoke_just_now_is_ready(world):
    assert world.health.reasons() == []
    assert world.probes == []


def test_a_server_that_was_silent_for_long_proves_that_it_can_speak(world):
    world.stale()
    assert world.health.reasons() == []
    assert len(world.probes) == 1
    assert world.health.reasons() == []
    assert len(world.probes) == 1, "the proof is good for a while"


def test_who_only_asks_what_was_said_last_costs_no_probe(world):
    """A worker is ready once it has spoken; without a later fault, that holds."""
    world.stale()
    passed = [("draining", True), ("queue", True), ("engine:stub", True)]
    assert world.health.last() == passed
    world.error = DeadlineExceeded("too slow")
    assert len(world.health.reasons()) == 1
    assert world.health.last() == [*passed[:2], ("engine:stub", False)]
    assert len(world.probes) == 1


def test_a_probe_that_fails_is_the_reason(world):
    world.stale()
    world.error = DeadlineExceeded("too slow")
    assert world.health.reasons() == ["engine:stub: a probe failed: too slow"]


def test_whatever_a_probe_raises_is_a_reason(world):
    world.stale()
    world.error = ZeroDivisionError("oh")
    assert world.health.reasons() == ["engine:stub: a probe failed: oh"]
    world.error = None
    assert world.health.reasons() == []


def test_without_a_worker_it_is_not_ready(world):
    """Even where it spoke a moment ago."""
    world.workers = 0
    assert world.health.reasons() == ["engine:stub: no worker is ready"]
    assert world.probes == []


def test_an_engine_that_does_not_load_says_why(world):
    """The message names what to install; once the engine has loaded, it is history."""
    world.load_error = MissingDependency("it needs a package: pip install 'autovoice[voice]'")
    assert world.health.reasons() == []
    world.workers = 0
    assert world.health.reasons() == [
        "engine:stub: no worker is ready: it needs a package: pip install 'autovoice[voice]'"
    ]


def test_while_draining_it_is_not_ready(world):
    world.draining = True
    assert world.health.reasons() == ["draining: the server is stopping"]


def test_without_a_free_place_it_is_not_ready(world):
    world.full = True
    assert world.health.reasons() == ["queue: no place is free"]


@pytest.mark.parametrize("fault", ["draining", "full"])
def test_a_probe_that_would_get_no_place_is_not_made(world, fault):
    """The engine is not blamed for a full house."""
    world.stale()
    setattr(world, fault, True)
    assert len(world.health.reasons()) == 1
    assert world.probes == []


def test_all_reasons_are_given(world):
    world.workers, world.full, world.draining = 0, True, True
    assert len(world.health.reasons()) == 3


def ask_together(world, count):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(world.health.reasons()))
        for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def test_many_that_ask_at_once_cost_one_probe(world):
    world.stale()
    begun, go_on = threading.Event(), threading.Event()
    probe = world.probe

    def slow(timeout_s):
        begun.set()
        assert go_on.wait(30)
        probe(timeout_s)

    world.health._probe = slow
    release = threading.Thread(target=lambda: (begun.wait(30), go_on.set()))
    release.start()
    assert ask_together(world, 20) == [[]] * 20
    release.join()
    assert len(world.probes) == 1


def test_a_probe_that_hangs_holds_nobody_up_for_ever(world, monkeypatch):
    """Liveness and other checks go on; each asker waits its time and is told."""
    monkeypatch.setattr(module, "PROBE_TIMEOUT_S", 0.05)
    world.stale()
    begun, go_on = threading.Event(), threading.Event()

    def stuck(timeout_s):
        begun.set()
        assert go_on.wait(30)

    world.health._probe = stuck
    first = threading.Thread(target=world.health.reasons)
    first.start()
    assert begun.wait(30)
    assert world.health.reasons() == ["engine:stub: another probe has had no answer yet"]
    go_on.set()
    first.join(30)


def test_the_report_is_health_json(world):
    """draft-inadarei-api-health-check: status, and an array of objects under each component."""
    assert world.health.report() == {
        "status": "pass",
        "version": __version__,
        "serviceId": "autovoice",
        "checks": {
            name: [{"componentType": "component", "status": "pass"}]
            for name in ("draining", "queue", "engine:stub")
        },
    }


def test_the_report_names_what_fails(world):
    world.workers = 0
    report = world.health.report()
    assert report["status"] == "fail"
    [check] = report["checks"]["engine:stub"]
    assert (check["status"], check["output"]) == ("fail", "no worker is ready")


def test_an_engine_that_it_can_do_without_is_a_warning():
    """The server is degraded, says by what, and is ready all the same."""
    fault = [None]
    world = World()
    health = Health(
        engine="stub",
        probe=world.probe,
        last_success=lambda: world.last_success,
        ready_workers=lambda: world.workers,
        load_error=lambda: None,
        is_draining=lambda: False,
        is_full=lambda: False,
        others={"piper": lambda: fault[0]},
    )
    assert health.report()["status"] == "pass"
    fault[0] = "no worker is ready"
    report = health.report()
    assert report["status"] == "warn"
    assert report["checks"]["engine:piper"][0]["output"] == "no worker is ready"
    assert health.reasons() == []
    assert ("engine:piper", False) in health.last()
    world.workers = 0
    assert health.report()["status"] == "fail"
    assert len(health.reasons()) == 1
