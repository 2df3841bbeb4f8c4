"""The command line of `scripts/provision.sh`: a bare host, ready to be deployed to."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import List, Optional

from deployer import docker, environment, files
from deployer.__main__ import ENVIRONMENTS
from deployer.environment import Host
from deployer.errors import DeployError, Misused
from deployer.machine import SSHMachine


def main(arguments: Optional[List[str]] = None) -> int:
    """Run it; the exit status, as `scripts/deploy.sh` has them."""
    parser = argparse.ArgumentParser(prog="provision.sh", description="Make hosts ready.")
    parser.add_argument("environment", metavar="ENVIRONMENT")
    parser.add_argument("--host", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--secrets", type=Path, metavar="DIR", help="a file for each of SECRETS")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        chosen = environment.read(options.environment, options.environments)
        if options.host:
            chosen = chosen.only(options.host)
        with tempfile.TemporaryDirectory(prefix="autovoice-") as folder:
            for host in chosen.hosts:
                _provision(host, Path(folder), options.secrets)
        return 0
    except DeployError as error:
        print(f"provision.sh: {error}", file=sys.stderr, flush=True)
        return error.status


def _provision(host: Host, folder: Path, secrets: Optional[Path]) -> None:
    settings = host.settings
    machine = SSHMachine(host, folder, locks=False)
    try:
        version = machine.run(files.check()).out.strip()
        folders = (settings.state_dir, settings.data_dir, settings.secrets_dir)
        machine.run(files.own(*folders))
        machine.run(files.make_folders(host))
        said = []
        for name in settings.secrets.split():
            path = f"{settings.secrets_dir}/{name}"
            if secrets is not None:
                try:
                    text = (secrets / name).read_text(encoding="utf-8")
                except OSError as error:
                    raise Misused(f"--secrets has no {name}: {error.strerror}") from None
                same = machine.run(files.put_secret(path, text)).out.strip() == "same"
                said.append(f"{name} {'stays' if same else 'is new'}")
            elif not machine.run(files.read(path)).out.strip():
                raise DeployError(f"{host.name} has no {path}: --secrets puts it there")
        if machine.run(docker.digests(settings.proxy_image), check=False).status != 0:
            machine.run(docker.pull(settings.proxy_image))
        print("; ".join([f"{host.name}: ready, with Docker {version}", *said]), flush=True)
    finally:
        machine.close()


if __name__ == "__main__":
    sys.exit(main())
