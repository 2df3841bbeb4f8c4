"""The webhook and Grafana: told what happened, and never able to change it."""

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deployer.chronicle import Chronicle
from tests.unit.deployer.world import an_environment


class Receiver(HTTPServer):
    """Remembers what it is sent."""

    status = 200
    pause_s = 0.0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.over = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers, body))
        if not self.server.over.wait(self.server.pause_s):
            self.send_response(self.server.status)
            self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()


def a_chronicle(tmp_path, lines):
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "token").write_text("t0ken\n")
    return Chronicle(an_environment(lines, tmp_path), "d1", "v2", False)


def test_the_webhook_is_signed(tmp_path, receiver):
    lines = f"WEBHOOK_URL={receiver.url}/hook?k=1\nWEBHOOK_SECRET_FILE=secret\n"
    a_chronicle(tmp_path, lines).tell("failure", 10, "not ready")
    [(path, headers, body)] = receiver.requests
    stamp = headers["X-AutoVoice-Timestamp"]
    signed = hmac.new(b"s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-AutoVoice-Signature"] == f"sha256={signed}"
    assert abs(int(stamp) - time.time()) < 60
    assert path == "/hook?k=1"
    message = json.loads(body)
    assert message["event"] == "failure" and message["status"] == 10
    assert message["hosts"] == ["voice1", "voice2"] and message["detail"] == "not ready"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/t0psecret", "file:///t0psecret", "t0psecret"])
def test_a_webhook_that_cannot_be_told_is_warned_of(tmp_path, capsys, url):
    """Without its URL, which often is the secret."""
    a_chronicle(tmp_path, f"WEBHOOK_URL={url}\n").tell("start")
    warned = capsys.readouterr().err
    assert "the webhook was not told of start" in warned
    assert "t0psecret" not in warned


def test_so_is_one_that_refuses(tmp_path, receiver, capsys):
    receiver.status = 500
    a_chronicle(tmp_path, f"WEBHOOK_URL={receiver.url}\n").tell("start")
    assert "not told" in capsys.readouterr().err


@pytest.mark.slow
def test_one_that_hangs_costs_three_seconds(tmp_path, receiver):
    receiver.pause_s = 10.0
    began = time.monotonic()
    a_chronicle(tmp_path, f"WEBHOOK_URL={receiver.url}\n").tell("start")
    assert time.monotonic() - began < 6


def test_grafana_shows_when_it_was(tmp_path, receiver):
    lines = f"GRAFANA_URL={receiver.url}/\nGRAFANA_TOKEN_FILE=token\n"
    a_chronicle(tmp_path, lines).annotate("success: v1 → v2")
    [(path, headers, body)] = receiver.requests
    assert path == "/api/annotations" and headers["Authorization"] == "Bearer t0ken"
    shown = json.loads(body)
    assert shown["tags"] == ["deploy", "test", "v2"] and shown["time"] <= shown["timeEnd"]


def test_a_dry_run_tells_nobody(tmp_path, receiver):
    lines = f"WEBHOOK_URL={receiver.url}\nGRAFANA_URL={receiver.url}\nAUDIT_LOG=audit.jsonl\n"
    chronicle = Chronicle(an_environment(lines, tmp_path), "d1", "v2", True)
    chronicle.tell("start")
    chronicle.annotate("success")
    chronicle.end([], 0, "")
    assert receiver.requests == [] and not (tmp_path / "audit.jsonl").exists()


def test_an_audit_log_that_cannot_be_written_is_warned_of(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    chronicle = a_chronicle(tmp_path, "AUDIT_LOG=file/audit.jsonl\n")
    chronicle.note(None, "start", "ok", 0.1)
    assert "cannot be written" in capsys.readouterr().err
