"""Every series is there from the start, can be read, and cannot be multiplied by a client."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from auto_voice import __version__
from auto_voice.monitoring import job_metrics, websocket_metrics
from auto_voice.monitoring.metrics import LOG_LEVELS, METHODS, UNMATCHED, Metrics
from auto_voice.monitoring.series import MAX_CHILDREN, Families
from auto_voice.monitoring.synthesis_metrics import (
    CACHE_RESULTS,
    CACHE_STORES,
    ENGINE_ERRORS,
    MODES,
    OUTCOMES,
    TRANSPORTS,
)
from tests.examples import examples


@pytest.fixture
def metrics():
    return Metrics("stub")


def watch(metrics, depth=lambda: 3, sizes=lambda: (10, 20)):
    """Have it read what is looked at rather than counted."""
    metrics.synthesis.watch(waiting=lambda engine: depth(), in_progress=lambda: 2, capacity=128)
    metrics.engine.watch(
        workers=lambda engine: 2,
        ready_workers=lambda engine: 1,
        last_success=lambda engine: 1700000000.5,
        voices=lambda: [(("stub", "usable"), 3), (("stub", "broken"), 1)],
    )
    metrics.cache.watch(sizes)
    metrics.websocket.watch(lambda: 4)
    metrics.jobs.watch(lambda: {("speech", "queued"): 2}, lambda: {"speech": 30.0})
    metrics.server.watch(
        draining=lambda: 0.0,
        health_checks=lambda: [("queue", True), ("engine:stub", False)],
        log_records=lambda: {"INFO": 7},
        redactions=lambda: 1,
    )


def use(metrics):
    """Record something of everything."""
    metrics.http.begun()
    metrics.http.done("GET", "/health", 200, 0.01)
    metrics.synthesis.refused("invalid")
    done(metrics)
    metrics.cache.asked("hit")
    metrics.cache.evicted("disk", 3)
    metrics.engine.worker_died("stub", "crash")
    metrics.engine.worker_ready("stub", 0.2)
    metrics.websocket.attempted("accepted")
    with metrics.websocket.handling("input.text", 12, lambda error: "internal"):
        metrics.websocket.sent("audio", 3000)
    metrics.websocket.closed("client", 2.0)
    metrics.jobs.started("speech", 0.5)
    metrics.jobs.finished("speech", "success", 9.0)
    watch(metrics)


def done(metrics, **more):
    ended = {
        "engine": "stub",
        "mode": "whole",
        "outcome": "success",
        "transport": "http",
        "characters": 5,
        "duration_s": 0.2,
        "first_audio_s": 0.1,
        "queue_wait_s": 0.01,
        "compute_s": 0.05,
        "made_s": 1.5,
        "audio_s": 1.5,
        "sentences": 2,
        "underrun_s": 0.0,
    }
    metrics.synthesis.done(**{**ended, **more})


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"autovoice_{name}", labels)


def samples(metrics):
    text = exposition.generate_latest(metrics.registry).decode()
    return [sample for family in parse_text(text) for sample in family.samples]


def test_every_series_is_there_from_the_start(metrics):
    """A rate over a series that is not there yet gives nothing, and an alert on it is silent."""
    watch(metrics)
    before = {(sample.name, *sorted(sample.labels.items())) for sample in samples(metrics)}
    use(metrics)
    after = {(sample.name, *sorted(sample.labels.items())) for sample in samples(metrics)}
    added = {name for name, *_ in after - before}
    # Which routes a server has, the registry cannot know.
    assert all(name.startswith("autovoice_http_request") for name in added)
    zero = [
        ("synthesis_requests_total", {"engine": "stub", "mode": m, "outcome": o})
        for m in MODES
        for o in OUTCOMES
    ]
    zero += [("engine_errors_total", {"engine": "stub", "reason": r}) for r in ENGINE_ERRORS]
    zero += [("cache_requests_total", {"cache": "audio", "result": r}) for r in CACHE_RESULTS]
    zero += [("cache_evictions_total", {"cache": store}) for store in CACHE_STORES]
    zero += [
        ("synthesis_first_audio_seconds_count", {"engine": "stub", "transport": t})
        for t in TRANSPORTS
    ]
    zero += [("synthesis_underrun_seconds_count", {"transport": t}) for t in TRANSPORTS]
    zero += [
        ("websocket_events_total", {"event": event, "direction": way})
        for way, events in websocket_metrics.EVENTS.items()
        for event in events
    ]
    zero += [
        ("jobs_finished_total", {"kind": kind, "outcome": outcome})
        for kind in job_metrics.KINDS
        for outcome in job_metrics.OUTCOMES
    ]
    zero += [("http_requests_in_progress", {})]
    fresh = Metrics("stub")
    assert {name for name, labels in zero if value(fresh, name, **labels) != 0} == set()
    watch(fresh)
    assert value(fresh, "log_records_total", level="ERROR") == 0
    assert {s.labels["level"] for s in samples(fresh) if "log_records" in s.name} == {*LOG_LEVELS}


def test_the_version_is_told(metrics):
    [info] = [each for each in samples(metrics) if each.name == "autovoice_build_info"]
    assert (info.labels["version"], info.value) == (__version__, 1)


def test_what_is_recorded_is_shown(metrics):
    use(metrics)
    health = {"method": "GET", "route": "/health"}
    assert value(metrics, "http_requests_total", code="200", **health) == 1
    assert value(metrics, "http_request_duration_seconds_count", **health) == 1
    assert value(metrics, "http_requests_in_progress") == 0
    whole = {"engine": "stub", "mode": "whole", "outcome": "success"}
    assert value(metrics, "synthesis_requests_total", **whole) == 1
    refused = {"engine": "stub", "mode": "none", "outcome": "invalid"}
    assert value(metrics, "synthesis_requests_total", **refused) == 1
    assert value(metrics, "synthesis_audio_seconds_total", engine="stub") == 1.5
    assert value(metrics, "synthesis_compute_seconds_total", engine="stub") == 0.05
    assert value(metrics, "synthesis_input_characters_total", engine="stub") == 5
    assert value(metrics, "cache_requests_total", cache="audio", result="hit") == 1
    assert value(metrics, "cache_evictions_total", cache="disk") == 3
    assert value(metrics, "engine_errors_total", engine="stub", reason="crash") == 1
    assert value(metrics, "engine_load_duration_seconds", engine="stub") == 0.2
    assert value(metrics, "voices", engine="stub", state="broken") == 1
    assert value(metrics, "synthesis_batch_size_count", engine="stub") == 2
    assert value(metrics, "synthesis_realtime_factor_sum", engine="stub") == 0.05 / 1.5
    assert value(metrics, "synthesis_audio_duration_seconds_sum", engine="stub") == 1.5
    assert value(metrics, "websocket_connections_active") == 4
    assert value(metrics, "websocket_connections_total", outcome="accepted") == 1
    assert value(metrics, "websocket_events_total", event="input.text", direction="in") == 1
    assert value(metrics, "websocket_bytes_total", direction="in") == 12
    assert value(metrics, "websocket_bytes_total", direction="out") == 3000
    assert value(metrics, "websocket_event_duration_seconds_count", event="input.text") == 1
    assert value(metrics, "websocket_disconnects_total", reason="client") == 1
    assert value(metrics, "websocket_connection_duration_seconds_sum") == 2.0
    assert value(metrics, "jobs", kind="speech", state="queued") == 2
    assert value(metrics, "jobs", kind="training", state="running") == 0
    assert value(metrics, "job_oldest_queued_age_seconds", kind="speech") == 30
    assert value(metrics, "job_duration_seconds_sum", kind="speech") == 9
    assert value(metrics, "job_queue_wait_seconds_sum", kind="speech") == 0.5
    assert value(metrics, "health_check_status", check="engine:stub") == 0
    assert value(metrics, "log_records_total", level="INFO") == 7
    assert value(metrics, "log_redactions_total") == 1


def test_a_message_that_cannot_be_handled_is_counted_with_its_reason(metrics):
    with pytest.raises(ValueError):
        with metrics.websocket.handling("input.text", 5, lambda error: "invalid"):
            raise ValueError
    labels = {"event": "input.text", "reason": "invalid"}
    assert value(metrics, "websocket_event_errors_total", **labels) == 1
    assert value(metrics, "websocket_events_total", event="input.text", direction="in") == 1


def test_no_client_can_add_series_by_a_message(metrics):
    before = len(samples(metrics))
    for number in range(50):
        with metrics.websocket.handling(f"made.up.{number}", 1, lambda error: "invalid"):
            metrics.websocket.sent(f"unheard.of.{number}", 1)
    assert len(samples(metrics)) == before
    assert value(metrics, "websocket_events_total", event="other", direction="in") == 50


def test_a_cached_answer_says_nothing_about_the_engine(metrics):
    done(metrics, sentences=0, made_s=0.0, compute_s=0.0)
    assert value(metrics, "synthesis_realtime_factor_count", engine="stub") == 0
    assert value(metrics, "synthesis_queue_wait_seconds_count", engine="stub") == 0
    assert value(metrics, "synthesis_audio_duration_seconds_count", engine="stub") == 1


def test_a_listener_who_had_to_wait_is_noticed(metrics):
    done(metrics, mode="stream", transport="sse", underrun_s=0.3)
    assert value(metrics, "synthesis_underrun_seconds_sum", transport="sse") == 0.3
    assert value(metrics, "synthesis_underrun_seconds_bucket", transport="sse", le="0.25") == 0


def test_a_family_that_grows_without_end_is_stopped_and_said_so():
    """Not by a client, which cannot; by a slip in the code."""
    families = Families("x_")
    children = families.counter("things_total", "Things.", ("name",))
    for number in range(MAX_CHILDREN + 10):
        children(number)
    found = {f.name: f.samples for f in families.collect()}
    assert len(found["x_things"]) == MAX_CHILDREN + 1
    [overflow] = found["x_metrics_label_overflow"]
    assert (overflow.labels, overflow.value) == ({"metric": "things_total"}, 10)


def test_an_answer_without_audio_has_no_time_to_its_first(metrics):
    done(metrics, first_audio_s=None)
    labels = {"engine": "stub", "transport": "http"}
    assert value(metrics, "synthesis_first_audio_seconds_count", **labels) == 0


def test_what_goes_up_and_down_is_looked_at_when_asked(metrics):
    depth = [1]
    watch(metrics, depth=lambda: depth[0], sizes=lambda: (depth[0], 7))
    for wanted in (1, 5, 0):
        depth[0] = wanted
        assert value(metrics, "synthesis_queue_depth", engine="stub") == wanted
        assert value(metrics, "cache_size_bytes", cache="memory") == wanted
    assert value(metrics, "cache_size_bytes", cache="disk") == 7
    assert value(metrics, "synthesis_queue_capacity") == 128
    assert value(metrics, "engine_last_success_timestamp_seconds", engine="stub") == 1700000000.5


@settings(deadline=None, max_examples=examples(20))
@given(methods=st.lists(st.text(max_size=10), max_size=20))
def test_no_client_can_add_series_by_a_method(methods):
    metrics = Metrics("stub")
    for method in methods:
        metrics.http.done(method, UNMATCHED, 405, 0.1)
    found = {
        sample.labels["method"]
        for sample in samples(metrics)
        if sample.name == "autovoice_http_requests_total"
    }
    assert found <= {*METHODS, "other"}


@pytest.mark.parametrize(
    "record",
    [
        lambda metrics: metrics.synthesis.refused("anything"),
        lambda metrics: done(metrics, mode="anything"),
        lambda metrics: done(metrics, outcome="anything"),
        lambda metrics: done(metrics, transport="anything"),
        lambda metrics: metrics.cache.asked("anything"),
        lambda metrics: metrics.cache.evicted("anything", 1),
        lambda metrics: metrics.engine.worker_died("stub", "anything"),
    ],
)
def test_values_outside_the_closed_lists_are_errors(metrics, record):
    """A slip in the code is found by a test, not as a new series in production."""
    before = len(samples(metrics))
    with pytest.raises(KeyError):
        record(metrics)
    assert len(samples(metrics)) == before


def test_both_formats_can_be_read(metrics):
    """By Prometheus' own parsers, and they say the same."""
    use(metrics)
    text = exposition.generate_latest(metrics.registry).decode()
    newer = openmetrics.generate_latest(metrics.registry).decode()
    ours = [
        {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in parse(document)
            for sample in family.samples
            if sample.name.startswith("autovoice_")
        }
        for parse, document in ((parse_text, text), (parse_openmetrics, newer))
    ]
    assert ours[0] == ours[1]
    assert len(ours[0]) > 100
    assert newer.endswith("# EOF\n")


