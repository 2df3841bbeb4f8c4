"""Requests a second, each run between two runs of the bare engine."""

import shutil
import statistics
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from benchmarks import load, machine, servers
from benchmarks.client import WAV_HEADER_BYTES, Connection
from benchmarks.figures import percentile, spread
from benchmarks.raw_engine import Espeak, RawEngine
from benchmarks.servers import ENGINE, WEB, Server
from benchmarks.texts import ENGINE_VOICE, sentences, speech_body

CONTENDERS: Tuple[Tuple[str, str, int], ...] = (
    ("autovoice", "AutoVoice", 1),
    ("autovoice", "AutoVoice", 8),
    ("locked", "Flask + gunicorn, engine under a lock", 8),
    ("autovoice", "AutoVoice", 64),
    ("command", "a process per request", 8),
)
"""Which server, what it is called, and how many clients ask it; in this order in each round."""


class Run(NamedTuple):
    """A few seconds of one contender; milliseconds of CPU are those of one request."""

    rate: float
    """Answers a second."""
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: Dict[str, float]
    others: float
    """Cores that processes took which are none of ours."""
    failed: int = 0

    @property
    def served_cpu_ms(self) -> float:
        """Without the load's."""
        return self.cpu_ms[WEB] + self.cpu_ms[ENGINE]


class Triple(NamedTuple):
    """A run and the bare engine's before and after it.

    A shared machine is faster in one minute and slower in the next: only what
    was measured side by side can be compared.
    """

    before: Run
    run: Run
    after: Run

    @property
    def ratio(self) -> float:
        """The run's rate over the bare engine's."""
        return self.run.rate / statistics.mean((self.before.rate, self.after.rate))

    @property
    def cpu_ratio(self) -> float:
        """The bare engine's CPU time for a sentence over the run's."""
        around = (self.before.served_cpu_ms, self.after.served_cpu_ms)
        return statistics.mean(around) / self.run.served_cpu_ms

    @property
    def quiet(self) -> bool:
        """Whether nobody else used the machine meanwhile."""
        return max(run.others for run in self) <= machine.BUSY_CORES


def available(logs: Path) -> Dict[str, Server]:
    """Every server of `CONTENDERS` that this machine can run, started."""
    running = {"autovoice": servers.autovoice(logs), "locked": servers.plain(logs)}
    if shutil.which("espeak-ng"):
        running["command"] = servers.plain(logs, "command")
    return running


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


def measure(
    running: Dict[str, Server],
    bodies: Path,
    rounds: int,
    seconds: int,
    say: Callable[[str], None],
) -> Dict[str, Any]:
    """All contenders whose server is ``running``, in turns of so many seconds."""
    contenders = [contender for contender in CONTENDERS if contender[0] in running]
    triples: Dict[Tuple[str, int], List[Triple]] = {(c[0], c[2]): [] for c in contenders}
    for server_name, _, clients in contenders:  # warm up
        load.run(running[server_name].port, bodies, clients, 1)
        running[server_name].settle()
    again = rounds * len(contenders) // 2  # how often one may be measured again in all
    raw = RawEngine(machine.cores())
    try:
        raw.run(0.3)
        last = _raw_run(raw, seconds)
        for number in range(rounds):
            for name, clients in triples:
                for _ in range(2):
                    if last.others > machine.BUSY_CORES:
                        last = _raw_run(raw, seconds)
                    run = _served_run(running[name], bodies, clients, seconds)
                    triple = Triple(last, run, _raw_run(raw, seconds))
                    last = triple.after
                    if triple.quiet or not again:
                        break
                    again -= 1
                triples[name, clients].append(triple)
            latest = [(key, found[-1]) for key, found in triples.items()]
            said = [f"{n}/{c} {t.ratio:.2f}{'' if t.quiet else '?'}" for (n, c), t in latest]
            say(f"round {number + 1} of {rounds}: {', '.join(said)}")
    finally:
        raw.close()
    everything = [triple for found in triples.values() for triple in found]
    alone = [run for triple in everything for run in (triple.before, triple.after)]
    rows = [_row("the engine itself, in a loop on each core", alone)]
    for name, title, clients in contenders:
        found = triples[name, clients]
        quiet = [triple for triple in found if triple.quiet]
        # Where most were disturbed, there is nothing better to show.
        counts = quiet if 2 * len(quiet) > rounds else found
        rows.append(
            {
                **_row(title, [triple.run for triple in counts]),
                "server": name,
                "clients": clients,
                "ratio": spread([triple.ratio for triple in counts])._asdict(),
                "cpu_ratio": spread([triple.cpu_ratio for triple in counts])._asdict(),
                "quiet_rounds": len(quiet),
            }
        )
    return {"rounds": rounds, "seconds_a_run": seconds, "rows": rows}


def _raw_run(raw: RawEngine, seconds: int) -> Run:
    watch = machine.Watch()
    answers = raw.run(seconds)
    others = watch.cores()
    spoken_ms = [ms for answer in answers for ms in answer["ms"]]
    cpu_ms = 1e3 * sum(answer["cpu_s"] for answer in answers) / len(spoken_ms)
    return Run(
        rate=sum(answer["sentences"] / answer["seconds"] for answer in answers),
        p50_ms=percentile(spoken_ms, 0.50),
        p95_ms=percentile(spoken_ms, 0.95),
        p99_ms=percentile(spoken_ms, 0.99),
        cpu_ms={WEB: 0.0, ENGINE: cpu_ms},
        others=others,
    )


def _served_run(server: Server, bodies: Path, clients: int, seconds: int) -> Run:
    watch, before = machine.Watch(), server.cpu_s()
    seen = load.run(server.port, bodies, clients, seconds)
    after, others = server.cpu_s(), watch.cores()
    server.settle()  # what its clients left behind is nobody else's to pay for
    done = max(1, seen.requests)
    cpu_ms = {part: 1e3 * (after[part] - before[part]) / done for part in (WEB, ENGINE)}
    cpu_ms["load"] = 1e3 * seen.cpu_s / done
    return Run(
        seen.requests / seen.seconds,
        seen.p50_ms,
        seen.p95_ms,
        seen.p99_ms,
        cpu_ms,
        others,
        seen.failed,
    )


def _row(title: str, runs: List[Run]) -> Dict[str, Any]:
    """What the runs have shown of one contender."""
    middle: Dict[str, Any] = {
        name: statistics.median(getattr(run, name) for run in runs)
        for name in ("p50_ms", "p95_ms", "p99_ms")
    }
    return {
        "title": title,
        "rate": spread([run.rate for run in runs])._asdict(),
        **middle,
        "p95_to_p50": statistics.median(run.p95_ms / run.p50_ms for run in runs),
        "cpu_ms": {
            part: statistics.median(run.cpu_ms[part] for run in runs) for part in runs[0].cpu_ms
        },
        "failed": sum(run.failed for run in runs),
    }
