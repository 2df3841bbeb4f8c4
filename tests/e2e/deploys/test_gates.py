"""A bad version is found out, before anybody hears it or soon after, and traffic is where it was."""

import time

import pytest

from tests.e2e.containers import speak
from tests.e2e.deploys import bed as beds
from tests.e2e.deploys import versions

pytestmark = [
    pytest.mark.needs("docker engine", "ssh", "sshd", "prometheus"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def bed(repository, tmp_path_factory):
    """One host on which the first version serves."""
    with beds.Bed(tmp_path_factory.mktemp("gates"), repository) as made:
        made.start_prometheus()
        print(made.deployed(versions.GOOD))
        yield made


def test_it_speaks_once_deployed(bed):
    print(bed.state(), bed.audit())
    assert bed.revision() == versions.GOOD
