"""The command line of `scripts/deploy.sh`."""

import argparse
import json
import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, List, Optional

from deployer import docker, environment, files
from deployer.chronicle import Chronicle
from deployer.environment import Environment
from deployer.errors import DeployError, Misused
from deployer.machine import DryMachine, Machine, SSHMachine
from deployer.rollout import HELD, Rollout, new_id
from deployer.signals import interrupt

_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64}")
ENVIRONMENTS = Path(__file__).resolve().parent.parent / "environments"


def main(arguments: Optional[List[str]] = None) -> int:
    """Run it; the exit status."""
    options = _parser().parse_args(arguments)
    interrupt()
    try:
        if options.status or options.rollback:
            if options.version:
                raise Misused("--status and --rollback take no version")
        elif not options.version:
            raise Misused("which version?")
        elif not _VERSION.fullmatch(options.version):
            raise Misused(f"{options.version!r} is neither a tag nor a digest")
        chosen = environment.read(options.environment, options.environments)
        if options.host:
            chosen = chosen.only(options.host)
        with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="autovoice-") as folder:
            if options.status:
                return _status(chosen, stack, Path(folder))
            return _roll(chosen, options, stack, Path(folder))
    except DeployError as error:
        print(f"deploy.sh: {error}", file=sys.stderr, flush=True)
        return error.status
    except OSError as error:  # a file here that cannot be read, for one
        print(f"deploy.sh: {error}", file=sys.stderr, flush=True)
        return DeployError.status


def _roll(chosen: Environment, options: argparse.Namespace, stack: ExitStack, folder: Path) -> int:
    chronicle = Chronicle(chosen, new_id(), options.version or "", options.dry_run)
    machines = _connect(chosen, stack, folder, options.dry_run)
    rollout: Optional[Rollout] = None
    status, why, event = 20, "", "failure"
    try:
        rollout = Rollout(chosen, machines, chronicle)
        if options.rollback:
            status = rollout.back()
        else:
            status = rollout.deploy(options.version, options.force)
        event = "rollback" if rollout.went_back else "success"
        event = "failure" if status == HELD else event
        return status
    except DeployError as error:
        status, why = error.status, str(error)
        event = "rollback" if rollout is not None and rollout.went_back else "failure"
        raise
    finally:
        chronicle.end(list(machines.values()), status, why)
        chronicle.close()
        if status != 0 or (rollout is not None and rollout.has_begun):
            chronicle.tell(event, status, why)
            chronicle.annotate(f"{event}: {chronicle.before} → {chronicle.version} {why}".strip())


def _connect(chosen: Environment, stack: ExitStack, folder: Path, dry: bool) -> Dict[str, Machine]:
    """All hosts, in the order of their names: two deploys cannot wait for each other."""
    machines: Dict[str, Machine] = {}
    for host in sorted(chosen.hosts):
        machine = DryMachine(host, folder, sys.stdout) if dry else SSHMachine(host, folder)
        stack.callback(machine.close)
        machines[host.name] = machine
    return machines


def _status(chosen: Environment, stack: ExitStack, folder: Path) -> int:
    hosts = {}
    with open("/dev/null", "w", encoding="utf-8") as nowhere:
        for host in chosen.hosts:
            machine = DryMachine(host, folder, nowhere)
            stack.callback(machine.close)
            text = machine.run(files.read(host.at("state.json"))).out
            listing = machine.run(docker.listing(chosen.name, host.settings.prefix)).out
            containers = {}
            for line in listing.splitlines():
                found = json.loads(line)
                role = found["Names"][len(host.settings.prefix) + 1 :]
                containers[role] = found["Status"]
            hosts[host.name] = {**json.loads(text or "{}"), "containers": containers}
    print(json.dumps({"environment": chosen.name, "hosts": hosts}, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy.sh", description="Put a version on an environment's hosts, or go back."
    )
    parser.add_argument("environment", metavar="ENVIRONMENT")
    parser.add_argument("version", metavar="VERSION", nargs="?", help="a tag, or sha256:…")
    parser.add_argument("--dry-run", action="store_true", help="print commands, change nothing")
    parser.add_argument("--rollback", action="store_true", help="the version before this one")
    parser.add_argument("--host", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--status", action="store_true", help="what is where, as JSON")
    parser.add_argument(
        "--force", action="store_true", help="also what is there; accept a held one"
    )
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
