"""GPUs, for the tests of what is told about them."""

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.unit.monitoring.gpus import Driver, Scraped, compiled

Scrape = Callable[..., Scraped]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver's library; needs cc."""
    return compiled(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver(library: Path, tmp_path: Path) -> Driver:
    """An installed driver, without a device yet."""
    made = Driver(library, tmp_path)
    made.install()
    return made


@pytest.fixture
def scraped(driver: Driver) -> Iterator[Scrape]:
    """Starts a process with the collector: `scraped(wanted=True)`."""
    running = []

    def start(**options: Any) -> Scraped:
        running.append(Scraped(driver.environment, **options))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            driver.put()  # whoever hangs goes on
            one.stop()
