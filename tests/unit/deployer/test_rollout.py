"""Which phase follows which, and where traffic ends: on hosts in memory."""

import json

import pytest

from deployer.errors import (
    DeployError,
    Inconclusive,
    JudgedBad,
    Misused,
    NoImage,
    NotReady,
    Unclear,
)
from tests.unit.deployer.world import Killed, a_rollout, an_environment, worlds

# A deploy looks at the new version for a while, in real time.
pytestmark = pytest.mark.slow


@pytest.fixture
def chosen():
    return an_environment()


@pytest.fixture
def hosts(chosen, tmp_path):
    """With v1 on all of them."""
    found = worlds(chosen)
    assert a_rollout(chosen, found, tmp_path, "v1", identity="first").deploy("v1", False) == 0
    return found


def serves(world, version):
    """That this version serves, and nothing else does or is under way."""
    slot = world.state["active"]
    assert world.active == version
    assert world.heard == [slot]
    assert world.slot(slot)["running"]
    assert world.slot(slot)["labels"]["org.autovoice.version"] == version
    assert f"server {slot} 127.0.0.1:" in world.files[world.host.at("proxy", "slots.cfg")]
    serving = [
        line.split()[1]
        for line in world.files[world.host.at("proxy", "slots.cfg")].splitlines()
        if line.startswith("    server") and not line.endswith("disabled")
    ]
    assert serving == [slot]
    others = [name for name, found in world.containers.items() if found["running"]]
    assert sorted(others) == sorted([world.host.container("proxy"), world.host.container(slot)])
    assert world.slot("kept") is None
    assert world.state["deploy"] is None
    assert world.unhealthy_moments == []


def test_a_version_takes_the_other_slot_and_the_old_one_stays_stopped(chosen, hosts, tmp_path):
    assert a_rollout(chosen, hosts, tmp_path, "v2").deploy("v2", False) == 0
    for world in hosts.values():
        serves(world, "v2")
        assert world.state["active"] == "green"
        assert world.slot("blue")["running"] is False


def test_the_same_version_again_changes_nothing(chosen, hosts, tmp_path):
    before = {name: dict(world.containers) for name, world in hosts.items()}
    rollout = a_rollout(chosen, hosts, tmp_path, "v1")
    assert rollout.deploy("v1", False) == 0
    assert {name: dict(world.containers) for name, world in hosts.items()} == before
    for site in rollout.sites:
        assert [command for command in site.machine.log if command.changes] == []


def test_force_deploys_it_anew(chosen, hosts, tmp_path):
    assert a_rollout(chosen, hosts, tmp_path, "v1").deploy("v1", True) == 0
    assert {world.state["active"] for world in hosts.values()} == {"green"}


@pytest.mark.parametrize("fault", ["asleep", "mute"])
def test_what_does_not_speak_is_never_heard(chosen, hosts, tmp_path, fault):
    for world in hosts.values():
        world.release("bad", fault)
    rollout = a_rollout(chosen, hosts, tmp_path, "bad")
    with pytest.raises(NotReady):
        rollout.deploy("bad", False)
    assert rollout.went_back is False
    for world in hosts.values():
        serves(world, "v1")


@pytest.mark.parametrize("fault", ["broken", "late"])
def test_what_fails_after_the_switch_is_taken_back_everywhere(chosen, hosts, tmp_path, fault):
    """Also where the canary was fine and another host was not."""
    for name, world in hosts.items():
        world.release("bad", *([fault] if name == "voice2" else []))
    rollout = a_rollout(chosen, hosts, tmp_path, "bad")
    with pytest.raises(JudgedBad):
        rollout.deploy("bad", False)
    assert rollout.went_back
    for world in hosts.values():
        serves(world, "v1")


