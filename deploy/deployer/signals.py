"""What Ctrl-C and SIGTERM do: end the deploy, unless it is just going back or finishing."""

import signal
from contextlib import contextmanager
from typing import Iterator

from deployer.chronicle import warn
from deployer.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt() -> None:
    """Have signals end what is being done."""
    for number in _SIGNALS:
        signal.signal(number, _raise)


@contextmanager
def signals_wait(doing: str) -> Iterator[None]:
    """Whoever interrupts now is told to wait: half of this would be worse than all of it."""

    def say(number: int, frame: object) -> None:
        warn(f"{doing}; this takes a moment")

    before = {number: signal.signal(number, say) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: object) -> None:
    raise Interrupted(number)
