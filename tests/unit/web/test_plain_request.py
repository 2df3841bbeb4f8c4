"""What is read past gunicorn's parser means the same to gunicorn's parser."""

import io
import socket

import pytest
from gunicorn.config import Config
from gunicorn.http import RequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from auto_voice.web import plain_request

LINE = b"POST /v1/audio/speech HTTP/1.1\r\n"
HEAD = LINE + b"Host: x\r\n"


def as_gunicorn_reads(received):
    """The first request, its body, and where the connection's bytes go on."""
    config = Config()
    pieces = iter([received])
    parser = RequestParser(config, pieces, ("192.0.2.1", 1))
    request = next(parser)
    return request, request.body.read()


def joined(headers):
    found = {}
    for name, value in headers:
        assert name not in found
        found[name] = value
    return found


def assert_means_the_same(received):
    plain = plain_request.parse(received)
    if plain is None:
        return False
    whole = received + b"x" * max(0, plain.missing)
    request, body = as_gunicorn_reads(whole)
    assert (request.method, request.path, request.query) == ("POST", "/v1/audio/speech", "")
    assert request.version == (1, 1)
    assert request.should_close() == plain.close
    assert whole[plain.body_at : plain.end] == body
    theirs = {"HTTP_" + name.replace("-", "_"): value for name, value in request.headers}
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        if "HTTP_" + name in theirs:
            theirs[name] = theirs.pop("HTTP_" + name)
    assert len(theirs) == len(request.headers)
    assert theirs == plain.environ
    return True


def test_the_usual_request_is_plain():
    received = HEAD + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    assert assert_means_the_same(received)
    request = plain_request.parse(received + b"POST")
    assert (request.missing, request.rest, request.close) == (-4, b"POST", False)


def test_a_body_that_has_not_come_is_missing():
    request = plain_request.parse(HEAD + b"Content-Length: 20\r\n\r\n{}")
    assert request.missing == 18


@pytest.mark.parametrize("value, close", [(b"close", True), (b"Keep-Alive", False)])
def test_the_client_says_whether_the_connection_stays(value, close):
    received = HEAD + b"Content-Length: 0\r\nConnection: " + value + b"\r\n\r\n"
    assert assert_means_the_same(received)
    assert plain_request.parse(received).close is close


