"""Load, clients that leave, crashes and the end: a place that is taken is given back."""

import base64
import concurrent.futures
import json
import random
import signal
import threading
import time

import pytest

from tests.integration.serving import (
    SENTENCE,
    SPEECH,
    TEXT,
    assert_error,
    children,
    is_running,
    is_stopped,
    kill,
    metric_sum,
    post,
    speech_body,
    until,
)

SLOW = "PAUSE " * 400
"""20 s of the stub's time, of which it may be relieved at any word."""


@pytest.fixture(scope="module")
def narrow(start_for_module):
    """A stub server with one worker and places for three requests."""
    return start_for_module(
        engine="stub", engine_workers=1, max_requests=3, engine_timeout_s=600, cache="off"
    )


def wait_until_idle(server):
    until(lambda: server.in_progress() == 0, "no request is left")
    until(lambda: server.metric("autovoice_synthesis_queue_depth") == 0, "no sentence waits")


# --- clients that leave ---------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["close", "reset"])
@pytest.mark.parametrize("fields", [{}, {"stream_format": "sse"}], ids=["audio", "sse"])
def test_a_client_that_leaves_its_stream_frees_its_place(narrow, fields, leave):
    """The rest of the text is not spoken; the worker is there for others long before its end."""
    connection = narrow.connect().ask(speech_body(f"One two three. {SLOW}.", **fields))
    assert connection.head().status == 200
    assert connection.chunk()
    assert narrow.in_progress() == 1
    getattr(connection, leave)()
    until(lambda: narrow.in_progress() == 0, "the place is free", patience_s=10)
    assert narrow.speak("Next.").status_code == 200
    assert narrow.troubles() == []


def test_a_client_that_leaves_before_its_only_sentence_is_done_frees_its_place(narrow):
    """Nothing has been sent to it yet, so no failing write tells that it has gone."""
    connection = narrow.connect().ask(speech_body(SLOW))
    until(lambda: narrow.in_progress() == 1, "the request is being spoken")
    connection.close()
    until(lambda: narrow.in_progress() == 0, "the place is free", patience_s=10)
    assert narrow.speak("Next.").status_code == 200


@pytest.mark.parametrize("text", ["Waits.", "Waits. And waits."], ids=["whole", "streamed"])
def test_a_client_that_leaves_the_queue_frees_its_place(narrow, text):
    """Also while the only worker is busy with somebody else, and will be for long."""
    first = narrow.connect().ask(speech_body(f"One two three. {SLOW}."))
    assert first.head().status == 200
    waiting = [narrow.connect().ask(speech_body(text)) for _ in range(2)]
    until(lambda: narrow.in_progress() == 3, "all three are admitted")
    for connection in waiting:
        connection.close()
    until(lambda: narrow.in_progress() == 1, "two places are free", patience_s=10)
    first.close()
    wait_until_idle(narrow)


def test_clients_that_have_left_are_counted_as_such(start):
    """And what they did not hear is not in the log as a success."""
    server = start(engine="stub", engine_workers=1)
    with server.connect() as connection:
        connection.ask(speech_body(f"One two. {SLOW}."), "X-Request-ID: left-early")
        assert connection.head().status == 200
        assert connection.chunk()
    line = server.access_line("left-early")
    assert (line["status"], line["outcome"]) == (200, "cancelled")
    assert server.metric("autovoice_synthesis_requests_total", outcome="cancelled") == 1
    assert server.metric("autovoice_synthesis_requests_total", outcome="success") == 0


