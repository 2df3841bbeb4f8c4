"""A command before it runs: it can be run, printed, or looked at by a test."""

import shlex
from typing import NamedTuple, Tuple


class Command(NamedTuple):
    """What a host is asked to do."""

    words: Tuple[str, ...]
    changes: bool
    """Whether anything is different afterwards: `--dry-run` only prints those."""
    stdin: str = ""

    def shown(self) -> str:
        """As one would type it; what goes in is not shown, only how much."""
        text = shlex.join(self.words)
        return f"{text} <<< ({len(self.stdin.encode())} bytes)" if self.stdin else text


def reads(*words: str) -> Command:
    """A command that changes nothing."""
    return Command(words, False)


def changes(*words: str, stdin: str = "") -> Command:
    """A command that does."""
    return Command(words, True, stdin)
