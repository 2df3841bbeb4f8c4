"""HAProxy: what it reads when it starts, what it is told while it runs, and what it answers."""

import csv
import io
import re
from pathlib import Path
from string import Template
from typing import Dict, NamedTuple, Optional, Tuple

from deployer.environment import Host
from deployer.errors import DeployError
from deployer.state import other

TEMPLATES = Path(__file__).resolve().parent.parent / "haproxy"
NOBODY = "127.0.0.1:1"
"""Nothing listens there, so that what is sent there waits."""
HOLD = "hold"
_PATIENCE_S = 10
"""How long a request waits for a slot that is just starting again, where there is room for two."""


class Counts(NamedTuple):
    """What the proxy has seen of one slot since it started."""

    open: int
    """Requests and WebSockets that are open."""
    requests: int
    failed: int
    """Answers of 5xx, and connections that broke before one."""


def configuration(host: Host, user: Tuple[int, int]) -> str:
    """`haproxy.cfg`.

    Args:
        user: uid and gid of who deploys.
    """
    settings = host.settings
    secure = " ssl crt /run/tls.pem alpn h2,http/1.1" if settings.tls_certificate else ""
    metrics = ""
    if settings.metrics_port:
        metrics = Template(_template("metrics.cfg")).substitute(
            ADDRESS=f"{settings.metrics_address}:{settings.metrics_port}",
            BLUE=settings.blue_port,
            GREEN=settings.green_port,
        )
    start_s = float(dict(settings.server).get("AUTOVOICE_START_DEADLINE_S") or 30)
    return Template(_template("haproxy.cfg")).substitute(
        UID=user[0],
        GID=user[1],
        RETRIES=settings.hold_s if settings.slots == "one" else _PATIENCE_S,
        SERVER_TIMEOUT=f"{int(start_s) + 30}s",
        PUBLIC=f"{settings.public_address}:{settings.public_port}{secure}",
        METRICS=metrics,
    )


def slots(host: Host, serving: Optional[str]) -> str:
    """`slots.cfg`: who serves, also after the proxy's own restart.

    Args:
        serving: a slot, `HOLD`, or nobody.
    """
    lines = ["# Written by each switch.", "backend slots"]
    addresses = {slot: f"127.0.0.1:{host.settings.port(slot)}" for slot in ("blue", "green")}
    for name, address in {**addresses, HOLD: NOBODY}.items():
        lines.append(f"    server {name} {address}{'' if name == serving else ' disabled'}")
    return "\n".join(lines) + "\n"


def switch(slot: str) -> str:
    """New requests go to one slot; what is open at the other stays."""
    return f"{_set(slot, 'ready')}; {_set(other(slot), 'drain')}; {_set(HOLD, 'maint')}"


def hold() -> str:
    """New requests wait; what is open stays."""
    return f"{_set(HOLD, 'ready')}; {_set('blue', 'drain')}; {_set('green', 'drain')}"


def only(slot: Optional[str]) -> str:
    """One slot serves; the other is out."""
    return "; ".join(
        _set(name, "ready" if name == slot else "maint") for name in ("blue", "green", HOLD)
    )


def counts(answer: str) -> Dict[str, Counts]:
    """What `show stat` says of each slot.

    Raises:
        DeployError: that is not what it says.
    """
    found = {}
    for row in csv.DictReader(io.StringIO(answer.lstrip("# "))):
        if row.get("pxname") == "slots" and row.get("svname") in ("blue", "green", HOLD):
            failed = sum(int(row.get(key) or 0) for key in ("hrsp_5xx", "eresp"))
            total = int(row.get("req_tot") or row.get("stot") or 0)
            found[row["svname"]] = Counts(int(row.get("scur") or 0), total, failed)
    if len(found) < 3:
        raise DeployError(f"HAProxy does not tell of its slots: {answer[:200]!r}")
    return found


def serving(answer: str) -> Optional[str]:
    """Who gets new requests, of `show stat`: a slot, `HOLD`, or nobody."""
    for row in csv.DictReader(io.StringIO(answer.lstrip("# "))):
        status = row.get("status") or ""
        if row.get("pxname") == "slots" and re.match(r"UP|no check", status):
            if row.get("svname") in ("blue", "green", HOLD):
                return row["svname"]
    return None


def _set(name: str, state: str) -> str:
    return f"set server slots/{name} state {state}"


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