def test_names_follow_the_rules_of_prometheus(metrics):
    """Our prefix, base units, and a help text each."""
    use(metrics)
    for family in metrics.registry.collect():
        if family.name.startswith(("python_", "process_")):
            continue
        assert re.fullmatch(r"autovoice_[a-z_]+[a-z]", family.name)
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_factor", "_size"))
        assert not family.name.endswith(("_ms", "_milliseconds", "_mb"))


def test_ready_is_an_engine_with_a_worker_that_is(metrics):
    ready = [0]
    metrics.engine.watch(
        workers=lambda engine: 4,
        ready_workers=lambda engine: ready[0],
        last_success=lambda engine: 0.0,
        voices=list,
    )
    for count, wanted in ((0, 0), (1, 1), (3, 1)):
        ready[0] = count
        assert value(metrics, "engine_ready", engine="stub") == wanted
        assert value(metrics, "engine_workers_ready", engine="stub") == count
        assert value(metrics, "engine_workers", engine="stub") == 4


def test_each_engine_has_its_own_series():
    """What no engine was found for counts as the first one's."""
    metrics = Metrics("stub", "espeak")
    done(metrics, engine="espeak")
    metrics.synthesis.refused("invalid")
    metrics.synthesis.refused("error", "espeak")
    metrics.engine.worker_died("espeak", "crash")
    for engine, characters, crashes in (("stub", 0, 0), ("espeak", 5, 1)):
        assert value(metrics, "synthesis_input_characters_total", engine=engine) == characters
        assert value(metrics, "engine_errors_total", engine=engine, reason="crash") == crashes
    labels = {"mode": "none", "outcome": "invalid"}
    assert value(metrics, "synthesis_requests_total", engine="stub", **labels) == 1
    labels["outcome"] = "error"
    assert value(metrics, "synthesis_requests_total", engine="espeak", **labels) == 1


