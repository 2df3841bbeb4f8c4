"""The arithmetic."""

import statistics
from typing import NamedTuple, Sequence


class Spread(NamedTuple):
    """What rounds have shown."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Median, lowest and highest of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], fraction: float) -> float:
    """The smallest value that at least that fraction of the values does not exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * fraction // 1)  # rounded up
    return ordered[max(0, int(rank) - 1)]
