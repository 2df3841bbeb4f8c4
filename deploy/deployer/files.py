"""Commands about the files of a host's state folder."""

import json
from typing import Any, Dict

from deployer.command import Command, changes, reads
from deployer.environment import Host
from deployer.state import State

SERVER_UID = 10001
"""The image's own user."""

_LOCK = """umask 077
mkdir -p "$1" && cd "$1" || exit 20
exec 9>lock
# That of a deployer that was killed just now takes a moment to go.
flock -w 2 9 || exit 75
echo "held $(id -u) $(id -g)"
exec cat >/dev/null"""

_FOLDERS = """umask 077
state=$1 data=$2 uid=$3
mkdir -p "$state/proxy/run" "$data/lexicons" "$state/cache" "$state/secrets"
[ "$(id -u)" -ne 0 ] || chown "$uid:$uid" "$data" "$data/lexicons" "$state/cache"
chmod 711 "$state"
"""

_REPLACE = 'umask 077; cat >"$1.new" && sync "$1.new" && mv -f "$1.new" "$1"'


def lock(host: Host) -> Command:
    """Hold the lock for as long as what comes in does not end; 75 if another one holds it.

    It ends with the connection, so a deployer that is killed leaves no lock behind.
    """
    return changes("sh", "-c", _LOCK, "lock", host.settings.state_dir)


def make_folders(host: Host) -> Command:
    """Everything that is mounted, there and its user's."""
    settings = host.settings
    words = ("sh", "-c", _FOLDERS, "folders", settings.state_dir, settings.data_dir)
    return changes(*words, str(SERVER_UID))


def read(path: str) -> Command:
    """A file's text; nothing where there is none."""
    return reads("sh", "-c", '[ ! -e "$1" ] || cat "$1"', "read", path)


def write(path: str, text: str) -> Command:
    """Replace a file as a whole."""
    return changes("sh", "-c", _REPLACE, "write", path, stdin=text)


def save(host: Host, state: State) -> Command:
    """Replace the state."""
    return write(host.at("state.json"), state.dumped())


def note(host: Host, line: Dict[str, Any]) -> Command:
    """Add a line to the host's audit log."""
    text = json.dumps(line, ensure_ascii=False) + "\n"
    return changes("sh", "-c", 'umask 077; cat >>"$1"', "note", host.at("audit.jsonl"), stdin=text)
