"""The arithmetic: percentiles, and ratios of runs that lie side by side."""

import statistics
from typing import Dict, List, NamedTuple, Sequence, Tuple


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


def paired(runs: Sequence[Tuple[str, float]], reference: str) -> Dict[str, List[float]]:
    """Each run over the mean of the reference's nearest runs before and after it.

    A shared machine is faster in one minute and slower in the next: only what
    was measured side by side can be compared.

    Args:
        runs: name and value, in the order of time.
        reference: the name that the others are compared with.
    """
    ratios: Dict[str, List[float]] = {}
    for index, (name, value) in enumerate(runs):
        if name == reference:
            continue
        before = [v for n, v in reversed(runs[:index]) if n == reference][:1]
        after = [v for n, v in runs[index + 1 :] if n == reference][:1]
        around = before + after
        if not around:
            raise ValueError(f"no run of {reference} lies beside {name}")
        ratios.setdefault(name, []).append(value / statistics.mean(around))
    return ratios