def test_many_clients_that_leave_at_any_moment_leave_nothing_behind(start):
    """Fifty, some of them before they have sent everything."""
    server = start(max_requests=8)
    chance = random.Random(1)
    body = json.dumps(speech_body((TEXT + " ") * 10, response_format="mp3"))
    request = (
        f"POST {SPEECH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    for _ in range(50):
        with server.connect() as connection:
            connection.send(request[: chance.choice((50, 200, len(request), len(request)))])
            if chance.random() < 0.5:
                connection.socket.settimeout(chance.random() / 10)
                try:
                    connection.socket.recv(chance.randrange(1, 100_000))
                except OSError:
                    pass
    until(lambda: server.in_progress() == 0, "all places are free")
    assert server.speak().status_code == 200
    assert server.troubles() == []
    waiting = "autovoice_http_requests_in_progress"
    until(lambda: server.metric(waiting) == 1, "no request but this one is being served")


# --- too much -------------------------------------------------------------------------------------


def test_a_full_server_says_so_and_still_answers_the_rest(narrow):
    """503 with Retry-After for speech; health, metrics and listings as ever."""
    wait_until_idle(narrow)
    occupants = [
        narrow.connect().ask(speech_body(f"One two three. {SLOW} {number}.")) for number in range(3)
    ]
    until(lambda: narrow.in_progress() == 3, "all places are taken")
    refused = narrow.speak("One too many.")
    assert_error(refused, 503, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert narrow.get("/health/live").status_code == 200
    assert narrow.get("/v1/audio/voices").status_code == 200
    ready = narrow.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert "queue" in ready.json()["reasons"][0]
    assert narrow.get("/health").json()["status"] == "fail"
    assert narrow.metric("autovoice_synthesis_queue_capacity") == 3
    for connection in occupants:
        connection.close()
    wait_until_idle(narrow)
    assert narrow.is_ready()
    assert narrow.speak("Welcome.").status_code == 200


def test_a_hundred_clients_at_once_are_served_or_refused_in_order(start):
    """With places for twenty: each of the others gets its answer, too."""
    server = start(engine="stub", max_requests=20, cache="off")
    together = threading.Barrier(100)

    def ask(number):
        with server.connect() as connection:
            together.wait()
            connection.ask(speech_body(f"PAUSE PAUSE {number}."))
            return connection.answer()

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(100)))
    served = [answer for answer in answers if answer.status == 200]
    assert len(served) >= 20
    for answer in answers:
        if answer.status != 200:
            assert_error(answer, 503, "overloaded")
            assert "Retry-After" in answer.headers
    shown = server.get("/metrics").text
    name = "autovoice_synthesis_requests_total"
    assert metric_sum(shown, name, outcome="success") == len(served)
    assert metric_sum(shown, name, outcome="rejected") == 100 - len(served)
    assert server.in_progress() == 0


def test_a_request_that_cannot_start_in_time_is_refused_before_any_audio(start):
    """Rather than speaking when nobody listens any more."""
    server = start(
        engine="stub", engine_workers=1, engine_timeout_s=600, start_deadline_s=0.5, cache="off"
    )
    (engine,) = server.engine_pids()
    occupant = server.connect().ask(speech_body("STOP"))
    until(lambda: is_stopped(engine), "the only worker is busy")
    for text in ("Too late.", "Too late. Both of them."):
        refused = server.speak(text)
        assert_error(refused, 503, "deadline_exceeded")
        assert int(refused.headers["Retry-After"]) >= 1
    kill(engine, signal.SIGCONT)
    occupant.close()
    until(lambda: server.speak("Now.").status_code == 200, "the next one is served")
    assert server.metric("autovoice_synthesis_requests_total", outcome="timeout") >= 2


@pytest.mark.slow
def test_a_frozen_engine_makes_a_server_unready_and_not_dead(start):
    """Restarting it helps nobody, but others should be asked meanwhile."""
    server = start(engine="stub", engine_workers=1, engine_timeout_s=600)
    (worker,) = server.engine_pids()
    kill(worker, signal.SIGSTOP)
    try:
        until(lambda: server.get("/health/ready").status_code == 503, "it is not ready")
        assert "engine:stub" in server.get("/health/ready").json()["reasons"][0]
        assert server.get("/health/live").status_code == 200
        assert server.get("/health/startup").status_code == 200
    finally:
        kill(worker, signal.SIGCONT)
    until(lambda: server.get("/health/ready").status_code == 200, "it is ready again")


