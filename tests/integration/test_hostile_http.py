"""What no honest client sends. Nothing of it may harm the server or anybody else's request."""

import contextlib
import json
import socket
import threading

import pytest

from auto_voice.web.server import SPARE_THREADS
from tests.integration.serving import (
    AUTOVOICE,
    SENTENCE,
    SPEECH,
    TEXT,
    Connection,
    assert_error,
    children,
    post,
    speech_body,
    until,
)
from tests.unit.web.bad_bodies import BAD_BODIES

GOOD = json.dumps(speech_body(SENTENCE)).encode()


@pytest.fixture(autouse=True)
def unharmed(server):
    """After each test the same process answers as before, and has logged no error."""
    pid, troubles = server.serving_pid(), len(server.troubles())
    yield
    assert server.get("/health/live").status_code == 200
    assert server.speak().status_code == 200
    assert server.serving_pid() == pid
    assert server.troubles()[troubles:] == []


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_refused(server, name):
    """The same table as in the unit tests, through a real server."""
    bad = BAD_BODIES[name]
    answer = server.request(
        "POST",
        SPEECH,
        data=bad.body,
        headers={"Content-Type": bad.content_type, **dict(bad.headers)},
    )
    assert answer.status_code in bad.statuses
    assert_error(answer, answer.status_code)


STRANGE_TEXTS = {
    "a NUL": "\0",
    "a NUL in a word": "Hello\0world",
    "control characters": "\x01\x02\x1b[31mred\x1b[0m",
    "right to left": "\u202eright to left\u202c",
    "combining marks": "z\u0301\u0302\u0303" * 500,
    "joined pictures": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 100,
    "no characters": "\ufeff\ufffe\uffff",
    "the last character": "\U0010ffff" * 50,
    "markup": "<speak><break time='1s'/>Hello</speak>",
    "phonemes and code": "[[h@l'oU]] %s %n {0} ${x} `id` $(id)",
    "SQL": "'; DROP TABLE voices; --",
    "full stops": "." * 4096,
    "one long word": "a" * 4096,
    "question and exclamation marks": "?!" * 2048,
    "empty lines": "\n" * 4095 + "a",
    "a number of 4,096 digits": "1" * 4096,
    "dashes": "-" * 4096,
    "brackets": "(" * 4096,
}


@pytest.mark.parametrize("name", STRANGE_TEXTS)
def test_a_strange_text_is_spoken(server, name):
    """It is only text; what cannot be spoken is silent."""
    answer = server.speak(STRANGE_TEXTS[name], speed=4.0)
    assert answer.status_code == 200, answer.text
    assert answer.content[:4] == b"RIFF"
    assert len(answer.content) > 44


@pytest.mark.parametrize("declared", [1_000_000, 50_000_000, 10**17, 10**18, 10**40])
def test_a_body_that_is_too_large_is_refused_without_reading_it(server, declared):
    """The answer is there although nothing of the body is."""
    with server.connect() as connection:
        connection.send(post(b"").replace(b"Length: 0", b"Length: %d" % declared))
        assert_error(connection.answer(), 413, "request_too_large")


@pytest.mark.parametrize("size", [100_000, 1_000_000, 50_000_000])
def test_a_client_that_sends_a_large_body_all_the_same_gets_its_answer(server, size):
    """It is told what is wrong, although it asks only after it has sent everything."""
    body = json.dumps(speech_body("a" * size)).encode()
    answer = server.request("POST", SPEECH, data=body, headers={"Content-Type": "application/json"})
    assert_error(answer, 413, "request_too_large")


def test_a_refusal_before_the_body_was_read_ends_the_connection(server):
    """And says so: a client must not send its next request there."""
    with server.connect() as connection:
        connection.send(post(b"").replace(b"Length: 0", b"Length: 1000000"))
        answer = connection.answer()
        assert answer.status == 413
        assert answer.headers["Connection"] == "close"
    for _ in range(20):
        assert server.speak("a" * 200_000).status_code == 413
        assert server.speak().status_code == 200


