"""Two servers behind a proxy, with one Redis: as one, also while one of them is killed."""

import json
import re
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.containers import SPEECH, docker, get, until

pytestmark = [
    pytest.mark.needs("docker engine", "docker compose"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(900),
]

BASE = "http://127.0.0.1:16500"
FILES = ("--file", "docker-compose.yml", "--file", "deploy/compose/replicas.yml")
SERVICES = ("autovoice", "redis", "proxy")


class Replicas:
    """The stack with two servers, under names and a port of its own."""

    def compose(self, *arguments):
        command = ("compose", *FILES, "--project-name", "autovoice-e2e-replicas", *arguments)
        return docker(*command, IMAGE="autovoice-e2e:cpu", PUBLISH_PORT="16500")

    def servers(self):
        """The containers' ids."""
        return self.compose("ps", "--quiet", "autovoice").stdout.split()

    def metric(self, server, pattern):
        """The sum of the series that match, as one server tells."""
        ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:5000/metrics').read())"
        told = docker("exec", server, "python", "-c", ask).stdout.replace("\\n", "\n")
        return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", told, re.MULTILINE))


@pytest.fixture(scope="module")
def replicas(image):
    made = Replicas()
    made.compose("down", "--volumes")
    made.compose("up", "--detach", "--no-build", "--wait", *SERVICES)
    until(lambda: get(f"{BASE}/health/ready"), "the proxy finds a server")
    yield made
    made.compose("down", "--volumes")


def asked(method, path, body=None, **headers):
    """An answer's headers and body; an error is one."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.headers, answer.read()


def spoken(text):
    return asked("POST", SPEECH, {"input": text, "response_format": "wav"})


def test_what_many_ask_for_is_spoken_once(replicas):
    """At one time and one after the other, whichever server the proxy chooses.

    Where a busy machine keeps Redis from answering in time, each server speaks for itself, and the
    next text is tried.
    """
    misses = []
    while misses.count(1) < 3 and len(misses) < 9:
        text = f"Sentence number {len(misses)} is for everybody."
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(spoken, [text] * 16))
        assert len({audio for _, audio in answers}) == 1
        misses.append([headers["X-Cache"] for headers, _ in answers].count("miss"))
    assert misses.count(1) == 3, misses
    servers = replicas.servers()
    assert len(servers) == 2
    sentences = "autovoice_synthesis_batch_size_sum{[^}]*}"
    assert sum(replicas.metric(server, sentences) for server in servers) == sum(misses)
    requests = r'autovoice_synthesis_requests_total\{[^}]*outcome="success"[^}]*\}'
    assert all(replicas.metric(server, requests) for server in servers), "both have answered"


def test_a_session_of_the_studio_is_there_on_both(replicas):
    """Once Redis has taken it, which a busy machine may put off."""

    def found():
        headers, _ = asked("PUT", "/studio/session", {"text": "to be kept"})
        cookie = headers["Set-Cookie"].partition(";")[0]
        return {asked("GET", "/studio/session", Cookie=cookie)[1] for _ in range(6)}

    until(lambda: all(b"to be kept" in body for body in found()), "both servers know it")


def test_a_server_that_is_killed_fails_no_request(replicas):
    """What it had not answered, the other one does, and everything from then on."""
    problems, done, count = [], threading.Event(), [0]

    def listener(name):
        while not done.is_set():
            count[0] += 1
            try:
                assert spoken(f"Request {name} {count[0]}.")[1][:4] == b"RIFF"
            except Exception as error:
                problems.append(error)

    threads = [threading.Thread(target=listener, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    time.sleep(1)
    docker("kill", replicas.servers()[0])
    before = count[0]
    until(lambda: count[0] > before + 40, "the other one goes on")
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(replicas.servers()) == 1
