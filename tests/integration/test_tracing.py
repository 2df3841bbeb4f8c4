"""Spans of a real server at a real receiver: what belongs together, how long, what failed."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.integration.serving import (
    AUTOVOICE,
    SENTENCE,
    SPEECH,
    TEXT,
    environment,
    speech_body,
    until,
)

pytest.importorskip("opentelemetry.sdk", reason="the extra 'tracing' is not installed")

from tests.integration.collector import Collector  # noqa: E402  (it needs the extra)

SERVER = 2
"""OpenTelemetry's number for spans of a server."""
SECRET = "Xylophonic quizzes jolt"


def new_trace():
    return f"{random.getrandbits(128):032x}"


def traceparent(trace_id, flags="01", caller="b7ad6b7169203331"):
    return f"00-{trace_id}-{caller}-{flags}"


@pytest.fixture(scope="module")
def collector():
    made = Collector()
    yield made
    made.close()


@pytest.fixture(scope="module")
def traced(start_for_module, collector):
    """A stub server that sends its spans to the collector at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        patched.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=voices")
        patched.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        patched.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        patched.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        return start_for_module(engine="stub", engine_workers=2, tracing="otlp")


def whole(collector, trace_id):
    """All spans of a trace, once the request's own has come, which ends last."""
    collector.wait_for(
        lambda spans: [span for span in spans if span.kind == SERVER],
        "the request's span",
        trace_id=trace_id,
    )
    return collector.spans(trace_id=trace_id)


def of(spans, name):
    return [span for span in spans if span.name == name]


def only(spans, name):
    (span,) = of(spans, name)
    return span


def test_a_request_and_its_steps_are_in_the_callers_trace(traced, collector):
    """Each sentence waits and is spoken, and all of it is encoded, within the request."""
    trace_id = new_trace()
    headers = {"traceparent": traceparent(trace_id), "tracestate": "rojo=1,congo=2"}
    answer = traced.speak(TEXT, headers=headers, response_format="mp3", voice="alloy")
    spans = whole(collector, trace_id)
    request = only(spans, f"POST {SPEECH}")
    assert request.parent_id == "b7ad6b7169203331"
    assert answer.headers["traceparent"] == f"00-{trace_id}-{request.span_id}-01"
    assert request.tracestate == "rojo=1,congo=2"
    assert sorted(span.name for span in spans) == sorted(
        [request.name, "encode", *4 * ["queue"], *4 * ["engine"]]
    )
    assert {span.parent_id for span in spans if span is not request} == {request.span_id}
    assert len({span.span_id for span in spans}) == len(spans)
    assert not any(span.is_error for span in spans)

    for span in spans:
        assert request.began_ns <= span.began_ns <= span.ended_ns <= request.ended_ns
    waits, speaks = (
        {span.attributes["autovoice.sentence"]: span for span in of(spans, name)}
        for name in ("queue", "engine")
    )
    assert sorted(waits) == sorted(speaks) == [1, 2, 3, 4]
    for number, wait in waits.items():
        assert wait.ended_ns == speaks[number].began_ns
    encode = only(spans, "encode")
    assert speaks[1].began_ns < encode.began_ns
    assert encode.attributes["autovoice.bytes"] == len(answer.content)

    now_ns = time.time_ns()
    assert now_ns - 60e9 < request.began_ns < request.ended_ns < now_ns
    assert request.resource["service.name"] == "autovoice"
    assert request.resource["service.version"]
    assert request.resource["deployment.environment.name"] == "test"
    assert collector.headers[0]["x-team"] == "voices"


def test_a_request_says_what_it_was_about(traced, collector):
    """In the conventions' words; the time is the same as in its log line."""
    trace_id = new_trace()
    headers = {"traceparent": traceparent(trace_id), "X-Request-ID": "asked", "User-Agent": "test"}
    answer = traced.speak("Just once.", headers=headers, response_format="flac")
    line = traced.access_line("asked")
    spans = whole(collector, trace_id)
    request = only(spans, f"POST {SPEECH}")
    expected = {
        "http.request.method": "POST",
        "http.route": SPEECH,
        "http.response.status_code": 200,
        "http.response.body.size": len(answer.content),
        "url.path": SPEECH,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": traced.port,
        "client.address": "127.0.0.1",
        "user_agent.original": "test",
        "network.protocol.version": "1.1",
        "autovoice.request_id": "asked",
        "autovoice.engine": "stub",
        "autovoice.voice": "en-us",
        "autovoice.format": "flac",
        "autovoice.cache": "miss",
        "autovoice.outcome": "success",
        "autovoice.characters": len("Just once."),
    }
    assert {name: request.attributes.get(name) for name in expected} == expected
    assert line["trace_id"] == trace_id
    engine = only(spans, "engine").attributes
    assert engine["autovoice.engine"] == "stub"
    assert engine["autovoice.voice"] == "en-us"
    assert engine["autovoice.attempts"] == 1
    assert only(spans, "encode").attributes["autovoice.format"] == "flac"
    took_ms = (request.ended_ns - request.began_ns) / 1e6
    assert took_ms == pytest.approx(line["duration_ms"], abs=50)

    again = new_trace()
    traced.speak("Just once.", headers={"traceparent": traceparent(again)}, response_format="flac")
    (request,) = whole(collector, again)  # out of the cache: there are no steps
    assert request.attributes["autovoice.cache"] == "hit"


