"""``python benchmarks/run.py``: measures everything, and writes docs/performance.{md,json}."""

import argparse
import contextlib
import datetime
import json
import platform
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, Sequence

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks import throughput  # noqa: E402
from benchmarks import (  # noqa: E402: see above
    instrumentation,
    life,
    live,
    load,
    logging_cost,
    machine,
    report,
    streams,
)
from benchmarks.raw_engine import Espeak  # noqa: E402
from benchmarks.servers import Server  # noqa: E402
from benchmarks.texts import ENGINE_VOICE, sentences, speech_body  # noqa: E402

SECTIONS = (
    "throughput",
    "first_audio",
    "fairness",
    "memory",
    "kills",
    "cache",
    "start",
    "logging",
    "watching",
    "scrapes",
    "websocket",
)


def main(arguments: Sequence[str]) -> None:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute; prints only")
    parser.add_argument("--rounds", type=int, help="of the throughput figures")
    parser.add_argument("--only", choices=SECTIONS, nargs="+", help="these parts; prints only")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (1 if options.quick else 8)
    wanted = options.only or SECTIONS
    with tempfile.TemporaryDirectory() as folder:
        results = {**_facts(), **_measure(Path(folder), wanted, rounds, options.quick)}
    table = report.render(results)
    print(table)
    if options.quick or options.only:
        print("Not written to docs/: that takes a full run.", file=sys.stderr)
        return
    (ROOT / report.DATA).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    page = ROOT / report.PAGE
    page.write_text(report.insert(page.read_text(encoding="utf-8"), table), encoding="utf-8")


def _measure(folder: Path, wanted: Sequence[str], rounds: int, quick: bool) -> Dict[str, Any]:
    log, bodies = folder / "server.log", folder / "short.jsonl"
    load.write_bodies(bodies, [speech_body(sentence) for sentence in sentences()])
    results: Dict[str, Any] = {"others_cores": {}}

    def section(name: str, measure: Callable[[], Any]) -> None:
        if name in wanted:
            _say(name)
            watch = machine.Watch()
            results[name] = measure()
            results["others_cores"][name] = watch.cores()

    with contextlib.ExitStack() as stack:
        running = throughput.available(log)
        for server in running.values():
            stack.callback(server.stop)
        try:
            for server in running.values():
                server.wait()
            rivals = {name: running[name] for name in ("autovoice", "locked")}
            ours = running["autovoice"]
            idle_mb = ours.memory_mb()
            section("throughput", lambda: _throughput(running, bodies, rounds, quick))
            loaded_mb = ours.memory_mb()
            section("first_audio", lambda: streams.first_audio(rivals, 5 if quick else 40))
            section("fairness", lambda: _fairness(rivals, folder, quick))
            memory = {"idle": idle_mb, "after_load": loaded_mb}
            section("memory", lambda: {**memory, **_memory(rivals, quick)})
            section("websocket", lambda: live.measure(ours, quick))
            section("kills", lambda: life.kills(ours, 8, 1_000, 2.0 if quick else 12.0))
        except RuntimeError:
            print(log.read_text(errors="replace")[-2000:], file=sys.stderr)
            raise
    section("cache", lambda: life.cache_hit(log, folder, 1 if quick else 5))
    section("start", lambda: life.start_time(log, 2 if quick else 5))
    section("logging", lambda: logging_cost.measure(4 if quick else 40))
    section("watching", lambda: instrumentation.measure(4 if quick else 40))
    section("scrapes", lambda: life.scrapes(log, 4 if quick else 60))
    return results


def _throughput(running: Dict[str, Server], bodies: Path, rounds: int, quick: bool) -> Any:
    for name in ("autovoice", "locked"):
        throughput.check_same_work(running[name])
    return throughput.measure(running, bodies, rounds, 1 if quick else 2, _say)


def _fairness(running: Dict[str, Server], folder: Path, quick: bool) -> Any:
    seconds = {"autovoice": (8, 3.0), "locked": (6, 5.0)}
    found = {}
    for name, (rounds, busy_s) in seconds.items():
        if quick:
            rounds, busy_s = 1, 2.0
        found[name] = streams.fairness(running[name], folder, rounds, 1.0, busy_s)
    return found


def _memory(running: Dict[str, Server], quick: bool) -> Any:
    # The Flask server keeps all of an answer, several times over: 100,000 words take it gigabytes.
    words = {"autovoice": [2_000, 20_000, 100_000], "locked": [2_000, 20_000]}
    return {
        name: streams.memory(running[name], counts[: len(counts) - quick], _say)
        for name, counts in words.items()
    }


def _facts() -> Dict[str, Any]:
    """The machine and the parts, without its name."""
    packages = ("autovoice", "flask", "gunicorn", "espeakng-loader")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": machine.facts(),
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in packages},
            "espeak-ng": Espeak(ENGINE_VOICE).version,
            "load": load.name(),
        },
    }


_BEGAN = time.monotonic()


def _say(line: str) -> None:
    print(f"[{time.monotonic() - _BEGAN:5.0f} s] {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
