"""The status tells what /metrics tells."""

import json
import time

import msgspec
import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from auto_voice import __version__
from auto_voice.monitoring.health import Health
from auto_voice.monitoring.metrics import Metrics
from auto_voice.monitoring.recent_errors import RecentErrors
from auto_voice.monitoring.status import Status, StatusReader
from tests.unit.monitoring.test_metrics import done


class World:
    """A server's state, and the status of it."""

    def __init__(self):
        self.now_s = 1000.0
        self.draining = False
        self.ready_workers = 1
        self.last_success = 1700000000.5
        self.metrics = Metrics("stub", revision="3f2a91c", deployment_slot="blue")
        self.metrics.synthesis.watch(waiting=lambda engine: 3, in_progress=lambda: 2, capacity=128)
        self.metrics.engine.watch(
            workers=lambda engine: 2,
            ready_workers=lambda engine: self.ready_workers,
            last_success=lambda engine: self.last_success,
            voices=lambda: [(("stub", "usable"), 3), (("stub", "broken"), 1)],
        )
        self.metrics.cache.watch(lambda: (10, 20))
        self.health = Health(
            engine="stub",
            probe=lambda timeout_s: pytest.fail("the status must not have the engine speak"),
            last_success=lambda: 0.0,
            ready_workers=lambda: self.ready_workers,
            load_error=lambda: None,
            is_draining=lambda: self.draining,
            is_full=lambda: False,
        )
        self.metrics.server.watch(
            draining=lambda: float(self.draining),
            health_checks=self.health.last,
            log_records=dict,
            redactions=lambda: 0,
        )
        self.errors = RecentErrors()
        self.reader = self.another_reader()

    def another_reader(self):
        return StatusReader(self.metrics, self.health, self.errors, lambda: self.now_s)

    def read(self):
        """As a client gets it."""
        return msgspec.json.decode(msgspec.json.encode(self.reader.read()), type=Status)

    def value(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"autovoice_{name}", labels)


@pytest.fixture
def world():
    return World()


def test_without_traffic_there_is_no_strange_number(world):
    """Neither NaN nor infinity, which JSON does not have; what is not known is null."""

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(msgspec.json.encode(world.reader.read()), parse_constant=refuse)
    status = world.read()
    assert (status.speech.per_s, status.http.per_s) == (0.0, 0.0)
    assert (status.speech.first_audio.p50_s, status.speech.first_audio.p95_s) == (None, None)
    assert (status.cache.hit_ratio, status.cache.hit_ratio_since_start) == (None, None)
    assert status.speech.outcomes["success"].total == 0
    assert status.errors == status.gpus == status.history == []


def test_counts_are_those_of_the_metrics(world):
    for outcome, count in (("success", 3), ("error", 2)):
        for _ in range(count):
            done(world.metrics, outcome=outcome)
    world.metrics.synthesis.refused("invalid")
    for code in (200, 200, 404, 503):
        world.metrics.http.done("GET", "/v1/models", code, 0.1)
    world.now_s += 4
    status = world.read()
    assert {name: count.total for name, count in status.speech.outcomes.items() if count.total} == {
        "success": 3,
        "error": 2,
        "invalid": 1,
    }
    assert status.speech.requests.total == status.speech.requests.recent == 6
    assert {name: count.total for name, count in status.http.statuses.items()} == {
        "2xx": 2,
        "4xx": 1,
        "5xx": 1,
    }
    assert (status.window_s, status.speech.per_s, status.http.per_s) == (4, 1.5, 1)
    buckets = status.speech.first_audio.buckets
    assert sum(bucket.recent for bucket in buckets) == 5
    assert [bucket.recent for bucket in buckets if bucket.upto_s == 0.1] == [5]
    assert buckets[-1].upto_s is None


def test_what_was_counted_before_it_looked_is_not_recent(world):
    """A rate is of the window, never of all time."""
    done(world.metrics)
    reader = world.another_reader()
    done(world.metrics)
    success = reader.read().speech.outcomes["success"]
    assert (success.total, success.recent) == (2, 1)


def test_quantiles_are_of_the_buckets(world):
    """19 of 20 fell between 0.1 and 0.25 seconds, evenly for all we know."""
    for seconds in (*[0.2] * 19, 4.0):
        done(world.metrics, first_audio_s=seconds)
    first_audio = world.read().speech.first_audio
    assert first_audio.p50_s == pytest.approx(0.1 + 0.15 * 10 / 19, abs=1e-4)
    assert first_audio.p95_s == pytest.approx(0.25)


