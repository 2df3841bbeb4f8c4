"""Who waits in the lobby gets a thread once its request is whole, or goes."""

import queue
import socket
import time

import pytest

from auto_voice.web import lobby as module
from auto_voice.web.lobby import MAX_BODY_BYTES, MAX_HEAD_BYTES, Lobby, is_whole

HEAD = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\n"
PATIENCE_S = 30


@pytest.mark.parametrize(
    "received",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /next",
        HEAD + b"Content-Length: 2\r\n\r\n{}",
        HEAD + b"content-LENGTH:2\r\n\r\n{}POST",
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"\r\n",
    ],
)
def test_a_request_that_is_all_there_is_whole(received):
    assert is_whole(received, 100)
    cut = received.index(b"\r\n\r\n")
    assert not any(is_whole(received[:length], 100) for length in range(1, cut + 4))


def test_a_body_is_waited_for_to_its_last_byte():
    head = HEAD + b"Content-Length: 50\r\nX: y\r\n\r\n"
    assert not any(is_whole(head + b" " * length, 50) for length in range(50))
    assert is_whole(head + b" " * 50, 50)


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Length: 101",
        b"Content-Length: 999999999999999999",
        b"Content-Length: nonsense",
        b"Content-Length: -1",
        b"Content-Length: 2, 3",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 50\r\nTransfer-Encoding: chunked",
        b"Expect: 100-continue\r\nContent-Length: 50",
    ],
)
def test_where_the_head_says_all_nobody_waits_for_the_body(field):
    """It is refused at once, or a parser has to follow it, or the client waits itself."""
    assert is_whole(HEAD + field + b"\r\n\r\n", 100)


def test_no_more_is_kept_than_there_is_room_for():
    assert is_whole(HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), 1 << 40)
    assert not is_whole(b"x" * MAX_HEAD_BYTES, 100)
    assert is_whole(b"x" * (MAX_HEAD_BYTES + 1), 100)


def test_a_head_that_can_never_be_right_is_not_waited_for():
    assert is_whole(b"GET / HTTP/1.1\nHost: x\n", 100)


class Client:
    """Both ends of a connection."""

    def __init__(self):
        self.sock, self.theirs = socket.socketpair()

    def close(self):
        self.sock.close()
        self.theirs.close()


class House:
    """A lobby, and what has come out of it."""

    def __init__(self, places=10):
        self.resumed = queue.Queue()
        self.dismissed = queue.Queue()
        self.clients = []
        self.lobby = Lobby(
            places,
            lambda received: received.endswith(b"."),
            lambda client, received: self.resumed.put((client, received)),
            lambda client, received, late: self.dismissed.put((client, received, late)),
        )

    def client(self):
        made = Client()
        self.clients.append(made)
        return made

    def next_resumed(self):
        return self.resumed.get(timeout=PATIENCE_S)

    def next_dismissed(self):
        return self.dismissed.get(timeout=PATIENCE_S)


@pytest.fixture
def house(request):
    made = House(*getattr(request, "param", ()))
    yield made
    made.lobby.close()
    for client in made.clients:
        client.close()


def test_a_request_that_becomes_whole_goes_on(house):
    client = house.client()
    house.lobby.admit(client, b"be")
    for piece in (b"g", b"i", b"n end."):
        client.theirs.sendall(piece)
    assert house.next_resumed() == (client, b"begin end.")


def test_many_wait_at_once_and_each_gets_its_own(house):
    clients = [house.client() for _ in range(10)]
    for client in clients:
        house.lobby.admit(client, b"")
    for number, client in enumerate(clients):
        client.theirs.sendall(b"%d" % number)
    for client in reversed(clients):
        client.theirs.sendall(b".")
    found = dict(house.next_resumed() for _ in clients)
    assert found == {client: b"%d." % number for number, client in enumerate(clients)}


def test_who_leaves_is_let_go(house):
    client = house.client()
    house.lobby.admit(client, b"half")
    client.theirs.close()
    assert house.next_dismissed() == (client, b"half", False)


