"""What the benchmark runs on, and who else does."""

import os
import platform
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

BUSY_CORES = 0.25
"""What processes of others may take at most while figures are taken that shall count."""

_TICKS = os.sysconf("SC_CLK_TCK")


class Watch:
    """How much CPU time other processes than this one's descendants take, from now on."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._others = _busy_s() - _ours_s()

    def cores(self) -> float:
        """Cores that the others have taken so far, on average."""
        others = _busy_s() - _ours_s() - self._others
        return max(0.0, others / (time.perf_counter() - self._began))


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def facts() -> Dict[str, Any]:
    """The machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": cores(),
        "cpu": _cpu_model(),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.system(),
    }


def stat(pid: int) -> Optional[List[str]]:
    """The fields of /proc/<pid>/stat from the third (its state) on; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def cpu_s(pid: int, with_ended_children: bool = False) -> float:
    """CPU seconds that a process has used, and those of its children that it has waited for."""
    fields = stat(pid)
    if fields is None:
        return 0.0
    return sum(map(int, fields[11 : 15 if with_ended_children else 13])) / _TICKS


def forget_peak(pid: int) -> None:
    """The most memory that a process has had counts from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """The most memory that was resident, in megabytes, as the kernel has seen it."""
    status = Path(f"/proc/{pid}/status").read_text()
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / 1e6


def family(root: int) -> Iterator[int]:
    """A process and all its descendants."""
    children: Dict[int, List[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = stat(int(name))
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    todo = [root]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        yield pid


def _ours_s() -> float:
    return sum(cpu_s(pid, with_ended_children=True) for pid in family(os.getpid()))


def _busy_s() -> float:
    """CPU seconds of all cores that were spent on something."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
