"""The load client notices what a careless switch costs, of every kind of request."""

import socket

import pytest

from tests.e2e.containers import docker, get, until
from tests.e2e.deploys.loading import Loaded, reasons
from tests.integration.serving import unused_port

pytestmark = [
    pytest.mark.needs("docker engine"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(300),
]

CONFIGURATION = """\
global
    stats socket ipv4@127.0.0.1:{admin} level admin
    tune.rcvbuf.backend 65536
    tune.sndbuf.client 65536
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend public
    bind 127.0.0.1:{public}
    default_backend slots
backend slots
    server old 127.0.0.1:{old}
    server new 127.0.0.1:{new} disabled
"""


class Pair:
    """Two servers behind a proxy, without any deployer."""

    def __init__(self, image, folder):
        self.public, self.admin = unused_port(), unused_port()
        ports = {"old": unused_port(), "new": unused_port()}
        file = folder / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(public=self.public, admin=self.admin, **ports))
        self.url = f"http://127.0.0.1:{self.public}"
        self.servers = {
            name: self.start(
                *("--env", f"AUTOVOICE_PORT={port}", "--env", "AUTOVOICE_HOST=127.0.0.1"), image
            )
            for name, port in ports.items()
        }
        mount = f"{file}:/usr/local/etc/haproxy/haproxy.cfg:ro"
        self.proxy = self.start("--volume", mount, "haproxy:3.0")
        for port in (*ports.values(), self.public):
            url = f"http://127.0.0.1:{port}/health/ready"
            until(lambda url=url: get(url), f"{url} answers")

    def start(self, *arguments):
        started = docker("run", "--detach", "--network", "host", *arguments)
        return started.stdout.strip()

    def tell(self, command):
        """A command to the proxy."""
        with socket.create_connection(("127.0.0.1", self.admin), timeout=10) as connection:
            connection.sendall(f"{command}\n".encode())
            assert connection.makefile().read().strip() == ""

    def remove(self):
        docker("rm", "--force", "--volumes", self.proxy, *self.servers.values())


@pytest.fixture
def pair(repository, tmp_path):
    made = Pair(f"{repository}:v1.0.0", tmp_path)
    yield made
    made.remove()


def test_a_switch_without_a_drain_is_noticed(pair, tmp_path):
    """New requests go to the new server, the old one ends: WebSockets and streams are what it
    costs. Before that, nothing is called a failure."""
    with Loaded(pair.url, tmp_path) as load:
        load.until(40)
        assert reasons(load.seen()) == []
        pair.tell("enable server slots/new")
        pair.tell("disable server slots/old")
        docker("kill", pair.servers["old"])
        load.until(load.seen()["total"] + 100)
        seen = load.stop()
    lost = {failure["kind"] for failure in seen["failures"]}
    assert {"stream", "websocket"} <= lost
    again = [session for session in seen["sessions"] if session["code"] is None]
    assert len(again) == 3 and all(session["utterances"] for session in again)


def test_no_server_at_all_is_noticed_by_every_kind(pair, tmp_path):
    """Each failure is counted, with its kind, its time and its reason."""
    with Loaded(pair.url, tmp_path) as load:
        load.until(50)
        docker("kill", pair.servers["old"])
        load.until(load.seen()["total"] + 40)
        seen = load.stop()
    assert {failure["kind"] for failure in seen["failures"]} == {
        *("fresh", "kept", "stream", "websocket")
    }
    assert all(failure["reason"] and failure["at"] > seen["began"] for failure in seen["failures"])
    assert seen["failed"] == sum(counts["failed"] for counts in seen["kinds"].values()) - (
        seen["kinds"]["websocket"]["failed"]
    )
    assert any("status 503" in reason for reason in reasons(seen))
