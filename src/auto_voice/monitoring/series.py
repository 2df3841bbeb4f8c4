"""Counters and histograms that cost little to record.

The client library takes a lock and several calls for each value, and a request
records a dozen: here one lock covers a whole event. What is recorded is handed
to the library at a scrape, and everything from there on is the library's.
"""

import itertools
import threading
from bisect import bisect_left
from typing import Callable, Dict, Generic, Iterable, List, Sequence, Tuple, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Child = TypeVar("Child")


class Counter:
    """A number that only grows. Change it with the lock of its `Families` held."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0


class Histogram:
    """How many values fell into which bucket. Change it with the lock of its `Families` held."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Values above the bound before and up to the bucket's own; not cumulative."""
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count ``value``."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class Children(Generic[Child]):
    """A family's children by their label values. Call it to get one; it is made at first."""

    def __init__(self, lock: threading.Lock, make: Callable[[], Child]) -> None:
        self.found: Dict[Tuple[str, ...], Child] = {}
        self._lock = lock
        self._make = make

    def __call__(self, *values: object) -> Child:
        key = tuple(str(value) for value in values)
        with self._lock:
            child = self.found.get(key)
            if child is None:
                child = self.found[key] = self._make()
            return child


class Families(Collector):
    """Families of counters and histograms behind one lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._collect: List[Callable[[], Metric]] = []

    def counter(self, name: str, about: str, labels: Sequence[str] = ()) -> Children[Counter]:
        """A new family of counters."""
        children = Children(self.lock, Counter)

        def collect() -> Metric:
            family = CounterMetricFamily(name, about, labels=labels)
            for values, child in children.found.items():
                family.add_metric(values, child.value)
            return family

        self._collect.append(collect)
        return children

    def histogram(
        self, name: str, about: str, bounds: Sequence[float], labels: Sequence[str] = ()
    ) -> Children[Histogram]:
        """A new family of histograms with these upper ``bounds``, in rising order."""
        upper = tuple(float(bound) for bound in bounds)
        names = [*(str(bound) for bound in upper), "+Inf"]
        children = Children(self.lock, lambda: Histogram(upper))

        def collect() -> Metric:
            family = HistogramMetricFamily(name, about, labels=labels)
            for values, child in children.found.items():
                below = itertools.accumulate(child.counts)
                buckets = [(bound, float(count)) for bound, count in zip(names, below)]
                family.add_metric(values, buckets, child.sum)
            return family

        self._collect.append(collect)
        return children

    def collect(self) -> Iterable[Metric]:
        """Called by the registry at each scrape."""
        with self.lock:
            return [collect() for collect in self._collect]
