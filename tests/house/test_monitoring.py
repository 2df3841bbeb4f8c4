"""Alerts, dashboards and their documents rely on nothing that is not there."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple

import pytest
import yaml

from tests.exported import exported
from tests.house.house import ROOT

promql_parser = pytest.importorskip(
    "promql_parser", reason="promql-parser is among the tools, which need a newer Python"
)
from tests.house.promql import (  # noqa: E402  # they need the parser
    TARGET,
    Checker,
    annotation_labels,
    legend_labels,
    plain,
    selected,
)

CONFIG = ROOT / "config"
GRAFANA = CONFIG / "grafana"
RUNBOOK = ROOT / "docs/runbook.md"
URL = "https://github.com/autovoice/autovoice/blob/main/docs/runbook.md#"
DASHBOARDS = {
    "autovoice-overview": "AutoVoice: Overview",
    "autovoice-http": "AutoVoice: HTTP and WebSocket",
    "autovoice-engines": "AutoVoice: Engines",
    "autovoice-gpu": "AutoVoice: GPU",
    "autovoice-jobs": "AutoVoice: Jobs and deploys",
}
"""Whoever has bookmarked one finds it there after every upgrade."""
ALERTS = {
    f"AutoVoice{name}"
    for name in (
        "Down RestartLoop SynthesisBurnFast SynthesisBurnSlow FirstAudioBurnFast "
        "SlowerThanRealtime AudioUnderruns QueueSaturated EngineNotReady JobsStalled "
        "WebSocketErrors RedisGone GPUMemoryNearLimit GPUHot GPUMetricsMissing"
    ).split()
}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules() -> Iterator[Dict[str, Any]]:
    """Every rule, those that record before those that alert."""
    for path in [*sorted(CONFIG.glob("rules/*.yml")), *sorted(CONFIG.glob("alerts/*.yml"))]:
        for group in load(path)["groups"]:
            yield from group["rules"]


def alerts() -> List[Any]:
    return [pytest.param(rule, id=rule["alert"]) for rule in rules() if "alert" in rule]


RECORDED = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


@functools.lru_cache(maxsize=None)
def checker() -> Checker:
    """Knows what servers export, what Prometheus adds, and what the rules record."""
    samples = dict(exported().samples)
    samples["up"] = {}
    samples["ALERTS"] = {"alertname": set(), "alertstate": set(), "severity": set()}
    made = Checker(samples)
    for name, expr in RECORDED.items():
        made.record(name, expr)
    return made


# --- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("rate(autovoice_no_such_total[5m])", "no series"),
        ('autovoice_engine_ready{voice="x"}', "no label voice"),
        ('autovoice_synthesis_requests_total{outcome="fine"}', "no outcome 'fine'"),
        ('autovoice_synthesis_requests_total{outcome=~"error|fine"}', "no outcome 'fine'"),
        ('autovoice_synthesis_first_audio_seconds_bucket{le="0.45"}', "no le '0.45'"),
        ("sum by (voice) (autovoice_engine_ready)", "voice"),
        ("autovoice_engine_ready / autovoice_draining", "never match"),
        ("autovoice_engine_ready unless on (engine) autovoice_draining", "not both sides"),
        ("histogram_quantile(0.5, sum(autovoice_engine_ready))", "no buckets"),
    ],
)
def test_a_wrong_query_is_found(query, complaint):
    """The check of all queries below is awake."""
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        checker().labels(query)


# --- alerts ---------------------------------------------------------------------------------------


def test_the_alerts_are_those_that_are_promised():
    """A renamed alert is a silence that nobody notices."""
    assert {param.id for param in alerts()} == ALERTS


def test_recording_rules_rely_on_what_is_there():
    """Their names begin with the labels that they keep."""
    for name, expr in RECORDED.items():
        kept = name.split(":")[0].split("_")
        assert checker().labels(expr) == set(kept), name


@pytest.mark.parametrize("rule", alerts())
def test_alerts_say_what_somebody_needs(rule):
    """How urgent, what, and where it is written what to do; about labels that they have."""
    has = checker().labels(rule["expr"]) | {"severity"}
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    texts = rule["annotations"]
    assert set(texts) == {"summary", "description", "runbook_url"}
    for text in texts.values():
        assert annotation_labels(text) <= has
    assert texts["runbook_url"] == URL + rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in RUNBOOK.read_text(encoding="utf-8")


class Case(NamedTuple):
    """One `alert_rule_test` of promtool's."""

    fires: bool
    reads: Set[str]
    """The series that are fed."""


@functools.lru_cache(maxsize=None)
def cases() -> Dict[str, List[Case]]:
    found: Dict[str, List[Case]] = {}
    for path in ROOT.glob("tests/alerts/*.yml"):
        for test in load(path)["tests"]:
            fed = {re.split(r"[{\s]", one["series"])[0] for one in test["input_series"]}
            for case in test["alert_rule_test"]:
                made = Case(bool(case["exp_alerts"]), fed)
                found.setdefault(case["alertname"], []).append(made)
    return found


def read(query: str) -> Set[str]:
    """The series that a query reads in the end, through the rules that record."""
    names = selected(query)
    return {one for name in names for one in (read(RECORDED[name]) if name in RECORDED else {name})}


@pytest.mark.parametrize("rule", alerts())
def test_each_alert_has_a_case_that_fires_and_one_that_does_not(rule):
    """And the quiet one is quiet with everything there that the alert looks at."""
    mine = cases()[rule["alert"]]
    assert any(case.fires for case in mine)
    assert any(not case.fires and read(rule["expr"]) <= case.reads for case in mine)


