"""The GPUs' series, read from the driver at each scrape."""

import logging
import threading
import time
from typing import Callable, Collection, Iterator, List, NamedTuple, Optional

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from auto_voice.monitoring.nvml import Gpu, Reader, Sample

log = logging.getLogger(__name__)

WAIT_S = 0.04
"""A scrape waits for the driver no longer; what comes later, the next one shows."""
_FAULTS_TOLD = 3


class _Series(NamedTuple):
    name: str
    text: str
    value: Callable[[Gpu], Optional[float]]
    kind: Callable[..., Metric] = GaugeMetricFamily


_SERIES = (
    _Series(
        "autovoice_gpu_utilization_ratio",
        "Part of the last moments in which the GPU computed, for whomever.",
        lambda gpu: gpu.utilization_ratio,
    ),
    _Series(
        "autovoice_gpu_memory_used_bytes",
        "GPU memory that is not free, whoever uses it.",
        lambda gpu: gpu.memory_used_bytes,
    ),
    _Series(
        "autovoice_gpu_memory_limit_bytes",
        "GPU memory there is.",
        lambda gpu: gpu.memory_limit_bytes,
    ),
    _Series(
        "autovoice_gpu_process_memory_bytes",
        "GPU memory that the server and its workers use.",
        lambda gpu: gpu.process_memory_bytes,
    ),
    _Series(
        "autovoice_gpu_temperature_celsius",
        "Temperature of the GPU's chip.",
        lambda gpu: gpu.temperature_celsius,
    ),
    _Series(
        "autovoice_gpu_energy_joules_total",
        "Energy that the GPU used since its driver was loaded.",
        lambda gpu: gpu.energy_joules,
        CounterMetricFamily,
    ),
)


class GpuCollector:
    """A collector for prometheus_client; never raises.

    Where there never was a GPU it shows nothing, unless one is wanted.

    Args:
        wanted: whether having no GPU counts as a failure.
        pids: the server's process and its workers'.
        clock: seconds that pass, as time.monotonic() gives them.
    """

    def __init__(
        self,
        wanted: bool,
        pids: Callable[[], Collection[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = Reader(pids, clock)
        self._expected = wanted
        self._told: Optional[bool] = None
        self._telling = threading.Lock()

    def describe(self) -> List[Metric]:
        """Every family there can be, without a value: for the registry and for documents."""
        return [
            *(series.kind(series.name, series.text, labels=("gpu",)) for series in _SERIES),
            _info(),
            _up(),
        ]

    def collect(self) -> Iterator[Metric]:
        """The families that have a value now."""
        sample = self._reader.sample(WAIT_S)
        if sample is not None:
            self._expected = self._expected or bool(sample.gpus)
            self._tell(sample)
        if not self._expected:
            return
        sample = sample or Sample()
        for series in _SERIES:
            family = series.kind(series.name, series.text, labels=("gpu",))
            for gpu in sample.gpus:
                value = series.value(gpu)
                if value is not None:
                    family.add_metric((gpu.number,), value)  # type: ignore[attr-defined]
            if family.samples:
                yield family
        if sample.gpus:
            info = _info()
            for gpu in sample.gpus:
                info.add_metric((gpu.number, gpu.uuid, gpu.model, sample.driver), 1)
            yield info
        up = _up()
        up.add_metric((), _is_whole(sample))
        yield up

    def _tell(self, sample: Sample) -> None:
        """Log when it changes, not at each scrape."""
        whole = _is_whole(sample)
        with self._telling:
            before, self._told = self._told, whole
        if whole == before:
            return
        if not whole:
            level = logging.WARNING if self._expected else logging.DEBUG
            told = [*sample.faults[:_FAULTS_TOLD], "…"][: len(sample.faults)]
            log.log(level, "GPU figures are missing: %s", "; ".join(told))
        elif before is not None:
            log.info("GPU figures are complete")


def _is_whole(sample: Sample) -> bool:
    return bool(sample.gpus) and not sample.faults


def _info() -> GaugeMetricFamily:
    labels = ("gpu", "uuid", "model", "driver")
    return GaugeMetricFamily(
        "autovoice_gpu_info", "Which GPU and which driver this is; always 1.", labels=labels
    )


def _up() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "autovoice_gpu_collector_up",
        "1 while all that the GPUs have to tell can be read; absent where there never was one.",
        labels=(),
    )
