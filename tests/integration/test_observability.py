"""What an operator sees: one honest line for each request, and metrics that add up."""

import contextlib
import json
import random
import re
import string

import pytest
import requests
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.serving import SENTENCE, SPEECH, TEXT, metric_sum, post, speech_body, until

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SECRET = "Xylophonic quizzes jolt"
"""Words that no log line could have from anywhere else."""


@pytest.fixture
def fresh(start):
    """A stub server whose counters nobody else moves."""
    return start(engine="stub")


# --- the log --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SENTENCE, TEXT], ids=["whole", "streamed"])
def test_speech_has_one_line_that_tells_all_about_it(fresh, text):
    """Who, what, how long, how much; the second time out of the cache."""
    for number, cache in ((1, "miss"), (2, "hit")):
        headers = {"X-Request-ID": f"told-{number}", "User-Agent": "a test"}
        answer = fresh.speak(text, headers=headers, response_format="flac")
        line = fresh.access_line(f"told-{number}")
        assert line["level"] == "INFO"
        assert line["message"] == "POST /v1/audio/speech 200"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["bytes"] == len(answer.content)
        assert line["duration_ms"] >= line["first_audio_ms"] >= line["queue_wait_ms"] >= 0
        assert line["audio_s"] > 0
        expected = {
            "method": "POST",
            "status": 200,
            "route": SPEECH,
            "client": "127.0.0.1",
            "engine": "stub",
            "voice": "en-us",
            "format": "flac",
            "characters": len(text),
            "cache": cache,
            "outcome": "success",
        }
        assert {name: line.get(name) for name in expected} == expected
        assert "error" not in line


def test_the_same_text_is_told_by_its_hash(fresh):
    """Which is all that the log has of it."""
    for identity, text in (("once", SECRET), ("again", SECRET), ("other", SENTENCE)):
        fresh.speak(text, headers={"X-Request-ID": identity})
    once, again, other = (
        fresh.access_line(identity)["text_hash"] for identity in ("once", "again", "other")
    )
    assert re.fullmatch("[0-9a-f]{16}", once)
    assert once == again != other


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/v1/models", 200, None),
        ("GET", "/nothing", 404, "not_found"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", SPEECH, 400, "invalid_json"),
        ("GET", "/v1/models/none", 404, "model_not_found"),
    ],
)
def test_every_answer_has_one_line(stub, method, path, status, error):
    """Errors with their code."""
    identity = f"{method}{path.replace('/', '.')}"
    stub.request(method, path, headers={"X-Request-ID": identity})
    line = stub.access_line(identity)
    assert (line["method"], line["status"], line.get("error")) == (method, status, error)


