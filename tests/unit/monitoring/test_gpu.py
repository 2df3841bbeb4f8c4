"""What the GPUs' driver tells is shown as it is; whatever it does, a scrape goes on."""

import sys

import pytest

from tests.unit.monitoring.gpus import (
    DRIVER_NOT_LOADED,
    GPU_IS_LOST,
    H100,
    L4,
    NOT_OFFERED,
    OWN_PIDS,
    UNINITIALIZED,
    UNKNOWN,
)

pytestmark = [
    pytest.mark.needs("cc"),
    pytest.mark.skipif(sys.platform != "linux", reason="how a library is found is Linux's"),
]

GAUGES = {
    "utilization_ratio": "nvmlDeviceGetUtilizationRates",
    "memory_used_bytes": "nvmlDeviceGetMemoryInfo",
    "memory_limit_bytes": "nvmlDeviceGetMemoryInfo",
    "process_memory_bytes": "nvmlDeviceGetComputeRunningProcesses_v3",
    "temperature_celsius": "nvmlDeviceGetTemperature",
}
VALUES = {**GAUGES, "energy_joules_total": "nvmlDeviceGetTotalEnergyConsumption"}
ZERO, ONE = ("gpu=0",), ("gpu=1",)
HUNG_S, RETRY_S = 6, 61
"""More than these take in auto_voice.monitoring.nvml."""


def functions():
    return sorted(set(VALUES.values()))


# --- what is shown --------------------------------------------------------------------------------


def test_values_are_in_base_units(driver, scraped):
    """A percentage becomes a ratio and millijoules become joules; bytes and degrees stay."""
    processes = [f"{OWN_PIDS[0]} 1073741824", "99 4096", f"{OWN_PIDS[1]} 2147483648"]
    driver.put({**L4, "process": processes}, H100)
    told = scraped().scrape()
    assert told.of("utilization_ratio") == {ZERO: 0.37, ONE: 1.0}
    assert told.of("memory_used_bytes") == {ZERO: 6442450944, ONE: 1024}
    assert told.of("memory_limit_bytes") == {ZERO: 24152899584, ONE: 85899345920}
    assert told.of("process_memory_bytes") == {ZERO: 3221225472, ONE: 0}
    assert told.of("temperature_celsius") == {ZERO: 54, ONE: 31}
    assert told.of("energy_joules_total") == {ZERO: 123456.789, ONE: 0.005}
    assert told.of("collector_up") == {(): 1}
    info = [
        (f"gpu={index}", f"uuid={device['uuid']}", f"model={device['name']}")
        for index, device in enumerate((L4, H100))
    ]
    wanted = {frozenset((*labels, "driver=550.54.15")): 1 for labels in info}
    assert {frozenset(key): value for key, value in told.of("info").items()} == wanted
    assert told.log == []


def test_every_family_has_its_type_and_a_help_text(driver, scraped):
    driver.put(L4)
    families = scraped().scrape().families
    kinds = {name: kind for name, (kind, _) in families.items()}
    gauges = [*GAUGES, "info", "collector_up"]
    assert kinds == {
        **{f"autovoice_gpu_{name}": "gauge" for name in gauges},
        "autovoice_gpu_energy_joules": "counter",
    }
    for _, text in families.values():
        assert len(text) > 10 and text.endswith(".")


def test_each_scrape_shows_what_is_so_now(driver, scraped):
    process = scraped()
    for percent in (0, 50, 100):
        driver.put({**L4, "utilization": percent})
        assert process.scrape().of("utilization_ratio") == {ZERO: percent / 100}


def test_a_process_whose_memory_the_driver_does_not_know_is_not_counted_as_none(driver, scraped):
    driver.put({**L4, "process": [f"{OWN_PIDS[0]} -1"]}, {**H100, "process": ["99 -1"]})
    told = scraped().scrape()
    assert told.of("process_memory_bytes") == {ONE: 0}
    assert told.up == 1


def test_in_a_container_no_zero_is_made_up(driver, scraped):
    """The driver names processes by the machine's ids, which a container does not know."""
    driver.put({**L4, "process": ["99 4096"]}, {**H100, "process": [f"{OWN_PIDS[0]} 7"]})
    told = scraped(in_container=True).scrape()
    assert told.of("process_memory_bytes") == {ONE: 7}
    assert told.up == 1


