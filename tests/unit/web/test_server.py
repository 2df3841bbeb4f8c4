"""The parts that sit between gunicorn and the connection."""

import pytest

from auto_voice import settings
from auto_voice.web.server import SPARE_THREADS, Server, _OneWrite


class Stingy:
    """A socket that takes a few bytes at a time."""

    def __init__(self, at_once):
        self.taken = b""
        self._at_once = at_once

    def sendmsg(self, buffers):
        data = b"".join(map(bytes, buffers))[: self._at_once]
        self.taken += data
        return len(data)

    def sendall(self, data):
        self.taken += bytes(data)


@pytest.mark.parametrize("at_once", range(1, 12))
def test_headers_and_body_arrive_in_order_however_little_is_taken(at_once):
    stingy = Stingy(at_once)
    out = _OneWrite(stingy)
    out.held = b"head"
    out.sendall(b"body")
    out.sendall(b"more")
    assert stingy.taken == b"headbodymore"


def configured(**values):
    return Server(settings.load({}, **values)).cfg


def test_there_are_threads_beyond_those_that_speech_can_take():
    """So that health, metrics and refusals are answered when every place is taken."""
    cfg = configured(max_requests=10)
    assert cfg.threads == 10 + SPARE_THREADS
    assert cfg.worker_connections > cfg.threads
    assert cfg.workers == 1


@pytest.mark.parametrize(
    ("host", "bound"),
    [("127.0.0.1", "127.0.0.1:5000"), ("::1", "[::1]:5000"), ("localhost", "localhost:5000")],
)
def test_an_address_is_bound_as_it_is_written(host, bound):
    assert configured(host=host).bind == [bound]


def test_the_drain_has_the_time_that_is_set():
    """gunicorn kills a worker only after it."""
    assert configured(drain_s=100.0).graceful_timeout > 100