def test_the_cache_counts_shared_answers_as_hits(world):
    """As X-Cache does."""
    for result in ("hit", "joined", "joined", "miss"):
        world.metrics.cache.asked(result)
    world.metrics.cache.evicted("disk", 3)
    cache = world.read().cache
    assert (cache.hit_ratio, cache.hit_ratio_since_start) == (0.75, 0.75)
    assert cache.results["joined"].total == 2
    assert cache.size_bytes == {"memory": 10, "disk": 20}
    assert cache.evictions == 3


def test_queue_and_engine_are_as_the_gauges_say(world):
    world.metrics.engine.worker_died("stub", "crash")
    world.metrics.engine.worker_ready("stub", 0.2)
    status = world.read()
    assert (status.queue.in_progress, status.queue.capacity, status.queue.waiting) == (2, 128, 3)
    (engine,) = status.engines
    assert (engine.name, engine.ready) == ("stub", True)
    assert (engine.workers_ready, engine.workers) == (1, 2)
    assert engine.last_success == world.value(
        "engine_last_success_timestamp_seconds", engine="stub"
    )
    assert engine.load_s == 0.2
    assert {reason: count for reason, count in engine.errors.items() if count} == {"crash": 1}


def test_an_engine_that_never_spoke_is_told_so(world):
    world.ready_workers, world.last_success = 0, 0.0
    (engine,) = world.read().engines
    assert (engine.ready, engine.last_success, engine.load_s) == (False, None, None)


def test_draining_is_seen_at_once(world):
    assert not world.read().draining
    world.draining = True
    status = world.read()
    assert status.draining
    assert {check.name: check.output for check in status.checks if not check.passed} == {
        "draining": "the server is stopping"
    }


def test_it_says_which_server_it_is(world):
    before = time.time()
    world.now_s += 90
    status = world.read()
    assert status.uptime_s == 90
    assert (status.version, status.revision, status.slot) == (__version__, "3f2a91c", "blue")
    assert status.now == pytest.approx(before, abs=60)
    assert world.read().started == status.started
    assert World().read().started != status.started


def test_the_last_errors_are_there(world):
    for number in range(3):
        world.errors.note(
            code="engine_failed", status=500, method="POST", route="/x", request_id=str(number)
        )
    assert [error.request_id for error in world.read().errors] == ["2", "1", "0"]


def test_history_is_in_steps(world):
    done(world.metrics, outcome="timeout", first_audio_s=0.2)
    for _ in range(2):
        world.now_s += 5
        world.reader.history.keep()
    first, second = world.read().history
    assert (first.speech_per_s, first.failed_per_s) == (0.2, 0.2)
    assert first.first_audio_p95_s == pytest.approx(0.2425)
    assert (second.speech_per_s, second.failed_per_s, second.first_audio_p95_s) == (0, 0, None)
    assert second.at - first.at == pytest.approx(5, abs=0.2)
    assert second.at == pytest.approx(time.time(), abs=60)
    assert second.in_progress == 2


class Gpus(Collector):
    """The series of two GPUs, the second of which tells little."""

    def collect(self):
        info = GaugeMetricFamily(
            "autovoice_gpu_info", "a", labels=("gpu", "uuid", "model", "driver")
        )
        info.add_metric(("0", "GPU-1", "NVIDIA L4", "550"), 1)
        info.add_metric(("1", "GPU-2", "", "550"), 1)
        busy = GaugeMetricFamily("autovoice_gpu_utilization_ratio", "b", labels=("gpu",))
        busy.add_metric(("0",), 0.37)
        up = GaugeMetricFamily("autovoice_gpu_collector_up", "c", labels=())
        up.add_metric((), 0)
        return [info, busy, up]


def test_gpus_are_shown_where_there_are_some(world):
    assert world.read().gpus_complete is None
    world.metrics.registry.register(Gpus())
    status = world.read()
    assert status.gpus_complete is False
    first, second = status.gpus
    assert (first.gpu, first.model, first.utilization_ratio) == ("0", "NVIDIA L4", 0.37)
    assert first.temperature_celsius is None
    assert (second.gpu, second.model, second.utilization_ratio) == ("1", None, None)