def test_a_large_chunked_body_is_read_no_further_than_the_limit(server):
    """Here nobody says before how large it is."""
    with server.connect() as connection:
        connection.send(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        for _ in range(3):
            connection.send(chunk)
        assert_error(connection.answer(), 413, "request_too_large")


def test_a_chunked_body_is_spoken(server):
    """With the length in chunks, as `curl -T -` sends it."""
    with server.connect() as connection:
        cut = len(GOOD) // 2
        connection.send(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n%X\r\n%s\r\n" % (cut, GOOD[:cut])
        )
        connection.send(b"%X;note=1\r\n%s\r\n0\r\n\r\n" % (len(GOOD) - cut, GOOD[cut:]))
        answer = connection.answer()
        assert (answer.status, answer.body) == (200, server.speak().content)
        # Nothing of the body is left in front of the next request.
        assert connection.ask(speech_body(SENTENCE)).answer().status == 200


# --- requests that are none -----------------------------------------------------------------------

HEAD = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)) + b"\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "another protocol": b"EHLO example.org\r\n\r\n",
    "a method that is none": b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long address": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "a header with a space in its name": b"GET / HTTP/1.1\r\nX Y: z\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nnonsense\r\n\r\n",
    "a header of 100 kB": b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "a thousand headers": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
    "a lone CR in a header": b"GET / HTTP/1.1\r\nX-Request-ID: a\rSet-Cookie: b\r\n\r\n",
    "an address that is a star": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nX-Request-ID: a\r\n forged\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": HEAD + b"Content-Length: +10\r\n\r\n" + b"x" * 10,
    "a length that is a word": HEAD + b"Content-Length: ten\r\n\r\n",
    "a length in hexadecimal": HEAD + b"Content-Length: 0x10\r\n\r\n",
    "a broken length": HEAD + b"Content-Length: 1.5\r\n\r\n",
    "a length in other digits": HEAD + "Content-Length: ٣\r\n\r\n".encode(),
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a list of lengths": HEAD + b"Content-Length: 2, 3\r\n\r\n{}",
    "a length and chunks": HEAD
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "an unknown coding": HEAD + b"Transfer-Encoding: rot13\r\n\r\n{}",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is a word": CHUNKED + b"ten\r\n0123456789\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a prefix": CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    "an empty chunk size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk that is too long": CHUNKED + b"2\r\n{}{}{}\r\n0\r\n\r\n",
    "an expectation": HEAD + b"Expect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}",
}
WELL_FRAMED = ("an address that is a star", "an expectation")
"""Where it is clear all the same where the next request begins; gunicorn's versions differ."""


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused(server, name):
    """It is the client's fault, so never a 500, and nothing is served."""
    with server.connect() as connection:
        connection.send(MALFORMED[name])
        answer = connection.answer()
        assert 400 <= answer.status < 500 or answer.status == 501
        # Nobody knows where the next request would begin, so there is none.
        assert answer.headers["Connection"] == "close" or name in WELL_FRAMED
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.at_end()


@pytest.mark.parametrize("name", MALFORMED)
def test_the_refusal_has_openais_shape(server, name):
    """Clients read every error in the same way, also those of the layer below."""
    with server.connect() as connection:
        connection.send(MALFORMED[name])
        answer = connection.answer()
        assert_error(answer, answer.status)


@pytest.mark.parametrize("name", MALFORMED)
def test_the_refusal_does_not_hold_up_the_next_request(server, name):
    """Also where the client just leaves."""
    with server.connect() as connection:
        connection.send(MALFORMED[name])
    assert server.speak().status_code == 200


def test_a_body_without_a_length_is_an_empty_one(server):
    with server.connect() as connection:
        connection.send(HEAD + b"\r\n")
        assert_error(connection.answer(), 400, "invalid_json")


