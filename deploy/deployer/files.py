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


GREET = reads("sh", "-c", 'echo "held $(id -u) $(id -g)"; exec cat >/dev/null')
"""What the lock's command says, without the lock."""


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


# ---- provisioning ------------------------------------------------------------------------------

_CHECK = """for program in docker flock tar; do
    command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 1; }
done
docker version --format '{{.Server.Version}}' || {
    echo "$(id -un) cannot use Docker: is it running, and the user in the group docker?" >&2
    exit 1
}"""

_OWN = """umask 077
for folder; do
    [ -d "$folder" ] || mkdir -p "$folder" 2>/dev/null || sudo -n mkdir -p "$folder" || exit 1
    [ -w "$folder" ] || sudo -n chown "$(id -u):$(id -g)" "$folder" || exit 1
done"""

_PRIVATE = """umask 077
cat >"$1.new" && chmod 400 "$1.new" || exit 1
[ "$(id -u)" -ne 0 ] || chown "$2:$2" "$1.new" || exit 1
if cmp -s "$1.new" "$1"; then rm -f "$1.new"; echo same; else mv -f "$1.new" "$1"; fi"""


def check() -> Command:
    """Whether a host has what it takes; Docker's version."""
    return reads("sh", "-c", _CHECK)


def own(*folders: str) -> Command:
    """Have folders that belong to who logs in."""
    return changes("sh", "-c", _OWN, "own", *folders)


def put_secret(path: str, text: str) -> Command:
    """A file that nobody but the server reads; says `same` where it was there."""
    return changes("sh", "-c", _PRIVATE, "secret", path, str(SERVER_UID), stdin=text)


# ---- backups -----------------------------------------------------------------------------------

_UNPACK = """umask 077
rm -rf "$1.new" && mkdir -p "$1.new" && tar -xzf - -C "$1.new" || exit 1
if [ "$(id -u)" -eq 0 ]; then chown -R "$2:$2" "$1.new"; fi"""


def pack(host: Host) -> Command:
    """All that has to outlive containers, as a compressed archive."""
    return reads("tar", "-C", host.settings.data_dir, "-czf", "-", ".")


def unpack(host: Host) -> Command:
    """Such an archive, beside what is there."""
    return changes("sh", "-c", _UNPACK, "unpack", host.settings.data_dir, str(SERVER_UID))


def exchange(host: Host) -> Command:
    """What was unpacked takes the place of what is there, which stays beside it."""
    script = 'rm -rf "$1.before" && mv "$1" "$1.before" && mv "$1.new" "$1"'
    return changes("sh", "-c", script, "exchange", host.settings.data_dir)
