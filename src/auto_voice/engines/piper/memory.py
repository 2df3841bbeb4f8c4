"""What this process has of the machine's memory, and how it gives some back."""

import ctypes
import os
from pathlib import Path

_M_MMAP_THRESHOLD = -3
_LARGE = 256 << 10
"""Bytes."""
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Memory in use; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def return_large_at_once() -> None:
    """Have the C library return what is large when it is freed, and take it anew.

    By itself it soon keeps all up to 32 MB, and breaks its heap into pieces that fit nothing else.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
    except AttributeError:
        pass  # not glibc


def give_back() -> None:
    """Return what has been freed and the C library keeps. It takes some milliseconds."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        pass  # not glibc
