"""Requests a second, each run between two runs of the bare engine."""

import os
import shutil
import statistics
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from benchmarks import load, servers
from benchmarks.client import WAV_HEADER_BYTES, Connection
from benchmarks.figures import paired, percentile, spread
from benchmarks.raw_engine import Espeak, RawEngine
from benchmarks.servers import ENGINE, WEB, Server
from benchmarks.texts import ENGINE_VOICE, sentences, speech_body

RAW = "raw"
CONTENDERS: Tuple[Tuple[str, str, int], ...] = (
    ("autovoice", "AutoVoice", 1),
    ("autovoice", "AutoVoice", 8),
    ("locked", "Flask + gunicorn, engine under a lock", 8),
    ("autovoice", "AutoVoice", 64),
    ("command", "a process per request", 8),
)
"""Which server, what it is called, and how many clients ask it; in this order in each round."""


class Run(NamedTuple):
    """One contender in one round; milliseconds of CPU are those of one request."""

    rate: float
    """Answers a second."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: Dict[str, float]
    failed: int = 0


def measure(
    running: Dict[str, Server],
    bodies: Path,
    rounds: int,
    seconds: int,
    say: Callable[[str], None],
) -> Dict[str, Any]:
    """All contenders whose server is ``running``, in turns of so many seconds."""
    raw = RawEngine(cores())
    try:
        return _measure(running, raw, bodies, rounds, seconds, say)
    finally:
        raw.close()


def _measure(
    running: Dict[str, Server],
    raw: RawEngine,
    bodies: Path,
    rounds: int,
    seconds: int,
    say: Callable[[str], None],
) -> Dict[str, Any]:
    contenders = [contender for contender in CONTENDERS if contender[0] in running]
    order: List[Tuple[str, Run]] = []
    raw.run(0.3)
    used: List[float] = []
    for number in range(rounds):
        for server_name, _, clients in contenders:
            order.append((RAW, _raw_run(raw, seconds, used)))
            server = running[server_name]
            if number == 0:
                load.run(server.port, bodies, clients, 1)  # warm
                server.settle()
            run = _served_run(server, bodies, clients, seconds, offset=41 * len(order))
            order.append((f"{server_name}/{clients}", run))
            server.settle()
        order.append((RAW, _raw_run(raw, seconds, used)))
        latest = [f"{name} {run.rate:.0f}" for name, run in order[-2 * len(contenders) - 1 :]]
        say(f"round {number + 1} of {rounds}: {', '.join(latest)}")
    ratios = paired([(name, run.rate) for name, run in order], RAW)
    costs = paired([(name, run.cpu_ms[WEB] + run.cpu_ms[ENGINE]) for name, run in order], RAW)
    result: Dict[str, Any] = {
        "rounds": rounds,
        "seconds_a_run": seconds,
        "cores_used_by_raw": spread(used)._asdict(),
        "rows": [
            _row(
                "the engine itself, in a loop on each core",
                0,
                [r for n, r in order if n == RAW],
                [],
                [],
            )
        ],
    }
    for server_name, title, clients in contenders:
        name = f"{server_name}/{clients}"
        runs = [run for other, run in order if other == name]
        row = _row(title, clients, runs, ratios[name], costs[name])
        result["rows"].append({**row, "server": server_name})
    return result


def _raw_run(raw: RawEngine, seconds: int, used: List[float]) -> Run:
    answers = raw.run(seconds)
    used.append(sum(answer["cpu_s"] / answer["seconds"] for answer in answers))
    spoken_ms = [ms for answer in answers for ms in answer["ms"]]
    return Run(
        rate=sum(answer["sentences"] / answer["seconds"] for answer in answers),
        p50_ms=percentile(spoken_ms, 0.50),
        p95_ms=percentile(spoken_ms, 0.95),
        p99_ms=percentile(spoken_ms, 0.99),
        cpu_ms={
            WEB: 0.0,
            ENGINE: 1e3 * sum(answer["cpu_s"] for answer in answers) / len(spoken_ms),
        },
    )


def _served_run(server: Server, bodies: Path, clients: int, seconds: int, offset: int) -> Run:
    before = server.cpu_s()
    seen = load.run(server.port, bodies, clients, seconds, offset)
    after = server.cpu_s()
    done = max(1, seen.requests)
    cpu_ms = {part: 1e3 * (after[part] - before[part]) / done for part in (WEB, ENGINE)}
    cpu_ms["load"] = 1e3 * seen.cpu_s / done
    return Run(
        seen.requests / seen.seconds, seen.p50_ms, seen.p95_ms, seen.p99_ms, cpu_ms, seen.failed
    )


def _row(
    title: str, clients: int, runs: List[Run], ratios: List[float], costs: List[float]
) -> Dict[str, Any]:
    """What the rounds have shown of one contender."""
    middle: Dict[str, Any] = {
        name: statistics.median(getattr(run, name) for run in runs)
        for name in ("p50_ms", "p95_ms", "p99_ms")
    }
    return {
        "title": title,
        "clients": clients,
        "rate": spread([run.rate for run in runs])._asdict(),
        "ratio": spread(ratios)._asdict() if ratios else None,
        "cpu_ratio": spread([1 / cost for cost in costs])._asdict() if costs else None,
        **middle,
        "p95_to_p50": statistics.median(run.p95_ms / run.p50_ms for run in runs),
        "cpu_ms": {
            part: statistics.median(run.cpu_ms[part] for run in runs) for part in runs[0].cpu_ms
        },
        "failed": sum(run.failed for run in runs),
    }


def check_same_work(server: Server) -> None:
    """What is compared speaks the same samples, but for a few in a thousand.

    Raises:
        RuntimeError: it does not.
    """
    engine, connection = Espeak(ENGINE_VOICE), Connection(server.port)
    for text in sentences()[:5]:
        ours, raw = connection.speak(speech_body(text)).bytes, len(engine.speak(text))
        if abs(ours - WAV_HEADER_BYTES - raw) > 0.01 * raw:
            raise RuntimeError(f"{ours} bytes instead of {raw} for the same sentence")
    connection.close()


def available(logs: Path) -> Dict[str, Server]:
    """Every server of `CONTENDERS` that this machine can run, started."""
    running = {"autovoice": servers.autovoice(logs), "locked": servers.plain(logs)}
    if shutil.which("espeak-ng"):
        running["command"] = servers.plain(logs, "command")
    return running


def cores() -> int:
    """Cores that processes of ours may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
