"""Every panel shows something: a real server under load, a real Prometheus, every query."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, Set

import pytest
import requests

from tests.exported import TO_COME
from tests.house.house import ROOT
from tests.integration.serving import children, environment, is_running, until

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.slow]

EXCUSED = {
    # dashboard, row: why its panels may be empty here
    ("autovoice-gpu", "Devices"): "there is no GPU",
    ("autovoice-http", "WebSocket"): "nobody connects",
    ("autovoice-jobs", "Jobs"): "there are none",
}
RATE_INTERVAL = "20s"
"""What Grafana would make of a scrape each second, and some more for busy machines."""


class Observed(NamedTuple):
    """`make observe`, running."""

    process: "subprocess.Popen[str]"
    urls: Dict[str, str]

    def api(self, path: str, **parameters: str) -> Any:
        """What Prometheus answers."""
        url = f"{self.urls['Prometheus']}/api/v1/{path}"
        answer = requests.get(url, params=parameters, timeout=30).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def values(self, query: str) -> List[float]:
        """The numbers that a query gives now; what is not a number is not among them."""
        result = self.api("query", query=query)["result"]
        found = [float(one["value"][1]) for one in result]
        return [value for value in found if not math.isnan(value)]


@pytest.fixture(scope="module")
def observed() -> Iterator[Observed]:
    """The server has the stub engine, which can be made to fail."""
    command = [sys.executable, str(ROOT / "scripts/observe.py"), "--interval", "1s"]
    for option in ("--port", "--prometheus-port", "--alertmanager-port"):
        command += [option, "0"]
    env = environment({"engine": "stub", "engine_workers": 1})
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env, universal_newlines=True)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    urls = {}
    for line in lines:
        found = re.match(r"(\w+) +(http://[\d.:]+)", line)
        if found:
            urls[found.group(1)] = found.group(2)
        if line.startswith("Ctrl-C"):
            break
    assert {"AutoVoice", "Prometheus"} <= set(urls)
    yield Observed(process, urls)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


class Panel(NamedTuple):
    """Where a query is."""

    uid: str
    row: str
    title: str
    expr: str

    def query(self) -> str:
        """With Grafana's variables filled in: everything is chosen."""
        text = self.expr.replace("$__rate_interval", RATE_INTERVAL)
        return text.replace("$job", "autovoice").replace("$instance", ".+")

    def series(self) -> Set[str]:
        return set(re.findall(r"\bautovoice_\w+", self.expr))

    def is_to_come(self) -> bool:
        return any(re.sub("_(bucket|sum|count)$", "", name) in TO_COME for name in self.series())


def panels() -> Iterator[Panel]:
    for path in sorted(ROOT.glob("config/grafana/dashboards/*.json")):
        row = ""
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            if panel["type"] == "row":
                row = panel["title"]
            for target in panel.get("targets", []):
                yield Panel(path.stem, row, panel["title"], target["expr"])


def test_the_excused_are_there():
    """No excuse outlives its row."""
    assert set(EXCUSED) <= {(panel.uid, panel.row) for panel in panels()}


def test_everything_is_scraped_and_every_rule_evaluated(observed):
    """Each target is up, and no rule has an error."""
    wanted = {"autovoice", "prometheus"} | (
        {"alertmanager"} & {name.lower() for name in observed.urls}
    )

    def up() -> Set[str]:
        active = observed.api("targets")["activeTargets"]
        return {target["labels"]["job"] for target in active if target["health"] == "up"}

    until(lambda: up() == wanted, f"{wanted} are up")

    def health() -> Set[str]:
        groups = observed.api("rules")["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]}

    until(lambda: "unknown" not in health(), "every rule has been evaluated")
    assert health() == {"ok"}
    read = {os.path.basename(group["file"]) for group in observed.api("rules")["groups"]}
    folders = (ROOT / "config/rules", ROOT / "config/alerts")
    assert read == {path.name for folder in folders for path in folder.iterdir()}


@pytest.mark.parametrize("panel", list(panels()), ids=lambda panel: f"{panel.uid}-{panel.title}")
def test_every_panel_shows_something(observed, panel):
    """A number at least; the excused ones name series that are there all the same."""
    if panel.is_to_come():
        pytest.skip(f"not exported yet: {', '.join(sorted(panel.series()))}")
    if (panel.uid, panel.row) not in EXCUSED:
        until(lambda: observed.values(panel.query()), f"{panel.query()} gives a number", 60)
        return
    observed.api("query", query=panel.query())
    if panel.uid != "autovoice-gpu":
        for name in panel.series():
            until(lambda: observed.values(f"count({name})"), f"{name} is there")


def test_the_load_is_of_all_kinds(observed):
    """Panels that show something show what happened: every kind of end, and the cache."""
    for outcome in ("success", "error", "invalid", "cancelled"):
        query = f'sum(autovoice_synthesis_requests_total{{outcome="{outcome}"}}) > 0'
        until(lambda: observed.values(query), f"{outcome} has been counted")
    for result in ("hit", "miss"):
        query = f'sum(autovoice_cache_requests_total{{result="{result}"}}) > 0'
        until(lambda: observed.values(query), f"the cache had a {result}")
    query = 'sum(autovoice_synthesis_first_audio_seconds_count{transport="sse"}) > 0'
    until(lambda: observed.values(query), "events were sent")


def test_ctrl_c_ends_all_of_it(observed):
    """Nothing is left running, and nothing is left behind."""
    started = children(observed.process.pid)
    assert len(started) >= 2
    (folder,) = {
        found.group(1)
        for command in started.values()
        for found in re.finditer(r"--config.file=(\S*autovoice-observe-\w+)/prometheus", command)
    }
    observed.process.send_signal(signal.SIGINT)
    assert observed.process.wait(timeout=60) == 0
    assert [pid for pid in started if is_running(pid)] == []
    assert not os.path.exists(folder)
