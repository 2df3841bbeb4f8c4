"""What tests of the caches put into them, and what they do to them."""

import contextlib
import resource
import threading

from auto_voice.synthesis.cache import Entry

LIMIT = 10_000
"""Bytes."""


def key(number):
    """As long and as mixed as a digest."""
    return f"{number * 2654435761 % (1 << 32):08x}" * 8


def entry(size, mark=b"x"):
    """An answer of ``size`` bytes."""
    return Entry((mark * size)[:size], size / 100)


def run_threads(functions):
    """Run them at the same time; returns what they raised."""
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@contextlib.contextmanager
def disk_full_after(size):
    """No file of this process may grow past ``size`` bytes: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
