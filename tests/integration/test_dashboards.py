"""Every panel shows something: a real server under load, a real Prometheus, every query.

Only the GPU is not real: its driver is the one of tests/unit/monitoring.
"""

import json
import os
import re
from typing import Iterator, NamedTuple, Set

import pytest

from tests.house.house import ROOT
from tests.integration.observing import Observed
from tests.integration.serving import children, is_running, until

pytestmark = [pytest.mark.needs("prometheus", "cc"), pytest.mark.slow]

EXCUSED = {
    # dashboard, row: why its panels may be empty here
    ("autovoice-http", "WebSocket"): "nobody connects",
    ("autovoice-jobs", "Jobs"): "there are none",
}
ABSENT = {("autovoice-engines", "Installed voices"): "no voice of its engine is a file"}
"""Rows whose series the server may lack: their queries have to be sound, and no more."""
RATE_INTERVAL = "20s"
"""What Grafana would make of a scrape each second, and some more for busy machines."""


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
    assert {*EXCUSED, *ABSENT} <= {(panel.uid, panel.row) for panel in panels()}


def test_everything_is_scraped_and_every_rule_evaluated(observed):
    """Each target is up, and no rule has an error."""
    wanted = {"autovoice", "prometheus"} | (
        {"alertmanager"} & {name.lower() for name in observed.urls}
    )

    def up() -> Set[str]:
        active = observed.api("targets")["activeTargets"]
        return {target["labels"]["job"] for target in active if target["health"] == "up"}

    until(lambda: up() == wanted, f"{wanted} are up")
    told = observed.api("alertmanagers")["activeAlertmanagers"]
    assert len(told) == len(wanted & {"alertmanager"})

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
    """A number at least; the excused ones name series that are there all the same, if they can."""
    if (panel.uid, panel.row) in ABSENT:
        observed.api("query", query=panel.query())
        return
    if (panel.uid, panel.row) not in EXCUSED:
        until(lambda: observed.values(panel.query()), f"{panel.query()} gives a number", 60)
        return
    observed.api("query", query=panel.query())
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


def test_ctrl_c_ends_all_of_it():
    """Nothing is left running, and nothing is left behind."""
    observed = Observed.start({})
    started, folder = children(observed.process.pid), observed.folder()
    assert len(started) >= 2
    assert observed.stop() == 0
    assert [pid for pid in started if is_running(pid)] == []
    assert not os.path.exists(folder)
