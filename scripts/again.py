"""Runs pytest, and what did not pass once more by itself: python scripts/again.py COMMAND...

Some tests are about time, and a machine has neighbours. What is broken fails again. Where tests
failed, or pytest itself broke down, everything has a second chance that was not seen to pass or
to be skipped: what failed, and what never ran. The second run's status counts. There is none where
something could not be collected, or where pytest was interrupted, asked for wrongly, or broke down
before any test: what would have to be run is not known then.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

import pytest
from again_plugin import BROKEN, COLLECTED, FAILED, UNREADABLE, done, read

SECOND_CHANCE = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERNAL_ERROR)
"""What a run may end with. Where too many workers crash, xdist says that tests failed."""
NOTHING_WRONG = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
FEW = 50
"""Up to so many tests are run one after the other, which is when they disturb each other least."""
LINES = 40
"""So much of a traceback of pytest's own is said again. Its end says the most."""


def run(command: List[str], *options: str) -> int:
    """pytest's status, with the plugin that these options are for."""
    path = [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    return subprocess.run(
        [*command, "-p", "again_plugin", *options], env=env, check=False
    ).returncode


def say(headline: str, *lines: str) -> None:
    print(f"\n==== {headline}", *lines, sep="\n", flush=True)


def say_why(which: str, record: Dict[str, List[str]]) -> None:
    """The first traceback is the cause: once a worker is gone, others are about that."""
    for traceback in record[BROKEN][:1]:
        say(f"pytest broke down in the {which} run:", *traceback.splitlines()[-LINES:])


def main(command: List[str]) -> int:
    """The status of the run that counts."""
    if not command:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first"), Path(folder, "second")
        status = run(command, f"--again-record={first}")
        before = read(first)
        left = set(before[COLLECTED]) - done(before)
        if status in NOTHING_WRONG and before[BROKEN] and (left or not before[COLLECTED]):
            # xdist says so, too, where a worker broke down over its last test, which never ran.
            status = pytest.ExitCode.INTERNAL_ERROR
        # With nothing left, or nothing known, there is nothing that another run could make good.
        if status not in SECOND_CHANCE or before[UNREADABLE] or not left:
            return status
        say_why("first", before)
        failed = sorted(left & set(before[FAILED]))
        never = len(left) - len(failed)
        say(
            f"{len(left)} once more; {never} had not run to their end, {len(failed)} had failed:",
            *failed,
        )
        # -n is of the first run's command, and the last one counts.
        no_workers = ["-n", "0"] if len(left) <= FEW else []
        status = run(command, f"--again-record={second}", f"--again-after={first}", *no_workers)
        after = read(second)
        # CI shows the end of what was said.
        say_why("first", before)
        say_why("second", after)
        missed = sorted(left - done(after))
        if missed and status in NOTHING_WRONG:
            say(f"Not run the second time, either: {len(missed)}", *missed[:FEW])
            return pytest.ExitCode.TESTS_FAILED
        return status


if __name__ == "__main__":
    # Tests may have names that the terminal has no letters for.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # it is a file
    sys.exit(main(sys.argv[1:]))
