"""D9: several hosts get a version one after the other, all or none."""

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

SECOND = 1


@pytest.fixture(scope="module")
def bed(repository, tmp_path_factory):
    """Two hosts, both on the first version."""
    folder = tmp_path_factory.mktemp("hosts")
    with beds.Bed(folder, repository, hosts=2, **beds.WITHOUT_PROMETHEUS) as made:
        made.have(versions.GOOD)
        yield made


def on_both(bed, version):
    for host in range(2):
        checks.settled(bed, version, host)


def test_where_a_later_host_fails_all_go_back(bed, tmp_path):
    """The canary had the new version already, and lost nobody a request on either way."""
    bed.configure(**{"READY_TIMEOUT_S@h2": 0})
    try:
        with Loaded(bed.url(), tmp_path) as load:
            done = bed.deploy(versions.GOOD_TOO)
            checks.nothing_failed(load.stop())
    finally:
        bed.configure(**{"READY_TIMEOUT_S@h2": 90})
    assert done.status == beds.NOT_READY, done
    assert bed.phase("bake")["version"] == versions.GOOD_TOO
    on_both(bed, versions.GOOD)


def test_where_the_canary_fails_no_other_host_is_touched(bed):
    """It is there to find that out, also where nobody else asks for anything."""
    prefix = bed.prefix(bed.hosts[SECOND])

    def there():
        return {name: one for name, one in bed.fingerprint().items() if name.startswith(prefix)}

    before = there()
    done = bed.deploy(versions.FAILS)
    assert done.status == beds.BAD, done
    assert there() == before
    on_both(bed, versions.GOOD)


def test_a_host_that_cannot_be_reached_stops_it_before_it_begins(bed):
    """Nothing changes anywhere."""
    before = bed.fingerprint()
    bed.hosts[SECOND].stop()
    try:
        assert bed.deploy(versions.GOOD_TOO).status == 20
        assert bed.fingerprint() == before
    finally:
        bed.hosts[SECOND].start()


def test_a_good_version_is_on_all_of_them(bed):
    """The canary is judged before the next one begins, and is accepted with the others."""
    bed.deployed(versions.GOOD_TOO)
    on_both(bed, versions.GOOD_TOO)
    deploy = bed.audit()[-1]["deploy"]
    order = [
        (line["host"], line["phase"])
        for line in bed.audit()
        if line["deploy"] == deploy and line["phase"] in ("start", "bake", "accept")
    ]
    assert order == [
        *(("h1", "start"), ("h1", "bake"), ("h2", "start"), ("h2", "bake")),
        *(("h1", "accept"), ("h2", "accept")),
    ]