def test_a_short_request_gets_its_turn_beside_long_ones(start):
    """With one worker and long texts before it, it is done while none of them is."""
    server = start(engine="stub", engine_workers=1, cache="off")
    long_text = " ".join(["PAUSE PAUSE and so on."] * 100)
    streams = [server.connect().ask(speech_body(f"{number}. {long_text}")) for number in range(4)]
    for stream in streams:
        assert stream.head().status == 200
    assert server.speak("Me, too.").status_code == 200
    assert server.in_progress() == 4
    for stream in streams:
        stream.close()


# --- engines that hang or die ---------------------------------------------------------------------


def test_a_hanging_engine_is_restarted_and_the_client_told(start):
    server = start(engine="stub", engine_workers=1, engine_timeout_s=0.5, cache="off")
    hung = server.engine_pids()
    answer = server.speak("HANG")
    assert_error(answer, 504, "engine_timeout")
    until(lambda: not any(map(is_running, hung)), "the hanging worker is gone")
    assert server.speak("Better.").status_code == 200
    assert server.metric("autovoice_engine_errors_total", reason="timeout") >= 1


def test_a_text_that_kills_the_engine_kills_nobody_elses_request(start):
    """Each request is spoken by a worker; those beside it go on, and those after it, too."""
    server = start(engine="stub", engine_workers=2, cache="off")
    right = server.speak("One two three.").content

    def ask(number):
        text = "CRASH" if number % 10 == 0 else "One two three."
        with server.connect() as connection:
            connection.ask(speech_body(text))
            return text, connection.answer()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(60)))
    for text, answer in answers:
        if text == "CRASH":
            assert_error(answer, 503, "engine_crashed")
            assert "Retry-After" in answer.headers
        else:
            assert (answer.status, answer.body == right) == (200, True)
    assert server.metric("autovoice_engine_errors_total", reason="crash") == 12
    until(server.is_ready, "the server is ready again")


def storm(server, requests, period_s, texts):
    """Send requests from 16 threads while a worker is killed every ``period_s`` seconds."""
    right = [server.speak(text, response_format="wav").content for text in texts]
    assert len(set(right)) == len(texts)
    over = threading.Event()
    killed = []

    def loaded():
        return server.metric("autovoice_engine_load_duration_seconds")

    def kill_workers():
        chance = random.Random(2)
        while not over.wait(period_s):
            before, pids = loaded(), server.engine_pids()
            killed.append(chance.choice(pids))
            kill(killed[-1])
            # On a busy machine a worker takes longer to start than the next kill to come, and
            # then none would ever live.
            until(lambda: over.is_set() or loaded() != before, "another worker has been loaded")

    killer = threading.Thread(target=kill_workers)
    killer.start()
    wrong = []

    def ask(numbers):
        with server.connect() as connection:
            for number in numbers:
                connection.ask(speech_body(texts[number % len(texts)]))
                answer = connection.answer()
                if answer.status != 200:
                    wrong.append((number, answer.status, answer.body))
                elif answer.body != right[number % len(texts)]:
                    wrong.append((number, "another sound", len(answer.body)))

    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            done = [pool.submit(ask, range(first, requests, 16)) for first in range(16)]
            for future in done:
                future.result()
    finally:
        over.set()
        killer.join()
    return wrong, killed


STORM_TEXTS = [f"This is number {number}, and nothing else." for number in range(30)]
STORM_STREAMS = [f"This is number {number}. And this is its end." for number in range(30)]


def test_requests_survive_workers_that_are_killed(start):
    """Hundreds, with a kill every 0.3 s: none is lost, and each gets its own sound."""
    server = start(cache="off", engine_workers=2)
    wrong, killed = storm(server, 300, 0.3, [f"{text} {TEXT}" for text in STORM_TEXTS])
    assert wrong == []
    assert killed
    assert server.troubles() == []