NOT_PLAIN = {
    "no length": HEAD + b"\r\n",
    "no host": LINE + b"Content-Length: 0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": HEAD + b"Content-Length: 2, 2\r\n\r\n{}",
    "a signed length": HEAD + b"Content-Length: +2\r\n\r\n{}",
    "a length in other digits": HEAD + "Content-Length: ٢\r\n\r\n{}".encode(),
    "a length with an underscore": HEAD + b"Content-Length: 1_0\r\n\r\n{}",
    "a huge length": HEAD + b"Content-Length: 99999999\r\n\r\n{}",
    "a body too large": HEAD + b"Content-Length: 65537\r\n\r\n{}",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both kinds of length": HEAD
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "an expectation": HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "an upgrade": HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
    "two hosts": HEAD + b"Host: y\r\nContent-Length: 0\r\n\r\n",
    "two of one name": HEAD + b"X-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n",
    "an underscore": HEAD + b"X_API_Key: k\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 0\r\n\r\n",
    "a folded line": HEAD + b"X-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "a bare line feed": HEAD + b"X-A: 1\nContent-Length: 0\r\n\r\n",
    "a bare carriage return": HEAD + b"X-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n",
    "a NUL": HEAD + b"X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a byte beyond ASCII": HEAD + b"X-A: \xff\r\nContent-Length: 0\r\n\r\n",
    "an empty name": HEAD + b": a\r\nContent-Length: 0\r\n\r\n",
    "a line without colon": HEAD + b"X-A\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0": b"POST /v1/audio/speech HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "a query": b"POST /v1/audio/speech?a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "another path": b"POST /v1/audio/speec HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "another method": b"GET /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "half a head": HEAD + b"Content-Length: 0\r\n",
    "a head without fields": LINE + b"\r\n",
    "a hundred fields": HEAD
    + b"".join(b"X-%d: a\r\n" % n for n in range(100))
    + b"Content-Length: 0\r\n\r\n",
    "a long field": HEAD + b"X-A: " + b"a" * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_could_be_read_differently_is_left_to_gunicorn(name):
    assert plain_request.parse(NOT_PLAIN[name]) is None


NAMES = st.sampled_from(
    ["Host", "Content-Length", "content-length", "Content-Type", "Connection", "X-A", "x-a"]
    + ["Authorization", "Transfer-Encoding", "X_A", "Cookie", "Accept", "X-Forwarded-For", ""]
) | st.text("aZ-_ 0:\t", max_size=6)
VALUES = st.sampled_from(
    ["x", "0", "2", "5", "close", "keep-alive", "chunked", "", " a ", "a\t", "a, b", "é", "\x7f"]
) | st.text(max_size=8)
ENDS = st.sampled_from(["\r\n"] * 8 + ["\n", "\r", "\r\n ", "\r\n\r\n"])
COLONS = st.sampled_from([": "] * 6 + [":", " :", ":\t", ""])


@given(
    st.lists(st.tuples(NAMES, COLONS, VALUES, ENDS), max_size=6),
    st.binary(max_size=12),
)
@example([("Connection", ": ", "close", "\r\n"), ("X-A", ":", "", "\r\n")], b"{}")
def test_whatever_is_taken_gunicorn_reads_likewise(fields, rest):
    lines = "".join("".join(field) for field in fields)
    for host in (b"", b"Host: x\r\nContent-Length: 2\r\n"):
        assert_means_the_same(LINE + host + lines.encode("latin-1", "replace") + b"\r\n" + rest)


@given(st.binary(max_size=40), st.integers(0, 90))
def test_any_bytes_in_the_middle_are_read_likewise(noise, at):
    received = HEAD + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    assert_means_the_same(received[:at] + noise + received[at:])


def served(app, received, close=False):
    """What a client gets, and whether its connection stays."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        request = plain_request.parse(received)
        stays = plain_request.serve(request, app, ours, "192.0.2.1", close)
        ours.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: theirs.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body, stays


PLAIN = HEAD + b"Content-Length: 2\r\n\r\n{}"


def test_a_body_with_a_length_is_sent_as_it_is():
    def app(environ, start_response):
        assert environ["wsgi.input"].read() == b"{}"
        assert environ["REMOTE_ADDR"] == "192.0.2.1"
        start_response("200 OK", [("Content-Length", "6")])
        return [b"one", b"", b"two"]

    head, body, stays = served(app, PLAIN)
    assert (head[0], body, stays) == ("HTTP/1.1 200 OK", b"onetwo", True)
    assert "Connection: keep-alive" in head and "Content-Length: 6" in head


def test_a_body_without_a_length_is_sent_in_chunks():
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"one", b"", b"eleven more"]

    head, body, _ = served(app, PLAIN)
    assert "Transfer-Encoding: chunked" in head
    assert body == b"3\r\none\r\nb\r\neleven more\r\n0\r\n\r\n"


@pytest.mark.parametrize("by", ["client", "server", "application"])
def test_a_connection_that_shall_end_ends(by):
    def app(environ, start_response):
        own = [("Connection", "close")] if by == "application" else []
        start_response("413 Content Too Large", [("Content-Length", "0"), *own])
        return []

    received = PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    head, _, stays = served(app, received if by == "client" else PLAIN, close=by == "server")
    assert not stays
    assert [line for line in head if line.startswith("Connection")] == ["Connection: close"]


def test_an_answer_that_breaks_off_has_no_end_and_is_closed():
    closed = []

    class Body:
        def __iter__(self):
            yield b"one"
            raise BrokenPipeError

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [])
        return Body()

    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(BrokenPipeError):
            plain_request.serve(plain_request.parse(PLAIN), app, ours, "", False)
        assert theirs.recv(1 << 16).endswith(b"3\r\none\r\n")
    assert closed == [True]


def test_a_line_break_in_a_header_is_not_sent():
    def app(environ, start_response):
        start_response("200 OK", [("X-A", "1\r\nX-B: 2")])
        return []

    with pytest.raises(ValueError):
        served(app, PLAIN)


def test_a_large_body_comes_whole_through_a_narrow_socket():
    data = bytes(range(256)) * 8192

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", str(len(data)))])
        return [data]

    import threading

    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, theirs:
        got = io.BytesIO()
        reader = threading.Thread(
            target=lambda: [got.write(piece) for piece in iter(lambda: theirs.recv(999), b"")]
        )
        reader.start()
        plain_request.serve(plain_request.parse(PLAIN), app, ours, "", False)
        ours.shutdown(socket.SHUT_WR)
        reader.join(30)
    assert got.getvalue().partition(b"\r\n\r\n")[2] == data