def test_a_request_that_takes_too_long_is_sent_away(house, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_S", 0.1)
    quick, slow = house.client(), house.client()
    house.lobby.admit(slow, b"half")
    assert house.next_dismissed() == (slow, b"half", True)
    house.lobby.admit(quick, b"")  # it has not begun, so nothing is late
    quick.theirs.sendall(b"now.")
    assert house.next_resumed() == (quick, b"now.")


def test_whoever_says_nothing_is_sent_away_in_the_end(house, monkeypatch):
    monkeypatch.setattr(module, "SILENCE_S", 0.1)
    client = house.client()
    house.lobby.admit(client, b"")
    assert house.next_dismissed() == (client, b"", True)


@pytest.mark.parametrize("house", [(3,)], indirect=True)
def test_where_places_run_out_the_first_goes(house):
    """The newest is the likeliest to be honest."""
    clients = [house.client() for _ in range(5)]
    for client in clients:
        house.lobby.admit(client, b"half")
    assert [house.next_dismissed()[0] for _ in range(2)] == clients[:2]
    for client in clients[2:]:
        client.theirs.sendall(b".")
    assert {house.next_resumed()[0] for _ in range(3)} == set(clients[2:])


@pytest.mark.parametrize("house", [(3,)], indirect=True)
def test_who_has_been_silent_longest_goes_whenever_it_came_in(house):
    """Connections overtake each other on their way."""
    clients = [house.client() for _ in range(5)]
    now = time.monotonic()
    for number, client in enumerate(reversed(clients)):
        house.lobby.admit(client, b"", since=now - number)
    left = {house.next_dismissed()[0] for _ in range(2)}
    assert left.isdisjoint(clients[-1:])
    clients[-1].theirs.sendall(b"here.")
    assert house.next_resumed()[0] is clients[-1]


def test_an_ending_connection_waits_for_the_client_to_close(house):
    """The client hears the end at once, and can still send what it was about to."""
    client = house.client()
    client.sock.sendall(b"the last answer")
    house.lobby.see_off(client)
    client.theirs.sendall(b"what nobody reads.")
    assert client.theirs.recv(100) == b"the last answer"
    assert client.theirs.recv(100) == b""
    assert house.dismissed.empty()
    client.theirs.close()
    assert house.next_dismissed() == (client, b"", False)
    assert house.resumed.empty()


def test_an_ending_connection_is_not_waited_for_for_ever(house, monkeypatch):
    monkeypatch.setattr(module, "GOODBYE_S", 0.1)
    client = house.client()
    house.lobby.see_off(client)
    assert house.next_dismissed() == (client, b"", False)


def test_an_ending_connection_may_not_go_on_talking(house, monkeypatch):
    monkeypatch.setattr(module, "GOODBYE_BYTES", 1000)
    client = house.client()
    house.lobby.see_off(client)
    client.theirs.sendall(b"x" * 2000)
    assert house.next_dismissed() == (client, b"", False)


def test_a_connection_that_is_broken_already_ends(house):
    client = house.client()
    client.sock.close()
    house.lobby.see_off(client)
    assert house.next_dismissed() == (client, b"", False)


def test_closing_sends_everybody_away_and_takes_nobody_in(house):
    waiting, late = house.client(), house.client()
    house.lobby.admit(waiting, b"half")
    house.lobby.close()
    house.lobby.admit(late, b"half")
    assert house.next_dismissed() == (waiting, b"half", False)
    assert house.next_dismissed() == (late, b"half", False)


def test_one_broken_connection_does_not_end_it_for_the_others(house):
    broken, client = house.client(), house.client()
    broken.sock.close()  # it cannot even be waited for
    house.lobby.admit(broken, b"half")
    house.lobby.admit(client, b"half")
    assert house.next_dismissed() == (broken, b"half", False)
    client.theirs.sendall(b".")
    assert house.next_resumed() == (client, b"half.")
