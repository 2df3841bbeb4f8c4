"""The real parts that tests run, and the Debian packages that bring them.

Run as a program, it prints the packages that the tests need and this machine
lacks; .ci/run installs them.
"""

import re
import shutil
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Optional, Tuple


class Part(NamedTuple):
    """A program that a test runs for real."""

    commands: Tuple[str, ...]
    """Names it goes by."""
    package: str
    """The Debian package that brings it."""

    def path(self) -> Optional[str]:
        """Where it is, or None where it is not installed."""
        return next(filter(None, map(shutil.which, self.commands)), None)


PARTS: Dict[str, Part] = {
    "alertmanager": Part(("alertmanager", "prometheus-alertmanager"), "prometheus-alertmanager"),
    "amtool": Part(("amtool",), "prometheus-alertmanager"),
    "busybox": Part(("busybox",), "busybox"),
    "c++": Part(("c++",), "build-essential"),
    "cc": Part(("cc",), "build-essential"),
    "chromium": Part(("chromium", "chromium-browser", "google-chrome"), "chromium"),
    "cmake": Part(("cmake",), "cmake"),
    "curl": Part(("curl",), "curl"),
    "espeak-ng": Part(("espeak-ng",), "espeak-ng"),
    "ffmpeg": Part(("ffmpeg",), "ffmpeg"),
    "ffprobe": Part(("ffprobe",), "ffmpeg"),
    "jq": Part(("jq",), "jq"),
    "nodejs": Part(("node", "nodejs"), "nodejs"),
    "prometheus": Part(("prometheus",), "prometheus"),
    "promtool": Part(("promtool",), "prometheus"),
    "ps": Part(("ps",), "procps"),
    "redis-server": Part(("redis-server",), "redis-server"),
    "ss": Part(("ss",), "iproute2"),
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
