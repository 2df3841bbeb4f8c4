"""What counts as good, bad and unknown, of speech and of Prometheus' figures."""

import array
import json
import urllib.parse

import pytest

from deployer.machine import Answer
from deployer.prober import Probe, p95_s
from deployer.prometheus import NoData, Prometheus
from deployer.speech import fault_of
from tests.unit.deployer.world import SPEECH

promql = pytest.importorskip("promql_parser", reason="a tool of newer Pythons")


def answers(values):
    """A Prometheus: for a part of a query, labels and values."""
    asked = []

    def get(path):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        asked.append(query["query"][0])
        found = next((v for part, v in values.items() if part in query["query"][0]), [])
        if isinstance(found, Exception):
            raise found
        result = [{"metric": labels, "value": [0, str(value)]} for labels, value in found]
        return json.dumps({"status": "success", "data": {"result": result}}).encode()

    return Prometheus(get), asked


GOOD = {
    "process_start_time_seconds": [({}, 1000.0)],
    "synthesis_requests_total": [
        ({"outcome": "success"}, 90),
        ({"outcome": "cancelled"}, 7),
        ({"outcome": "invalid"}, 5),
        ({"outcome": "error"}, 2),
        ({"outcome": "rejected"}, 1),
    ],
    "http_requests_total": [({"code": "200"}, 95), ({"code": "503"}, 3), ({"code": "404"}, 2)],
    "histogram_quantile": [({}, 0.25)],
}


def test_clients_own_mistakes_are_nobodys_failure():
    figures = answers(GOOD)[0].figures("it/voice1/green", 1000.0)
    assert (figures.requests, figures.failed) == (93, 3)
    assert (figures.http_requests, figures.http_failed) == (100, 3)
    assert figures.p95_s == 0.25


def test_every_query_can_be_read_and_asks_for_one_slot():
    prometheus, asked = answers(GOOD)
    prometheus.figures("it/voice1/green", 1000.0)
    prometheus.p95_s("it/voice1/green", 5.0, 600)
    assert len(asked) == 5
    for query in asked:
        promql.parse(query)
        assert 'autovoice_deployment_info{slot="it/voice1/green"}' in query


def test_what_was_in_the_slot_before_does_not_count():
    with pytest.raises(NoData, match="not seen the new"):
        answers(GOOD)[0].figures("it/voice1/green", 1010.0)


@pytest.mark.parametrize(
    "values", [{}, {"process_start": OSError("refused")}, {"process_start": ValueError("html")}]
)
def test_no_data_is_said_to_be_none(values):
    with pytest.raises(NoData):
        answers(values)[0].figures("it/voice1/green", 1000.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"status":"error","error":"x"}'])
def test_whatever_else_answers_is_no_data(body):
    with pytest.raises(NoData):
        Prometheus(lambda path: body).figures("it/voice1/green", 1000.0)


def test_no_traffic_before_is_no_time_to_compare_with():
    assert answers({"histogram_quantile": [({}, "NaN")]})[0].p95_s("s", 0.0, 600) is None
    assert answers({})[0].p95_s("s", 0.0, 600) is None


@pytest.mark.parametrize(
    "status, body, fault",
    [
        (200, SPEECH, None),
        (500, b"{}", "500 {}"),
        (200, b"", "0 samples"),
        (200, b"\1", "0 samples"),
        (200, b"\0" * 9000, "silent"),
        (200, array.array("h", [9000] * 10).tobytes(), "10 samples"),
    ],
)
def test_speech_is_what_one_would_hear(status, body, fault):
    found = fault_of(Answer(status, body, 0.0))
    assert found is None if fault is None else fault in found


def test_the_95th_percentile_is_of_what_was_heard():
    probes = [Probe(n / 100, None) for n in range(1, 101)] + [Probe(30.0, "no answer")]
    assert p95_s(probes) == pytest.approx(0.95)
    assert p95_s([Probe(1.0, "500")]) is None
