"""ssh's command lines, as words: one connection for each host, and everything through it."""

import shlex
from typing import Tuple

from deployer.command import Command
from deployer.environment import Host


def connect(host: Host, control: str, admin_socket: str, lock: Command) -> Tuple[str, ...]:
    """Open the connection, with the lock's command in it.

    Args:
        control: where ssh listens for those who want to use the connection.
        admin_socket: where the proxy's socket appears on this machine.
    """
    words = ["ssh", "-M", "-S", control, "-T", "-p", str(host.settings.ssh_port)]
    words += _options(host)
    words += ["-o", "ControlPersist=no", "-o", "StreamLocalBindUnlink=yes"]
    words += ["-o", "StreamLocalBindMask=0177"]
    words += ["-L", f"{admin_socket}:{host.at('proxy', 'run', 'admin.sock')}"]
    return (*words, "--", host.target, shlex.join(lock.words))


def through(host: Host, control: str, command: Command) -> Tuple[str, ...]:
    """Run a command."""
    return (*_user(host, control), "-T", "--", host.target, shlex.join(command.words))


def pipe(host: Host, control: str, address: str, port: int) -> Tuple[str, ...]:
    """Reach a port of the host, or one that it can reach, on standard input and output."""
    return (*_user(host, control), "-W", f"{address}:{port}", "--", host.target)


def _user(host: Host, control: str) -> Tuple[str, ...]:
    words = ("ssh", "-S", control, "-p", str(host.settings.ssh_port))
    # Without the connection, nothing is opened anew: it held the lock.
    return (*words, "-o", "BatchMode=yes", "-o", "ProxyCommand=false")


def _options(host: Host) -> Tuple[str, ...]:
    settings = host.settings
    words = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ForwardAgent=no"]
    words += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
    words += ["-o", "StrictHostKeyChecking=yes"]
    if settings.ssh_known_hosts:
        words += ["-o", f"UserKnownHostsFile={settings.ssh_known_hosts}"]
        words += ["-o", "GlobalKnownHostsFile=/dev/null"]
    if settings.ssh_key:
        words += ["-i", settings.ssh_key, "-o", "IdentitiesOnly=yes"]
    return tuple(words)
