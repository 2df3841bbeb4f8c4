"""How many cores nobody else wants right now."""

from pathlib import Path

_LOAD = Path("/proc/loadavg")


def idle_cores(most: int) -> int:
    """Threads that a sentence may be computed by, from 1 to ``most``.

    Linux tells how many threads of the whole machine want to run at this moment, so workers,
    servers and strangers leave each other the cores without having to know of each other.
    Elsewhere a sentence is computed by one thread.
    """
    if most < 2:
        return 1
    try:
        wanting = int(_LOAD.read_text(encoding="ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 1
    return max(1, min(most, most + 1 - wanting))  # this thread is one of those