def test_slices_are_shown_for_themselves(driver, scraped):
    """With MIG, what belongs to slices is not counted a second time for the whole."""
    parts = {
        0: {"uuid": "MIG-a", "name": "H100 MIG 1g.10gb", "memory": "1000 10", "utilization": 0},
        2: {"uuid": "MIG-b", "name": "H100 MIG 2g.20gb", "memory": "2000 20", "utilization": 0},
    }
    driver.put({**H100, "slices": parts, "process": [f"{OWN_PIDS[0]} 5"]}, L4)
    told = scraped().scrape()
    first, second = ("gpu=0:0",), ("gpu=0:2",)
    assert told.of("memory_limit_bytes") == {first: 1000, second: 2000, ONE: 24152899584}
    assert told.of("memory_used_bytes") == {first: 10, second: 20, ONE: 6442450944}
    assert set(told.of("process_memory_bytes")) == {first, second, ONE}
    assert set(told.of("temperature_celsius")) == {ZERO, ONE}
    assert set(told.of("energy_joules_total")) == {ZERO, ONE}
    assert set(told.of("utilization_ratio")) == {ONE}
    assert sorted(label for key in told.of("info") for label in key if "uuid" in label) == [
        f"uuid={L4['uuid']}",
        f"uuid={H100['uuid']}",
        "uuid=MIG-a",
        "uuid=MIG-b",
    ]
    assert told.up == 1


# --- what cannot be read --------------------------------------------------------------------------


def test_what_a_device_does_not_have_is_absent_and_no_failure(driver, scraped):
    """Neither zero, nor an alert, nor a line in the log."""
    process = scraped()
    for code in NOT_OFFERED:
        for function in functions():
            driver.put(L4, H100, rules=[f"fail {function} 0 {code}"])
            told = process.scrape()
            for name, source in VALUES.items():
                shown = {ONE} if source == function else {ZERO, ONE}
                assert set(told.of(name)) == shown, (name, function, code)
            assert (told.up, told.log) == (1, []), (function, code)


def test_what_fails_takes_nothing_else_with_it(driver, scraped):
    process = scraped()
    for code in (GPU_IS_LOST, UNKNOWN):
        for function in functions():
            driver.put(L4, H100, rules=[f"fail {function} 1 {code}"])
            told = process.scrape()
            for name, source in VALUES.items():
                shown = {ZERO} if source == function else {ZERO, ONE}
                assert set(told.of(name)) == shown, (name, function, code)
            assert len(told.of("info")) == 2
            assert told.up == 0, (function, code)


def test_a_name_that_cannot_be_read_costs_nothing_but_the_name(driver, scraped):
    driver.put({**L4, "name": "NVIDIA \udcff"}, H100)
    told = scraped().scrape()
    assert told.of("temperature_celsius") == {ZERO: 54, ONE: 31}
    assert {label for key in told.of("info") for label in key if label.startswith("model")} == {
        "model=",
        f"model={H100['name']}",
    }
    assert told.up == 0


def test_a_lost_device_is_told_of_once(driver, scraped):
    """The log says which and why; then that it is back."""
    driver.put(L4, H100)
    process = scraped()
    assert process.scrape().up == 1
    driver.put(L4, H100, rules=[f"fail * 1 {GPU_IS_LOST}"])
    lost = process.scrape()
    assert lost.up == 0
    assert set(lost.of("temperature_celsius")) == {ZERO}
    (line,) = lost.log
    assert line.startswith("WARNING GPU figures are missing: GPU 1: nvmlDeviceGet")
    assert "GPU is lost" in line
    assert process.scrape().log == []
    driver.put(L4, H100)
    back = process.scrape()
    assert (back.up, back.log) == (1, ["INFO GPU figures are complete"])
    assert set(back.of("temperature_celsius")) == {ZERO, ONE}


