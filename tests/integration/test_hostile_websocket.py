"""What no honest client does on a WebSocket: a clean end, and nobody else is harmed."""

import json
import os
import socket
import struct
import threading
import time

import pytest
from benchmarks.figures import percentile

from tests.integration.serving import SENTENCE, Connection, assert_error, until
from tests.integration.talking import STREAM, Talker

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
HANDSHAKE = (
    f"GET {STREAM} HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture(autouse=True)
def unharmed(stub):
    """After each test the same process answers as before, and has logged no error."""
    pid, troubles = stub.serving_pid(), len(stub.troubles())
    yield
    assert stub.speak().status_code == 200
    with Talker(stub) as talker:
        talker.say("Still here.")
        assert talker.hear().audio
    assert stub.serving_pid() == pid
    assert stub.troubles()[troubles:] == []
    until(
        lambda: stub.metric("autovoice_websocket_connections_active") == 0, "all have been closed"
    )


def frame(opcode, data=b"", fin=True, masked=True, reserved=0):
    """A client's frame by hand; the mask is all zeros."""
    head = bytes([fin << 7 | reserved << 4 | opcode])
    size = len(data)
    if size < 126:
        head += bytes([masked << 7 | size])
    elif size < 1 << 16:
        head += bytes([masked << 7 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([masked << 7 | 127]) + struct.pack("!Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + data


def message(kind, **fields):
    return frame(TEXT, json.dumps({"type": kind, **fields}).encode())


class Raw(Connection):
    """A WebSocket by hand."""

    def __init__(self, server, *extra, first=b""):
        super().__init__(server.port)
        self.send("\r\n".join([*HANDSHAKE, *extra, "", ""]).encode() + first)
        self.answered = self.head()

    def frame(self):
        """The next frame: its opcode and data."""
        opcode, size = self._in.read(2)
        if size == 126:
            size = struct.unpack("!H", self._in.read(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._in.read(8))[0]
        return opcode & 0x0F, self._in.read(size)

    def close_code(self):
        """The code that the server closes with, once all before it has been read."""
        while True:
            opcode, data = self.frame()
            if opcode == CLOSE:
                assert self.at_end()
                return struct.unpack("!H", data[:2])[0]


def test_the_handshake_is_that_of_the_standard(stub):
    """The example of RFC 6455, 1.3."""
    with Raw(stub) as raw:
        assert raw.answered.status == 101
        headers = raw.answered.headers
        assert headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert headers["Upgrade"].lower() == "websocket"
        assert headers["Connection"].lower() == "upgrade"
        assert "Transfer-Encoding" not in headers and "Content-Length" not in headers
        raw.send(frame(CLOSE, struct.pack("!H", 1000)))
        assert raw.close_code() == 1000


def test_what_comes_with_the_handshake_is_not_lost(stub):
    """A client need not wait for the answer."""
    first = message("input.text", text="Hello.") + message("input.done")
    with Raw(stub, first=first) as raw:
        opcode, data = raw.frame()
        assert (opcode, json.loads(data)["text"]) == (TEXT, "Hello.")


@pytest.mark.parametrize(
    "lines, status",
    [
        (HANDSHAKE[:2], 426),
        ([line.replace("13", "8") for line in HANDSHAKE], 426),
        ([line.replace("websocket", "h2c") for line in HANDSHAKE], 426),
        ([line.replace("dGhlIHNhbXBsZSBub25jZQ==", "short") for line in HANDSHAKE], 400),
        (HANDSHAKE[:-1], 400),
        ([*HANDSHAKE, "Content-Length: 5"], 400),
        ([HANDSHAKE[0].replace("GET", "POST"), *HANDSHAKE[1:]], 405),
        ([HANDSHAKE[0].replace(STREAM, "/v1/models"), *HANDSHAKE[1:]], 400),
    ],
)
def test_what_is_no_handshake_is_refused(stub, lines, status):
    """With an error like any other request."""
    with Connection(stub.port) as connection:
        connection.send("\r\n".join([*lines, "", ""]).encode() + b"hello" * (len(lines) > 6))
        answer = connection.answer()
        assert_error(answer, status)
        if status == 426:
            assert answer.headers["Sec-WebSocket-Version"] == "13"


@pytest.mark.parametrize(
    "sent, code",
    [
        (frame(BINARY, b"audio?"), 1003),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"("), 1007),
        (frame(TEXT, b"x" * 70_000), 1009),
        (frame(TEXT, b"x" * 40_000, fin=False) + frame(CONTINUATION, b"x" * 40_000), 1009),
        (b"\x81" + bytes([0xFF]) + struct.pack("!Q", 1 << 62), 1009),
        (frame(TEXT, b"unmasked", masked=False), 1002),
        (frame(TEXT, b"reserved", reserved=4), 1002),
        (frame(0x3, b"no such opcode"), 1002),
        (frame(CONTINUATION, b"of nothing"), 1002),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
        (frame(PING, b"in pieces", fin=False), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, struct.pack("!H", 1005)), 1002),
    ],
)
def test_what_breaks_the_protocol_ends_the_session(stub, sent, code):
    """With the code that says why."""
    with Raw(stub) as raw:
        raw.send(sent)
        assert raw.close_code() == code


def test_a_message_may_come_in_pieces(stub):
    """With control frames between them."""
    data = json.dumps({"type": "input.text", "text": "Größe."}).encode()
    with Raw(stub) as raw:
        for index in range(len(data)):
            raw.send(frame(CONTINUATION if index else TEXT, data[index : index + 1], fin=False))
        raw.send(frame(PING, b"hi") + frame(CONTINUATION, b"") + message("input.done"))
        assert raw.frame() == (PONG, b"hi")
        assert json.loads(raw.frame()[1])["text"] == "Größe."


@pytest.mark.parametrize("sent", [message("input.text", text=""), frame(PING), frame(TEXT, b"?")])
def test_a_flood_is_ended(stub, sent):
    """Ten thousand messages at once; the client is told why."""
    with Raw(stub) as raw:
        thread = threading.Thread(target=flood, args=(raw, sent, 10_000))
        thread.start()
        seen = []
        while True:
            opcode, data = raw.frame()
            if opcode == CLOSE:
                break
            if opcode == TEXT:
                seen.append(json.loads(data)["code"])
        thread.join()
        assert struct.unpack("!H", data[:2])[0] == 1008
        assert seen[-1] == "too_many_messages"


def flood(raw, sent, count):
    try:
        for _ in range(count // 100):
            raw.send(sent * 100)
    except OSError:
        pass  # the server has had enough


@pytest.mark.serial
@pytest.mark.slow
def test_ten_thousand_messages_a_second_harm_nobody(stub):
    """Others are served meanwhile as if nothing were."""
    over = threading.Event()

    def flooding():
        while not over.is_set():
            try:
                with Raw(stub) as raw:
                    flood(raw, message("input.text", text="x"), 5_000)
                    raw.close_code()
            except (OSError, AssertionError, ValueError):
                pass

    threads = [threading.Thread(target=flooding) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        times = []
        for index in range(60):
            began = time.monotonic()
            assert stub.speak(f"{SENTENCE} {index}").status_code == 200
            times.append(time.monotonic() - began)
        with Talker(stub) as talker:
            talker.say("Me, too.")
            assert talker.hear().audio
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert percentile(times, 0.95) < 0.5


def rss_mb(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.serial
@pytest.mark.slow
def test_a_client_that_does_not_read_costs_no_memory_and_is_ended(start):
    """What it has not taken is not made; after a while it is cut off."""
    server = start(max_input_chars=1_000_000, websocket_stall_s=1)
    pid = server.serving_pid()
    server.speak()
    before = rss_mb(pid)
    text = "This is a sentence of which there are very many. " * 4000  # 550 MB of audio
    readers = []
    for _ in range(4):
        raw = Raw(server)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        raw.send(message("session.config", sample_rate=48000))
        raw.send(message("input.text", text=text) + message("input.done"))
        readers.append(raw)
    most = 0.0
    ended = "autovoice_websocket_disconnects_total"

    def all_ended():
        nonlocal most
        most = max(most, rss_mb(pid))
        return server.metric(ended, reason="timeout") == 4

    until(all_ended, "all have been cut off")
    assert server.in_progress() == 0
    assert most - before < 60
    for raw in readers:
        raw.close()
    assert server.speak().status_code == 200


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_everything(server):
    """In its own time, and others are not held up."""
    with Raw(server) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        text = "A sentence that is neither short nor long, but long enough. " * 12
        raw.send(message("input.text", text=text) + message("input.done"))
        received, done = 0, None
        while done is None:
            opcode, data = raw.frame()
            if opcode == BINARY:
                received += len(data)
                time.sleep(0.002)
            elif json.loads(data)["type"] == "audio.done":
                done = json.loads(data)
        assert done["cancelled"] is False
        assert received == pytest.approx(done["duration_ms"] * 48, abs=48)


def test_half_a_frame_waits_for_no_thread(stub):
    """Clients that stop in the middle cost a place, and nothing else."""
    half = message("input.text", text="Hello there.")
    waiting = [Raw(stub, first=half[:7]) for _ in range(40)]
    assert stub.speak().status_code == 200
    for raw in waiting:
        raw.send(half[7:])
    for raw in waiting:
        assert json.loads(raw.frame()[1])["text"] == "Hello there."
        raw.reset()


def test_a_reset_in_the_middle_frees_everything(stub):
    """As a crashed client does, while it is spoken to."""
    for _ in range(20):
        raw = Raw(stub)
        raw.send(message("input.text", text="PAUSE " * 20) + message("input.done"))
        raw.reset()
    until(lambda: stub.in_progress() == 0, "all places are free")
