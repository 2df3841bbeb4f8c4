"""How many examples Hypothesis tries: a quarter by default, and all in GitHub's CI."""

import os

_THOROUGH = bool(os.environ.get("THOROUGH"))


def examples(count: int) -> int:
    """For `max_examples`: ``count`` where THOROUGH is set, else a quarter, and 5 at least."""
    return count if _THOROUGH else max(min(count, 5), count // 4)