def test_a_body_that_breaks_off_is_not_spoken(server):
    """A client that dies while sending has not meant what has arrived."""
    before = server.metric("autovoice_synthesis_requests_total")
    for cut in (1, len(GOOD) // 2, len(GOOD) - 1):
        with server.connect() as connection:
            connection.send(post(GOOD)[: cut - len(GOOD)])
            connection.socket.shutdown(socket.SHUT_WR)
            if not connection.at_end():
                pass  # a refusal has come, which is as good
    with server.connect() as connection:
        connection.send(CHUNKED + b"%X\r\n%s\r\n" % (len(GOOD), GOOD))  # no last chunk
        connection.socket.shutdown(socket.SHUT_WR)
        connection.at_end()
    assert server.metric("autovoice_synthesis_requests_total") == before


def test_a_length_that_is_too_short_cuts_the_body(server):
    """What is left over is the next request's trouble, and that is refused."""
    with server.connect() as connection:
        connection.send(post(GOOD).replace(b"Length: %d" % len(GOOD), b"Length: 10"))
        assert_error(connection.answer(), 400, "invalid_json")


# --- headers --------------------------------------------------------------------------------------


def log_grew_by(server, before):
    return server.log()[len(before) :]


FORGED = '{"level":"ERROR","message":"forged"}'


@pytest.mark.parametrize(
    "raw",
    [
        b"X-Request-ID: a\r\nX-Other: b",
        b"X-Request-ID: a%0d%0a" + FORGED.encode(),
        b"X-Request-ID: " + FORGED.encode(),
        b"X-Request-ID: \xe2\x80\xa8" + FORGED.encode(),
        b"X-Request-ID: a\xc2\x85" + FORGED.encode(),
        b"X-Request-ID: a\tb",
        b"X-Request-ID: " + b"a" * 5000,
        b"User-Agent: \xff\xfe\x80",
        b"traceparent: 00-" + FORGED.encode(),
        b"Authorization: Bearer \xff\xff",
        b"Authorization: " + b"x" * 8000,
        b"X-API-Key: \xf0\x9f\x98\x80",
        b"Accept: " + b"*/*;q=0.1," * 700,
        b"Content-Type: \xff",
        b"Cookie: a=\xe9",
        b"X-Forwarded-For: " + FORGED.encode(),
        b"Range: bytes=0-1",
        b"If-None-Match: *",
        b"Connection: X-Request-ID",
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAAA",
        b"\r\n".join(b"X-%d: y" % number for number in range(90)),
    ],
    ids=lambda raw: repr(raw[:40]),
)
def test_a_strange_header_changes_nothing(server, raw):
    """The answer is as ever, and the log has one honest line about it."""
    before = server.log()
    with server.connect() as connection:
        connection.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + raw + b"\r\n\r\n")
        answer = connection.answer()
        assert answer.status == 200
        assert not [line for line in answer.headers.lines if "forged" in line or "owned" in line]
    until(lambda: log_grew_by(server, before), "the request is in the log")
    lines = log_grew_by(server, before)
    assert [line["message"] for line in lines] == ["GET /v1/models 200"]
    assert lines[0]["level"] == "INFO"


def test_an_escape_sequence_in_a_header_reaches_no_terminal(server):
    """gunicorn's versions differ in what they let through; the log shows none of it."""
    with server.connect() as connection:
        sequence = b"User-Agent: \x1b]0;owned\x07\r\nX-Request-ID: a\x1b[2Jb\r\n"
        connection.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n" + sequence + b"\r\n")
        answer = connection.answer()
        assert answer.status in (200, 400)
        assert b"\x1b" not in answer.body + "".join(answer.headers.lines).encode()
    assert "\x1b" not in server.output()


