"""Bodies and connections as a WSGI server hands them over."""

import io
import socket

import msgspec
import pytest

from auto_voice.errors import (
    BodyTimeout,
    BodyTooLarge,
    InvalidJSON,
    InvalidRequest,
    UnsupportedMediaType,
)
from auto_voice.web.incoming import gone_check, query_string, read_body, validated
from auto_voice.web.speech_schemas import SpeechBody

decode = msgspec.json.Decoder(SpeechBody).decode


def environ(data=b"{}", length=None, kind="application/json", **more):
    made = {"wsgi.input": io.BytesIO(data), "CONTENT_TYPE": kind, **more}
    if length is not None:
        made["CONTENT_LENGTH"] = length
    return made


class Unreadable(io.BytesIO):
    """An input that must not be touched."""

    def read(self, *size):
        raise AssertionError("the body was read")


class Failing(io.BytesIO):
    """An input that breaks."""

    def __init__(self, error):
        super().__init__()
        self._error = error

    def read(self, *size):
        raise self._error


def test_a_body_is_read_up_to_its_length():
    """What follows belongs to the next request."""
    assert read_body(environ(b"{}POST /", "2"), 10) == b"{}"
    assert read_body(environ(b"", "0"), 10) == b""
    assert read_body(environ(b"x" * 10, "10"), 10) == b"x" * 10


@pytest.mark.parametrize("length", ["11", "1000000", "9" * 18, "9" * 19, "9" * 5000])
def test_a_length_past_the_limit_is_refused_unread(length):
    made = environ(length=length)
    made["wsgi.input"] = Unreadable()
    with pytest.raises(BodyTooLarge) as raised:
        read_body(made, 10)
    assert len(raised.value.message) < 200


def test_a_body_without_a_length_is_read_only_where_it_ends_by_itself():
    """Chunks do; on other servers reading on would wait for ever."""
    made = environ()
    made["wsgi.input"] = Unreadable()
    assert read_body(made, 10) == b""
    assert read_body(environ(b"{}", **{"wsgi.input_terminated": True}), 10) == b"{}"
    assert read_body(environ(b"x" * 10, **{"wsgi.input_terminated": True}), 10) == b"x" * 10
    with pytest.raises(BodyTooLarge):
        read_body(environ(b"x" * 11, **{"wsgi.input_terminated": True}), 10)


@pytest.mark.parametrize("length", ["", "-1", "+2", "2.0", "0x2", " 2", "two", "\u0662", "\xb2"])
def test_a_length_that_is_none_is_no_length(length):
    """The WSGI server has let it through; then it means nothing."""
    made = environ(length=length)
    made["wsgi.input"] = Unreadable()
    assert read_body(made, 10) == b""


@pytest.mark.parametrize(
    "kind",
    ["", "application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "a/b+json"],
)
def test_json_goes_by_several_names(kind):
    assert read_body(environ(b"{}", "2", kind), 10) == b"{}"


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/json", "application/jsonp", "json", "multipart/form-data", "\xff"]
)
def test_other_types_are_refused_unread(kind):
    made = environ(length="2", kind=kind)
    made["wsgi.input"] = Unreadable()
    with pytest.raises(UnsupportedMediaType):
        read_body(made, 10)


@pytest.mark.parametrize("error", [BlockingIOError(11, "no data"), TimeoutError()])
def test_a_body_that_does_not_come_is_a_timeout(error):
    made = environ(length="2")
    made["wsgi.input"] = Failing(error)
    with pytest.raises(BodyTimeout) as raised:
        read_body(made, 10)
    assert raised.value.retryable


@pytest.mark.parametrize("error", [OSError("bad chunk"), ConnectionResetError()])
def test_a_body_that_breaks_is_the_clients_fault(error):
    made = environ(**{"wsgi.input_terminated": True})
    made["wsgi.input"] = Failing(error)
    with pytest.raises(InvalidRequest) as raised:
        read_body(made, 10)
    assert raised.value.status == 400


def test_a_query_gives_the_last_value_of_each_name():
    assert query_string({"QUERY_STRING": "a=1&b=&a=2&c"}) == {"a": "2", "b": "", "c": ""}
    assert query_string({"QUERY_STRING": "a=%C3%A4+b"}) == {"a": "ä b"}
    assert query_string({}) == {}


def test_what_is_right_passes():
    body = validated(decode, b'{"input": "Hello", "speed": 2}')
    assert (body.input, body.speed, body.voice_name) == ("Hello", 2.0, None)
    assert validated(decode, b'{"input": "a", "voice": {"id": "de"}}').voice_name == "de"


@pytest.mark.parametrize(
    ("data", "param"),
    [
        (b'{"voice": "de"}', "input"),
        (b'{"input": 1}', "input"),
        (b'{"input": "a", "speed": "1"}', "speed"),
        (b'{"input": "a", "voice": {}}', "voice"),
        (b'{"input": "a", "voice": {"id": 1}}', "voice"),
        (b"[]", None),
    ],
)
def test_what_is_wrong_is_named(data, param):
    with pytest.raises(InvalidRequest) as raised:
        validated(decode, data)
    assert (raised.value.param, raised.value.status) == (param, 400)
    assert "$" not in raised.value.message or param is None


def test_a_long_value_is_not_sent_back():
    """Nobody reads an error of a megabyte."""
    for value in (b"x" * 100_000, b"'" * 100_000, "é".encode() * 100_000):
        with pytest.raises(InvalidRequest) as raised:
            validated(decode, b'{"input": "a", "response_format": "%s"}' % value)
        assert len(raised.value.message) < 1000
        assert raised.value.param == "response_format"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b'{"input": "\xff"}', b'{"input": "\\ud800"}']
)
def test_what_is_no_json_is_said_to_be_none(data):
    with pytest.raises(InvalidJSON):
        validated(decode, data)


def test_a_closed_connection_is_noticed_and_an_open_one_is_left_alone():
    """Without taking a byte of the next request, and without waiting."""
    ours, theirs = socket.socketpair()
    gone = gone_check({"gunicorn.socket": ours})
    assert not gone()
    theirs.sendall(b"GET /")
    assert not gone()
    assert ours.recv(100) == b"GET /"
    theirs.close()
    assert gone()
    ours.close()
    assert gone()


def test_without_a_connection_nobody_is_ever_gone():
    """Under another WSGI server the place is freed by the failing write."""
    assert not gone_check({})()
