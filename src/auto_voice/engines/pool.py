"""Keeps an engine's worker processes alive and busy.

Each worker has a slot with a thread, which starts the worker, feeds it jobs
and starts it anew when it dies. Threads never wait for a client: what a worker
says goes into the job's own queue, so a slow reader holds nobody up.
"""

from __future__ import annotations

import copy
import threading
from typing import List, Optional, Tuple

from auto_voice.engines.engine import Description, EngineOptions
from auto_voice.engines.slot import Dispatcher, Listener, Slot, stopping
from auto_voice.errors import AutoVoiceError, EngineUnavailable

__all__ = ["Dispatcher", "Listener", "WorkerPool"]


class WorkerPool:
    """The workers of one engine."""

    def __init__(
        self,
        engine_name: str,
        dispatcher: Dispatcher,
        workers: int,
        timeout_s: float,
        listener: Optional[Listener] = None,
        options: EngineOptions = EngineOptions(),
        voices_are_files: bool = False,
    ) -> None:
        """
        Args:
            timeout_s: seconds of silence after which a worker counts as hung.
            voices_are_files: then what a worker says of its voices does not count.
        """
        self.engine_name = engine_name
        self.options = options
        self.dispatcher = dispatcher
        self.timeout_s = timeout_s
        self.voices_are_files = voices_are_files
        self.listener = listener or Listener()
        self.closing = threading.Event()
        self.last_success = 0.0
        """When a worker last spoke real audio (time.time()); 0.0 before."""
        self.load_error: Optional[AutoVoiceError] = None
        """Why none of the workers comes to speak; None while one does, or may yet."""
        self._lock = threading.Lock()
        self._settled = threading.Event()
        """Set once it is known whether the engine works."""
        self._description: Optional[Description] = None
        self._slots = [Slot(self) for _ in range(workers)]
        self.is_started = False
        """Whether there should be workers."""

    def start(self) -> None:
        """Start all workers without waiting for them; once is enough."""
        with self._lock:
            if self.is_started or self.closing.is_set():
                return
            self.is_started = True
        for slot in self._slots:
            slot.thread.start()

    def description(self, timeout_s: float) -> Description:
        """What the engine can do; waits for its first worker.

        Raises:
            MissingDependency, EngineFailed, EngineUnavailable: it does not load, or not speak.
        """
        if self._description is None:
            self._settled.wait(timeout_s)
        if self._description is None:
            if self.load_error is not None:
                raise copy.copy(self.load_error)  # its own: raising an error writes into it
            raise EngineUnavailable(
                f"The engine {self.engine_name} is still loading.", retry_after_s=1
            )
        return self._description

    @property
    def is_known(self) -> bool:
        """Whether it can be told at once what the engine can do."""
        return self._description is not None

    @property
    def workers(self) -> int:
        """How many workers there should be."""
        return len(self._slots) if self.is_started else 0

    @property
    def ready_workers(self) -> int:
        """How many workers run and have spoken."""
        return sum(slot.ready for slot in self._slots)

    @property
    def in_memory(self) -> Tuple[int, int]:
        """Voices that the running workers have loaded, and the bytes they are reckoned to take."""
        processes = [slot.process for slot in self._slots]
        found = [process.in_memory for process in processes if process is not None]
        return sum(each.voices for each in found), sum(each.size_bytes for each in found)

    @property
    def pids(self) -> List[int]:
        """The process ids of the running workers."""
        processes = [slot.process for slot in self._slots]
        return [process.pid for process in processes if process is not None]

    def close(self) -> None:
        """End all workers. Jobs fail: those under way, those that wait and those to come."""
        with self._lock:
            self.closing.set()
            self._settle(stopping())
        for slot in self._slots:
            slot.stop()
        for slot in self._slots:
            if slot.thread.is_alive():
                slot.thread.join(2)

    def started(self, slot: Slot, description: Description) -> None:
        """A worker has loaded the engine, and spoken."""
        with self._lock:
            self._description, slot.fault = description, None
            if not self.closing.is_set():
                self._settle(None)

    def not_started(self, slot: "Slot", error: AutoVoiceError) -> None:
        """A worker has not come so far; if none does, nobody needs to wait for one."""
        with self._lock:
            slot.fault = error
            if not self.closing.is_set() and all(each.fault for each in self._slots):
                self._settle(error)

    def _settle(self, error: Optional[AutoVoiceError]) -> None:
        """With the lock held: tell those who wait, now and later, whether it makes sense."""
        if error is not None or self.load_error is not None:
            self.load_error = error
            self.dispatcher.refuse(error)
        self._settled.set()
