"""Worker processes for tests of engines."""

import pytest

from auto_voice.engines.process import WorkerProcess
from tests.unit.engines.speaking import options_for


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
