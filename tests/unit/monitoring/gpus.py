"""GPUs for machines that have none: a driver's library that says what a test wants.

`Driver` stands for the driver: what it says goes through the real pynvml, in the
processes that get its `environment`. `Scraped` is such a process, which has the
collector and can be asked for its metrics.
"""

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.house.house import ROOT

LIBRARY = "libnvidia-ml.so.1"
OWN_PIDS = (4242, 4243)
"""What `Scraped` takes for the server and its worker."""

UNINITIALIZED, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 1, 3, 4, 6
DRIVER_NOT_LOADED, FUNCTION_NOT_FOUND, GPU_IS_LOST, UNKNOWN = 9, 13, 15, 999
NO_DATA, ARGUMENT_VERSION_MISMATCH, DEPRECATED = 21, 25, 26
NOT_OFFERED = (
    NOT_SUPPORTED,
    NO_PERMISSION,
    NOT_FOUND,
    FUNCTION_NOT_FOUND,
    NO_DATA,
    ARGUMENT_VERSION_MISMATCH,
    DEPRECATED,
)

L4: Dict[str, Any] = {
    "uuid": "GPU-0c6ee4a9-8a44-4d5c-9d23-6d7ea8c4d0d0",
    "name": "NVIDIA L4",
    "utilization": 37,
    "memory": "24152899584 6442450944",
    "temperature": 54,
    "energy": 123456789,
}
H100: Dict[str, Any] = {
    "uuid": "GPU-5a2b7f10-11ee-4b1c-8d6f-3f0e5c9a7b21",
    "name": "NVIDIA H100 80GB HBM3",
    "utilization": 100,
    "memory": "85899345920 1024",
    "temperature": 31,
    "energy": 5,
}


def compiled(folder: Path) -> Path:
    """The library, made in ``folder``."""
    source = Path(__file__).with_name("fake_nvml.c")
    path = folder / LIBRARY
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", str(path), str(source)], check=True)
    return path


class Driver:
    """A driver with its devices; `put` tells it anew what there is."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library = library
        self.folder = folder / "driver"
        self.folder.mkdir()
        self._script = self.folder / "script"
        self._loads = 1
        self.put()

    @property
    def environment(self) -> Dict[str, str]:
        """For processes that shall find this driver, once it is installed."""
        return {"LD_LIBRARY_PATH": str(self.folder), "FAKE_NVML": str(self._script)}

    def install(self) -> None:
        """Put the library where processes look for it."""
        shutil.copy(str(self._library), str(self.folder / LIBRARY))

    def uninstall(self) -> None:
        """Take it away; only on a machine without a driver of its own is there none then."""
        (self.folder / LIBRARY).unlink()
        if ctypes.util.find_library("nvidia-ml"):
            pytest.skip("this machine has a driver of its own")

    def put(self, *devices: Dict[str, Any], rules: Sequence[str] = ()) -> None:
        """The devices from now on; ``rules`` say which calls do not go well.

        A device's values are as NVML gives them; ``memory`` is total and used,
        ``process`` a list of process id and bytes (-1: not known), ``slices``
        its MIG devices by their index. Rules are `fail FUNCTION DEVICE CODE` and
        `hang FUNCTION DEVICE`, with ``*`` for all functions or devices.
        """
        lines = [f"driver 550.54.15 {self._loads}", *rules]
        for index, device in enumerate(devices):
            parts = {f"{index}": device}
            for number, part in device.get("slices", {}).items():
                parts[f"{index}:{number}"] = part
            for number, part in parts.items():
                lines.append(f"{number} mig {int('slices' in part)}")
                for key, value in part.items():
                    if key != "slices":
                        several = value if isinstance(value, list) else [value]
                        lines += [f"{number} {key} {one}" for one in several]
        new = self._script.with_suffix(".new")
        new.write_bytes(("\n".join(lines) + "\n").encode(errors="surrogateescape"))
        new.replace(self._script)  # at once, so that nobody reads half of it

    def reload(self) -> None:
        """The driver is taken out and put in again: what was open before is void; then `put`."""
        self._loads += 1


class Scrape(NamedTuple):
    """What one scrape brought."""

    samples: Dict[Tuple[str, ...], float]
    """By name and the values of the labels."""
    families: Dict[str, Tuple[str, str]]
    """Name to type and help text."""
    seconds: float
    log: List[str]
    """`LEVEL message` of what was logged meanwhile."""
    threads: int
    """How many wait for the driver."""

    def of(self, name: str) -> Dict[Tuple[str, ...], float]:
        """A family's values, by the values of its labels."""
        full = f"autovoice_gpu_{name}"
        return {key[1:]: value for key, value in self.samples.items() if key[0] == full}

    @property
    def up(self) -> float:
        """1 while all is read."""
        (value,) = self.of("collector_up").values()
        return value


