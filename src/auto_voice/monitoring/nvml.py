"""What NVML, the library that comes with NVIDIA's driver, tells about this machine's GPUs.

A driver can be missing, be there later, fail for one device, go away or never
answer again. So everything is asked in a thread that nobody waits long for, and
each value by itself: one that a device does not have is None, and a call that
fails is a fault, beside which all the rest stays.
"""

import ctypes
import os
import sys
import threading
import time
from typing import Any, Callable, Collection, Iterator, List, NamedTuple, Optional, Tuple

RETRY_S = 60.0
"""A driver that is not there, or that fails, is not tried again sooner."""
HUNG_S = 5.0
"""After so long without an answer, what was read before says nothing any more."""
STALE_S = 300.0
"""Nor does it after so long without a question; Prometheus forgets by then, too."""

# What a driver answers about a value that this device, this driver or this user does not
# have: a consumer card's energy, a slice's temperature, a new function on an old driver.
# NVML_ERROR_NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, FUNCTION_NOT_FOUND, NO_DATA,
# ARGUMENT_VERSION_MISMATCH and DEPRECATED.
_NOT_OFFERED = frozenset({3, 4, 6, 13, 21, 25, 26})
_TEMPERATURE_GPU = 0  # NVML_TEMPERATURE_GPU: the sensor in the chip, the only one there is
_MIG_ENABLED = 1  # NVML_DEVICE_MIG_ENABLE
_FIRST_PID_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO of Linux


class Gpu(NamedTuple):
    """A device, or a slice of one (MIG), at one moment. None: it does not tell."""

    number: str
    """As nvidia-smi counts; ``0:1`` is slice 1 of device 0."""
    uuid: str
    model: str
    utilization_ratio: Optional[float] = None
    memory_used_bytes: Optional[int] = None
    memory_limit_bytes: Optional[int] = None
    process_memory_bytes: Optional[int] = None
    """What the given processes use of it."""
    temperature_celsius: Optional[int] = None
    energy_joules: Optional[float] = None
    """Since the driver was loaded."""


class Sample(NamedTuple):
    """All devices at one moment."""

    driver: str = ""
    """The driver's version."""
    gpus: Tuple[Gpu, ...] = ()
    faults: Tuple[str, ...] = ()
    """What could not be read that should have been; or why there is no GPU at all."""


