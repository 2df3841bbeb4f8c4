"""Worker processes for tests of engines."""

import pytest

from auto_voice.engines.process import WorkerProcess
from tests.unit.engines.speaking import loaded, options_for


@pytest.fixture
def start_worker():
    """Starts worker processes that end with the test."""
    started = []

    def start(engine_name):
        process = WorkerProcess(engine_name, options_for(engine_name))
        started.append(process)
        process.wait_until_loaded()
        return process

    yield start
    for process in started:
        process.kill()
        process.close()


@pytest.fixture(scope="session", autouse=True)
def embedded_first():
    """espeak-ng as it is before anybody has used it is what the embedded engine goes back to; in
    a server no other engine is in its process."""
    loaded("espeak")
