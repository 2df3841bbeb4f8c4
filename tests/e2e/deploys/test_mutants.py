"""A deployer that lacks a step fails the check that is there for it: each check is awake."""

import shutil

import pytest

from tests.e2e.containers import ROOT
from tests.e2e.deploys import bed as beds
from tests.e2e.deploys import checks, versions
from tests.e2e.deploys.loading import Loaded
from tests.e2e.deploys.test_broken_off import begun, kill

pytestmark = [
    pytest.mark.needs("docker engine", "ssh", "sshd"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(600),
]

NO_DRAIN = "from deployer.site import Site\nSite.drain = lambda *args, **kwargs: 0\n"
NO_READY = (
    "from deployer.site import Site\nSite.ready = Site.speak = lambda *args, **kwargs: None\n"
)
NO_JUDGE = "from deployer.judge import Judge\nJudge.watch = lambda *args, **kwargs: 'looks good'\n"
NO_LOCK = """\
from deployer import files
from deployer.command import Command
files.lock = lambda host: Command(("sh", "-c", 'echo held $(id -u) $(id -g); cat'), True)
"""


@pytest.fixture(scope="module")
def own(repository, tmp_path_factory):
    """One host on which the first version serves."""
    folder = tmp_path_factory.mktemp("mutants")
    with beds.Bed(folder, repository, **beds.WITHOUT_PROMETHEUS) as made:
        made.have(versions.GOOD)
        yield made


@pytest.fixture
def mutant(own, tmp_path):
    """Has the bed deploy with a copy of the deployer in which something else holds."""

    def mutated(code):
        own.another()  # with the real deployer, a good version serves
        copy = tmp_path / "copy"
        for name in ("deploy/deployer", "deploy/haproxy"):
            shutil.copytree(ROOT / name, copy / name)
        (copy / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/deploy.sh", copy / "scripts/deploy.sh")
        # Python runs this before anything else that it finds beside it.
        (copy / "deploy/sitecustomize.py").write_text(code, encoding="utf-8")
        own.script = copy / "scripts/deploy.sh"
        return own

    yield mutated
    own.script = beds.SCRIPT
    own.configure(**beds.WITHOUT_PROMETHEUS, DRAIN_S=beds.KEYS["DRAIN_S"])


def test_without_a_drain_websockets_do_not_live(mutant, tmp_path):
    """HTTP alone does not notice: not one request is lost by it."""
    bed = mutant(NO_DRAIN)
    bed.configure(DRAIN_S=20)
    with Loaded(bed.url(), tmp_path) as load:
        bed.deployed(bed.another())
        seen = load.stop()
    with pytest.raises(AssertionError, match="after the switch"):
        checks.sockets_lived(seen, 3, bed.ended("switch"), 20)


def test_without_the_first_gate_a_version_is_heard_that_never_speaks(mutant, tmp_path):
    """Its listeners find out, not the deployer."""
    bed = mutant(NO_READY)
    with Loaded(bed.url(), tmp_path):
        with pytest.raises(AssertionError, match=f"status {beds.BAD} "):
            checks.never_heard(bed, versions.NEVER_HEALTHY)


def test_without_the_second_gate_a_bad_version_stays(mutant, tmp_path):
    """Exit 0, and it goes on failing."""
    bed = mutant(NO_JUDGE)
    with Loaded(bed.url(), tmp_path) as load:
        with pytest.raises(AssertionError, match=f"status {beds.OK} "):
            checks.found_out(bed, load, versions.FAILS)


def test_without_the_lock_two_deploys_get_in_each_others_way(mutant):
    """The second one begins."""
    bed = mutant(NO_LOCK)
    bed.configure(BAKE_S=60)
    new = bed.another()
    first = begun(bed, new, "bake")
    try:
        bed.configure(**beds.WITHOUT_PROMETHEUS)
        with pytest.raises(AssertionError, match="status (?!75)"):
            checks.refused(bed, new)
    finally:
        kill(first)
