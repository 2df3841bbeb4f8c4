"""``python benchmarks/run.py``: measures everything, and writes docs/performance.{md,json}."""

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Dict, Sequence

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks import life, load, report, streams, throughput  # noqa: E402: needs the line above
from benchmarks.raw_engine import Espeak  # noqa: E402
from benchmarks.texts import ENGINE_VOICE, sentences, speech_body  # noqa: E402

SECTIONS = ("throughput", "first_audio", "fairness", "memory", "kills", "cache", "start")


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
    results: Dict[str, Any] = {}
    running = throughput.available(log)
    try:
        for server in running.values():
            server.wait()
        ours, rivals = running["autovoice"], {n: running[n] for n in ("autovoice", "locked")}
        memory: Dict[str, Any] = {"idle": ours.memory_mb()}
        if "throughput" in wanted:
            seconds = 1 if quick else 2
            for name in rivals:
                throughput.check_same_work(running[name])
            results["throughput"] = throughput.measure(running, bodies, rounds, seconds, _say)
            memory["after_load"] = ours.memory_mb()
        if "first_audio" in wanted:
            _say("first audio")
            results["first_audio"] = streams.first_audio(rivals, 5 if quick else 40)
        if "fairness" in wanted:
            for name, count, busy_s in (("autovoice", 8, 3.0), ("locked", 6, 5.0)):
                _say(f"fairness of {name}")
                found = streams.fairness(
                    running[name], folder, 1 if quick else count, 1.0, 2.0 if quick else busy_s
                )
                results.setdefault("fairness", {})[name] = found
        if "memory" in wanted:
            lengths = [2_000, 20_000] if quick else [2_000, 20_000, 100_000]
            memory["streaming"] = streams.memory(ours, lengths, _say)
            memory["locked"] = streams.memory(running["locked"], lengths[: 1 if quick else 2], _say)
            results["memory"] = memory
        if "kills" in wanted:
            _say("killing workers")
            results["kills"] = life.kills(ours, 8, 1_000, 2.0 if quick else 12.0)
    except RuntimeError:
        print(log.read_text(errors="replace")[-2000:], file=sys.stderr)
        raise
    finally:
        for server in running.values():
            server.stop()
    if "cache" in wanted:
        _say("the cache")
        results["cache_hit"] = life.cache_hit(log, folder, 1 if quick else 5)
    if "start" in wanted:
        _say("starting")
        results["start"] = life.start_time(log, 2 if quick else 5)
    return results


def _facts() -> Dict[str, Any]:
    """The machine and the parts, without its name."""
    packages = ("autovoice", "flask", "gunicorn", "espeakng-loader")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "machine": {
            "cores": throughput.cores(),
            "cpu": _cpu_model(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "system": platform.system(),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in packages},
            "espeak-ng": Espeak(ENGINE_VOICE).version,
            "load": load.name(),
        },
    }


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


_BEGAN = time.monotonic()


def _say(line: str) -> None:
    print(f"[{time.monotonic() - _BEGAN:5.0f} s] {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