@pytest.mark.slow
def test_a_thousand_requests_survive_a_killing_every_second(start):
    """Half of them streams; longer texts, so that it takes some seconds."""
    server = start(cache="off", engine_workers=2)
    texts = [" ".join([text] * 6) for pair in zip(STORM_TEXTS, STORM_STREAMS) for text in pair]
    wrong, killed = storm(server, 1000, 1.0, texts)
    assert wrong == []
    assert len(killed) >= 3
    assert server.in_progress() == 0


# --- the server's own end -------------------------------------------------------------------------


STOPS = "One two three. STOP and this is the end."
"""Streams its first sentence; the engine then waits for SIGCONT."""


@pytest.fixture
def stopping(start):
    """Makes a server with one worker, and a stream that is half done until the test goes on."""
    engines = []

    def begin(*, drain_s, **fields):
        server = start(
            engine="stub", engine_workers=1, engine_timeout_s=600, drain_s=drain_s, cache="off"
        )
        (engine,) = server.engine_pids()
        engines.append(engine)
        stream = server.connect().ask(speech_body(STOPS, **fields))
        assert stream.head().status == 200
        pieces = [stream.chunk()]
        until(lambda: is_stopped(engine), "the engine has come to its stop")
        return server, engine, stream, pieces

    yield begin
    for engine in engines:
        kill(engine, signal.SIGCONT)