class Scraped:
    """A process with the collector, whose clock stands still unless told."""

    def __init__(
        self,
        environment: Dict[str, str],
        wanted: bool = False,
        in_container: bool = False,
        path: Path = ROOT,
    ) -> None:
        """``path``: a folder whose modules go before those that are installed."""
        options = json.dumps({"wanted": wanted, "in_container": in_container})
        paths = os.pathsep.join([str(path), str(ROOT / "src"), str(ROOT)])
        self.process = subprocess.Popen(
            [sys.executable, __file__, options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment, "PYTHONPATH": paths},
            universal_newlines=True,
        )

    def _ask(self, **command: Any) -> Any:
        assert self.process.stdin and self.process.stdout
        print(json.dumps(command), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def scrape(self, patiently: bool = True, in_fork: bool = False) -> Scrape:
        """Ask for the metrics, ``patiently`` without giving up on a slow machine."""
        answer = self._ask(do="scrape", patiently=patiently, in_fork=in_fork)
        samples, families = {}, {}
        for family in text_string_to_metric_families(answer["text"]):
            if family.name.startswith("autovoice_gpu_"):
                families[family.name] = (family.type, family.documentation)
                for sample in family.samples:
                    key = (sample.name, *(f"{k}={v}" for k, v in sample.labels.items()))
                    samples[key] = sample.value
        return Scrape(samples, families, answer["seconds"], answer["log"], answer["threads"])

    def let_pass(self, seconds: float) -> None:
        """The clock goes on."""
        self._ask(do="pass", seconds=seconds)

    def join(self) -> None:
        """Wait until whoever waits for the driver has its answer."""
        self._ask(do="join")

    def stop(self) -> int:
        """End it as an interpreter ends; its exit status."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        status = self.process.wait(30)
        self.process.stdout.close()
        return status


def main() -> None:
    """The process of `Scraped`."""
    import logging
    import threading
    import time

    from prometheus_client import generate_latest

    from auto_voice.monitoring import gpu, nvml
    from auto_voice.monitoring.metrics import Metrics

    logged: List[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(f"{record.levelname} {record.getMessage()}")

    logging.getLogger("auto_voice").addHandler(Kept())
    logging.getLogger("auto_voice").setLevel(logging.DEBUG)
    options = json.loads(sys.argv[1])
    # Whether this is a container shall not depend on where the tests run.
    namespace = 0 if options["in_container"] else os.stat("/proc/self/ns/pid").st_ino
    nvml._FIRST_PID_NAMESPACE = namespace
    now = [1000.0]
    metrics = Metrics("stub")
    collector = gpu.GpuCollector(options["wanted"], lambda: OWN_PIDS, lambda: now[0])
    metrics.registry.register(collector)
    as_delivered = gpu.WAIT_S

    def waiting() -> List[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "nvml"]

    def scrape(patiently: bool) -> Dict[str, Any]:
        gpu.WAIT_S = 60.0 if patiently else as_delivered
        del logged[:]
        began = time.perf_counter()
        text = generate_latest(metrics.registry).decode()
        seconds = time.perf_counter() - began
        return {"text": text, "seconds": seconds, "log": logged, "threads": len(waiting())}

    def scrape_in_fork(patiently: bool) -> Dict[str, Any]:
        readable, writable = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.write(writable, json.dumps(scrape(patiently)).encode())
            finally:
                os._exit(0)
        os.close(writable)
        with os.fdopen(readable) as answer:
            told = json.load(answer)
        os.waitpid(child, 0)
        return told  # type: ignore[no-any-return]

    for line in sys.stdin:
        command = json.loads(line)
        answer: Any = None
        if command["do"] == "scrape":
            do = scrape_in_fork if command["in_fork"] else scrape
            answer = do(command["patiently"])
        elif command["do"] == "pass":
            now[0] += command["seconds"]
        elif command["do"] == "join":
            for thread in waiting():
                thread.join(60)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