def test_a_request_without_a_trace_begins_one(traced, collector):
    """Its answer and its log line name it."""
    answer = traced.speak(SENTENCE, headers={"X-Request-ID": "first"})
    version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
    request = only(whole(collector, trace_id), f"POST {SPEECH}")
    assert (request.span_id, request.parent_id) == (span_id, "")
    assert flags == "03"  # sampled, with a random id
    assert traced.access_line("first")["trace_id"] == trace_id


def test_a_trace_that_its_caller_does_not_record_is_not_recorded(traced, collector):
    """Neither here nor, so we say, further on."""
    silent = new_trace()
    answer = traced.speak("Quiet.", headers={"traceparent": traceparent(silent, "00")})
    assert answer.headers["traceparent"].startswith(f"00-{silent}-")
    assert answer.headers["traceparent"].endswith("-00")
    loud = new_trace()
    traced.speak("Loud.", headers={"traceparent": traceparent(loud)})
    whole(collector, loud)
    assert collector.spans(trace_id=silent) == []


def test_probes_are_no_traces(traced, collector):
    """They come every few seconds, and would be most of them."""
    trace_id, last = new_trace(), new_trace()
    for path in ("/health", "/health/live", "/health/ready", "/metrics"):
        assert traced.get(path, headers={"traceparent": traceparent(trace_id)}).status_code == 200
    traced.get("/v1/models", headers={"traceparent": traceparent(last)})
    whole(collector, last)
    assert collector.spans(trace_id=trace_id) == []


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [("Please FAIL now.", 500, "engine_failed"), ("Please CRASH now.", 503, "engine_crashed")],
)
def test_what_went_wrong_is_marked_where_it_did(traced, collector, text, status, code):
    trace_id = new_trace()
    answer = traced.speak(text, headers={"traceparent": traceparent(trace_id)})
    assert answer.status_code == status
    spans = whole(collector, trace_id)
    request, engine = only(spans, f"POST {SPEECH}"), only(spans, "engine")
    assert (request.is_error, request.attributes["error.type"]) == (True, code)
    assert request.attributes["http.response.status_code"] == status
    assert (engine.is_error, engine.attributes["error.type"]) == (True, code)
    assert not only(spans, "queue").is_error
    assert of(spans, "encode") == []  # it never came to that


@pytest.mark.parametrize(
    ("method", "path", "status", "name", "code"),
    [
        ("GET", "/nothing", 404, "GET", "not_found"),
        ("GET", "/v1/models/none", 404, "GET /v1/models/<model>", "model_not_found"),
        ("POST", SPEECH, 400, f"POST {SPEECH}", "invalid_json"),
        ("BREW", "/nothing", 404, "HTTP", "not_found"),
    ],
)
def test_what_the_client_did_wrong_is_no_error_of_ours(
    traced, collector, method, path, status, name, code
):
    trace_id = new_trace()
    answer = traced.request(method, path, headers={"traceparent": traceparent(trace_id)})
    assert answer.status_code == status
    (request,) = whole(collector, trace_id)
    assert (request.name, request.is_error) == (name, False)
    assert request.attributes["error.type"] == code
    assert request.attributes["http.response.status_code"] == status
    assert ("http.route" in request.attributes) == (path != "/nothing")


def long_text():
    """More than any buffer on the way holds, and unlike any other."""
    return "".join(f"Sentence {number} is {'very ' * 20}long. " for number in range(150))


