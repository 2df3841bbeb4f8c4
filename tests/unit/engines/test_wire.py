"""Messages between server and worker arrive whole, in order, or not at all."""

import mmap
import os
import socket
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.engines import wire
from tests.examples import examples

MESSAGES = st.lists(
    st.tuples(st.integers(1, 8), st.one_of(st.binary(max_size=40), st.just(b"x" * 70_000))),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def ends():
    """(a connection, the bare socket at its other end)"""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20_000))
    connection = wire.Connection(ours)
    yield connection, theirs
    connection.close()
    theirs.close()


def wired(messages):
    """The bytes of messages."""
    near, far = socket.socketpair()
    data = bytearray()

    def read():
        while True:
            more = far.recv(1 << 16)
            if not more:
                return
            data.extend(more)

    reader = threading.Thread(target=read)
    reader.start()
    connection = wire.Connection(near)
    for kind, payload in messages:
        connection.send(kind, payload)
    connection.close()
    reader.join()
    far.close()
    return bytes(data)


@settings(deadline=None, max_examples=examples(50))
@given(messages=MESSAGES, data=st.data())
def test_messages_arrive_as_sent_however_they_are_cut(messages, data):
    """Even where the rest of a message comes after a timeout."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    connection = wire.Connection(ours)
    stream = wired(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)]):
        rest = stream[start:end]
        while True:
            rest = rest[theirs.send(rest) :] if rest else rest
            try:
                while True:
                    received.append(connection.receive())
            except TimeoutError:
                if not rest:
                    break
    connection.close()
    theirs.close()
    assert received == messages


def test_silence_is_a_timeout(ends):
    with pytest.raises(TimeoutError):
        ends[0].receive()


def test_the_end_of_the_other_process_is_noticed(ends):
    connection, other = ends
    other.close()
    with pytest.raises(wire.ConnectionLost):
        connection.receive()
    with pytest.raises(wire.ConnectionLost):
        connection.send(wire.CANCEL)


@pytest.mark.parametrize("count", [1, 7, 8, 9])
def test_half_a_message_and_the_end_is_no_message(ends, count):
    connection, other = ends
    other.sendall(wired([(wire.SPEAK, b"abcd")])[:count])
    other.close()
    with pytest.raises(wire.ConnectionLost):
        connection.receive()


def test_a_whole_message_before_the_end_is_still_read(ends):
    connection, other = ends
    other.sendall(wired([(wire.FAILED, b"why")]))
    other.close()
    assert connection.receive() == (wire.FAILED, b"why")
    with pytest.raises(wire.ConnectionLost):
        connection.receive()


def test_a_length_that_cannot_be_is_not_waited_for(ends):
    connection, other = ends
    other.sendall(b"\xff" * 8)
    with pytest.raises(wire.ConnectionLost):
        connection.receive()


def check_shared():
    descriptor = wire.shared_memory()
    again = os.dup(descriptor)
    ours, theirs = (mmap.mmap(number, wire.SHARED_BYTES) for number in (descriptor, again))
    os.close(descriptor)
    os.close(again)
    theirs[wire.SHARED_BYTES - 4 :] = b"here"
    assert ours[wire.SHARED_BYTES - 4 :] == b"here"
    assert ours[:4] == bytes(4)


def test_both_see_the_same_memory():
    check_shared()


def test_both_see_the_same_memory_where_the_system_has_no_memfd(monkeypatch):
    """macOS, for one."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    check_shared()
