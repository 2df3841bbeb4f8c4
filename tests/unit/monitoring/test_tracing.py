"""Spans get to the collector as they were meant, and whoever sends them says so."""

import pytest

from auto_voice.utils.instrument import traced
from auto_voice.utils.tracing_context import Context, current

pytest.importorskip("opentelemetry.sdk", reason="the extra 'tracing' is not installed")

from auto_voice.monitoring.tracing import Tracing  # noqa: E402  (it needs the extra)
from tests.integration.collector import Collector  # noqa: E402

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "00f067aa0ba902b7"


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def tracing(collector, monkeypatch):
    """Starts to send to the collector, with these variables: `tracing(OTEL_SERVICE_NAME="x")`."""
    started = []

    def start(**variables):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        started.append(Tracing())
        return started[-1]

    yield start
    for each in started:
        each.close()


def begin(tracing, parent_id="", flags=1, tracestate="", **attributes):
    return tracing.begin(
        "request",
        trace_id=TRACE,
        span_id=SPAN,
        parent_id=parent_id,
        flags=flags,
        tracestate=tracestate,
        attributes=attributes,
    )


def test_a_request_has_the_ids_that_its_answer_names(tracing, collector):
    sending = tracing()
    begin(sending, parent_id="b7ad6b7169203331", tracestate="a=1", colour="red").end()
    sending.close(10)
    (span,) = collector.spans()
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, SPAN, "b7ad6b7169203331")
    assert (span.tracestate, span.attributes) == ("a=1", {"colour": "red"})


def test_a_traced_function_is_a_step_of_the_request(tracing, collector):
    """And a failure is told with its kind."""
    sending = tracing()

    @traced("inner")
    def work():
        raise ZeroDivisionError

    span = begin(sending)
    token = current.set(Context(trace_id=TRACE, span_id=SPAN, span=span))
    with traced("outer") as outer, pytest.raises(ZeroDivisionError):
        work()
    current.reset(token)
    span.end()
    sending.close(10)
    found = {span.name: span for span in collector.spans(trace_id=TRACE)}
    assert found["outer"].parent_id == SPAN
    assert found["outer"].span_id == outer.span_id
    assert found["inner"].parent_id == outer.span_id
    assert found["inner"].is_error and not found["outer"].is_error
    assert found["inner"].attributes["error.type"] == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "autovoice"),
        ({"OTEL_SERVICE_NAME": "speaker"}, "speaker"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=other"}, "other"),
    ],
)
def test_the_service_has_the_name_that_it_is_given(tracing, collector, variables, name):
    sending = tracing(**variables)
    begin(sending).end()
    sending.close(10)
    (span,) = collector.spans()
    assert span.resource["service.name"] == name


@pytest.mark.parametrize(
    ("variables", "parent_id", "flags", "recorded"),
    [
        ({}, "", 0, True),
        ({}, "b7ad6b7169203331", 0, False),
        ({}, "b7ad6b7169203331", 1, True),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, "b7ad6b7169203331", 0, True),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "", 0, False),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            "",
            0,
            False,
        ),
        ({"OTEL_SDK_DISABLED": "true"}, "b7ad6b7169203331", 1, False),
    ],
)
def test_which_traces_are_sent_is_said_by_the_sampler(
    tracing, variables, parent_id, flags, recorded
):
    assert (begin(tracing(**variables), parent_id, flags) is not None) == recorded
