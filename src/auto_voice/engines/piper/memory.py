"""What this process has of the machine's memory, and how it gives some back."""

import ctypes
import os
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT, _MOST_KEPT = 32 << 20, 1 << 30
"""Bytes. The first is the most that glibc takes; what is larger comes from the system each time."""
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Memory in use; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def keep() -> None:
    """Have the C library keep what is freed, for the next tensor, until `give_back`.

    By itself it returns every large tensor to the system and takes each anew, page by page, which
    costs a sixth of a voice's time.
    """
    try:
        tune = ctypes.CDLL(None).mallopt
    except AttributeError:
        return  # not glibc
    tune(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
    tune(_M_TRIM_THRESHOLD, _MOST_KEPT)


def give_back() -> None:
    """Return what has been freed: the C library keeps it, and takes it from the system again
    for the next large tensor. It takes some milliseconds."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        pass  # not glibc
