"""Images and containers for the tests that run them."""

import fcntl
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from tests.e2e.containers import ROOT, Container, docker

IMAGE = "autovoice-e2e:cpu"

Run = Callable[..., Container]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """They have a mark of their own: see `make test-serial`."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.containers)


def built(variant: str) -> str:
    tag = f"autovoice-e2e:{variant}"
    # The second process that wants it finds it in the engine's cache.
    with (Path(tempfile.gettempdir()) / f"autovoice-e2e-{variant}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            ["make", "image", f"VARIANT={variant}", f"TAG={tag}", "ARGS=--quiet"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return tag


@pytest.fixture(scope="session")
def image() -> str:
    """The image for the processor, built from this checkout."""
    return built("cpu")


@pytest.fixture(scope="session")
def cuda_image() -> str:
    """The image for GPUs."""
    return built("cuda")


@pytest.fixture
def run(image: str) -> Iterator[Run]:
    """Starts a container that everybody on this machine may use: `run("--read-only")`."""
    started = []

    def start(*options: str, **kwargs: Any) -> Container:
        made = Container(
            kwargs.pop("image", image), "--env", "AUTOVOICE_ALLOW_ANONYMOUS=on", *options, **kwargs
        )
        started.append(made)
        return made

    yield start
    for container in started:
        container.remove()


__all__ = ["docker"]
