"""An environment to deploy to, whole: hosts, their ports, Prometheus, and the operator's side."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from tests.e2e.containers import ROOT, docker, get, until
from tests.e2e.deploys.hosts import Host, known_hosts, make_key
from tests.e2e.deploys.versions import GOOD, GOOD_TOO
from tests.integration.serving import unused_port
from tests.parts import PARTS

SCRIPT = ROOT / "scripts/deploy.sh"
SCRAPE_S = 1.0
PATIENCE_S = 240.0

OK, USAGE, NOT_READY, BAD, NO_FIGURES, HELD, BUSY = 0, 2, 10, 11, 12, 13, 75
"""Exit statuses, as deploy/README.md has them."""

KEYS: Dict[str, Any] = {
    "SECRETS": "",
    "AUTOVOICE_ALLOW_ANONYMOUS": "on",
    "PUBLIC_ADDRESS": "127.0.0.1",
    "PULL": "always",
    "READY_COUNT": 3,
    "READY_INTERVAL_S": 0.1,
    "READY_TIMEOUT_S": 90,
    "GATE": "prometheus",
    "BAKE_S": 6,
    "GATE_MIN_REQUESTS": 8,
    "GATE_SUCCESS": 0.99,
    # The machine has neighbours: what counts as slow is far from what they do to it.
    "GATE_P95_RATIO": 2,
    "GATE_P95_SLACK_S": 0.4,
    "GATE_P95_MAX_S": 5,
    "BASELINE_S": 30,
    "DRAIN_S": 1,
}
"""What holds for every environment here, unless a test says otherwise."""
WITHOUT_PROMETHEUS: Dict[str, Any] = {"GATE": "probes", "BAKE_S": 1, "GATE_MIN_REQUESTS": 3}
"""Where it is not the judging that a test is about."""


class Done(NamedTuple):
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    def __str__(self) -> str:
        return f"status {self.status} after {self.seconds:.1f} s\n{self.stdout}{self.stderr}"


class Bed:
    """One of them, made anew; as a context manager, it leaves nothing behind."""

    def __init__(self, folder: Path, repository: str, hosts: int = 1, **keys: Any) -> None:
        """``keys`` are of the environment's file."""
        self.name = f"e2e-{uuid.uuid4().hex[:6]}"
        self.folder = folder
        self.script = SCRIPT
        self.audit_log = folder / "audit.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        make_key(folder / "operator_key")
        self.hosts = [
            Host(f"h{number}", folder / f"h{number}", folder / "operator_key")
            for number in range(1, hosts + 1)
        ]
        self._ports = {
            host.name: {key: unused_port() for key in ("PUBLIC_PORT", "BLUE_PORT", "GREEN_PORT")}
            for host in self.hosts
        }
        (folder / "known_hosts").write_text(known_hosts(self.hosts), encoding="utf-8")
        self.prometheus_port = unused_port()
        self._prometheus: Optional["subprocess.Popen[bytes]"] = None
        self._keys = {**KEYS, "IMAGE": repository, **self._own_keys(), **keys}
        self.configure()

    def __enter__(self) -> "Bed":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _own_keys(self) -> Dict[str, Any]:
        keys: Dict[str, Any] = {
            "HOSTS": " ".join(host.name for host in self.hosts),
            "SSH_KEY": self.folder / "operator_key",
            "SSH_KNOWN_HOSTS": "known_hosts",
            "PROMETHEUS_URL": f"http://127.0.0.1:{self.prometheus_port}",
            "AUDIT_LOG": self.audit_log,
        }
        for host in self.hosts:
            keys[f"SSH@{host.name}"] = f"{host.user}@127.0.0.1"
            keys[f"SSH_PORT@{host.name}"] = host.port
            keys[f"STATE_DIR@{host.name}"] = host.state
            keys[f"PREFIX@{host.name}"] = self.prefix(host)
            keys.update(
                (f"{key}@{host.name}", port) for key, port in self._ports[host.name].items()
            )
        return keys

    def prefix(self, host: Host) -> str:
        """What the names of a host's containers begin with."""
        return f"autovoice-{self.name}-{host.name}"

    def configure(self, **keys: Any) -> None:
        """Change keys of the environment's file."""
        self._keys.update(keys)
        text = "".join(f"{key}={value}\n" for key, value in self._keys.items())
        (self.folder / f"{self.name}.env").write_text(text, encoding="utf-8")

    # --- the operator ---------------------------------------------------------------------------

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`deploy.sh ENVIRONMENT …`, which goes on in a process group of its own."""
        command = [str(self.script), self.name, *arguments, "--environments", str(self.folder)]
        env = {**os.environ, "HOME": str(self.folder)}
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def deploy(self, *arguments: str) -> Done:
        """`deploy.sh ENVIRONMENT …`, to its end."""
        began = time.monotonic()
        process = self.start(*arguments)
        try:
            out, errors = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"it never ends: {process.communicate()}") from None
        return Done(process.returncode, out, errors, time.monotonic() - began)

    def have(self, version: str) -> None:
        """A version serves on every host, whatever did before."""
        self.deployed(version)
        assert all(self.serving(host) == version for host in range(len(self.hosts)))

    def another(self) -> str:
        """A good version that does not serve, while another good one does: where it does not
        matter which is which, a deploy is saved."""
        if self.serving() not in (GOOD, GOOD_TOO) or self.state()["deploy"] is not None:
            self.have(GOOD)
        return GOOD_TOO if self.serving() == GOOD else GOOD

    def deployed(self, version: str, *arguments: str) -> Done:
        """The same, where all has to go well."""
        done = self.deploy(version, *arguments)
        assert done.status == OK, done
        return done

    # --- what there is --------------------------------------------------------------------------

    def url(self, host: int = 0) -> str:
        """What clients of a host use."""
        return f"http://127.0.0.1:{self._ports[self.hosts[host].name]['PUBLIC_PORT']}"

    def revision(self, host: int = 0) -> Optional[str]:
        """The version that answers clients, by its own word."""
        for line in (get(f"{self.url(host)}/metrics") or b"").decode().splitlines():
            if line.startswith("autovoice_build_info{"):
                return line.partition('revision="')[2].partition('"')[0]
        return None

    def state(self, host: int = 0) -> Dict[str, Any]:
        """A host's state file."""
        found: Dict[str, Any] = json.loads((self.hosts[host].state / "state.json").read_text())
        return found

    def serving(self, host: int = 0) -> Optional[str]:
        """The version that a host's state calls active."""
        state = self.state(host)
        slot = state["slots"].get(state["active"]) or {}
        return slot.get("version")

    def audit(self) -> List[Dict[str, Any]]:
        """The operator's copy of the audit log."""
        return [json.loads(line) for line in self.audit_log.read_text().splitlines()]

    def phase(self, name: str, host: int = 0) -> Dict[str, Any]:
        """The last line about a phase on a host."""
        where = self.hosts[host].name
        return [line for line in self.audit() if (line["phase"], line["host"]) == (name, where)][-1]

    def ended(self, phase: str, host: int = 0) -> float:
        """When a phase last ended, in Unix time."""
        text = self.phase(phase, host)["time"].replace("Z", "+00:00")
        return datetime.fromisoformat(text).timestamp()

    def requests(self, host: int = 0) -> Dict[str, int]:
        """How many requests a host's proxy has sent to each slot."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.hosts[host].state / "proxy/run/admin.sock"))
            connection.sendall(b"show stat\n")
            text = connection.makefile(encoding="utf-8").read()
        rows = csv.DictReader(io.StringIO(text.lstrip("# ")))
        return {row["svname"]: int(row["stot"]) for row in rows if row["pxname"] == "slots"}

    def containers(self) -> Dict[str, Dict[str, Any]]:
        """All of this environment, by name, as `docker inspect` has them."""
        label = f"label=org.autovoice.environment={self.name}"
        identities = docker("ps", "--all", "--quiet", "--filter", label).stdout.split()
        if not identities:
            return {}
        found = json.loads(docker("inspect", *identities).stdout)
        return {one["Name"].lstrip("/"): one for one in found}

    def fingerprint(self) -> Dict[str, Any]:
        """What changes if anything is created, started or stopped."""
        return {
            name: (one["Id"], one["State"]["StartedAt"], one["State"]["Status"])
            for name, one in self.containers().items()
        }

    def container(self, role: str, host: int = 0) -> str:
        """The name of a host's `proxy`, `blue` or `green`."""
        return f"{self.prefix(self.hosts[host])}-{role}"

    def status_of(self, role: str, host: int = 0) -> Optional[str]:
        """Of such a container, as Docker calls it; None where there is none."""
        found = self.containers().get(self.container(role, host))
        return found["State"]["Status"] if found else None

    # --- Prometheus -----------------------------------------------------------------------------

    def start_prometheus(self, scraping: bool = True) -> None:
        """It scrapes every slot, whether there is one or not; or it has nothing to scrape."""
        slots = [
            f"127.0.0.1:{ports[slot]}"
            for ports in self._ports.values()
            for slot in ("BLUE_PORT", "GREEN_PORT")
        ]
        configuration = {
            "global": {
                "scrape_interval": f"{int(1000 * SCRAPE_S)}ms",
                "scrape_timeout": f"{int(1000 * SCRAPE_S)}ms",
            },
            "scrape_configs": [
                {
                    "job_name": "autovoice",
                    "static_configs": [{"targets": slots if scraping else []}],
                }
            ],
        }
        file = self.folder / "prometheus.yml"
        file.write_text(json.dumps(configuration), encoding="utf-8")  # which is YAML, too
        program = PARTS["prometheus"].path()
        assert program is not None
        with (self.folder / "prometheus.log").open("ab") as log:
            self._prometheus = subprocess.Popen(
                [
                    *(program, f"--config.file={file}"),
                    f"--storage.tsdb.path={self.folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
                ],
                stdout=log,
                stderr=log,
            )
        until(lambda: get(f"http://127.0.0.1:{self.prometheus_port}/-/ready"), "Prometheus is up")

    def stop_prometheus(self) -> None:
        """As if its machine were gone."""
        if self._prometheus is not None:
            self._prometheus.kill()
            self._prometheus.wait()
        self._prometheus = None

    def query(self, query: str) -> List[Dict[str, Any]]:
        """What Prometheus answers."""
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/query?"
        answer = get(url + urllib.parse.urlencode({"query": query}))
        assert answer is not None
        found: List[Dict[str, Any]] = json.loads(answer)["data"]["result"]
        return found

    def close(self) -> None:
        """Leave nothing behind."""
        self.stop_prometheus()
        for host in self.hosts:
            host.stop()
        names: Sequence[str] = list(self.containers())
        if names:
            docker("rm", "--force", "--volumes", *names, check=False)