@pytest.mark.parametrize(
    "function",
    [
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetUUID",
        "nvmlDeviceGetName",
        "nvmlDeviceGetMigMode",
    ],
)
def test_a_device_that_fails_at_the_start_is_tried_again(driver, scraped, function):
    """The other is shown from the start, and this one as soon as it answers."""
    driver.put(L4, H100, rules=[f"fail {function} 1 {GPU_IS_LOST}"])
    process = scraped()
    told = process.scrape()
    assert told.up == 0
    assert told.of("utilization_ratio")[ZERO] == 0.37
    driver.put(L4, H100)
    process.let_pass(RETRY_S)
    told = process.scrape()
    assert told.up == 1
    assert set(told.of("utilization_ratio")) == {ZERO, ONE}
    assert any(f"uuid={H100['uuid']}" in key for key in told.of("info"))


# --- a driver that goes and comes -----------------------------------------------------------------


def test_a_driver_that_goes_away_and_comes_back(driver, scraped):
    """Every state is told: whole, gone, gone for good, whole again."""
    driver.put(L4)
    process = scraped()
    assert process.scrape().up == 1
    process.let_pass(RETRY_S)

    driver.reload()
    driver.put(L4, rules=[f"fail nvmlInitWithFlags * {DRIVER_NOT_LOADED}"])
    gone = process.scrape()
    assert gone.up == 0
    assert all(gone.of(name) == {} for name in VALUES)
    assert "Uninitialized" in gone.log[0]
    told = process.scrape()
    assert told.samples == {("autovoice_gpu_collector_up",): 0}

    driver.put({**L4, "temperature": 60})
    assert process.scrape().up == 0, "it is not tried at every scrape"
    process.let_pass(RETRY_S)
    back = process.scrape()
    assert back.up == 1
    assert back.of("temperature_celsius") == {ZERO: 60}


def test_a_driver_that_was_reloaded_between_two_scrapes(driver, scraped):
    """One scrape finds it out, and the next works: nothing has to be restarted."""
    driver.put(L4)
    process = scraped()
    process.scrape()
    process.let_pass(RETRY_S)
    driver.reload()
    driver.put(L4, H100)
    assert process.scrape().up == 0
    told = process.scrape()
    assert told.up == 1
    assert set(told.of("temperature_celsius")) == {ZERO, ONE}


@pytest.mark.parametrize("code", [UNINITIALIZED, UNKNOWN])
def test_a_driver_that_fails_altogether_shows_nothing_but_that(driver, scraped, code):
    """So does one that a container has lost its access to."""
    driver.put(L4)
    process = scraped()
    process.scrape()
    driver.put(L4, rules=[f"fail * * {code}"])
    told = process.scrape()
    assert told.up == 0
    assert all(told.of(name) == {} for name in VALUES)


# --- no GPU ---------------------------------------------------------------------------------------


def test_without_a_library_there_is_no_series_and_one_quiet_line(driver, scraped):
    """A driver that is installed later is found within a minute, and not looked for sooner."""
    driver.put(L4)
    driver.uninstall()
    process = scraped()
    told = process.scrape()
    assert told.samples == {}
    (line,) = told.log
    assert line.startswith("DEBUG GPU figures are missing: libnvidia-ml.so.1")
    driver.install()
    process.let_pass(RETRY_S - 2)
    told = process.scrape()
    assert (told.samples, told.log) == ({}, [])
    process.let_pass(2)
    assert process.scrape().up == 1


@pytest.mark.parametrize("rules", [[], [f"fail nvmlInitWithFlags * {DRIVER_NOT_LOADED}"]])
def test_a_library_without_a_device_is_no_gpu(driver, scraped, rules):
    """Images for GPUs have the library everywhere, the driver only where it is."""
    driver.put(rules=rules)
    process = scraped()
    told = process.scrape()
    assert told.samples == {}
    assert len(told.log) == 1 and told.log[0].startswith("DEBUG")
    driver.put(L4)
    assert process.scrape().samples == {}
    process.let_pass(RETRY_S)
    assert process.scrape().up == 1


@pytest.mark.parametrize("installed", [True, False])
def test_a_gpu_that_is_wanted_and_not_there_is_told(driver, scraped, installed):
    if not installed:
        driver.uninstall()
    process = scraped(wanted=True)
    told = process.scrape()
    assert told.samples == {("autovoice_gpu_collector_up",): 0}
    (line,) = told.log
    assert line.startswith("WARNING GPU figures are missing: ")
    assert process.scrape().log == []