@pytest.mark.parametrize("text", ["Please CRASH.", "One. Please CRASH. Three."])
def test_every_line_about_a_request_has_its_ids(start, text):
    """Also those that are written by the thread that looks after the engine's process."""
    server = start(engine="stub", engine_workers=1, cache="off")
    headers = {"X-Request-ID": "crashed", "traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}
    with contextlib.suppress(requests.RequestException):  # the stream breaks off
        server.speak(text, headers=headers)
    server.access_line("crashed")
    until(lambda: len(engine_ends(server)) == 2, "both tries are in the log")
    for line in engine_ends(server):
        assert (line["request_id"], line["trace_id"]) == ("crashed", "a" * 32)
    server.speak("Hello.", headers={"X-Request-ID": "another"})
    assert server.access_line("another")["trace_id"] != "a" * 32


def engine_ends(server):
    return [line for line in server.log() if line["message"].startswith("engine worker ended")]


def test_probes_and_scrapes_are_not_in_the_log(stub):
    """They come every few seconds, and would be most of it."""
    before = len(stub.log())
    for path in ("/health", "/health/live", "/health/ready", "/metrics", "/v1/status"):
        assert stub.get(path).status_code == 200
    stub.get("/v1/models", headers={"X-Request-ID": "after-the-probes"})
    stub.access_line("after-the-probes")
    assert len(stub.log()) == before + 1


def test_text_is_never_in_the_log(start):
    """Neither of what was spoken, nor of what was refused, nor of what made the engine fail."""
    server = start(engine="stub", engine_workers=1, cache="off")
    for text in (SECRET, f"{SECRET}. {SECRET}.", f"{SECRET} FAIL", f"{SECRET} CRASH"):
        server.speak(text)
        server.speak(text, stream_format="sse")
    server.speak(SECRET, voice=SECRET)
    server.speak(SECRET, model=SECRET)
    server.speak(SECRET, response_format=SECRET)
    server.speak(SECRET * 1000)
    server.speak(speed=SECRET)
    server.request("POST", SPEECH, data=f'{{"input": "{SECRET}'.encode())
    server.request("POST", f"{SPEECH}?input={SECRET}", json=speech_body(SECRET))
    server.get(f"/v1/audio/voices?q={SECRET}")
    server.get(f"/{SECRET}")
    with server.connect() as connection:
        connection.ask(speech_body(f"One. {SECRET} " + "PAUSE " * 50))
        connection.head()
    server.get("/v1/models", headers={"X-Request-ID": "last-one"})
    server.access_line("last-one")
    assert server.stop() == 0
    assert "Xylophonic" not in server.output()


def test_a_console_gets_one_readable_line_each(start):
    server = start(engine="stub", log_format="console")
    server.speak("Hello.", headers={"X-Request-ID": "for-people"})
    server.stop()
    (line,) = (line for line in server.output().split("\n") if "for-people" in line)
    assert re.match(r"\d\d:\d\d:\d\d INFO +POST /v1/audio/speech 200 ", line)
    assert "outcome=success" in line
    assert "\x1b" not in server.output()


def test_only_what_is_wanted_is_logged(start):
    """At WARNING, requests that went well leave no line."""
    server = start(engine="stub", engine_workers=1, log_level="DEBUG")
    assert server.speak("Hello.").status_code == 200
    assert {"DEBUG", "INFO"} <= {line["level"] for line in server.log()}


# --- metrics --------------------------------------------------------------------------------------


def families(answer, parse):
    return {family.name: family for family in parse(answer.text)}


def test_metrics_come_in_both_text_formats(stub):
    """Prometheus asks for OpenMetrics; curl gets the older one. Both parse, and say the same."""
    stub.speak("Hello.")
    plain = stub.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain; version=")
    rich = stub.get("/metrics", headers={"Accept": OPENMETRICS})
    assert rich.headers["Content-Type"].startswith("application/openmetrics-text")
    assert rich.text.endswith("# EOF\n")
    ours = {name for name in families(plain, text_string_to_metric_families) if "autovoice" in name}
    theirs = {name for name in families(rich, openmetrics_families) if "autovoice" in name}
    assert theirs <= ours
    assert {name for name in ours - theirs if not name.endswith("_created")} == set()
    assert len(theirs) > 15
    for family in openmetrics_families(rich.text):
        assert family.documentation


def test_counters_match_what_was_done(fresh):
    """Requests, characters, seconds of audio, cache: each counts what it says."""
    fresh.speak("one two three", response_format="pcm")  # 0.225 s
    fresh.speak("one two three", response_format="pcm")  # the same again
    fresh.speak("One two. Three four.", response_format="pcm")  # 0.3 s
    fresh.speak("one two three four", response_format="pcm", stream_format="sse")  # 0.3 s
    fresh.speak(voice="nobody")
    fresh.speak("")
    fresh.speak(speed=100)
    fresh.speak("FAIL")
    fresh.speak("CRASH")
    fresh.get("/nothing")
    shown = fresh.get("/metrics").text

    def value(name, **labels):
        return metric_sum(shown, f"autovoice_{name}", **labels)

    assert value("http_requests_total", route=SPEECH, method="POST") == 9
    for code, count in (("200", 4), ("404", 1), ("400", 2), ("500", 1), ("503", 1)):
        assert value("http_requests_total", route=SPEECH, code=code) == count, code
    assert value("http_requests_total", route="<unmatched>", code="404") == 1
    assert value("http_request_duration_seconds_count", route=SPEECH) == 9
    assert value("http_requests_in_progress") == 1  # the scrape itself

    assert value("synthesis_requests_total", outcome="success") == 4
    assert value("synthesis_requests_total", outcome="success", mode="whole") == 3
    assert value("synthesis_requests_total", outcome="success", mode="stream") == 1
    assert value("synthesis_requests_total", outcome="error") == 2
    assert value("synthesis_requests_total", engine="stub") == value("synthesis_requests_total")
    assert value("synthesis_duration_seconds_count") == 4
    assert value("synthesis_first_audio_seconds_count", transport="http") == 3
    assert value("synthesis_first_audio_seconds_count", transport="sse") == 1
    assert value("synthesis_input_characters_total") == 13 + 13 + 20 + 18
    assert value("synthesis_audio_seconds_total") == pytest.approx(0.225 + 0.3 + 0.3, abs=0.01)
    assert value("synthesis_compute_seconds_total") > 0
    assert value("synthesis_in_progress") == 0
    assert value("synthesis_queue_depth") == 0
    assert value("cache_requests_total", result="hit") == 1
    assert value("cache_requests_total", result="miss") == 5
    assert value("cache_size_bytes", cache="memory") > 0
    assert value("engine_errors_total", reason="crash") == 2
    assert value("build_info") == 1


def test_what_is_said_to_be_ready_is(start):
    fresh = start(engine="stub", engine_workers=1)
    shown = fresh.get("/metrics").text
    assert metric_sum(shown, "autovoice_engine_ready") == 1
    assert metric_sum(shown, "autovoice_engine_workers_ready") == 1
    assert metric_sum(shown, "autovoice_engine_workers") == 1
    assert metric_sum(shown, "autovoice_draining") == 0
    assert metric_sum(shown, "autovoice_engine_load_duration_seconds") > 0
    assert metric_sum(shown, "autovoice_engine_last_success_timestamp_seconds") > 1.7e9


def series(server):
    text = server.get("/metrics").text
    return {line.rpartition(" ")[0] for line in text.split("\n") if line and line[0] != "#"}


def labelled(server):
    """Each family's label sets; a histogram's buckets are one."""
    found = {}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        labels = (sample.labels.items() for sample in family.samples)
        found[family.name] = {frozenset(one for one in each if one[0] != "le") for each in labels}
    return found


def strange_path(chance):
    path = "".join(chance.choices(string.ascii_letters + "/.-%;", k=20)).replace("%", "%41")
    host = f"{chance.getrandbits(64):x}.example"
    return f"GET /x{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def strange_method(chance):
    method = "".join(chance.choices(string.ascii_uppercase, k=chance.randint(8, 20)))
    return f"{method} /v1/models HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def strange_voice(chance):
    body = speech_body("Hello.", voice="".join(chance.choices(string.printable, k=12)) + "?")
    return post(json.dumps(body).encode())


def strange_key(chance):
    return (
        f"GET /v1/models HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {chance.getrandbits(128):x}\r\n\r\n"
    ).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strange", "keys", "status"),
    [
        (strange_path, "", 404),
        (strange_method, "", 405),
        (strange_voice, "", 404),
        (strange_key, "the-only-key", 401),
    ],
)
def test_two_thousand_strange_requests_add_one_series_a_family(start, strange, keys, status):
    """Somebody who looks for holes must not fill the memory of whoever stores the metrics."""
    server = start(engine="stub", api_keys=keys)
    server.get("/metrics")  # so that the next one shows what a scrape itself adds
    before = labelled(server)
    chance = random.Random(3)
    with server.connect() as connection:
        for _ in range(20):
            connection.send(b"".join(strange(chance) for _ in range(100)))
            for _ in range(100):
                assert connection.answer().status == status
    after = labelled(server)
    added = {family: after[family] - before.get(family, set()) for family in after}
    assert {family: new for family, new in added.items() if len(new) > 1} == {}
    assert added["autovoice_http_requests"]
    code = str(status)
    assert server.metric("autovoice_http_requests_total", code=code) == 2000


