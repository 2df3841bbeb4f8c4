"""``python benchmarks/deploys.py``: what deploys cost their listeners, into the deployment guide.

The figures are those of a test, tests/e2e/deploys/test_no_loss.py, which it runs for that. The
test writes them as JSON; ``--only-table`` makes the table anew from docs/deploys.json.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, Sequence

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks import machine, report  # noqa: E402

PAGE = ROOT / "docs/deployment-guide.md"
DATA = ROOT / "docs/deploys.json"
MARKER = "deploys"
TEST = "tests/e2e/deploys/test_no_loss.py"

Figures = Dict[str, Any]


def main(arguments: Sequence[str]) -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only-table", action="store_true", help="measures nothing")
    options = parser.parse_args(arguments)
    if not options.only_table:
        DATA.write_text(json.dumps(measure(), indent=2) + "\n", encoding="utf-8")
    figures = json.loads(DATA.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(report.insert(page, render(figures), MARKER), encoding="utf-8")
    missed = [target.title for target in targets(figures) if target.met is False]
    if missed:
        sys.exit("not reached: " + ", ".join(missed))


def measure() -> Figures:
    """The test's figures, with what they were taken on."""
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "pytest", "-q", TEST]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "DEPLOY_FIGURES": str(path)})
        figures: Figures = json.loads(path.read_text(encoding="utf-8"))
    engine = ["docker", "version", "--format", "{{.Server.Version}}"]
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": machine.facts(),
        "docker": subprocess.run(engine, check=True, stdout=subprocess.PIPE)
        .stdout.decode()
        .strip(),
        "load_before": round(load_before, 1),
        **figures,
    }


def targets(figures: Figures) -> "list[report.Target]":
    """What a deploy promises."""
    opened = figures["websockets"]
    busy = figures["load_before"] > figures["machine"]["cores"]
    return [
        report.Target("HTTP requests", 30_000, figures["requests"], at_least=True),
        report.Target("of them failed", 0, figures["failed"]),
        report.Target(
            f"WebSockets spoken on after the switch, of {opened}",
            opened,
            figures["websockets_alive"],
            at_least=True,
        ),
        report.Target(
            "verdict to traffic back",
            5,
            figures["verdict_to_back_s"],
            unit=" s",
            disturbed=busy,
        ),
        report.Target(
            "a whole deploy, without the time it is looked at",
            30,
            figures["deploy_s"],
            unit=" s",
            disturbed=busy,
        ),
    ]


def render(figures: Figures) -> str:
    """The table, with what has to be reached beside what is."""
    facts = figures["machine"]
    rows = ["|  |  | to reach |", "| --- | ---: | ---: |"]
    busy = " (the machine was busy)"
    for target in targets(figures):
        sign = "at least" if target.at_least else "at most"
        rows.append(
            f"| {target.title} | {target.value:,}{target.unit}{busy if target.disturbed else ''} "
            f"| {sign} {target.limit:,}{target.unit} |"
        )
    shown = {"kept": "on kept connections", "fresh": "on a connection each"}
    shown["stream"] = "streamed to slow readers"
    kinds = ", ".join(
        f"{figures['kinds'][kind]['total']:,} {words}" for kind, words in shown.items()
    )
    return "\n".join(
        [
            f"Measured on {figures['date']}: {facts['cores']} cores ({facts['cpu']}), Docker "
            f"{figures['docker']}; load average {figures['load_before']:.0f} before. "
            f"In {figures['seconds']:.0f} s: {kinds}.",
            "",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
