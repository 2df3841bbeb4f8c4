"""Two deploys at once, and deploys that are killed."""

import os
import signal
import time

import pytest

from tests.e2e.containers import until
from tests.e2e.deploys import bed as beds
from tests.e2e.deploys import checks, versions
from tests.e2e.deploys.loading import Loaded

pytestmark = [
    pytest.mark.needs("docker engine", "ssh", "sshd"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(600),
]

PHASES = ("start", "switch", "bake", "stop")
"""Before anybody hears the new version, at the switch, on trial, and after the verdict.
tests/unit/deployer breaks off after each single command."""


@pytest.fixture(scope="module")
def bed(repository, tmp_path_factory):
    """One host without Prometheus: what breaks off here does so whatever judges."""
    folder = tmp_path_factory.mktemp("broken-off")
    with beds.Bed(folder, repository, **beds.WITHOUT_PROMETHEUS) as made:
        made.have(versions.GOOD)
        yield made


def begun(bed, version, phase):
    """A deploy that goes on, and is in this phase now."""
    process = bed.start(version)

    def is_there():
        assert process.poll() is None, process.communicate()
        deploy = bed.state()["deploy"]
        return deploy is not None and deploy["phase"] == phase

    until(is_there, f"the deploy is in phase {phase}", beds.PATIENCE_S)
    return process


def kill(process):
    """As nobody would: neither it nor what it started can do anything about it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_second_deploy_is_refused_and_a_kill_frees_the_lock(bed):
    """D6: exit 75 while the first runs, whatever the second wants; then it is free at once."""
    new = bed.another()
    old = bed.serving()
    bed.configure(BAKE_S=60)
    first = begun(bed, new, "bake")
    try:
        checks.refused(bed, new)
        assert bed.deploy("--rollback").status == beds.BUSY
    finally:
        kill(first)
    bed.configure(**beds.WITHOUT_PROMETHEUS)
    began = time.monotonic()
    done = bed.deploy(old)
    assert done.status == beds.OK, done
    assert time.monotonic() - began < 60
    checks.settled(bed, old)


@pytest.mark.parametrize("phase", PHASES)
def test_killed_in_a_phase_it_ends_right_when_run_again(bed, tmp_path, phase):
    """D11: kill -9 loses nobody a request, and neither does the next run, which is successful."""
    new = bed.another()
    with Loaded(bed.url(), tmp_path) as load:
        kill(begun(bed, new, phase))
        bed.deployed(new)
        checks.nothing_failed(load.stop())
    checks.settled(bed, new)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_goes_back_by_itself(bed, tmp_path, number, status):
    """Ctrl-C while the new version has the traffic: the old one has it again, and it says so."""
    new = bed.another()
    old = bed.serving()
    bed.configure(BAKE_S=60)
    try:
        with Loaded(bed.url(), tmp_path) as load:
            process = begun(bed, new, "bake")
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
            assert process.returncode == status, out + errors
            checks.settled(bed, old)
            checks.nothing_failed(load.stop())
    finally:
        bed.configure(**beds.WITHOUT_PROMETHEUS)