def test_nothing_that_clients_make_up_becomes_a_label(fresh):
    """Neither methods, nor voices, nor models, nor formats, nor keys."""
    for number in range(5):
        fresh.request(f"METHOD{number}", "/v1/models")
        fresh.speak(voice=f"voice{number}")
        fresh.speak(model=f"model{number}")
        fresh.speak(response_format=f"format{number}")
        fresh.get(f"/v1/models/model{number}")
        fresh.get(f"/v1/audio/voices/voice{number}")
        fresh.get(f"/v1/audio/voices?engine=engine{number}")
    for line in series(fresh):
        assert not re.search(r"(?:METHOD|voice|model|format|engine)\d", line), line


def test_the_metrics_of_the_process_are_there(stub):
    """Memory and start time, without which nobody sees a leak or a restart."""
    shown = stub.get("/metrics").text
    assert metric_sum(shown, "process_resident_memory_bytes") > 10_000_000
    assert metric_sum(shown, "process_start_time_seconds") > 1.7e9


# --- the status -----------------------------------------------------------------------------------


def total(counts):
    return {name: count["total"] for name, count in counts.items() if count["total"]}


def test_the_status_agrees_with_the_metrics(fresh):
    """Outcomes, HTTP, cache, engine, queue: the same figures in another shape."""
    for text in ("one", "one", "two", "Two. Sentences.", "FAIL", "CRASH"):
        fresh.speak(text)
    fresh.speak(voice="nobody")
    fresh.get("/nothing")
    fresh.get("/v1/models")
    fresh.wait_until_ready()
    status, shown = fresh.get("/v1/status").json(), fresh.get("/metrics").text

    def value(name, **labels):
        return metric_sum(shown, f"autovoice_{name}", **labels)

    outcomes = total(status["speech"]["outcomes"])
    assert outcomes == {"success": 4, "error": 2, "invalid": 1}
    for outcome, count in outcomes.items():
        assert value("synthesis_requests_total", outcome=outcome) == count
    recent = {name: count["recent"] for name, count in status["speech"]["outcomes"].items()}
    assert {name: count for name, count in recent.items() if count} == outcomes
    assert 0 < status["window_s"] <= status["uptime_s"] < 60
    assert status["speech"]["per_s"] == pytest.approx(7 / status["window_s"], rel=0.05)

    first_audio = status["speech"]["first_audio"]
    for bucket in first_audio["buckets"]:
        below = sum(
            other["recent"]
            for other in first_audio["buckets"]
            if bucket["upto_s"] is None or (other["upto_s"] or 1e9) <= bucket["upto_s"]
        )
        bound = "+Inf" if bucket["upto_s"] is None else str(bucket["upto_s"])
        assert value("synthesis_first_audio_seconds_bucket", le=bound) == below
    assert 0 < first_audio["p50_s"] <= first_audio["p95_s"] < 30

    assert total(status["http"]["statuses"]) == {"2xx": 5, "4xx": 2, "5xx": 2}
    assert total(status["cache"]["results"]) == {"hit": 1, "miss": 5}
    assert status["cache"]["hit_ratio"] == pytest.approx(1 / 6, abs=1e-3)
    assert status["cache"]["size_bytes"]["memory"] == value("cache_size_bytes", cache="memory")
    (engine,) = status["engines"]
    # A worker in place of the crashed one may speak its first word in between.
    assert 0 < engine["last_success"] <= value("engine_last_success_timestamp_seconds")
    assert engine["errors"]["crash"] == value("engine_errors_total", reason="crash") == 2
    assert status["queue"] == {"in_progress": 0, "capacity": 128, "waiting": 0}
    assert all(check["passed"] for check in status["checks"])
    assert (status["gpus"], status["gpus_complete"]) == ([], None)


