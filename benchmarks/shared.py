"""``python benchmarks/shared.py``: what it costs servers to share a Redis, and what it gives.

Two servers are alike but for Redis. In rounds that go from one to the other, both are asked for
sentences that nobody has asked for before: once by more clients than there are workers, so that
Redis is looked at but gets little, and once by one client at a time, so that it gets every answer.
Then a third server is asked for what Redis has. ``--write`` puts the table into
docs/configuration.md.
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks import machine, report  # noqa: E402
from benchmarks.client import Connection  # noqa: E402
from benchmarks.figures import percentile, spread  # noqa: E402
from benchmarks.servers import Server, _free_port, autovoice  # noqa: E402
from benchmarks.texts import sentences, speech_body  # noqa: E402

PAGE = ROOT / "docs/configuration.md"
CLIENTS = 8
PER_CLIENT = 80
"""Requests of each client in a round."""


class Round(NamedTuple):
    """One server's."""

    rate: float
    """Answers a second."""
    cpu_ms: float
    """Of the server and its engine, for an answer."""


def new_texts() -> Iterator[str]:
    """Sentences of which no two are the same."""
    for number in itertools.count():
        for sentence in sentences():
            yield f"{sentence} {number}"


def ask(server: Server, texts: List[str]) -> List[float]:
    """One client's milliseconds for each answer.

    Raises:
        RuntimeError: one was refused.
    """
    connection = Connection(server.port)
    try:
        times = []
        for text in texts:
            answer = connection.speak(speech_body(text))
            if answer.status != 200:
                raise RuntimeError(f"the server answers {answer.status}")
            times.append(answer.whole_s * 1e3)
        return times
    finally:
        connection.close()


def one_round(server: Server, texts: List[List[str]]) -> Round:
    """All clients at once."""
    used, began = sum(server.cpu_s().values()), time.perf_counter()
    with ThreadPoolExecutor(len(texts)) as clients:
        list(clients.map(lambda mine: ask(server, mine), texts))
    took = time.perf_counter() - began
    server.settle(2.0)
    count = sum(map(len, texts))
    return Round(count / took, (sum(server.cpu_s().values()) - used) / count * 1e3)


def measure(folder: Path, rounds: int) -> Dict[str, object]:
    """Pairs of rounds, of many clients and of a single one, and milliseconds of hits."""
    port = _free_port()
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("needs redis-server")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    redis = subprocess.Popen([program, *options], cwd=str(folder), stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    log, texts = folder / "log", new_texts()
    try:
        with autovoice(log, cache="on") as alone, autovoice(
            log, cache="on", redis_url=url
        ) as sharing, autovoice(log, cache="on", redis_url=url, cache_memory_mb="0") as finder:
            for server in (alone, sharing, finder):
                server.wait()

            def batch(clients: int) -> List[List[str]]:
                return [list(itertools.islice(texts, PER_CLIENT)) for _ in range(clients)]

            pairs, single, said = [], [], []
            for _ in range(rounds + 1):
                pairs.append((one_round(alone, batch(CLIENTS)), one_round(sharing, batch(CLIENTS))))
                mine = batch(1)
                single.append((one_round(alone, batch(1)), one_round(sharing, mine)))
                said += mine[0][-20:]
            time.sleep(1)
            hits = ask(finder, said)
    finally:
        redis.kill()
        redis.wait()
    return {"pairs": pairs[1:], "single": single[1:], "hits": hits}  # the first is to warm up


def table(measured: Dict[str, object], others: float) -> str:
    """As it is in the document."""
    facts = machine.facts()
    pairs: List = measured["pairs"]  # type: ignore[assignment,type-arg]
    single: List = measured["single"]  # type: ignore[assignment,type-arg]
    hits: List[float] = measured["hits"]  # type: ignore[assignment]
    rate = spread([sharing.rate / alone.rate for alone, sharing in pairs])
    cpu = spread([sharing.cpu_ms / alone.cpu_ms for alone, sharing in pairs])
    slower = spread([sharing.rate / alone.rate for alone, sharing in single])
    rows = (
        ("requests a second, with Redis, of without", rate, "at least 0.90"),
        ("processor time of a request, with Redis, of without", cpu, "at most 1.10"),
        ("requests a second of one client, all kept in Redis, of without", slower, ""),
    )
    lines = [
        f"Measured on {facts['cores']} cores ({facts['cpu']}), of which others took {others:.2f}.",
        "",
        f"| new sentences, {CLIENTS} clients | median (min – max) | wanted |",
        "| --- | --- | --- |",
    ]
    for title, found, wanted in rows:
        lines.append(
            f"| {title} | {found.median:.2f} ({found.low:.2f} – {found.high:.2f}) | {wanted} |"
        )
    p50, p95 = percentile(hits, 0.5), percentile(hits, 0.95)
    lines.append(
        f"| a sentence that Redis has, ms: p50, p95 | {p50:.1f}, {p95:.1f} | p50 at most 5 |"
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="the table into the document")
    options = parser.parse_args()
    watch = machine.Watch()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), options.rounds)
    text = table(measured, watch.cores())
    print(text)
    if options.write:
        PAGE.write_text(report.insert(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
