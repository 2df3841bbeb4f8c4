"""Versions in a registry, for all tests of deploys."""

from typing import Iterator

import pytest

from tests.e2e.containers import docker
from tests.e2e.deploys import versions


@pytest.fixture(scope="session")
def repository(image: str) -> Iterator[str]:
    """The name of an image whose tags are `versions.VERSIONS`, in a registry of this machine."""
    container, address = versions.start_registry()
    name = f"{address}/autovoice"
    for version in versions.VERSIONS:
        versions.push(versions.build(image, name, version))
    yield name
    docker("rm", "--force", "--volumes", container)
    docker("rmi", "--force", *(f"{name}:{version}" for version in versions.VERSIONS), check=False)
