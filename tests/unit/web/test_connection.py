"""A connection waits as long as it should, and no longer."""

import socket
import threading

import pytest

from auto_voice.web import connection as module
from auto_voice.web.connection import LINGER_S, Connection
from auto_voice.web.lobby import BYTES_PER_S, REQUEST_S


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    made = Connection.of(ours, [None])
    yield made, theirs
    made.close()
    theirs.close()


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.mark.parametrize("blocking", [True, False])
def test_it_blocks_or_does_not_as_it_is_told(blocking):
    """gunicorn switches it while it waits for the first byte."""
    ours, theirs = socket.socketpair()
    ours.setblocking(blocking)
    made = Connection.of(ours, [None])
    with made, theirs:
        made.setblocking(True)
        made.expect(True)
        assert made.gettimeout() is None
        threading.Timer(2 * LINGER_S, theirs.sendall, [b"late"]).start()
        assert made.recv(10) == b"late"
        made.setblocking(False)
        assert made.gettimeout() == 0.0


def test_between_requests_silence_ends_the_waiting_soon(pair):
    ours, _ = pair
    with pytest.raises(BlockingIOError):
        ours.recv(10)


def test_the_rest_of_a_request_is_waited_for_longer(pair):
    ours, theirs = pair
    ours.expect(True)
    threading.Timer(3 * LINGER_S, theirs.sendall, [b"late"]).start()
    assert ours.recv(10) == b"late"
    ours.expect(False)
    with pytest.raises(BlockingIOError):
        ours.recv(10)


@pytest.mark.parametrize("pause_s", [0.01, 0.9])
def test_however_it_drips_a_request_has_to_end(pair, clock, pause_s):
    """Also where there is something to read whenever one looks."""
    ours, theirs = pair
    began = clock.now
    ours.expect(True)
    with pytest.raises(TimeoutError):
        while True:
            theirs.sendall(b"x")
            assert ours.recv(10) == b"x"
            clock.now += pause_s
    assert REQUEST_S < clock.now - began < 1.2 * REQUEST_S


def test_what_has_come_buys_time(pair, clock):
    """A long body over a slow line is no attack."""
    ours, theirs = pair
    ours.expect(True)
    theirs.sendall(b"x" * BYTES_PER_S)
    assert len(ours.recv(BYTES_PER_S)) == BYTES_PER_S
    clock.now += REQUEST_S + 0.9  # longer than a request that has just begun may take
    theirs.sendall(b"more")
    assert ours.recv(10) == b"more"
    clock.now += 0.2
    with pytest.raises(TimeoutError):
        ours.recv(10)


def test_the_next_request_has_all_its_time(pair, clock):
    ours, theirs = pair
    for _ in range(3):
        ours.expect(True)
        clock.now += REQUEST_S - 1
        theirs.sendall(b"x")
        assert ours.recv(10) == b"x"


@pytest.mark.parametrize("elapsed_s", [0, 1])
def test_without_a_token_no_thread_waits_for_the_slow(clock, elapsed_s):
    """What has come already is read all the same."""
    ours, theirs = socket.socketpair()
    made = Connection.of(ours, [])
    with made, theirs:
        made.expect(True)
        theirs.sendall(b"quick")
        clock.now += elapsed_s
        assert made.recv(10) == b"quick"
        with pytest.raises(TimeoutError):
            made.recv(10)


def test_a_token_is_given_back():
    tokens = [None]
    ours, theirs = socket.socketpair()
    made = Connection.of(ours, tokens)
    with made, theirs:
        made.expect(True)
        threading.Timer(2 * LINGER_S, theirs.sendall, [b"late"]).start()
        assert made.recv(10) == b"late"
        assert tokens == [None]


def test_a_look_at_what_has_come_never_waits(pair):
    """Whether the client is gone is asked in the middle of everything."""
    ours, _ = pair
    ours.expect(True)
    with pytest.raises(BlockingIOError):
        ours.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