def test_sections_of_the_runbook_tell_the_same_four_things():
    """Somebody who is woken finds them in the same place each time."""
    text = RUNBOOK.read_text(encoding="utf-8")
    sections = re.findall(r"^### (AutoVoice\w+)\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    assert {name for name, _ in sections} == ALERTS
    for name, section in sections:
        told = re.findall(r"^\*\*(\w+)\.\*\*", section, re.MULTILINE)
        assert told == ["Meaning", "Impact", "Diagnosis", "Mitigation"], name


# --- dashboards -----------------------------------------------------------------------------------


class Target(NamedTuple):
    """One query of a panel."""

    uid: str
    title: str
    expr: str
    legend: str


def dashboards() -> Dict[str, Any]:
    paths = sorted(GRAFANA.glob("dashboards/*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def panels() -> Iterator[Tuple[str, Dict[str, Any]]]:
    """Each panel but the rows, with its dashboard's uid."""
    for uid, board in dashboards().items():
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield uid, panel


def targets() -> List[Any]:
    return [
        pytest.param(
            Target(uid, panel["title"], target["expr"], target["legendFormat"]),
            id=f"{uid}-{panel['title']}-{target['refId']}",
        )
        for uid, panel in panels()
        for target in panel["targets"]
    ]


def test_dashboards_are_the_ones_that_are_generated(tmp_path):
    """What is committed is what `make dashboards` writes."""
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is a tool")
    subprocess.run([sys.executable, str(GRAFANA / "generate"), str(tmp_path)], check=True)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    paths = GRAFANA.glob("dashboards/*")
    assert {path.name: path.read_text(encoding="utf-8") for path in paths} == made


def test_dashboards_keep_their_addresses():
    """Each is where its uid and its title say."""
    found = {name: (board["uid"], board["title"]) for name, board in dashboards().items()}
    assert found == {uid: (uid, title) for uid, title in DASHBOARDS.items()}


def test_dashboards_ask_which_server():
    """The same variables in all of them, so that a link keeps what was chosen."""
    for uid, board in dashboards().items():
        names = [variable["name"] for variable in board["templating"]["list"]]
        assert names == ["datasource", "job", "instance"], uid
        assert board["links"][0]["includeVars"] and board["links"][0]["keepTime"]
        for variable in board["templating"]["list"][1:]:
            queries = re.findall(r"\((autovoice\w+)(?:{.*?})?, (\w+)\)", variable["query"])
            assert [label for _, label in queries] == [variable["name"]]
            assert all(name in exported().families for name, _ in queries)


def test_panels_say_what_they_show():
    """A unit and a description on each, the chosen source, and an id and a place of its own."""
    taken: Set[Tuple[str, int, int]] = set()
    ids: Set[Tuple[str, int]] = set()
    for uid, panel in panels():
        title = panel["title"]
        assert panel["description"].endswith("."), title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"], title
        assert panel["datasource"] == {"type": "prometheus", "uid": "$datasource"}, title
        at = panel["gridPos"]
        columns, lines = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        cells = {(uid, x, y) for x in columns for y in lines}
        assert columns.stop <= 24 and not cells & taken, title
        taken |= cells
        assert (uid, panel["id"]) not in ids, title
        ids.add((uid, panel["id"]))


@pytest.mark.parametrize("target", targets())
def test_panels_rely_on_what_is_there(target):
    """Every series, label and label's value that a query or a legend names exists."""
    gives = checker().labels(plain(target.expr))
    assert legend_labels(target.legend) <= gives


@pytest.mark.parametrize("target", targets())
def test_panels_show_what_was_chosen(target):
    """Each selector heeds the variables, and rates the time that a pixel stands for."""
    for selector in re.findall(
        r"\b((?:autovoice|process)_\w+|up|job:\w+:\w+)({[^}]*})?", target.expr
    ):
        wanted = ['job=~"$job"'] + ([] if selector[0].startswith("job:") else ['"$instance"'])
        assert all(words in selector[1] for words in wanted), selector
    assert set(re.findall(r"\[([^]]*)\]", target.expr)) <= {"$__rate_interval"}


def test_every_family_is_on_a_panel_or_in_an_alert():
    """What nobody looks at need not be counted."""
    queries = [plain(param.values[0].expr) for param in targets()]
    queries += [rule["expr"] for rule in rules()]
    looked_at = {name for query in queries for name in read(query)}
    ours = {name for name in exported().families if name.startswith("autovoice_")}
    endings = ("", "_bucket", "_sum", "_count")
    assert [name for name in ours if not {name + end for end in endings} & looked_at] == []


# --- provisioning ---------------------------------------------------------------------------------


def test_grafana_finds_source_and_dashboards_at_its_first_start():
    """Both provisioning files are of the shape that Grafana reads."""
    sources = load(GRAFANA / "provisioning/datasources/prometheus.yml")
    (source,) = sources["datasources"]
    assert sources["apiVersion"] == 1
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert source["url"] == "${PROMETHEUS_URL}"
    interval = load(CONFIG / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == interval
    (provider,) = load(GRAFANA / "provisioning/dashboards/autovoice.yml")["providers"]
    guide = (ROOT / "docs/monitoring-guide.md").read_text(encoding="utf-8")
    assert provider["type"] == "file"
    assert provider["options"]["path"] in guide, "where to mount the dashboards is not told"


def test_prometheus_labels_what_it_scrapes_as_the_rules_expect():
    """The job is called what alerts and dashboards ask for."""
    jobs = [job["job_name"] for job in load(CONFIG / "prometheus.yml")["scrape_configs"]]
    named = set(re.findall(r'job="(\w+)"', " ".join(rule["expr"] for rule in rules())))
    assert named == {"autovoice"} <= set(jobs)
    assert TARGET == {"job", "instance"}