@pytest.fixture
def patient(start, collector, monkeypatch):
    """A server for long texts."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    return start(engine="stub", tracing="otlp", max_input_chars=100_000, cache="off")


def test_the_span_of_a_stream_ends_with_the_stream(patient, collector):
    """Not when its headers are sent, nor with its last sentence."""
    stream, other = new_trace(), new_trace()
    with patient.connect() as connection:
        connection.ask(speech_body(long_text()), f"traceparent: {traceparent(stream)}")
        assert connection.head().status == 200
        connection.chunk()
        patient.speak("In between.", headers={"traceparent": traceparent(other)})
        between = only(whole(collector, other), f"POST {SPEECH}")
        assert collector.spans(trace_id=stream, kind=SERVER) == []
        for _ in connection.chunks():
            pass
    spans = whole(collector, stream)
    request = only(spans, f"POST {SPEECH}")
    assert request.began_ns < between.began_ns < between.ended_ns < request.ended_ns
    assert request.attributes["autovoice.outcome"] == "success"
    assert not request.is_error
    # A book's sentences would crowd out everything else.
    assert len(of(spans, "engine")) == len(of(spans, "queue")) == 32
    assert only(spans, "encode").ended_ns <= request.ended_ns


def test_a_stream_that_is_left_ends_there(patient, collector):
    """That is no error of the server's."""
    trace_id = new_trace()
    connection = patient.connect()
    connection.ask(speech_body(long_text()), f"traceparent: {traceparent(trace_id)}")
    connection.head()
    connection.reset()
    spans = whole(collector, trace_id)
    request = only(spans, f"POST {SPEECH}")
    assert request.attributes["autovoice.outcome"] == "cancelled"
    assert not any(span.is_error for span in spans)
    assert only(spans, "encode").ended_ns <= request.ended_ns


def test_a_stream_that_breaks_is_an_error_although_its_status_was_200(patient, collector):
    trace_id = new_trace()
    with patient.connect() as connection:
        connection.ask(
            speech_body("One goes well. Two will FAIL. Three is not reached."),
            f"traceparent: {traceparent(trace_id)}",
        )
        assert connection.head().status == 200
        with pytest.raises(EOFError):
            list(connection.chunks())
    spans = whole(collector, trace_id)
    request = only(spans, f"POST {SPEECH}")
    assert request.attributes["http.response.status_code"] == 200
    assert (request.is_error, request.attributes["error.type"]) == (True, "engine_failed")
    speaks = {span.attributes["autovoice.sentence"]: span for span in of(spans, "engine")}
    assert not speaks[1].is_error
    assert speaks[2].is_error


def test_requests_that_share_a_making_are_linked(traced, collector):
    """One of them speaks; the other ones point to it."""
    traces = [new_trace() for _ in range(4)]
    text = "The same at the same time. " + "PAUSE " * 20
    together = threading.Barrier(len(traces))

    def ask(trace_id):
        together.wait(30)
        with traced.connect() as connection:
            connection.ask(speech_body(text), f"traceparent: {traceparent(trace_id)}").answer()

    threads = [threading.Thread(target=ask, args=(trace_id,)) for trace_id in traces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    requests = [only(whole(collector, each), f"POST {SPEECH}") for each in traces]
    (maker,) = (each for each in requests if each.attributes["autovoice.cache"] == "miss")
    assert of(collector.spans(trace_id=maker.trace_id), "engine")
    for request in requests:
        assert request.links == ([] if request is maker else [maker.span_id])
        if request is not maker:
            assert len(collector.spans(trace_id=request.trace_id)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "Host: x:999999999999999999999999",
        "Host: [::1]:80",
        "Host: :",
        "User-Agent: \xff\xfe\x80",
        "User-Agent: " + "x" * 7000,
        "tracestate: \xff=\xff",
        "tracestate: " + ",".join(f"k{number}=v" for number in range(100)),
        "X-Request-ID: \xff",
    ],
)
def test_no_header_loses_a_span(traced, collector, line):
    """A batch with one span that cannot be written would be lost whole."""
    trace_id = new_trace()
    host = "" if line.startswith("Host") else "Host: x\r\n"
    with traced.connect() as connection:
        connection.send(
            f"GET /v1/models HTTP/1.1\r\n{host}{line}\r\n"
            f"traceparent: {traceparent(trace_id)}\r\n\r\n".encode("latin-1")
        )
        assert connection.answer().status == 200
    (request,) = whole(collector, trace_id)
    assert all(len(str(value)) <= 256 for value in request.attributes.values())


def test_text_is_never_in_a_span(traced, collector):
    """Neither what was spoken, nor what was refused, nor what a client wrote into a path."""
    for text in (SECRET, f"{SECRET}. {SECRET}.", f"{SECRET} FAIL"):
        traced.speak(text)
    traced.speak(SECRET, voice=SECRET)
    traced.speak(SECRET, model=SECRET)
    traced.request("POST", f"{SPEECH}?input={SECRET}", json=speech_body(SECRET))
    traced.get(f"/v1/audio/voices?q={SECRET}")
    traced.get(f"/{SECRET}")
    last = new_trace()
    traced.get("/v1/models", headers={"traceparent": traceparent(last)})
    whole(collector, last)
    assert not [raw for raw in collector.raw if b"Xylophonic" in raw]