class Reader:
    """Reads samples, one at a time, in a thread of its own.

    After a fork, the child reads with an NVML of its own.

    Args:
        pids: the processes whose memory counts as ours; called in that thread.
        clock: seconds that pass, as time.monotonic() gives them.
    """

    def __init__(
        self,
        pids: Callable[[], Collection[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pids = pids
        self._clock = clock
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._begun = 0.0
        # The thread's own; others look at them only while there is none.
        self._session: Optional[_Session] = None
        self._opened: Optional[float] = None
        self._sample: Optional[Sample] = None
        self._read_at = 0.0
        self._process = os.getpid()

    def sample(self, wait_s: float) -> Optional[Sample]:
        """What can be read within ``wait_s`` seconds; never raises.

        A driver that takes longer gives its figures to the next call, so that
        this one tells those before; None if there are none, or only old ones.
        """
        if self._process != os.getpid():
            self._begin_anew()  # the thread stayed behind, and handles are the parent's
        with self._lock:
            thread = self._thread
            if thread is None or not thread.is_alive():
                if self._session is None and not self._may_open():
                    return self._sample
                thread = threading.Thread(target=self._read, name="nvml", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no more threads, or the interpreter is ending
                    return Sample(faults=(str(error),))
                self._thread, self._begun = thread, self._clock()
        thread.join(wait_s)
        if thread.is_alive() and self._clock() - self._begun >= HUNG_S:
            return Sample(faults=("the driver does not answer",))
        return self._sample if self._clock() - self._read_at < STALE_S else None

    def _may_open(self) -> bool:
        return self._opened is None or self._clock() - self._opened >= RETRY_S

    def _read(self) -> None:
        try:
            ails = self._sample is not None and self._sample.faults
            if self._session is None or (ails and self._may_open()):
                self._opened = self._clock()
                session, self._session = self._session, None
                if session is not None:
                    session.close()
                self._session = _Session()
            self._sample = self._session.read(frozenset(self._pids()))
        except Exception as error:  # whatever the driver and its Python module come up with
            self._sample = Sample(faults=(str(error) or repr(error),))
        self._read_at = self._clock()


class _Device(NamedTuple):
    number: str
    uuid: str
    model: str
    handle: Any
    is_slice: bool
    """Has no sensors."""
    is_sliced: bool
    """Its memory and its work are its slices', and would be counted twice."""


class _Session:
    """NVML between its initialization and its end.

    Raises:
        OSError: there is no driver.
        ImportError: nvidia-ml-py is not installed.
        LookupError: there is no GPU.
        pynvml.NVMLError: the driver does not work.
    """

    def __init__(self) -> None:
        if sys.platform == "linux":
            # Most machines have no driver, and need not keep 6 MB of Python module for it.
            ctypes.CDLL("libnvidia-ml.so.1")
        import pynvml

        self._nvml = pynvml
        self._faults: List[str] = []
        pynvml.nvmlInit()
        try:
            self._driver = self._ask("driver", "nvmlSystemGetDriverVersion") or ""
            self._devices = list(self._found())
            if not (self._devices or self._faults):
                raise LookupError("The driver has no GPU")
        except BaseException:
            self.close()
            raise
        self._faults_at_start = self._faults

    def close(self) -> None:
        """End it; the library stays loaded."""
        try:
            self._nvml.nvmlShutdown()
        except self._nvml.NVMLError:
            pass  # it has ended by itself

    def read(self, pids: Collection[int]) -> Sample:
        """Ask every device for everything."""
        self._faults = list(self._faults_at_start)
        gpus = tuple(self._gpu(device, pids) for device in self._devices)
        return Sample(self._driver, gpus, tuple(self._faults))

    def _ask(self, subject: str, function: str, *arguments: Any) -> Any:
        try:
            return getattr(self._nvml, function)(*arguments)
        except Exception as error:  # NVMLError mostly; and a name that is no UTF-8, for one
            if getattr(error, "value", None) not in _NOT_OFFERED:
                self._faults.append(f"{subject}: {function}: {error}")
        return None

    def _found(self) -> Iterator[_Device]:
        for index in range(self._nvml.nvmlDeviceGetCount()):
            number = str(index)
            handle = self._ask(f"GPU {number}", "nvmlDeviceGetHandleByIndex", index)
            if handle is not None:
                slices = list(self._slices(number, handle))
                yield self._device(number, handle, is_sliced=bool(slices))
                yield from slices

    def _slices(self, whole: str, handle: Any) -> Iterator[_Device]:
        subject = f"GPU {whole}"
        mode = self._ask(subject, "nvmlDeviceGetMigMode", handle)
        if not mode or mode[0] != _MIG_ENABLED:
            return
        for index in range(self._ask(subject, "nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
            # An index without a slice is not found, which is no fault.
            part = self._ask(subject, "nvmlDeviceGetMigDeviceHandleByIndex", handle, index)
            if part is not None:
                yield self._device(f"{whole}:{index}", part, is_slice=True)

    def _device(
        self, number: str, handle: Any, is_slice: bool = False, is_sliced: bool = False
    ) -> _Device:
        uuid = self._ask(f"GPU {number}", "nvmlDeviceGetUUID", handle) or ""
        model = self._ask(f"GPU {number}", "nvmlDeviceGetName", handle) or ""
        return _Device(number, uuid, model, handle, is_slice, is_sliced)

    def _gpu(self, device: _Device, pids: Collection[int]) -> Gpu:
        def ask(function: str, *arguments: Any) -> Any:
            return self._ask(f"GPU {device.number}", function, device.handle, *arguments)

        utilization = memory = own = temperature = energy = None
        if not device.is_sliced:
            utilization = ask("nvmlDeviceGetUtilizationRates")
            # Not version 2, which counts the driver's own part as neither used nor free:
            # with it, a full GPU would never look full.
            memory = ask("nvmlDeviceGetMemoryInfo")
            # Without "_v3", pynvml makes another error of an old driver's "not found".
            own = _own_memory_bytes(ask("nvmlDeviceGetComputeRunningProcesses_v3"), pids)
        if not device.is_slice:
            temperature = ask("nvmlDeviceGetTemperature", _TEMPERATURE_GPU)
            energy = ask("nvmlDeviceGetTotalEnergyConsumption")
        return Gpu(
            device.number,
            device.uuid,
            device.model,
            utilization_ratio=None if utilization is None else utilization.gpu / 100,
            memory_used_bytes=None if memory is None else memory.used,
            memory_limit_bytes=None if memory is None else memory.total,
            process_memory_bytes=own,
            temperature_celsius=temperature,
            energy_joules=None if energy is None else energy / 1000,
        )


def _own_memory_bytes(processes: Optional[List[Any]], pids: Collection[int]) -> Optional[int]:
    if processes is None:
        return None
    own = [process.usedGpuMemory for process in processes if process.pid in pids]
    known = [int(used) for used in own if used is not None]
    if len(known) < len(own) or not (own or _sees_every_process()):
        return None
    return sum(known)


def _sees_every_process() -> bool:
    """Whether process ids mean the same to us as to the driver.

    In a container they may not, so that our own would not be found among its list.
    """
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return True  # not Linux
