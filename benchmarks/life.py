"""A server's life: it starts, loses workers, and knows what it has said before."""

import os
import random
import signal
import statistics
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

from benchmarks import load, servers
from benchmarks.client import Connection
from benchmarks.servers import ENGINE, Server
from benchmarks.texts import sentences, speech_body


def start_time(log: Path, times: int) -> Dict[str, Any]:
    """Milliseconds from the process's start until it answers 200, for each health check."""
    found: Dict[str, List[float]] = {"live": [], "ready": []}
    for _ in range(times):
        with servers.autovoice(log) as server:
            for check, took in found.items():
                took.append(1e3 * server.wait(f"/health/{check}"))
    return {f"{check}_ms": statistics.median(took) for check, took in found.items()}


def kills(server: Server, clients: int, least: int, seconds: float) -> Dict[str, Any]:
    """Kill a worker each second; every answer is compared with that of a quiet server.

    Goes on for that many seconds and at least that many requests.
    """
    bodies = [speech_body(sentence) for sentence in sentences()]
    quiet = Connection(server.port)
    right = [quiet.speak(body, digest=True).digest for body in bodies]
    quiet.close()
    lock = threading.Lock()
    counts = {"requests": 0, "lost": 0, "wrong": 0}
    slowest = [0.0]
    problems: List[str] = []
    end = time.monotonic() + seconds

    def client(first: int) -> None:
        number = first
        connection = None
        while time.monotonic() < end or counts["requests"] < least:
            number = (number + 1) % len(bodies)
            problem = answer = None
            try:
                if connection is None:
                    connection = Connection(server.port)
                answer = connection.speak(bodies[number], digest=True)
                if answer.status != 200:
                    problem = f"status {answer.status}"
            except OSError as error:
                problem, connection = str(error), None
            with lock:
                counts["requests"] += 1
                if answer is None or problem is not None:
                    counts["lost"] += 1
                    problems.append(str(problem))
                else:
                    counts["wrong"] += answer.digest != right[number]
                    slowest[0] = max(slowest[0], answer.whole_s)
        if connection is not None:
            connection.close()

    threads = [threading.Thread(target=client, args=(61 * index,)) for index in range(clients)]
    for thread in threads:
        thread.start()
    killed = 0
    choose = random.Random(1).choice
    while time.monotonic() < end - 0.5:
        time.sleep(1)
        alive = server.parts()[ENGINE]
        if alive:
            os.kill(choose(alive), signal.SIGKILL)
            killed += 1
    for thread in threads:
        thread.join()
    return {
        "clients": clients,
        "kills": killed,
        **counts,
        "slowest_ms": 1e3 * slowest[0],
        "problems": sorted(set(problems))[:5],
    }


def scrapes(log: Path, recycled: int, times: int = 20) -> Dict[str, Any]:
    """Milliseconds that `/metrics` takes at first, and after workers were killed and replaced."""
    with servers.autovoice(log) as server:
        server.wait()
        first_ms = _scrape_ms(server, times)
        replaced = 0
        while replaced < recycled:
            before = server.parts()[ENGINE]
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            replaced += len(before)
            while len(set(server.parts()[ENGINE]) - set(before)) < len(before):
                time.sleep(0.02)
            server.wait()
        return {
            "recycled": replaced,
            "first_ms": first_ms,
            "after_ms": _scrape_ms(server, times),
        }


def _scrape_ms(server: Server, times: int) -> float:
    connection = Connection(server.port)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        answer = connection.get("/metrics")
        took.append(1e3 * (time.perf_counter() - began))
        if answer.status != 200:
            raise RuntimeError(f"/metrics answers {answer.status}")
    connection.close()
    return statistics.median(took)


def cache_hit(log: Path, folder: Path, rounds: int) -> Dict[str, float]:
    """One sentence again and again, by one client, with the cache on."""
    one = folder / "one.jsonl"
    load.write_bodies(one, [speech_body(sentences()[0])])
    with servers.autovoice(log, cache="on") as server:
        server.wait()
        load.run(server.port, one, 1, 1)
        seen = [load.run(server.port, one, 1, 1) for _ in range(rounds)]
    return {
        name: statistics.median(getattr(run, name) for run in seen) for name in ("p50_ms", "p95_ms")
    }