def wait_until_draining(connection):
    """Ask on a connection that was opened before, as those that a client keeps are told, too."""

    def readiness():
        connection.send(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection.answer()

    answer = until(
        lambda: next((found for found in [readiness()] if found.status == 503), None),
        "readiness says that the server stops",
    )
    assert "draining" in json.loads(answer.body)["reasons"][0]


def sound(body, fields):
    """The audio of an answer, which has to be a complete one."""
    if not fields:
        return body
    *deltas, done = [json.loads(event[6:]) for event in body.decode().split("\n\n")[:-1]]
    assert done["type"] == "speech.audio.done"
    return b"".join(base64.b64decode(delta["audio"]) for delta in deltas)


@pytest.mark.parametrize("everybody", [False, True], ids=["first", "all"])
@pytest.mark.parametrize("fields", [{}, {"stream_format": "sse"}], ids=["audio", "sse"])
def test_sigterm_lets_a_stream_finish(stopping, fields, everybody):
    """Whole, while new requests are turned away and readiness says so; then all is gone.

    Some service managers signal every process, some only the first.
    """
    server, engine, stream, pieces = stopping(drain_s=600, **fields)
    kill(engine, signal.SIGCONT)
    right = sound(b"".join([*pieces, *stream.chunks()]), fields)
    stream.ask(speech_body(STOPS, **fields))
    assert stream.head().status == 200
    until(lambda: is_stopped(engine), "the engine has come to its stop again")
    pids = [server.serving_pid(), engine]
    beside = server.connect()
    for pid in [server.process.pid] + pids * everybody:
        kill(pid, signal.SIGTERM)
    wait_until_draining(beside)
    beside.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert beside.answer().status == 200
    refused = beside.ask(speech_body("Too late.")).answer()
    assert_error(refused, 503, "draining")
    assert int(refused.headers["Retry-After"]) >= 1
    beside.close()
    kill(engine, signal.SIGCONT)
    assert sound(b"".join(stream.chunks()), fields) == right
    stream.close()
    assert server.process.wait(60) == 0
    until(lambda: not any(map(is_running, pids)), "no process is left")
    assert server.troubles() == []


def assert_cut_off(stream):
    """The client notices that audio is missing."""
    with pytest.raises((EOFError, ConnectionResetError)):
        for _ in stream.chunks():
            pass


@pytest.mark.parametrize("again", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_second_signal_ends_a_drain_at_once(stopping, again):
    """Somebody has lost patience, and ten minutes of it were left."""
    server, engine, stream, _ = stopping(drain_s=600)
    pids = [server.serving_pid(), engine]
    beside = server.connect()
    kill(server.process.pid, signal.SIGTERM)
    wait_until_draining(beside)
    kill(server.process.pid, getattr(signal, again))
    assert server.process.wait(30) == 0
    assert_cut_off(stream)
    until(lambda: not any(map(is_running, pids)), "no process is left")
    assert server.troubles() == []


@pytest.mark.parametrize("numbers", [["SIGINT"], ["SIGTERM", "SIGINT"]], ids=str)
def test_the_impatient_are_not_kept_waiting(stopping, numbers):
    """Ctrl-C does not wait for streams, nor do two signals in a row."""
    server, engine, stream, _ = stopping(drain_s=600)
    pids = [server.serving_pid(), engine]
    for number in numbers:
        kill(server.process.pid, getattr(signal, number))
    assert server.process.wait(30) == 0
    assert_cut_off(stream)
    until(lambda: not any(map(is_running, pids)), "no process is left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_an_idle_server_ends_when_asked_to(start, number):
    """Without an error, and without leaving a process."""
    server = start(engine="stub")
    assert server.speak("Hello.").status_code == 200
    pids = [server.serving_pid(), *server.engine_pids()]
    assert server.stop(number) == 0
    until(lambda: not any(map(is_running, pids)), "no process is left")
    assert server.troubles() == []
    assert "Traceback" not in server.output()


def test_a_stream_that_does_not_end_in_time_is_ended(stopping):
    """The drain has its time, and no more."""
    server, _, stream, _ = stopping(drain_s=2)
    began = time.monotonic()
    assert server.stop() == 0
    assert 2 <= time.monotonic() - began < 6
    assert_cut_off(stream)


def test_a_request_that_does_not_arrive_in_time_holds_up_no_drain(start):
    """Neither in the lobby nor in a thread."""
    server = start(engine="stub", drain_s=1)
    begun = [
        post(b"  ")[:-1],
        b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n",
    ]
    connections = [server.connect() for _ in begun]
    for connection, data in zip(connections, begun):
        connection.send(data)
    assert server.get("/health/live").status_code == 200
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 5
    for connection in connections:
        assert connection.at_end()
        connection.close()


def test_the_process_that_serves_is_replaced_when_it_is_killed(start):
    """And its engine's workers do not outlive it."""
    server = start(engine="stub")
    old, workers = server.serving_pid(), server.engine_pids()
    assert workers
    kill(old)
    until(lambda: not any(map(is_running, workers)), "the old workers are gone")
    until(lambda: server.serving_pid() != old, "another one serves")
    server.wait_until_ready()
    assert server.speak("Hello again.").status_code == 200
    assert len(children(server.process.pid)) == 1


def test_nothing_is_left_when_the_first_process_is_killed(start):
    """Where nobody can say goodbye, everybody notices."""
    server = start(engine="stub")
    pids = [server.serving_pid(), *server.engine_pids()]
    server.stop(signal.SIGKILL)
    until(lambda: not any(map(is_running, pids)), "no process is left")


def test_the_engines_workers_are_not_stopped_by_signals_to_the_group(start):
    """Ctrl-C and service managers reach every process; the server still finishes."""
    server = start(engine="stub", engine_workers=1)
    (worker,) = server.engine_pids()
    for number in (signal.SIGINT, signal.SIGTERM):
        kill(worker, number)
    assert server.speak("Still here.").status_code == 200
    assert server.engine_pids() == [worker]


def test_the_server_speaks_after_idling_past_its_proof_of_life(start):
    """A ready answer is a real synthesis: dead workers are not ready, new ones are."""
    server = start(engine="stub", engine_workers=2)
    for pid in server.engine_pids():
        kill(pid)
    until(server.is_ready, "the server is ready again")
    assert server.speak(SENTENCE).status_code == 200
