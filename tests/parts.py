"""The real parts that tests run, and the Debian packages that bring them.

Run as a program, it prints the packages that the tests need and this machine
lacks; .ci/run installs them.
"""

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Optional, Tuple


class Part(NamedTuple):
    """A program that a test runs for real."""

    commands: Tuple[str, ...]
    """Names it goes by."""
    package: str
    """The Debian package that brings it."""
    probe: Tuple[str, ...] = ()
    """Arguments with which it succeeds where all that belongs to it is there, too."""

    def path(self) -> Optional[str]:
        """Where it is, or None where it is not installed or of no use."""
        found = next(filter(None, map(shutil.which, self.commands)), None)
        return found if found and _succeeds(found, *self.probe) else None


@functools.lru_cache(maxsize=None)
def _succeeds(program: str, *arguments: str) -> bool:
    if not arguments:
        return True
    done = subprocess.run(
        [program, *arguments], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


PARTS: Dict[str, Part] = {
    "alertmanager": Part(("alertmanager", "prometheus-alertmanager"), "prometheus-alertmanager"),
    "amtool": Part(("amtool",), "prometheus-alertmanager"),
    "busybox": Part(("busybox",), "busybox"),
    "c++": Part(("c++",), "build-essential"),
    "cc": Part(("cc",), "build-essential"),
    "chromium": Part(("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "cmake": Part(("cmake",), "cmake"),
    "curl": Part(("curl",), "curl"),
    "docker compose": Part(("docker",), "docker-compose", ("compose", "version")),
    "docker engine": Part(("docker",), "docker.io", ("version",)),
    "espeak-ng": Part(("espeak-ng",), "espeak-ng"),
    "ffmpeg": Part(("ffmpeg",), "ffmpeg"),
    "ffprobe": Part(("ffprobe",), "ffmpeg"),
    "jq": Part(("jq",), "jq"),
    "nodejs": Part(("node", "nodejs"), "nodejs"),
    "openssl": Part(("openssl",), "openssl"),
    "prometheus": Part(("prometheus",), "prometheus"),
    "promtool": Part(("promtool",), "prometheus"),
    "ps": Part(("ps",), "procps"),
    "redis-server": Part(("redis-server",), "redis-server"),
    "skopeo": Part(("skopeo",), "skopeo"),
    "ss": Part(("ss",), "iproute2"),
    "ssh-agent": Part(("ssh-agent",), "openssh-client"),
    "ssh": Part(("ssh",), "openssh-client"),
    "sshd": Part(("sshd", "/usr/sbin/sshd"), "openssh-server"),
    "wrk": Part(("wrk",), "wrk"),
}


def parts_in_use() -> Iterator[str]:
    """The names that some test says it needs."""
    for path in sorted(Path(__file__).parent.rglob("test_*.py")):
        for names in re.findall(r"mark\.needs\(([^)]*)\)", path.read_text(encoding="utf-8")):
            yield from re.findall(r"[\"']([^\"']+)[\"']", names)


if __name__ == "__main__":
    used = {PARTS[name] for name in parts_in_use() if name in PARTS}
    print(*sorted({part.package for part in used if part.path() is None}))
