"""Hosts to deploy to: an sshd each, on a loopback port, with its own keys and its own folder."""

import getpass
import os
import shutil
import subprocess
from pathlib import Path
from typing import List

from tests.e2e.containers import until
from tests.integration.serving import unused_port
from tests.parts import PARTS

# A host has a home of its own: what the developer's shell does when it starts is done for every
# single command otherwise, and may take longer than the command.
_CONFIGURATION = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowUsers {user}
LogLevel VERBOSE
SetEnv HOME={folder}
ForceCommand {folder}/shell
"""
# What a client asks for is written down, then done.
_SHELL = """\
#!/bin/sh
printf '%s\\n' "$SSH_ORIGINAL_COMMAND" >>{folder}/commands
exec sh -c "$SSH_ORIGINAL_COMMAND"
"""


class Host:
    """One of them. All of them share the machine's Docker engine, as names in it do not."""

    def __init__(self, name: str, folder: Path, client_key: Path) -> None:
        """``client_key``: whoever has it is let in."""
        self.name = name
        self.user = getpass.getuser()
        self.port = unused_port()
        self.folder = folder
        self.state = folder / "state"
        self._log = folder / "sshd.log"
        folder.mkdir(parents=True)
        make_key(folder / "host_key")
        shutil.copy(f"{client_key}.pub", folder / "authorized_keys")
        self._configuration = folder / "sshd_config"
        self._configuration.write_text(
            _CONFIGURATION.format(port=self.port, folder=folder, user=self.user), encoding="utf-8"
        )
        shell = folder / "shell"
        shell.write_text(_SHELL.format(folder=folder), encoding="utf-8")
        shell.chmod(0o755)
        self.start()

    @property
    def known(self) -> str:
        """Its line of a known_hosts file."""
        kind, key = (self.folder / "host_key.pub").read_text(encoding="utf-8").split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}"

    def start(self) -> None:
        """Let clients in."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd gives its rights up
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sshd(), "-D", "-e", "-f", str(self._configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: b"Server listening" in self._log.read_bytes(), f"{self.name} lets clients in")

    def stop(self) -> None:
        """Let nobody in any more; who is in stays."""
        self._process.terminate()
        self._process.wait(timeout=10)

    def commands(self) -> List[str]:
        """The lines of all commands so far."""
        path = self.folder / "commands"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def sshd() -> str:
    """Its whole path, without which it does not start."""
    found = PARTS["sshd"].path()
    assert found is not None
    return found


def make_key(path: Path) -> None:
    """A pair of keys, the public one in a file beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True)


def known_hosts(hosts: List[Host]) -> str:
    """What a client knows of them."""
    return "".join(f"{host.known}\n" for host in hosts)
