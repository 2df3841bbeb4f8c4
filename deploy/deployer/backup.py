"""The command line of `scripts/backup.sh`: what a host keeps, into a file here and back."""

import argparse
import os
import sys
import tarfile
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import List, Optional

from deployer import docker, environment, files, proxy
from deployer.__main__ import ENVIRONMENTS
from deployer.environment import Environment
from deployer.errors import DeployError, Misused
from deployer.machine import SSHMachine
from deployer.site import Site


def main(arguments: Optional[List[str]] = None) -> int:
    """Run it; the exit status, as `scripts/deploy.sh` has them."""
    parser = argparse.ArgumentParser(prog="backup.sh", description="Save a host's data, or not.")
    parser.add_argument("environment", metavar="ENVIRONMENT")
    parser.add_argument("host", metavar="HOST")
    parser.add_argument("--to", type=Path, metavar="FILE", help="instead of a name with the time")
    parser.add_argument("--restore", type=Path, metavar="FILE", help="put this one back")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        chosen = environment.read(options.environment, options.environments).only([options.host])
        with tempfile.TemporaryDirectory(prefix="autovoice-") as folder:
            # The lock keeps a deploy from starting meanwhile.
            machine = SSHMachine(chosen.hosts[0], Path(folder))
            try:
                if options.restore:
                    restore(Site(chosen, machine), machine, options.restore)
                else:
                    print(save(chosen, machine, options.to))
            finally:
                machine.close()
        return 0
    except DeployError as error:
        print(f"backup.sh: {error}", file=sys.stderr, flush=True)
        return error.status


def save(chosen: Environment, machine: SSHMachine, to: Optional[Path]) -> Path:
    """The host's data into a file, whole or not at all.

    Raises:
        DeployError: it could not be read, or not be written.
    """
    when = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    path = to or Path(f"{chosen.name}-{machine.host.name}-{when}.tar.gz")
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            machine.pour(files.pack(machine.host), None, file)
            file.flush()
            os.fsync(file.fileno())
        check(unfinished)
        os.replace(unfinished, path)
    except OSError as error:
        raise DeployError(f"{path} cannot be written: {error}") from None
    finally:
        if unfinished.exists():
            unfinished.unlink()
    return path


def check(path: Path) -> int:
    """Read an archive to its end; how many files are in it.

    Raises:
        DeployError: it is damaged, or would write elsewhere than it is unpacked.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            count = 0
            for member in archive:
                parts = Path(member.name).parts
                if member.name.startswith("/") or ".." in parts:
                    raise DeployError(f"{path}: {member.name} is no name of a backup")
                if not (member.isfile() or member.isdir()):
                    raise DeployError(f"{path}: {member.name} is neither file nor folder")
                count += member.isfile()
            return count
    except FileNotFoundError:
        raise Misused(f"there is no {path}") from None
    except (OSError, EOFError, tarfile.TarError) as error:
        raise DeployError(f"{path} is damaged: {error}") from None


def restore(site: Site, machine: SSHMachine, path: Path) -> None:
    """Such a file back onto the host; requests wait while the server starts again.

    Raises:
        DeployError: it is damaged, and nothing was touched; or the server did not come back.
    """
    check(path)
    active = site.state.active
    if site.state.deploy is not None:
        raise DeployError(f"{site.host.name}: a deploy is unfinished; run it again first")
    with open(path, "rb") as file:
        machine.pour(files.unpack(site.host), file, None)
    if active is None:
        machine.run(files.exchange(site.host))
        return
    name = site.host.container(active)
    site.direct(proxy.hold(), proxy.HOLD)
    try:
        site.wait_until_idle(active, site.settings.drain_s)
        machine.run(docker.stop(name, site.settings.stop_s))
        machine.run(files.exchange(site.host))
    finally:
        machine.run(docker.start(name))
        site.ready(active)
        site.direct(proxy.only(active), active)


if __name__ == "__main__":
    sys.exit(main())
