"""D1 and D2, under full load: a deploy, two bad ones and a way back cost nobody a request.

One run of at least 30,000 requests, looked at from several sides. Its figures go into a file that
DEPLOY_FIGURES names; benchmarks/deploys.py shows them.
"""

import json
import os
from pathlib import Path
from typing import Any, Dict, NamedTuple

import pytest

from tests.e2e.deploys import bed as beds
from tests.e2e.deploys import checks, versions
from tests.e2e.deploys.loading import Loaded, Seen

pytestmark = [
    pytest.mark.needs("docker engine", "ssh", "sshd", "prometheus"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(900),
]

REQUESTS = 30_000
SOCKETS = 20
BAKE_S, DRAIN_S = 6, 10


class Run(NamedTuple):
    """What happened, and when."""

    seen: Seen
    switched: float
    """Of the good deploy, in Unix time."""
    deploy_s: float
    """Of all of it, without the time it is looked at."""
    back_s: float
    """From the verdict on the slow version to traffic back."""
    statuses: Dict[str, int]


@pytest.fixture(scope="module")
def run(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("no-loss")
    keys = {"BAKE_S": BAKE_S, "DRAIN_S": DRAIN_S}
    with beds.Bed(folder, repository, **keys) as bed:
        bed.start_prometheus()
        bed.have(versions.GOOD)
        with Loaded(bed.url(), folder, light=False) as load:
            load.until(1000)
            good = bed.deploy(versions.GOOD_TOO)
            switched, baked = bed.ended("switch"), bed.phase("bake")["seconds"]
            bed.configure(READY_TIMEOUT_S=5)
            silent = bed.deploy(versions.NEVER_HEALTHY)
            bed.configure(READY_TIMEOUT_S=90)
            slow = bed.deploy(versions.SLOW)
            back_s = bed.ended("back") - bed.ended("bake")
            back = bed.deploy("--rollback")
            load.until(REQUESTS, patience_s=400)
            seen = load.stop()
        checks.settled(bed, versions.GOOD)
    statuses = {
        **{"deploy": good.status, "not ready": silent.status},
        **{"slow": slow.status, "back": back.status},
    }
    made = Run(seen, switched, good.seconds - baked, back_s, statuses)
    write_figures(made)
    return made


def write_figures(run: Run) -> None:
    """Where somebody asks for them."""
    path = os.environ.get("DEPLOY_FIGURES")
    if not path:
        return
    sessions = [
        session
        for session in run.seen["sessions"]
        if session["opened"] < run.switched < (session["closed"] or float("inf"))
    ]
    alive = [session for session in sessions if (session["spoken"] or 0) > run.switched]
    figures: Dict[str, Any] = {
        "requests": run.seen["total"],
        "failed": run.seen["failed"],
        "seconds": run.seen["seconds"],
        "kinds": run.seen["kinds"],
        "websockets": len(sessions),
        "websockets_alive": len(alive),
        "verdict_to_back_s": round(run.back_s, 2),
        "deploy_s": round(run.deploy_s, 1),
    }
    Path(path).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def test_each_deploy_ends_as_it_has_to(run):
    """The good one is done, the bad ones are found out, the way back is gone."""
    assert run.statuses == {
        **{"deploy": beds.OK, "not ready": beds.NOT_READY, "slow": beds.BAD, "back": beds.OK}
    }


def test_no_request_is_lost(run):
    """D1: of at least 30,000, of every kind, each whole."""
    checks.nothing_failed(run.seen)
    assert run.seen["total"] >= REQUESTS and run.seen["failed"] == 0
    kinds = {kind: counts["total"] for kind, counts in run.seen["kinds"].items()}
    assert min(kinds["kept"], kinds["fresh"]) > REQUESTS / 10
    assert kinds["stream"] > 10 and kinds["websocket"] > 100


def test_websockets_live_through_the_switch_until_the_drain_ends(run):
    """D2: 20 of 20 are spoken on after it, and closed with 1012 at the deadline."""
    checks.sockets_lived(run.seen, SOCKETS, run.switched, DRAIN_S)


def test_a_slow_version_is_off_soon_after_the_verdict(run):
    """D4, with 20 WebSockets open and hundreds of requests a second."""
    assert run.back_s < checks.VERDICT_TO_BACK_S
