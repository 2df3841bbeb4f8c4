"""Pools of real worker processes, as a server has them."""

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, List, Optional

from auto_voice.engines.engine import Utterance
from auto_voice.engines.job import Job
from auto_voice.engines.pool import Listener, WorkerPool
from auto_voice.errors import AutoVoiceError
from tests.unit.synthesis.queueing import OneEngine

PATIENCE_S = 40.0
"""How long a test waits for what should happen soon."""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until ``condition`` returns something true, and return that."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < give_up, f"waited in vain until {what}"
        time.sleep(0.005)


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Notes(Listener):
    """What happened to workers."""

    def __init__(self) -> None:
        self.deaths: List[str] = []
        self.ready = 0

    def worker_died(self, reason: str) -> None:
        self.deaths.append(reason)

    def worker_ready(self, load_s: float) -> None:
        assert load_s > 0
        self.ready += 1


class Pool:
    """Workers and their scheduler. Close it."""

    def __init__(self, engine: str = "stub", workers: int = 1, timeout_s: float = 20.0) -> None:
        self.notes = Notes()
        self.scheduler = OneEngine(10_000)
        self.pool = WorkerPool(engine, self.scheduler.only, workers, timeout_s, self.notes)
        self.pool.start()
        self._workers = workers

    def wait_until_ready(self) -> "Pool":
        """Wait until all workers are ready."""
        until(lambda: self.pool.ready_workers == self._workers, "all workers are ready")
        return self

    def submit(
        self, text: str, voice: str = "en-us", direct: bool = False, end_in_s: float = 600.0
    ) -> Job:
        """A sentence on its way to a worker."""
        now = time.monotonic()
        utterance = Utterance(text, voice, timestamps=True)
        job = Job(utterance, now + end_in_s, now + end_in_s, direct)
        self.scheduler.submit(self.scheduler.admit(), job)
        return job

    def say(self, text: str, **options: Any) -> bytes:
        """What a worker says."""
        return b"".join(self.submit(text, **options).results(lambda: False))

    def say_patiently(self, text: str, failures: List[AutoVoiceError], **options: Any) -> bytes:
        """As a client that tries again when told that it may."""
        while True:
            try:
                return self.say(text, **options)
            except AutoVoiceError as error:
                if not error.retryable:
                    raise
                failures.append(error)

    def close(self) -> None:
        self.pool.close()


def together(functions: List[Callable[[], Any]], threads: int) -> List[Any]:
    """What each function returned or raised, in order, with so many of them at a time."""
    results: List[Any] = [None] * len(functions)
    todo = iter(range(len(functions)))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                index: Optional[int] = next(todo, None)
            if index is None:
                return
            try:
                results[index] = functions[index]()
            except BaseException as error:
                results[index] = error

    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return results


def in_workers(folder: Path, monkeypatch: Any, script: str) -> None:
    """Have every worker process run ``script`` before anything else."""
    (folder / "sitecustomize.py").write_text(script, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)


PYTHON = sys.executable
