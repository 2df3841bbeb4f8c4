"""A machine with GPUs, from its driver to what an operator sees.

The driver is the one of tests/unit/monitoring; what a real one says cannot be known here.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.serving import AUTOVOICE, environment, until
from tests.unit.monitoring.gpus import GPU_IS_LOST, H100, L4, Driver, compiled

pytestmark = [
    pytest.mark.needs("cc"),
    pytest.mark.skipif(sys.platform != "linux", reason="how a library is found is Linux's"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver(library, tmp_path, monkeypatch):
    """An installed driver that every process finds."""
    made = Driver(library, tmp_path)
    made.install()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def gpu_values(server):
    """What /metrics says of GPUs: (name, GPU or nothing) to value."""
    return {
        (sample.name.replace("autovoice_gpu_", ""), sample.labels.get("gpu", "")): sample.value
        for family in text_string_to_metric_families(server.get("/metrics").text)
        for sample in family.samples
        if sample.name.startswith("autovoice_gpu_")
    }


def once_up(server):
    """The values, as soon as the driver has been opened: the first scrape does not wait for it."""
    up = ("collector_up", "")
    return until(lambda: gpu_values(server).get(up) and gpu_values(server), "GPUs are shown")


def has_the_library(server):
    return "libnvidia-ml" in Path(f"/proc/{server.serving_pid()}/maps").read_text()


def doctor(**settings):
    return subprocess.run(
        [AUTOVOICE, "doctor"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment({"port": 0, "engine": "stub", **settings}),
        timeout=100,
        check=False,
    )


def test_a_server_tells_what_it_and_its_workers_use(driver, start):
    """Of all that a GPU's memory is used for, its own part."""
    driver.put(L4, H100)
    server = start(engine="stub", engine_workers=2)
    workers = server.engine_pids()
    assert len(workers) == 2
    used = [f"{server.process.pid} 1000", *(f"{pid} 7" for pid in workers), "1 1000"]
    serving = server.serving_pid()
    driver.put({**L4, "process": [*used, f"{serving} 100"]}, H100)
    values = once_up(server)
    assert values["process_memory_bytes", "0"] == 114
    assert values["memory_used_bytes", "0"] == 6442450944
    assert values["energy_joules_total", "0"] == 123456.789
    assert values["utilization_ratio", "1"] == 1
    assert has_the_library(server)


@pytest.mark.parametrize(("setting", "shown"), [("auto", {}), ("on", {("collector_up", ""): 0})])
def test_without_a_gpu_only_who_wants_one_is_told(driver, start, setting, shown):
    """CPU servers have nothing of GPUs in their metrics, nor in their logs."""
    driver.put()
    server = start(engine="stub", gpu_metrics=setting, log_level="INFO")
    for _ in range(3):
        assert gpu_values(server) == shown
    if setting == "on":
        until(
            lambda: gpu_values(server) == shown and "The driver has no GPU" in server.output(),
            "it is logged",
        )
    server.stop()
    assert server.output().count("GPU figures") == len(shown)


def test_switched_off_it_does_not_look(driver, start):
    driver.put(L4)
    server = start(engine="stub", gpu_metrics="off")
    assert gpu_values(server) == {}
    assert not has_the_library(server)


def test_the_status_shows_the_gpus_of_the_metrics(driver, start):
    driver.put(L4, H100, rules=[f"fail nvmlDeviceGetTemperature 1 {GPU_IS_LOST}"])
    server = start(engine="stub")
    until(lambda: ("info", "1") in gpu_values(server), "GPUs are shown")
    values = gpu_values(server)
    status = server.get("/v1/status").json()
    assert status["gpus_complete"] is False
    assert [gpu["model"] for gpu in status["gpus"]] == ["NVIDIA L4", "NVIDIA H100 80GB HBM3"]
    for gpu in status["gpus"]:
        for name in ("utilization_ratio", "memory_used_bytes", "temperature_celsius"):
            assert gpu[name] == values.get((name, gpu["gpu"])), name
    assert status["gpus"][1]["temperature_celsius"] is None


def test_doctor_shows_the_gpus(driver):
    driver.put(L4, H100)
    done = doctor()
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "GPU 0" in text and "NVIDIA L4, 6.0 of 22.5 GiB in use, 54 °C, driver 550.54.15" in text
    assert "GPU 1" in text and "NVIDIA H100 80GB HBM3" in text


def test_doctor_tells_of_a_gpu_that_does_not_work(driver):
    """Which fails where GPUs are wanted, and is worth knowing elsewhere."""
    driver.put(L4, H100, rules=[f"fail nvmlDeviceGetTemperature 1 {GPU_IS_LOST}"])
    for setting, status, word in (("auto", 0, "note"), ("on", 1, "FAIL")):
        done = doctor(gpu_metrics=setting)
        assert done.returncode == status
        (line,) = (line for line in done.stdout.decode().split("\n") if "GPU is lost" in line)
        assert line.split()[0] == word and "GPU 1: nvmlDeviceGetTemperature" in line


@pytest.mark.parametrize(("setting", "status"), [("auto", 0), ("on", 1), ("off", 0)])
def test_doctor_fails_without_a_gpu_only_where_one_is_wanted(driver, setting, status):
    driver.put()
    done = doctor(gpu_metrics=setting)
    assert done.returncode == status
    text = done.stdout.decode()
    assert ("FAIL  GPU" in text) == bool(status)
    assert ("not looked for" in text) == (setting == "off")
