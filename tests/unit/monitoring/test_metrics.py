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
from auto_voice.monitoring.metrics import (
    ENGINE_ERRORS,
    METHODS,
    MODES,
    OUTCOMES,
    TRANSPORTS,
    UNMATCHED,
    Metrics,
)


@pytest.fixture
def metrics():
    return Metrics("stub")


def watch(metrics, **values):
    watched = {
        "waiting": lambda: 3,
        "in_progress": lambda: 2,
        "capacity": 128,
        "ready": lambda: 1.0,
        "last_success": lambda: 1700000000.5,
        "draining": lambda: 0.0,
        "cache_bytes": lambda: (10, 20),
    }
    metrics.watch(**{**watched, **values})


def use(metrics):
    """Record something of everything."""
    metrics.http_begun()
    metrics.http_done("GET", "/health", 200, 0.01)
    metrics.synthesis_refused("invalid")
    done(metrics)
    metrics.cache("hit")
    metrics.evicted("disk", 3)
    metrics.worker_died("crash")
    metrics.worker_ready(0.2)
    watch(metrics)


def done(metrics, mode="whole", outcome="success", transport="http", first_audio_s=0.1):
    metrics.synthesis_done(
        mode=mode,
        outcome=outcome,
        transport=transport,
        characters=5,
        duration_s=0.2,
        first_audio_s=first_audio_s,
        queue_wait_s=0.01,
        compute_s=0.05,
        audio_s=1.5,
    )


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"autovoice_{name}", labels)


def samples(metrics):
    text = exposition.generate_latest(metrics.registry).decode()
    return [sample for family in parse_text(text) for sample in family.samples]


def test_every_way_to_end_is_there_from_the_start(metrics):
    """A rate over a series that is not there yet gives nothing, and an alert on it is silent."""
    for mode in MODES:
        for outcome in OUTCOMES:
            labels = {"engine": "stub", "mode": mode, "outcome": outcome}
            assert value(metrics, "synthesis_requests_total", **labels) == 0
    for reason in ENGINE_ERRORS:
        assert value(metrics, "engine_errors_total", engine="stub", reason=reason) == 0
    for result in ("hit", "miss", "joined"):
        assert value(metrics, "cache_requests_total", cache="audio", result=result) == 0
    for store in ("memory", "disk"):
        assert value(metrics, "cache_evictions_total", cache=store) == 0
    for transport in TRANSPORTS:
        labels = {"engine": "stub", "transport": transport}
        assert value(metrics, "synthesis_first_audio_seconds_count", **labels) == 0
    for name in ("compute_seconds", "audio_seconds", "input_characters"):
        assert value(metrics, f"synthesis_{name}_total", engine="stub") == 0
    assert value(metrics, "http_requests_in_progress") == 0


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


def test_an_answer_without_audio_has_no_time_to_its_first(metrics):
    done(metrics, first_audio_s=None)
    labels = {"engine": "stub", "transport": "http"}
    assert value(metrics, "synthesis_first_audio_seconds_count", **labels) == 0


def test_what_goes_up_and_down_is_looked_at_when_asked(metrics):
    depth = [1]
    watch(metrics, waiting=lambda: depth[0], cache_bytes=lambda: (depth[0], 7))
    for wanted in (1, 5, 0):
        depth[0] = wanted
        assert value(metrics, "synthesis_queue_depth", engine="stub") == wanted
        assert value(metrics, "cache_size_bytes", cache="memory") == wanted
    assert value(metrics, "cache_size_bytes", cache="disk") == 7
    assert value(metrics, "synthesis_queue_capacity", engine="stub") == 128
    assert value(metrics, "engine_last_success_timestamp_seconds", engine="stub") == 1700000000.5


@settings(deadline=None, max_examples=20)
@given(methods=st.lists(st.text(max_size=10), max_size=20))
def test_no_client_can_add_series_by_a_method(methods):
    metrics = Metrics("stub")
    for method in methods:
        metrics.http_done(method, UNMATCHED, 405, 0.1)
    found = {
        sample.labels["method"]
        for sample in samples(metrics)
        if sample.name == "autovoice_http_requests_total"
    }
    assert found <= {*METHODS, "other"}


@pytest.mark.parametrize(
    "record",
    [
        lambda metrics: metrics.synthesis_refused("anything"),
        lambda metrics: done(metrics, mode="anything"),
        lambda metrics: done(metrics, outcome="anything"),
        lambda metrics: done(metrics, transport="anything"),
        lambda metrics: metrics.cache("anything"),
        lambda metrics: metrics.evicted("anything", 1),
        lambda metrics: metrics.worker_died("anything"),
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
        assert re.fullmatch(r"autovoice_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert not family.name.endswith(("_ms", "_milliseconds", "_mb"))


def test_two_servers_in_one_process_do_not_mix():
    one, other = Metrics("stub"), Metrics("stub")
    one.cache("hit")
    assert value(other, "cache_requests_total", cache="audio", result="hit") == 0


def test_process_and_interpreter_are_shown_too(metrics):
    names = {family.name for family in metrics.registry.collect()}
    assert "python_info" in names
