"""What a worker says to the server, whatever the server says to it.

`serve` runs in a thread of this process here; whole processes are in
tests/integration/test_workers.py.
"""

import mmap
import socket
import threading

import msgspec
import pytest

from auto_voice.engines import wire
from auto_voice.engines.engine import Description, Utterance, Word
from auto_voice.engines.stub import StubEngine
from auto_voice.engines.worker import serve
from auto_voice.errors import MissingDependency
from tests.unit.engines.speaking import tones

SHARED_BYTES = 1 << 16


class Server:
    """The server's end, by hand."""

    def __init__(self, engine_name):
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        self.connection = wire.Connection(ours)
        self.memory = mmap.mmap(-1, SHARED_BYTES)
        self.thread = threading.Thread(target=self._serve, args=(theirs, engine_name))
        self.thread.start()

    def _serve(self, end, engine_name):
        connection = wire.Connection(end)
        try:
            serve(connection, self.memory, engine_name)
        except wire.ConnectionLost:
            pass
        finally:
            connection.close()

    def speak(self, text, **options):
        self.connection.send(
            wire.SPEAK, msgspec.msgpack.encode(Utterance(text, "en-us", **options))
        )

    def cancel(self):
        self.connection.send(wire.CANCEL)

    def answer(self):
        """(samples, words, kinds of messages) of the utterance under way."""
        pcm, words, kinds = b"", [], []
        while not kinds or kinds[-1] not in (wire.LAST_AUDIO, wire.FAILED):
            kind, payload = self.connection.receive()
            kinds.append(kind)
            if kind in (wire.AUDIO, wire.LAST_AUDIO):
                start, end = wire.SPAN.unpack(payload)
                pcm += self.memory[start:end]
            elif kind == wire.OVERFLOW:
                pcm += payload
            elif kind == wire.WORD:
                words.append(msgspec.msgpack.decode(payload, type=Word))
        return pcm, words, kinds

    def close(self):
        self.connection.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def start():
    servers = []

    def begin(engine_name="stub"):
        servers.append(Server(engine_name))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


@pytest.fixture
def server(start):
    begun = start()
    assert begun.connection.receive()[0] == wire.HELLO
    return begun


def test_it_first_says_what_it_can_do(start):
    kind, payload = start().connection.receive()
    assert kind == wire.HELLO
    assert msgspec.json.decode(payload, type=Description).name == "stub"


def test_it_says_what_was_asked_for_and_when_it_has(server):
    for text in ("one two", "three", "", "four five six"):
        server.speak(text, timestamps=True)
        pcm, words, kinds = server.answer()
        assert pcm == tones(text)
        assert [text[word.char_start : word.char_end] for word in words] == text.split()
        assert kinds[-1] == wire.LAST_AUDIO


def test_more_than_the_shared_memory_holds_is_said_all_the_same(server):
    """What does not fit travels in messages, in order with the rest."""
    text = " ".join(f"word{number}" for number in range(60))
    server.speak(text)
    pcm, _, kinds = server.answer()
    assert len(pcm) > 2 * SHARED_BYTES
    assert wire.OVERFLOW in kinds
    assert pcm == tones(text)
    server.speak("short")
    assert server.answer()[0] == tones("short")


def test_samples_come_while_the_rest_is_being_made(server):
    server.speak("one PAUSE two PAUSE three")
    assert server.connection.receive()[0] == wire.AUDIO
    server.answer()


def test_a_failure_is_told_and_is_not_the_end(server):
    server.speak("one FAIL two")
    kind, payload = wire.FAILED, b""
    while True:
        kind, payload = server.connection.receive()
        if kind == wire.FAILED:
            break
    failure = msgspec.msgpack.decode(payload, type=wire.Failure)
    assert (failure.code, failure.message) == ("engine_failed", "the stub was asked to fail")
    server.speak("three")
    assert server.answer()[0] == tones("three")


def test_an_error_nobody_foresaw_is_a_failure_too(server, monkeypatch, caplog):
    def broken(self, utterance, emitter):
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(StubEngine, "speak", broken)
        server.speak("one")
        assert server.answer()[2] == [wire.FAILED]
    assert "ZeroDivisionError" in caplog.text
    server.speak("two")
    assert server.answer()[0] == tones("two")


def test_cancelled_in_the_middle_it_stops_soon(server):
    text = "one " + "PAUSE " * 100
    server.speak(text)
    assert server.connection.receive()[0] == wire.AUDIO
    server.cancel()
    pcm, _, kinds = server.answer()
    assert kinds[-1] == wire.LAST_AUDIO
    assert len(pcm) < len(tones("one " + "a " * 20))


def test_cancelled_before_it_began_it_stops_soon(server):
    """Both messages may come with one look at the socket."""
    both = bytearray()
    for kind, payload in (
        (wire.SPEAK, msgspec.msgpack.encode(Utterance("PAUSE " * 40, "en-us"))),
        (wire.CANCEL, b""),
    ):
        ours, theirs = socket.socketpair()
        wire.Connection(ours).send(kind, payload)
        ours.close()
        both += theirs.recv(1 << 16)
        theirs.close()
    server.connection.socket.sendall(both)
    assert len(server.answer()[0]) < len(tones("a " * 10))
    server.speak("next")
    assert server.answer()[0] == tones("next")


def test_cancelled_too_late_the_next_one_is_whole(server):
    """A CANCEL that crosses the last samples belongs to nobody."""
    server.speak("one")
    server.answer()
    server.cancel()
    server.speak("two PAUSE three")
    assert server.answer()[0] == tones("two PAUSE three")


def test_what_cannot_be_loaded_is_told(start, monkeypatch):
    def load(self):
        raise MissingDependency("pip install something")

    monkeypatch.setattr(StubEngine, "load", load)
    server = start()
    kind, payload = server.connection.receive()
    failure = msgspec.msgpack.decode(payload, type=wire.Failure)
    assert (kind, failure.code) == (wire.FAILED, "missing_dependency")
    assert failure.message == "pip install something"


def test_an_engine_nobody_knows_is_told(start):
    assert start("nobody").connection.receive()[0] == wire.FAILED


def test_it_ends_when_the_server_hangs_up_in_the_middle(server):
    server.speak("PAUSE " * 100)
    server.connection.receive()
    server.close()
