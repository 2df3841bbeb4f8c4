"""Counters and histograms that cost little to record.

The client library takes a lock and several calls for each value, and a request
records a dozen: here one lock covers a whole event. What is recorded is handed
to the library at a scrape, and everything from there on is the library's.
"""

import itertools
import threading
from bisect import bisect_left
from typing import (
    Any,
    Callable,
    Container,
    Dict,
    Generic,
    Iterable,
    List,
    Mapping,
    Sequence,
    Tuple,
    TypeVar,
)

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Child = TypeVar("Child")


DURATION_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Bounds for what may take from milliseconds to minutes."""

MAX_CHILDREN = 500
"""Of one family. Label values are closed lists, so more is a slip; it must not cost the memory."""

Live = Callable[[], float]
"""Reads a value when it is asked for."""


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

    def observe(self, value: float, times: int = 1) -> None:
        """Count ``value``."""
        self.counts[bisect_left(self._bounds, value)] += times
        self.sum += value * times


class Children(Generic[Child]):
    """A family's children by their label values. Call it to get one; it is made at first."""

    def __init__(self, lock: threading.Lock, make: Callable[[], Child]) -> None:
        self.found: Dict[Tuple[str, ...], Child] = {}
        self.overflow = 0
        """How often a child was asked for that would have been one too many."""
        self._lock = lock
        self._make = make

    def __call__(self, *values: object) -> Child:
        key = tuple(str(value) for value in values)
        with self._lock:
            if key not in self.found and len(self.found) >= MAX_CHILDREN:
                self.overflow += 1
                key = ("other",) * len(key)
            child = self.found.get(key)
            if child is None:
                child = self.found[key] = self._make()
            return child


class Families(Collector):
    """Families of counters and histograms behind one lock, and gauges that are read."""

    def __init__(self, prefix: str) -> None:
        self.lock = threading.Lock()
        self._prefix = prefix
        self._collect: List[Tuple[str, Callable[[], Metric]]] = []
        self._read: List[Tuple[str, Callable[[], Metric]]] = []
        self._children: Dict[str, Children[Any]] = {}
        self._overflow()

    def gauge(self, name: str, about: str, read: Live, labels: Mapping[str, str] = {}) -> None:
        """A gauge with these ``labels`` that is read at each scrape."""
        self.gauges(name, about, tuple(labels), lambda: [(tuple(labels.values()), read())])

    def gauges(
        self,
        name: str,
        about: str,
        labels: Sequence[str],
        read: Callable[[], Iterable[Tuple[Sequence[str], float]]],
    ) -> None:
        """A family of gauges; ``read`` gives label values and value of each."""
        self._live(GaugeMetricFamily, name, about, labels, read)

    def live_counter(
        self,
        name: str,
        about: str,
        labels: Sequence[str],
        read: Callable[[], Iterable[Tuple[Sequence[str], float]]],
    ) -> None:
        """A family of counters that somebody else keeps; as `gauges`."""
        self._live(CounterMetricFamily, name, about, labels, read)

    def _live(self, kind, name, about, labels, read) -> None:  # type: ignore[no-untyped-def]
        def collect() -> Metric:
            family: Metric = kind(self._prefix + name, about, labels=labels)
            for values, value in read():
                family.add_metric(values, value)  # type: ignore[attr-defined]
            return family

        self._read.append((name, collect))

    def _overflow(self) -> None:
        def read() -> Iterable[Tuple[Sequence[str], float]]:
            return [((name,), each.overflow) for name, each in self._children.items()]

        about = "Series that would have been too many for their family."
        self.live_counter("metrics_label_overflow_total", about, ("metric",), read)

    def counter(self, name: str, about: str, labels: Sequence[str] = ()) -> Children[Counter]:
        """A new family of counters."""
        children = self._children[name] = Children(self.lock, Counter)

        def collect() -> Metric:
            family = CounterMetricFamily(self._prefix + name, about, labels=labels)
            for values, child in children.found.items():
                family.add_metric(values, child.value)
            return family

        self._collect.append((name, collect))
        return children

    def histogram(
        self, name: str, about: str, bounds: Sequence[float], labels: Sequence[str] = ()
    ) -> Children[Histogram]:
        """A new family of histograms with these upper ``bounds``, in rising order."""
        upper = tuple(float(bound) for bound in bounds)
        names = [*(str(bound) for bound in upper), "+Inf"]
        children = self._children[name] = Children(self.lock, lambda: Histogram(upper))

        def collect() -> Metric:
            family = HistogramMetricFamily(self._prefix + name, about, labels=labels)
            for values, child in children.found.items():
                below = itertools.accumulate(child.counts)
                buckets = [(bound, float(count)) for bound, count in zip(names, below)]
                family.add_metric(values, buckets, child.sum)
            return family

        self._collect.append((name, collect))
        return children

    def collect(self) -> Iterable[Metric]:
        """Called by the registry at each scrape."""
        with self.lock:
            recorded = [collect() for _, collect in self._collect]
        # Without the lock: what is read may take locks of its own.
        return [*recorded, *(collect() for _, collect in self._read)]

    def some(self, names: Container[str]) -> List[Metric]:
        """The families of these ``names`` alone, as `collect` gives them.

        For those who look every few seconds: most other families cost more, and some ask
        other servers.
        """
        with self.lock:
            recorded = [collect() for name, collect in self._collect if name in names]
        return [*recorded, *(collect() for name, collect in self._read if name in names)]