@pytest.mark.parametrize("still_open", [0, 1])
def test_what_was_just_sent_to_a_bad_version_has_a_second_to_arrive(
    chosen, hosts, tmp_path, still_open
):
    """A server that is told to stop refuses what arrives later; what lasts is not waited for."""
    canary = hosts["voice1"]
    for world in hosts.values():
        world.release("bad", "broken")
    canary.open["green"] = still_open
    with pytest.raises(JudgedBad):
        a_rollout(chosen, hosts, tmp_path, "bad").deploy("bad", False)
    serves(canary, "v1")
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    (cleared,) = [line["seconds"] for line in lines if line["phase"] == "clear"]
    assert cleared >= still_open * 0.9


def test_the_old_version_is_measured_while_it_has_the_traffic(chosen, tmp_path):
    """Both are fast as long as nobody asks: that is no reason to take the new one back."""
    found = worlds(chosen)
    for world in found.values():
        world.release("v1", "loaded")
        world.release("v2", "loaded")
    for version in ("v1", "v2"):
        assert a_rollout(chosen, found, tmp_path, version, identity=version).deploy(version, 0) == 0
    for world in found.values():
        serves(world, "v2")


def test_a_failed_try_takes_no_way_back_away(chosen, hosts, tmp_path):
    """The version before stays in its slot, as it was."""
    a_rollout(chosen, hosts, tmp_path, "v2").deploy("v2", False)
    old = {name: world.slot("blue")["id"] for name, world in hosts.items()}
    for world in hosts.values():
        world.release("bad", "asleep")
    with pytest.raises(NotReady):
        a_rollout(chosen, hosts, tmp_path, "bad").deploy("bad", False)
    assert {name: world.slot("blue")["id"] for name, world in hosts.items()} == old
    for world in hosts.values():
        world.registry.clear()
    assert a_rollout(chosen, hosts, tmp_path).back() == 0
    for world in hosts.values():
        serves(world, "v1")


def test_back_needs_no_registry_and_can_be_taken_back(chosen, hosts, tmp_path):
    a_rollout(chosen, hosts, tmp_path, "v2").deploy("v2", False)
    for world in hosts.values():
        world.registry.clear()
        world.images.clear()
    for version in ("v1", "v2", "v1"):
        assert a_rollout(chosen, hosts, tmp_path).back() == 0
        for world in hosts.values():
            serves(world, version)


def test_without_a_version_before_there_is_no_way_back(chosen, hosts, tmp_path):
    with pytest.raises(Misused):
        a_rollout(chosen, hosts, tmp_path).back()


def test_an_image_that_nobody_has_changes_nothing(chosen, hosts, tmp_path):
    with pytest.raises(NoImage):
        a_rollout(chosen, hosts, tmp_path, "v9").deploy("v9", False)
    for world in hosts.values():
        serves(world, "v1")


def test_the_first_version_of_all_may_fail_too(chosen, tmp_path):
    found = worlds(chosen)
    for world in found.values():
        world.release("bad", "asleep")
    with pytest.raises(NotReady):
        a_rollout(chosen, found, tmp_path, "bad").deploy("bad", False)
    for world in found.values():
        assert world.heard == []
        assert world.slot("blue") is None
    assert a_rollout(chosen, found, tmp_path, "v1").deploy("v1", False) == 0


def test_without_figures_it_goes_back(tmp_path):
    """No data is never a pass: nobody listens at that port."""
    lines = "GATE=prometheus\nPROMETHEUS_URL=http://127.0.0.1:1\n"
    chosen = an_environment(lines)
    found = worlds(chosen)
    a_rollout(an_environment(), found, tmp_path, "v1", identity="first").deploy("v1", False)
    with pytest.raises(Inconclusive):
        a_rollout(chosen, found, tmp_path, "v2").deploy("v2", False)
    for world in found.values():
        serves(world, "v1")


