"""docker-compose.yml's services, up and at work together."""

import json
import os
import signal
import subprocess
import threading

import pytest
from websockets.sync.client import connect

from tests.e2e.containers import ROOT, docker, get, speak, until

pytestmark = [
    pytest.mark.needs("docker engine", "docker compose"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(900),
]

# Grafana is left out: where no registry can be reached, no image of it can be had.
SERVICES = ("autovoice", "redis", "prometheus", "alertmanager")
PORTS = {"PUBLISH_PORT": "15000", "PROMETHEUS_PORT": "19090"}
BASE = "http://127.0.0.1:15000"
PROMETHEUS = "http://127.0.0.1:19090/api/v1"


class Stack:
    """A stack with names and ports of its own, so that a developer's goes on beside it."""

    def compose(self, *arguments, check=True):
        command = ("compose", "--project-name", "autovoice-e2e", "--profile", "*", *arguments)
        return docker(*command, check=check, IMAGE="autovoice-e2e:cpu", **PORTS)

    def up(self):
        self.compose("up", "--detach", "--no-build", "--wait", *SERVICES)

    def state(self, service):
        """What Docker knows of a service's container."""
        identity = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        return json.loads(docker("inspect", identity).stdout)[0]["State"]

    def exec(self, service, *command):
        return self.compose("exec", "--no-TTY", service, *command).stdout


@pytest.fixture(scope="module")
def stack(image):
    made = Stack()
    made.compose("down", "--volumes")
    made.up()
    yield made
    made.compose("down", "--volumes")


def test_every_service_is_healthy(stack):
    """By its own health check, which `--wait` has waited for."""
    for service in SERVICES:
        assert stack.state(service)["Health"]["Status"] == "healthy", service


def test_it_speaks_over_rest_and_over_a_websocket(stack):
    """From this machine, without a key."""
    assert speak(BASE)[:4] == b"RIFF"
    with connect(BASE.replace("http", "ws") + "/v1/audio/speech/stream") as session:
        session.send(json.dumps({"type": "session.config", "response_format": "wav"}))
        session.send(json.dumps({"type": "input.text", "text": "Word by word."}))
        session.send(json.dumps({"type": "session.close"}))
        audio = b"".join(message for message in session if isinstance(message, bytes))
    assert audio[:4] == b"RIFF" and len(audio) > 10_000


def test_prometheus_scrapes_everything_and_knows_the_rules(stack):
    """No target is down, and no rule is in error."""

    def targets():
        found = json.loads(get(f"{PROMETHEUS}/targets?state=active"))["data"]["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in found}

    jobs = ("autovoice", "prometheus", "alertmanager")
    until(lambda: targets() == dict.fromkeys(jobs, "up"), "every target is up")
    groups = json.loads(get(f"{PROMETHEUS}/rules"))["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    assert "AutoVoiceDown" in [rule["name"] for rule in rules]
    managers = json.loads(get(f"{PROMETHEUS}/alertmanagers"))["data"]["activeAlertmanagers"]
    assert [manager["url"] for manager in managers] == ["http://alertmanager:9093/api/v2/alerts"]


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_has_rights_to_lose(stack, service):
    """As the kernel sees the first process: not root, no capability, and no way to any."""
    with open(f"/proc/{stack.state(service)['Pid']}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert "0" not in status["Uid"].split()
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_can_be_written_into_an_image(stack, service):
    """What breaks in leaves nothing behind."""
    tried = "for folder in / /etc /usr/bin; do (: >$folder/trial) 2>/dev/null && echo $folder; done"
    assert stack.exec(service, "sh", "-c", f"{tried}; true") == ""


def test_a_server_that_is_killed_comes_back(stack):
    """kill -9 of the container's first process: Docker starts it again, and it gets healthy."""
    before = stack.state("autovoice")
    os.kill(before["Pid"], signal.SIGKILL)
    until(lambda: stack.state("autovoice")["StartedAt"] != before["StartedAt"], "it is restarted")
    until(lambda: get(f"{BASE}/health/ready"), "it is ready")
    assert speak(BASE)[:4] == b"RIFF"
    until(lambda: stack.state("autovoice")["Health"]["Status"] == "healthy", "it is healthy")


def test_a_restart_of_redis_fails_no_synthesis(stack):
    """Every request meanwhile is answered, and afterwards the server is ready by itself."""
    problems, done = [], threading.Event()

    def listener():
        number = 0
        while not done.is_set():
            number += 1
            try:
                assert speak(BASE, f"Request number {number}.")[:4] == b"RIFF"
            except Exception as error:
                problems.append(error)

    thread = threading.Thread(target=listener)
    thread.start()
    stack.compose("restart", "redis")
    until(lambda: stack.state("redis")["Health"]["Status"] == "healthy", "Redis is healthy")
    done.set()
    thread.join()
    assert problems == []
    until(lambda: get(f"{BASE}/health/ready"), "the server is ready")


def test_what_is_kept_outlives_down_and_up(stack):
    """Volumes stay under their names."""
    stack.exec("autovoice", "autovoice", "lexicon", "add", "kept", "AutoVoice", "--say", "oto")
    stack.compose("down")
    stack.up()
    assert "kept" in stack.exec("autovoice", "autovoice", "lexicon", "list")


def test_development_restarts_when_the_source_changes(image, tmp_path):
    """The source beside docker-compose.yml is what runs, also after it has been edited."""
    archive = ("git", "archive", "--output", str(tmp_path / "all.tar"), "HEAD")
    subprocess.run(archive, cwd=ROOT, check=True)
    subprocess.run(["tar", "-x", "-f", "all.tar"], cwd=tmp_path, check=True)
    project = ("--project-name", "autovoice-reload", "--project-directory", str(tmp_path))
    compose = ("compose", *project, "--profile", "development")

    def version():
        health = get("http://127.0.0.1:15001/health")
        return health and json.loads(health)["version"]

    try:
        docker(
            *(*compose, "up", "--detach", "--no-build", "--wait", "development"),
            IMAGE=image,
            DEVELOPMENT_PORT="15001",
        )
        before = version()
        module = tmp_path / "src/auto_voice/__init__.py"
        text = module.read_text(encoding="utf-8").replace(before, "99.9.9")
        module.write_text(text, encoding="utf-8")
        until(lambda: version() == "99.9.9", "the edited source runs")
    finally:
        docker(*compose, "down", "--volumes", check=False)