# --- the collector is not there, or the server ends -----------------------------------------------


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def complaints(server):
    return [line for line in server.log() if "collector" in line["message"]]


def test_without_a_collector_the_server_serves_and_complains_once(start, monkeypatch):
    """Until it is there: then one line says so, and spans come again."""
    port = free_port()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    server = start(engine="stub", tracing="otlp")
    for number in range(20):
        assert server.speak(f"Number {number}.").status_code == 200
    until(lambda: complaints(server), "the log says so")
    for number in range(20):
        assert server.speak(f"Again number {number}.").status_code == 200
    (line,) = complaints(server)
    assert line["level"] == "WARNING"
    assert line["logger"] == "auto_voice.monitoring.tracing"
    assert not [line for line in server.log() if line["logger"].startswith("opentelemetry")]

    collector = Collector(port)
    try:
        trace_id = new_trace()
        until(
            lambda: server.speak("Hello?", headers={"traceparent": traceparent(trace_id)}).ok
            and collector.spans(),
            "spans come again",
        )
        until(lambda: len(complaints(server)) == 2, "the log says so")
        assert [line["level"] for line in complaints(server)] == ["WARNING", "INFO"]
        assert server.stop() == 0
    finally:
        collector.close()


def test_the_last_spans_are_sent_before_the_end(start, collector, monkeypatch):
    """Although their batch was not due for an hour."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    server = start(engine="stub", tracing="otlp")
    trace_id = new_trace()
    server.speak("The last words.", headers={"traceparent": traceparent(trace_id)})
    assert collector.spans(trace_id=trace_id) == []
    assert server.stop() == 0
    assert len(collector.spans(trace_id=trace_id, kind=SERVER)) == 1


def test_a_collector_that_does_not_answer_delays_no_end(start, monkeypatch):
    """The server ends by itself, drained, before its master would have it killed."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}"
        )
        server = start(engine="stub", tracing="otlp", drain_s=1)
        server.speak("Into the void.")
        assert server.stop() == 0
    assert "could not be sent in time" in server.output()


# --- off, and wrong -------------------------------------------------------------------------------

LOADED = """
import json, sys
from auto_voice import settings
from auto_voice.bootstrap import build
from auto_voice.web.app import create_app
service = build(settings.load())
create_app(service).test_client().get("/v1/models")
service.close()
print(json.dumps([name for name in sys.modules if name.startswith(("opentelemetry", "requests"))]))
"""


def run(command, tmp_path, extra=(), **values):
    done = subprocess.run(
        command,
        env={**environment({"engine": "stub", "engine_workers": 1, **values}), **dict(extra)},
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_switched_off_nothing_of_it_is_loaded(tmp_path):
    """Whatever OpenTelemetry's variables say: they are in many pods, put there for others."""
    somewhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    _, output, _ = run([sys.executable, "-c", LOADED], tmp_path, somewhere)
    assert json.loads(output.splitlines()[-1]) == []


def test_without_the_extra_the_start_says_what_to_install(tmp_path):
    folder = tmp_path / "opentelemetry"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ModuleNotFoundError('No module opentelemetry')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = [AUTOVOICE, "serve", "--port", "0"]
    status, _, errors = run(command, tmp_path, {"PYTHONPATH": path}, tracing="otlp")
    assert status == 2
    assert "AUTOVOICE_TRACING" in errors
    assert "pip install 'autovoice[tracing]'" in errors


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:secret@collector:port/v1/traces"),
    ],
)
def test_a_variable_that_makes_no_sense_stops_the_start(tmp_path, variable, value):
    command = [AUTOVOICE, "serve", "--port", "0"]
    status, _, errors = run(command, tmp_path, {variable: value}, tracing="otlp")
    assert status == 2
    assert f"{variable} has to be" in errors
    assert "secret" not in errors


def test_doctor_says_whether_the_collector_is_there(tmp_path, collector):
    """A missing one is no failure: no request suffers."""
    for endpoint, finding in (
        (collector.endpoint, "ok    collector       127.0.0.1 takes connections on port"),
        ("http://127.0.0.1:1", "note  collector       127.0.0.1 does not answer on port 1"),
    ):
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        status, output, _ = run([AUTOVOICE, "doctor"], tmp_path, variables, tracing="otlp", port=0)
        assert status == 0
        assert finding in output
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    status, output, _ = run([AUTOVOICE, "doctor"], tmp_path, variables, tracing="otlp", port=0)
    assert status == 1
    assert "FAIL  collector       OTEL_EXPORTER_OTLP_PROTOCOL" in output
