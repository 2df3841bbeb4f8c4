"""Runs pytest, and what failed once more by itself: python scripts/again.py COMMAND...

Some tests are about time, and a machine has neighbours. What is broken fails again. Only tests
that ran and failed have a second chance: where something could not even be collected, or pytest
did not come to its end, tests may be left that never ran, and that is a failure at once.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

_TESTS_FAILED = 1
"""pytest's status where all were run."""


def failed_tests(cache: Path) -> List[str]:
    """What failed by the cache of a run; nothing where that was more than tests."""
    try:
        failed = json.loads((cache / "v/cache/lastfailed").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return sorted(failed) if all("::" in name for name in failed) else []


def main(command: List[str]) -> int:
    """The status of the run that counts."""
    if not command:
        sys.exit(__doc__)
    # A cache of its own: what another run left there would be taken for this one's.
    with tempfile.TemporaryDirectory() as folder:
        command = [*command, "-o", f"cache_dir={folder}"]
        status = subprocess.run(command, check=False).returncode
        failed = failed_tests(Path(folder))
        if status != _TESTS_FAILED or not failed:
            return status
        print(f"\n==== {len(failed)} failed, once more:", *failed, sep="\n", flush=True)
        # -n is of the first run's command, and the last one counts.
        once_more = ["--last-failed", "-n", "0"]
        return subprocess.run([*command, *once_more], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
