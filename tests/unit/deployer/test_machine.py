"""One request over an open connection, whatever is at its other end."""

import socket
import threading
import time

import pytest

from deployer.machine import Request, exchange


def asked(server, timeout_s=2.0, request=Request("GET", 80, "/health/ready", key="k3y")):
    """An answer of `server`, which gets the other end."""
    here, there = socket.socketpair()
    thread = threading.Thread(target=server, args=(there,), daemon=True)
    thread.start()
    with here:
        here.settimeout(timeout_s)
        try:
            return exchange(here, request, timeout_s)
        finally:
            thread.join(timeout=5)
            there.close()


def saying(*pieces, pause_s=0.0):
    """A server that says this, whatever it is asked."""
    heard = []

    def server(connection):
        heard.append(connection.recv(65536))
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
        except OSError:
            pass
        connection.close()

    server.heard = heard
    return server


def test_an_answer_is_read_to_its_end():
    server = saying(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n0\r\n\r\n"
    )
    answer = asked(server)
    assert (answer.status, answer.body) == (200, b"ok")
    [request] = server.heard
    assert request.startswith(b"GET /health/ready HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer k3y\r\n" in request


def test_the_first_byte_is_what_is_timed():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    answer = asked(saying(head, b"a", b"b", pause_s=0.3))
    assert 0.2 < answer.first_byte_s < 0.55


@pytest.mark.parametrize(
    "pieces",
    [(), (b"",), (b"hello\r\n\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal",)],
)
def test_what_is_no_answer_is_an_error(pieces):
    with pytest.raises(OSError):
        asked(saying(*pieces))


def test_a_trickle_ends_in_time():
    """Each byte comes within the time-out, and all of them would not."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    began = time.monotonic()
    with pytest.raises(OSError):
        asked(saying(head, *[b"x"] * 100, pause_s=0.05), timeout_s=0.5)
    assert time.monotonic() - began < 3


def test_the_key_is_not_shown():
    assert "k3y" not in Request("POST", 80, "/v1/audio/speech", {"input": "x"}, "k3y").shown()