@pytest.mark.parametrize(
    "path",
    [
        "/%0d%0a" + FORGED.replace(" ", "%20"),
        "/v1/models/%0d%0aSet-Cookie:%20a=b",
        "/v1/audio/voices/%00",
        "/v1/audio/voices/%ff%fe",
        "/v1/audio/voices/..%2f..%2fetc%2fpasswd",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//example.org/x",
        "/v1//models",
        "/v1/models;a=b",
        "/{{7*7}}",
        "/<script>alert(1)</script>",
        "/" + "a/" * 3000,
        "/v1/audio/voices?" + "&".join(f"a{number}=b" for number in range(800)),
        "/v1/audio/voices?language=%00%0d%0a",
        "/v1/audio/voices?q=%ff",
        "http://example.org/v1/models",
    ],
)
def test_a_strange_address_is_answered_and_forges_nothing(server, path):
    before = server.log()
    with server.connect() as connection:
        connection.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = connection.answer()
        if answer.status >= 400:
            assert answer.status < 500
            assert_error(answer, answer.status)
        assert "Set-Cookie" not in answer.headers
    for line in log_grew_by(server, before):
        assert line["level"] == "INFO"
        assert line["message"].startswith("GET ")


# --- the protocol ---------------------------------------------------------------------------------


def test_a_connection_is_used_again(server):
    """For all kinds of answers: whole, in chunks, and errors."""
    with server.connect() as connection:
        for _ in range(5):
            assert connection.ask(speech_body(SENTENCE)).answer().status == 200
            assert connection.ask(speech_body(TEXT)).answer().status == 200
            assert connection.ask(speech_body(SENTENCE, voice="nobody")).answer().status == 404
            connection.send(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.answer().status == 200


def test_a_client_may_ask_for_the_connection_to_be_closed(server):
    with server.connect() as connection:
        connection.ask(speech_body(SENTENCE), "Connection: close")
        answer = connection.answer()
        assert answer.status == 200
        assert answer.headers["Connection"] == "close"
        assert connection.at_end()


@pytest.mark.parametrize("count", [2, 20])
def test_requests_sent_at_once_are_answered_in_order(server, count):
    """Pipelining: nobody waits for an answer before the next request."""
    texts = [f"Number {number}." for number in range(count)]
    right = [server.speak(text).content for text in texts]
    with server.connect() as connection:
        connection.send(b"".join(post(json.dumps(speech_body(text)).encode()) for text in texts))
        assert [connection.answer().body for _ in texts] == right


def test_requests_of_all_kinds_sent_at_once_are_answered_in_order(server):
    """Also where an answer has no body, or an error, or comes in chunks."""
    with server.connect() as connection:
        connection.send(
            b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
            + post(json.dumps(speech_body(TEXT)).encode())
            + b"HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
            + post(b"nonsense")
            + b"OPTIONS /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
            + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        statuses = [connection.answer(to_head=number == 2).status for number in range(6)]
    assert statuses == [200, 200, 200, 400, 200, 404]


def test_http_1_0_gets_the_audio_until_the_end_of_the_connection(server):
    """Old clients do not know chunks."""
    for text in (SENTENCE, TEXT):
        body = json.dumps(speech_body(text)).encode()
        with server.connect() as connection:
            connection.send(
                b"POST /v1/audio/speech HTTP/1.0\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            answer = connection.answer()
            assert answer.status == 200
            assert "Transfer-Encoding" not in answer.headers
            assert answer.body == server.speak(text).content
            assert connection.at_end()


def test_a_client_that_waits_to_continue_is_told_to(server):
    """curl asks before it sends a body of more than a kilobyte."""
    with server.connect() as connection:
        connection.send(post(b"", "Expect: 100-continue").replace(b"h: 0", b"h: %d" % len(GOOD)))
        assert connection.answer().status == 100
        connection.send(GOOD)
        assert connection.answer().status == 200


def test_lines_may_end_as_the_protocol_says_and_bodies_come_in_crumbs(server):
    """A byte at a time is slow, but right."""
    with server.connect() as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(len(post(GOOD))):
            connection.send(post(GOOD)[number : number + 1])
        answer = connection.answer()
        assert (answer.status, answer.body) == (200, server.speak().content)


# --- slow and silent clients ----------------------------------------------------------------------


def unfinished(server, data, count):
    connections = [server.connect() for _ in range(count)]
    for connection in connections:
        connection.send(data)
    return connections


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nX-Slow: ", post(GOOD)[:-1]],
    ids=["silent", "in the headers", "in the body"],
)
def test_clients_that_do_not_finish_hold_up_nobody(server, begun):
    """A few dozen at once, while others are served."""
    connections = unfinished(server, begun, 40)
    try:
        for _ in range(10):
            with Connection(server.port) as other:
                assert other.ask(speech_body(SENTENCE)).answer().status == 200
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun",
    [b"POST /v1/audio", CHUNKED + b"5\r\nhell", post(GOOD)[:-1]],
    ids=["in the headers", "in a chunk", "in the body"],
)
def test_a_client_that_stops_sending_is_not_waited_for_for_ever(server, begun):
    (connection,) = unfinished(server, begun, 1)
    with connection:
        answer = connection.answer()
        assert_error(answer, 408, "request_timeout")
        assert answer.headers["Connection"] == "close"
        assert connection.at_end()


@contextlib.contextmanager
def dripping(connections, drop, pause_s):
    """Meanwhile, each connection sends ``drop`` again and again, as long as it is let."""
    over = threading.Event()

    def drip():
        while not over.wait(pause_s):
            for connection in connections:
                try:
                    connection.socket.send(drop, socket.MSG_DONTWAIT)
                except OSError:
                    pass  # the server has had enough of this one

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        for connection in connections:
            connection.close()


DRIPS = {
    "silent": (b"", b""),
    "in the headers": (b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"x"),
    "in the body": (post(b" " * 60_000)[:-59_000], b" "),
    "in a chunk": (CHUNKED + b"%X\r\n" % 60_000, b" "),
    "after its end": (b"nonsense\r\n\r\n", b"x"),
}


@pytest.fixture(scope="module")
def few_threads(start_for_module):
    """A stub server with as few threads as can be."""
    return start_for_module(engine="stub", max_requests=1)


@pytest.mark.parametrize("pause_s", [0.02, 1], ids=["often", "seldom"])
@pytest.mark.parametrize("name", DRIPS)
def test_more_dripping_clients_than_threads_hold_up_nobody(few_threads, name, pause_s):
    """A byte now and then keeps each of them alive; others are served all the same."""
    begun, drop = DRIPS[name]
    connections = unfinished(few_threads, begun, 5 * (1 + SPARE_THREADS))
    with dripping(connections, drop, pause_s):
        for _ in range(20):
            with few_threads.connect() as other:
                other.socket.settimeout(5)
                assert other.ask(speech_body(SENTENCE)).answer().status == 200
                other.send(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
                assert other.answer().status == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["in the headers", "in the body", "in a chunk"])
def test_a_dripping_client_is_cut_off(few_threads, name):
    """Not for its silence, which is never long, but for its slowness."""
    begun, drop = DRIPS[name]
    (connection,) = unfinished(few_threads, begun, 1)
    with dripping([connection], drop, 0.1):
        assert_error(connection.answer(), 408, "request_timeout")
        assert connection.at_end()


@pytest.mark.parametrize("limit", ["-Sn 128", "-n 400"], ids=["soft", "hard"])
def test_more_connections_than_open_files_harm_nobody(start, limit):
    """Where a machine allows few, silent ones give way; no process dies of it."""
    shell = f'ulimit {limit} && exec "$0" serve --port 0'
    server = start(command=["sh", "-c", shell, AUTOVOICE], engine="stub", max_requests=1)
    pid = server.serving_pid()
    connections = [server.connect() for _ in range(500)]
    for connection in connections[-20:]:
        assert connection.ask(speech_body(SENTENCE)).answer().status == 200
    assert server.serving_pid() == pid
    assert server.troubles() == []
    for connection in connections:
        connection.close()


def test_connections_that_only_open_cost_nothing(server):
    """Port scanners and load balancers do it."""
    for _ in range(100):
        server.connect().close()
    for _ in range(100):
        server.connect().reset()
    assert len(children(server.process.pid)) == 1
