"""Versions in a registry, for all tests of deploys."""

from typing import Iterator, Tuple

import pytest

from tests.e2e.containers import docker
from tests.e2e.deploys import versions


@pytest.fixture(scope="session")
def registry() -> Iterator[Tuple[str, str]]:
    """Its container and its address."""
    container, address = versions.start_registry()
    yield container, address
    docker("rm", "--force", "--volumes", container, check=False)


@pytest.fixture(scope="session")
def repository(image: str, registry: Tuple[str, str]) -> Iterator[str]:
    """The name of an image whose tags are `versions.VERSIONS`, in a registry of this machine."""
    name = f"{registry[1]}/autovoice"
    for version in versions.VERSIONS:
        versions.push(versions.build(image, name, version))
    yield name
    docker("rmi", "--force", *(f"{name}:{version}" for version in versions.VERSIONS), check=False)
