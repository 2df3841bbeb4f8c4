"""``python benchmarks/image.py``: the images beside a naive one, into docs/deployment-guide.md.

All are built from fresh clones of the checkout, by the same engine, in turns.
"Cold" is without any layer and without what package managers have kept; the base images
are there. It empties the engine's caches for builds, which makes the next build slow.
"""

import argparse
import datetime
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks import machine, report  # noqa: E402
from benchmarks.figures import Spread, spread  # noqa: E402

PAGE = ROOT / "docs/deployment-guide.md"
NAIVE, CPU, CUDA = "naive", "cpu", "cuda"
_UNITS = {"B": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}
_READY_WAIT_S = 60.0


class Build(NamedTuple):
    """One `docker build`."""

    seconds: float
    context_mb: float
    """What was sent to the engine."""


class Results(NamedTuple):
    """Everything, in seconds and MB (of 10^6 bytes)."""

    cold_s: Dict[str, Spread]
    rebuild_s: Dict[str, Spread]
    context_mb: Dict[str, float]
    size_mb: Dict[str, float]
    base_mb: float
    ready_s: Spread


def main(arguments: Sequence[str]) -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each build and start")
    parser.add_argument("--dry-run", action="store_true", help="prints only")
    options = parser.parse_args(arguments)
    table = render(measure(options.rounds))
    print(table)
    if not options.dry_run:
        PAGE.write_text(report.insert(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")


def measure(rounds: int) -> Results:
    """Build everything ``rounds`` times, cold and after a change of the source."""
    cold: Dict[str, List[Build]] = {NAIVE: [], CPU: [], CUDA: []}
    rebuilt: Dict[str, List[float]] = {NAIVE: [], CPU: []}
    with tempfile.TemporaryDirectory() as folder:
        checkout = copied(Path(folder))
        for number in range(rounds):
            for kind, builds in cold.items():
                builds.append(build(checkout, kind, cold=True))
                _say(f"{kind}: {builds[-1].seconds:.1f} s")
            for kind, seconds in rebuilt.items():
                change(checkout, number)
                seconds.append(build(checkout, kind).seconds)
                _say(f"{kind} after a change: {seconds[-1]:.2f} s")
    base = re.findall("^ARG PYTHON_IMAGE=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return Results(
        {kind: spread([build.seconds for build in builds]) for kind, builds in cold.items()},
        {kind: spread(seconds) for kind, seconds in rebuilt.items()},
        {kind: builds[0].context_mb for kind, builds in cold.items()},
        {kind: size_mb(tag(kind)) for kind in cold},
        size_mb(base[0]),
        spread([start_s(tag(CPU)) for _ in range(rounds + 2)]),
    )


def tag(kind: str) -> str:
    """The name of an image that this benchmark makes."""
    return f"autovoice-benchmark:{kind}"


def copied(folder: Path) -> Path:
    """Two fresh clones, as small as a checkout gets; the naive one has no .dockerignore."""
    for kind in (NAIVE, CPU):
        command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder / kind)]
        subprocess.run(command, check=True)
    (folder / NAIVE / ".dockerignore").unlink()
    return folder


def change(checkout: Path, number: int) -> None:
    """Edit one module, as somebody who works on it does."""
    for kind in (NAIVE, CPU):
        with (checkout / kind / "src/auto_voice/errors.py").open("a", encoding="utf-8") as file:
            file.write(f"\n# {number}\n")


def build(checkout: Path, kind: str, cold: bool = False) -> Build:
    """`docker build` of one of the images."""
    command = ["docker", "build", "--progress=plain", "--tag", tag(kind)]
    if kind == NAIVE:
        command += ["--file", "benchmarks/naive.Dockerfile"]
    else:
        command += ["--target", kind]
    if cold:
        docker("builder", "prune", "--all", "--force")
        command.append("--no-cache")
    began = time.monotonic()
    done = subprocess.run(
        [*command, "."],
        cwd=checkout / (NAIVE if kind == NAIVE else CPU),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(done.stdout[-3000:])
    sent = re.findall(r"transferring context: ([\d.]+)(k?M?G?B)", done.stdout)
    return Build(seconds, sum(float(number) * _UNITS[unit] for number, unit in sent[-1:]))


def docker(*arguments: str) -> str:
    """What `docker …` prints."""
    done = subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def size_mb(image: str) -> float:
    """What an image takes on disk, its base included."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6


def start_s(image: str) -> float:
    """From `docker run` to a server that has spoken."""
    began = time.monotonic()
    options = ("--detach", "--publish", "127.0.0.1::5000", "--env", "AUTOVOICE_ALLOW_ANONYMOUS=on")
    container = docker("run", *options, image).strip()
    try:
        url = f"http://{docker('port', container, '5000/tcp').split()[0]}/health/ready"
        while time.monotonic() - began < _READY_WAIT_S:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return time.monotonic() - began
            except OSError:
                time.sleep(0.01)
    finally:
        docker("rm", "--force", container)
    raise RuntimeError("the container does not get ready")


def render(results: Results) -> str:
    """The table, with what has to be reached beside what is."""
    cold, rebuild = results.cold_s, results.rebuild_s
    context, size = results.context_mb, results.size_mb
    above = size[CPU] - results.base_mb

    def row(what: str, naive: str, ours: str, better: str, wanted: str) -> str:
        return f"| {what} | {naive} | {ours} | {better} | {wanted} |"

    def times(found: Spread) -> str:
        return f"{found.median:.1f} s ({found.low:.1f} to {found.high:.1f})"

    def saved(ours: float, naive: float) -> str:
        return f"{(1 - ours / naive) * 100:.0f} % less"

    rows = [
        row("", "naive", "Dockerfile", "", "to reach"),
        row("---", "---:", "---:", "---:", "---:"),
        row(
            "context sent to the engine",
            f"{context[NAIVE]:.2f} MB",
            f"{context[CPU]:.2f} MB",
            saved(context[CPU], context[NAIVE]),
            "70 %",
        ),
        *(
            row(
                f"image `{kind}`",
                f"{size[NAIVE]:.0f} MB",
                f"{size[kind]:.0f} MB",
                saved(size[kind], size[NAIVE]),
                "60 %",
            )
            for kind in (CPU, CUDA)
        ),
        row("… `cpu` above its Python base", "", f"{above:.0f} MB", "", "300 MB"),
        *(
            row(
                f"cold build, `{kind}`",
                times(cold[NAIVE]),
                times(cold[kind]),
                saved(cold[kind].median, cold[NAIVE].median),
                "40 %",
            )
            for kind in (CPU, CUDA)
        ),
        row(
            "build after a change of the source",
            times(rebuild[NAIVE]),
            times(rebuild[CPU]),
            saved(rebuild[CPU].median, rebuild[NAIVE].median),
            "2 s",
        ),
        row("`docker run` to ready", "", times(results.ready_s), "", "3 s"),
    ]
    facts = machine.facts()
    engine = docker("version", "--format", "{{.Server.Version}}").strip()
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return "\n".join(
        [
            f"Measured on {today}: {facts['cores']} cores ({facts['cpu']}), Docker {engine}. "
            "Median of the rounds, and the lowest and highest.",
            "",
            *rows,
            "",
        ]
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
