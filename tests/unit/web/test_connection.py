"""A connection waits as long as it should, and no longer."""

import socket
import threading
import time

import pytest

from auto_voice.web import lobby
from auto_voice.web.connection import LINGER_S, Connection


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    made = Connection.of(ours, [None])
    yield made, theirs
    made.close()
    theirs.close()


@pytest.fixture
def hurried(monkeypatch):
    """Requests have little more time than a thread lingers."""
    monkeypatch.setattr(lobby, "REQUEST_S", 2 * LINGER_S)


@pytest.mark.parametrize("blocking", [True, False])
def test_it_blocks_or_does_not_as_it_is_told(blocking):
    """gunicorn switches it while it waits for the first byte."""
    ours, theirs = socket.socketpair()
    ours.setblocking(blocking)
    made = Connection.of(ours, [None])
    with made, theirs:
        made.setblocking(True)
        assert made.gettimeout() is None
        threading.Timer(LINGER_S / 2, theirs.sendall, [b"late"]).start()
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


@pytest.mark.parametrize("pause_s", [LINGER_S / 10, 1.5 * LINGER_S])
def test_however_it_drips_a_request_has_to_end(pair, hurried, pause_s):
    ours, theirs = pair
    over = threading.Event()

    def drip():
        while not over.wait(pause_s):
            theirs.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    ours.expect(True)
    try:
        with pytest.raises(TimeoutError):
            while True:
                assert ours.recv(10)
    finally:
        over.set()
        thread.join()


def test_what_has_come_buys_time(pair, hurried):
    """A long body over a slow line is no attack."""
    ours, theirs = pair
    theirs.sendall(b"x" * lobby.BYTES_PER_S)
    ours.expect(True)
    assert len(ours.recv(lobby.BYTES_PER_S)) == lobby.BYTES_PER_S
    time.sleep(3 * LINGER_S)  # longer than a request that has just begun may take
    theirs.sendall(b"more")
    assert ours.recv(10) == b"more"


def test_without_a_token_no_thread_waits_for_the_slow():
    ours, theirs = socket.socketpair()
    made = Connection.of(ours, [])
    with made, theirs:
        theirs.sendall(b"quick")
        made.expect(True)
        assert made.recv(10) == b"quick"
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            made.recv(10)
        assert time.monotonic() - began < lobby.REQUEST_S / 2


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
