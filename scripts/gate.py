"""Fails unless every job that a gate waits for succeeded: RESULTS='…' python scripts/gate.py

RESULTS is GitHub's `toJSON(needs)`. A branch rule names the gate's job alone; without this,
a job that was skipped, because one before it failed, would count as passed.
"""

import json
import os
import sys


def main() -> None:
    """Print each job's result."""
    results = {name: job["result"] for name, job in json.loads(os.environ["RESULTS"]).items()}
    for name, result in sorted(results.items()):
        print(f"{result:10} {name}")
    if not results or set(results.values()) != {"success"}:
        sys.exit("Not every job succeeded.")


if __name__ == "__main__":
    main()
