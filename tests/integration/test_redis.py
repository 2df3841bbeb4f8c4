"""Servers that share a Redis, and what they do without it."""

import shutil
import subprocess

import pytest
import redis

from tests.integration.serving import AUTOVOICE, assert_error, environment, until

pytestmark = pytest.mark.needs("redis-server")


class Redis:
    """A real one, on a port of its own, that keeps nothing."""

    def __init__(self, folder, port):
        self.port = port
        self._folder = folder
        self.url = f"redis://127.0.0.1:{port}/0"
        self.start()

    def start(self):
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(
            [shutil.which("redis-server"), *options, "--bind", "127.0.0.1"],
            cwd=str(self._folder),
            stdout=subprocess.DEVNULL,
        )
        client = redis.Redis.from_url(self.url)

        def answers():
            try:
                return client.ping()
            except redis.ConnectionError:
                return False

        until(answers, "Redis answers")

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def shared(tmp_path, free_port):
    made = Redis(tmp_path, free_port)
    yield made
    made.kill()


def test_servers_that_share_redis_share_a_limit(start, shared):
    settings = {"engine": "stub", "redis_url": shared.url, "rate_limit": "4/minute"}
    servers = [start(**settings), start(**settings)]
    answers = [servers[number % 2].speak("One.") for number in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert_error(answers[-1], 429, "rate_limit_exceeded")
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_a_dead_redis_makes_a_server_unready_but_it_still_speaks(start, shared):
    """Whoever can choose goes elsewhere; whoever is here already is served, within limits."""
    server = start(engine="stub", redis_url=shared.url, rate_limit="3/minute")
    assert server.get("/health/ready").json() == {"ready": True, "reasons": []}
    shared.kill()
    until(lambda: server.get("/health/ready").status_code == 503, "it is not ready")
    [reason] = server.get("/health/ready").json()["reasons"]
    assert reason.startswith("redis: ")
    assert server.get("/health/live").status_code == 200
    assert server.get("/health/startup").status_code == 200
    statuses = [server.speak(f"Number {number}.").status_code for number in range(4)]
    assert statuses == [200, 200, 200, 429]
    warnings = [line for line in server.log() if "rate limits" in line["message"]]
    assert len(warnings) == 1
    assert server.metric("autovoice_health_check_status", check="redis") == 0
    shared.start()
    until(lambda: server.get("/health/ready").status_code == 200, "it is ready again")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "nonsense"])
def test_a_url_that_is_not_one_of_redis_is_a_wrong_setting(url):
    done = subprocess.run(
        [AUTOVOICE, "serve", "--port", "0"],
        env=environment({"redis_url": url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"AUTOVOICE_REDIS_URL" in done.stdout