def test_the_status_has_the_last_errors_and_no_text(fresh):
    """Each with the id that finds its line in the log."""
    fresh.speak(f"{SECRET} FAIL", headers={"X-Request-ID": "a"})
    fresh.speak(SECRET, voice=SECRET, headers={"X-Request-ID": "b"})
    fresh.get(f"/{SECRET}?key={SECRET}", headers={"X-Request-ID": "c"})
    fresh.speak(f"One. {SECRET} FAIL", stream_format="sse", headers={"X-Request-ID": "d"})
    answer = fresh.get("/v1/status")
    assert SECRET.split()[0] not in answer.text
    errors = answer.json()["errors"]
    assert [
        (error["request_id"], error["status"], error["code"], error["route"]) for error in errors
    ] == [
        ("d", 200, "engine_failed", SPEECH),
        ("c", 404, "not_found", "<unmatched>"),
        ("b", 404, "voice_not_found", SPEECH),
        ("a", 500, "engine_failed", SPEECH),
    ]
    for error in errors:
        assert fresh.access_line(error["request_id"])["error"] == error["code"]


def test_the_status_does_not_wait_for_an_engine_that_hangs(start):
    """Whoever looks at it, looks because something is wrong."""
    server = start(engine="stub", engine_workers=1, engine_timeout_s=3)
    with server.connect() as connection:
        connection.ask(speech_body("HANG"))
        until(lambda: server.in_progress() == 1, "the worker has it")
        answer = server.get("/v1/status", timeout=5).json()
        assert answer["queue"]["in_progress"] == 1


@pytest.mark.slow
def test_the_status_remembers_the_last_minutes(fresh):
    """In steps of five seconds, by itself: nobody has to look meanwhile."""
    for _ in range(3):
        fresh.speak("one")

    def remembered():
        points = fresh.get("/v1/status").json()["history"]
        return sum(round(5 * point["speech_per_s"]) for point in points)

    until(lambda: remembered() == 3, "the step is over")
