"""Running services for tests of synthesis, with real workers."""

import pytest

from tests.unit.synthesis.service import start


@pytest.fixture
def service():
    """Starts services that end with the test: `service(cache="off", ...)`."""
    started = []

    def begin(**options):
        started.append(start(**options))
        return started[-1]

    yield begin
    for each in started:
        each.close()


@pytest.fixture(scope="session")
def stub():
    """A service of two stub workers, without a cache."""
    running = start(engine_workers=2, cache="off", max_input_chars=1_000_000)
    yield running
    running.close()


@pytest.fixture(scope="session")
def espeak():
    """A service of two espeak-ng workers, without a cache."""
    running = start(engine="espeak", engine_workers=2, cache="off", max_input_chars=1_000_000)
    yield running
    running.close()


@pytest.fixture(scope="session")
def stub_cached():
    """A service of one stub worker, with a cache in memory."""
    running = start()
    yield running
    running.close()
