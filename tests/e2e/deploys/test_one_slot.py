"""SLOTS=one: no room for two versions, so that requests are held while one makes way."""

import pytest

from tests.e2e.deploys import bed as beds
from tests.e2e.deploys import checks, versions
from tests.e2e.deploys.loading import Loaded

pytestmark = [
    pytest.mark.needs("docker engine", "ssh", "sshd"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(600),
]

WEBSOCKET = "websocket"


@pytest.fixture(scope="module")
def bed(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    with beds.Bed(folder, repository, SLOTS="one", **beds.WITHOUT_PROMETHEUS) as made:
        made.have(versions.GOOD)
        yield made


def test_requests_are_held_and_none_is_refused(bed, tmp_path):
    """There and back; of the WebSockets, those that are open end with the version they are on."""
    with Loaded(bed.url(), tmp_path) as load:
        there = bed.deploy(versions.GOOD_TOO)
        assert there.status == beds.OK, there
        back = bed.deploy("--rollback")
        assert back.status == beds.OK, back
        seen = load.stop()
    lost = [failure for failure in seen["failures"] if failure["kind"] != WEBSOCKET]
    assert lost == []
    assert seen["total"] > 100
    checks.settled(bed, versions.GOOD)