def test_without_the_python_module_there_is_no_series(driver, scraped, tmp_path):
    """Somebody took the package out; the server goes on all the same."""
    driver.put(L4)
    (tmp_path / "pynvml.py").write_text("raise ImportError('it is not installed')\n")
    told = scraped(path=tmp_path).scrape()
    assert told.samples == {}
    assert told.log == ["DEBUG GPU figures are missing: it is not installed"]


# --- a driver that hangs --------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTemperature"])
def test_a_driver_that_hangs_holds_no_scrape_up(driver, scraped, function):
    """Last figures first, since it may be just slow; then none; all again when it goes on."""
    driver.put(L4, H100)
    process = scraped()
    before = process.scrape()
    driver.put({**L4, "temperature": 99}, H100, rules=[f"hang {function} 1"])
    for _ in range(3):
        told = process.scrape(patiently=False)
        assert told.seconds < 3, "it waited for what never ends"
        assert told.samples == before.samples
        assert told.threads == 1, "those that wait get no more"
    process.let_pass(HUNG_S)
    told = process.scrape(patiently=False)
    assert told.samples == {("autovoice_gpu_collector_up",): 0}
    assert told.log == ["WARNING GPU figures are missing: the driver does not answer"]
    assert told.threads == 1
    driver.put({**L4, "temperature": 40}, H100)
    process.join()
    told = process.scrape()
    assert told.up == 1
    assert told.of("temperature_celsius")[ZERO] == 40


def test_figures_of_long_ago_are_not_told_as_todays(driver, scraped):
    """When nobody has asked for an hour, and the answer takes its time."""
    driver.put(L4)
    process = scraped()
    process.scrape()
    process.let_pass(3600)
    driver.put(L4, rules=["hang nvmlDeviceGetTemperature 0"])
    assert process.scrape(patiently=False).samples == {("autovoice_gpu_collector_up",): 0}
    driver.put({**L4, "temperature": 40})
    process.join()
    told = process.scrape()
    assert told.up == 1
    assert told.of("temperature_celsius") == {ZERO: 40}


@pytest.mark.parametrize("wanted", [True, False])
def test_a_driver_that_hangs_from_the_start(driver, scraped, wanted):
    """Nobody knows whether there is a GPU; only who wants one is told that none is shown."""
    driver.put(L4, rules=["hang nvmlInitWithFlags *"])
    process = scraped(wanted=wanted)
    nothing = {("autovoice_gpu_collector_up",): 0} if wanted else {}
    told = process.scrape(patiently=False)
    assert told.samples == nothing
    assert told.log == [], "it may be just slow"
    process.let_pass(HUNG_S)
    told = process.scrape(patiently=False)
    assert told.samples == nothing
    level = "WARNING" if wanted else "DEBUG"
    assert told.log == [f"{level} GPU figures are missing: the driver does not answer"]
    driver.put(L4)
    process.join()
    assert process.scrape().up == 1


def test_a_process_ends_while_its_driver_hangs(driver, scraped):
    driver.put(L4, rules=["hang nvmlDeviceGetTemperature 0"])
    process = scraped()
    process.scrape(patiently=False)
    assert process.stop() == 0


# --- processes ------------------------------------------------------------------------------------


def test_a_fork_reads_for_itself(driver, scraped):
    """What its parent opened is not used, and its parent's goes on."""
    driver.put(L4)
    process = scraped()
    before = process.scrape()
    told = process.scrape(in_fork=True)
    assert told.samples == before.samples
    assert process.scrape().samples == before.samples


def test_a_fork_does_not_wait_for_its_parents_driver(driver, scraped):
    """A call that hung in the parent is not taken for one of the child's."""
    driver.put(L4)
    process = scraped()
    before = process.scrape()
    driver.put(L4, rules=["hang nvmlDeviceGetTemperature 0"])
    assert process.scrape(patiently=False).threads == 1
    process.let_pass(HUNG_S)
    assert process.scrape(patiently=False).up == 0
    driver.put(L4)
    assert process.scrape(in_fork=True).samples == before.samples
