"""Servers for the tests: real processes, started as an operator would.

`server` and `stub` are shared by all tests of a run; a test that needs other
settings, or wants to stop or harm its server, starts its own with `start`.
"""

import os
from typing import Any, Callable, Iterator

import pytest

from tests.integration.observing import Observed
from tests.integration.serving import AUTOVOICE, Server, unused_port
from tests.unit.monitoring.gpus import L4, Driver, compiled

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

Start = Callable[..., Server]


def _starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    running = []

    def start(*, wait: bool = True, command: Any = None, **settings: Any) -> Server:
        folder = tmp_path_factory.mktemp("server")
        made = Server(folder, settings, command or [AUTOVOICE, "serve", "--port", "0"])
        running.append(made)
        return made.wait_until_ready() if wait else made

    yield start
    for server in running:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a server with the given settings: `start(engine="stub", cache="off")`."""
    yield from _starting(tmp_path_factory)


@pytest.fixture
def free_port() -> int:
    """One that nobody listens on at the moment."""
    return unused_port()


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """As `start`, for servers that the tests of a file share."""
    yield from _starting(tmp_path_factory)


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """A server with a GPU, under a little load, and a Prometheus that watches it."""
    folder = tmp_path_factory.mktemp("gpu")
    driver = Driver(compiled(folder), folder)
    driver.install()
    driver.put({**L4, "process": ["1 1000000"]})
    made = Observed.start(driver.environment)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def _start_for_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    yield from _starting(tmp_path_factory)


@pytest.fixture(scope="session")
def server(_start_for_all: Start) -> Server:
    """A server as it comes, with the embedded engine, for tests that leave it as it was."""
    return _start_for_all()


@pytest.fixture(scope="session")
def stub(_start_for_all: Start) -> Server:
    """A server with the stub engine, whose tones are known."""
    return _start_for_all(engine="stub")