@pytest.mark.slow
@pytest.mark.parametrize("decision", ["accept", "judge again", "back", "another"])
def test_without_figures_it_may_wait_for_a_decision(tmp_path, decision):
    lines = "GATE=prometheus\nPROMETHEUS_URL=http://127.0.0.1:1\nINCONCLUSIVE=hold\n"
    chosen = an_environment(lines)
    found = worlds(chosen)
    a_rollout(an_environment(), found, tmp_path, "v1", identity="first").deploy("v1", False)
    assert a_rollout(chosen, found, tmp_path, "v2").deploy("v2", False) == 13
    canary = found["voice1"]
    assert canary.heard == ["green"]
    assert canary.slot("blue")["running"] and canary.slot("green")["running"]
    if decision == "accept":
        assert a_rollout(chosen, found, tmp_path, "v2").deploy("v2", True) == 0
    elif decision == "judge again":
        assert a_rollout(an_environment(), found, tmp_path, "v2").deploy("v2", False) == 0
    elif decision == "back":
        assert a_rollout(chosen, found, tmp_path).back() == 0
    else:
        assert a_rollout(an_environment(), found, tmp_path, "v1", identity="x").deploy("v1", 0) == 0
    for world in found.values():
        serves(world, "v2" if decision in ("accept", "judge again") else "v1")


@pytest.mark.slow
@pytest.mark.parametrize("slots", ["two", "one"])
@pytest.mark.parametrize("kind", ["deploy", "bad deploy", "back"])
def test_killed_anywhere_and_run_again_it_ends_right(tmp_path, slots, kind):
    """After each single command, one after the other; and meanwhile nobody is sent to a server
    that does not run."""
    chosen = an_environment(f"SLOTS={slots}\nBAKE_S=0\nGATE_MIN_REQUESTS=0\nREADY_COUNT=1\n")
    commands, finished = 0, False
    while not finished:
        found = worlds(chosen)
        for world in found.values():
            world.release("bad", "mute")
        a_rollout(chosen, found, tmp_path, "v1", identity="first").deploy("v1", False)
        if kind == "back":
            a_rollout(chosen, found, tmp_path, "v2", identity="second").deploy("v2", False)
        lives = [commands]
        try:
            rollout = a_rollout(chosen, found, tmp_path, "v2", lives, "killed")
            if kind == "back":
                rollout.back()
            else:
                rollout.deploy("bad" if kind == "bad deploy" else "v2", False)
            finished = True
        except NotReady:
            finished = True
        except Killed:
            pass
        again = a_rollout(chosen, found, tmp_path, "v2", identity="again")
        assert again.deploy("v2", False) == 0
        for world in found.values():
            serves(world, "v2")
        commands += 1
    assert commands > 20


def test_each_phase_is_a_line_in_the_audit_log(chosen, hosts, tmp_path):
    (tmp_path / "audit.jsonl").unlink()
    a_rollout(chosen, hosts, tmp_path, "v2", identity="it").deploy("v2", False)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    trial = ["start", "ready", "speak", "switch", "bake"]
    rest = ["accept", "drain", "stop", "prune"]
    for host in ("voice1", "voice2"):
        phases = [line["phase"] for line in lines if line["host"] == host]
        assert phases == ["pull", "proxy", *trial, *rest]
    assert {line["outcome"] for line in lines} == {"ok"}
    assert {(line["deploy"], line["version"], line["from"]) for line in lines} == {
        ("it", "v2", "v1")
    }


def test_what_fails_after_the_acceptance_is_finished_by_the_next_run(chosen, hosts, tmp_path):
    """There is no way back any more, and it says that it was not all."""
    rollout = a_rollout(chosen, hosts, tmp_path, "v2")
    for site in rollout.sites:
        site.stop = failing
    with pytest.raises(Unclear, match="the new version serves"):
        rollout.deploy("v2", False)
    assert {world.active for world in hosts.values()} == {"v2"}
    assert a_rollout(chosen, hosts, tmp_path, "v2").deploy("v2", False) == 0
    for world in hosts.values():
        serves(world, "v2")


def failing(*_):
    """A step that does not work."""
    raise DeployError("no")