def test_an_engine_that_nobody_needs_is_not_one_that_fails():
    """It has no workers, and nobody is to be woken for that."""
    metrics = Metrics("espeak", "stub")
    metrics.engine.watch(
        workers=lambda engine: 2 if engine == "espeak" else 0,
        ready_workers=lambda engine: 0,
        last_success=lambda engine: 0.0,
        voices=list,
    )
    assert value(metrics, "engine_ready", engine="espeak") == 0
    assert value(metrics, "engine_ready", engine="stub") is None


def test_some_families_can_be_read_alone(metrics):
    """As a scrape shows them, and without asking whatever else is read at a scrape."""
    use(metrics)
    metrics.server.watch(
        draining=lambda: 1 / 0,
        health_checks=lambda: [],
        log_records=dict,
        redactions=lambda: 0,
    )
    names = {"cache_requests_total", "synthesis_queue_depth"}
    found = {family.name: family for family in metrics.families.some(names)}
    assert set(found) == {"autovoice_cache_requests", "autovoice_synthesis_queue_depth"}
    hits = [
        s.value for s in found["autovoice_cache_requests"].samples if "hit" in s.labels.values()
    ]
    assert hits == [1, 0]  # memory and disk; Redis


def test_two_servers_in_one_process_do_not_mix():
    one, other = Metrics("stub"), Metrics("stub")
    one.cache.asked("hit")
    assert value(other, "cache_requests_total", cache="audio", result="hit") == 0


def test_process_and_interpreter_are_shown_too(metrics):
    names = {family.name for family in metrics.registry.collect()}
    assert "python_info" in names
