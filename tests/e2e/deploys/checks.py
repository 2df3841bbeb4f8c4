"""What has to hold around a deploy, as functions: deploys that lack a step are held to it, too."""

from typing import List

from tests.e2e.containers import get
from tests.e2e.deploys.bed import BAD, BUSY, NOT_READY, Bed
from tests.e2e.deploys.load_websocket import SERVICE_RESTART
from tests.e2e.deploys.loading import Loaded, Seen, reasons

VERDICT_TO_BACK_S = 5.0
_CLOSING_S = 6.0
"""From the drain's deadline to the last close: what is being said is finished."""


def nothing_failed(seen: Seen) -> None:
    """Every request had its whole answer."""
    assert reasons(seen) == []


def sockets_lived(seen: Seen, count: int, switched: float, drain_s: float) -> List[float]:
    """Whoever had a WebSocket at the switch kept it until the drain's deadline, spoke on it
    meanwhile, and was then told to come back. Returns how long each one lived from the switch."""
    then = [
        session
        for session in seen["sessions"]
        if session["opened"] < switched < (session["closed"] or float("inf"))
    ]
    assert len(then) == count
    assert [session["code"] for session in then] == [SERVICE_RESTART] * count
    lived = [session["closed"] - switched for session in then]
    assert min(lived) > drain_s - 0.5, f"closed {min(lived):.1f} s after the switch"
    assert max(lived) < drain_s + _CLOSING_S
    assert all(session["spoken"] > switched for session in then)
    return lived


def never_heard(bed: Bed, version: str) -> None:
    """A version that does not get ready: the status says so, and nobody else notices."""
    before, counts, state = bed.fingerprint(), bed.requests(), bed.state()
    new = "green" if state["active"] == "blue" else "blue"
    done = bed.deploy(version)
    assert done.status == NOT_READY, str(done)
    assert bed.requests()[new] == counts[new], "requests reached it"
    assert bed.requests()[state["active"]] > counts[state["active"]]
    serving = bed.container(state["active"])
    after = bed.fingerprint()
    assert {name: after[name] for name in (serving, bed.container("proxy"))} == {
        name: before[name] for name in (serving, bed.container("proxy"))
    }
    assert bed.state()["active"] == state["active"] and bed.state()["deploy"] is None


def found_out(bed: Bed, load: Loaded, version: str) -> float:
    """A version that turns out to be bad when it is used: traffic is back soon after the verdict,
    and stays. Returns the seconds that took, by the log and by what clients saw."""
    old = bed.revision()
    done = bed.deploy(version)
    assert done.status == BAD, str(done)
    verdict, back = bed.ended("bake"), bed.ended("back")
    assert bed.revision() == old
    load.until(load.seen()["total"] + 60)
    seen = load.seen()
    # What had begun there before may end there.
    late = [failure["began"] for failure in seen["failures"] if failure["kind"] != "websocket"]
    seconds = max([back, *late]) - verdict
    assert seconds < VERDICT_TO_BACK_S, f"{seconds:.1f} s from the verdict to traffic back"
    return seconds


def refused(bed: Bed, version: str) -> None:
    """While another deploy runs, nothing begins."""
    before = bed.fingerprint(), bed.state()
    done = bed.deploy(version)
    assert done.status == BUSY, str(done)
    assert (bed.fingerprint(), bed.state()) == before


def settled(bed: Bed, version: str, host: int = 0) -> None:
    """Nothing is under way, the version has the traffic, and one slot runs beside the proxy."""
    state = bed.state(host)
    assert state["deploy"] is None
    assert bed.serving(host) == bed.revision(host) == version
    roles = {role: bed.status_of(role, host) for role in ("proxy", "blue", "green")}
    assert roles.pop("proxy") == roles.pop(state["active"]) == "running"
    assert list(roles.values()) in (["exited"], [None])
    assert len([name for name in bed.containers() if bed.hosts[host].name in name]) <= 3
    assert get(f"{bed.url(host)}/health/ready")
