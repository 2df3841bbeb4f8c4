"""A bad version is found out, before anybody hears it or soon after; traffic is where it was."""

import pytest

from tests.e2e.deploys import bed as beds
from tests.e2e.deploys import checks, versions
from tests.e2e.deploys.loading import Loaded

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
        made.have(versions.GOOD)
        yield made


def test_a_version_that_never_gets_ready_is_never_heard(bed, tmp_path):
    """D3: exit 10; the old container and the proxy are the same, and no request was lost."""
    bed.configure(READY_TIMEOUT_S=5)
    with Loaded(bed.url(), tmp_path) as load:
        checks.never_heard(bed, versions.NEVER_HEALTHY)
        checks.nothing_failed(load.stop())
    bed.configure(READY_TIMEOUT_S=90)
    checks.settled(bed, versions.GOOD)


@pytest.mark.parametrize("version", [versions.FAILS, versions.CRASHES], ids=["fails", "crashes"])
def test_a_version_that_gets_bad_in_use_is_found_out(bed, tmp_path, version):
    """D4: exit 11, and traffic is back within 5 s of the verdict."""
    with Loaded(bed.url(), tmp_path) as load:
        checks.found_out(bed, load, version)
    checks.settled(bed, versions.GOOD)


def test_a_version_that_gets_slow_is_found_out(bed, tmp_path):
    """D4: the same, and what is slow is no failure: nobody lost anything."""
    with Loaded(bed.url(), tmp_path) as load:
        checks.found_out(bed, load, versions.SLOW)
        checks.nothing_failed(load.stop())
    checks.settled(bed, versions.GOOD)


def test_without_figures_a_good_version_does_not_pass(bed):
    """D5: what Prometheus has no data of is no pass. Exit 12, and traffic is back."""
    bed.stop_prometheus()
    bed.start_prometheus(scraping=False)
    try:
        done = bed.deploy(versions.GOOD_TOO)
    finally:
        bed.stop_prometheus()
        bed.start_prometheus()
    assert done.status == beds.NO_FIGURES, done
    assert bed.phase("bake")["outcome"] == "inconclusive"
    checks.settled(bed, versions.GOOD)


def test_without_figures_a_version_can_be_held_and_then_accepted(bed):
    """D5: Prometheus is down, and INCONCLUSIVE=hold: both run, the new one has the traffic; 13."""
    bed.have(versions.GOOD)
    bed.configure(INCONCLUSIVE="hold")
    bed.stop_prometheus()
    try:
        done = bed.deploy(versions.GOOD_TOO)
        assert done.status == beds.HELD, done
        assert bed.revision() == versions.GOOD_TOO and bed.serving() == versions.GOOD
        assert {bed.status_of("blue"), bed.status_of("green")} == {"running"}
        bed.deployed(versions.GOOD_TOO, "--force")
        checks.settled(bed, versions.GOOD_TOO)
    finally:
        bed.configure(INCONCLUSIVE="rollback")
        bed.start_prometheus()
