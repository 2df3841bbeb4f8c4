"""Alerts fire when they should and only then; what they say reaches whom the operator named.

The cases are in the YAML files beside this one, for promtool. That each alert has
a case that fires and one that does not is tests/house/test_monitoring.py's to say.
"""

import contextlib
import http.server
import json
import os
import queue
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
import requests
import yaml

from tests.house.house import ROOT
from tests.integration.serving import until

HERE = Path(__file__).parent
CONFIG = ROOT / "config"
SCRIPT = CONFIG / "alertmanager.sh"
SMTP = {"ALERT_SMTP_HOST": "mail.example.org:587", "ALERT_SMTP_FROM": "autovoice@example.org"}


def run(*command: str) -> str:
    """What the command says; it has to succeed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output


# --- Prometheus -----------------------------------------------------------------------------------


@pytest.mark.needs("promtool")
@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(HERE.glob("*.yml")), ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path):
    """Series in, alerts out, to the last word of their annotations."""
    assert "SUCCESS" in run("promtool", "test", "rules", str(path))


@pytest.mark.needs("promtool")
def test_prometheus_takes_its_configuration():
    """Every rule parses; each target file that is there does, too."""
    output = run("promtool", "check", "config", str(CONFIG / "prometheus.yml"))
    rules = [*CONFIG.glob("rules/*.yml"), *CONFIG.glob("alerts/*.yml")]
    assert f"{len(rules)} rule files found" in output
    for target in CONFIG.glob("targets/*.yml"):
        assert f'targets/{target.name}" for file_sd' not in output


# --- Alertmanager ---------------------------------------------------------------------------------


def rendered(shell: List[str], environment: Dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
    """What alertmanager.sh makes of its environment."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ALERT_")}
    return subprocess.run(
        [*shell, str(SCRIPT), "--print"],
        env={**env, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def receivers(configuration: Path) -> Dict[str, Any]:
    loaded = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    return {receiver.pop("name"): receiver for receiver in loaded["receivers"]}


@pytest.fixture(params=["sh", pytest.param("busybox sh", marks=pytest.mark.needs("busybox"))])
def shell(request) -> List[str]:
    """The shell of this machine, and that of Alertmanager's image."""
    command: str = request.param
    return command.split()


ENVIRONMENTS: List[Tuple[Dict[str, str], Dict[str, List[str]]]] = [
    ({}, {"page": [], "ticket": []}),
    ({"ALERT_PAGE_WEBHOOK": "http://pager:8000/x?a=b&c=d"}, {"page": ["webhook"], "ticket": []}),
    (
        {
            "ALERT_PAGE_SLACK": "https://hooks.example.org/services/it's",
            "ALERT_TICKET_WEBHOOK": "http://desk/",
        },
        {"page": ["slack"], "ticket": ["webhook"]},
    ),
    (
        {
            "ALERT_PAGE_WEBHOOK": "http://pager/",
            "ALERT_PAGE_SLACK": "https://hooks.example.org/p",
            "ALERT_PAGE_EMAIL": "a@example.org, b@example.org",
            "ALERT_TICKET_EMAIL": "c@example.org",
            "ALERT_SMTP_USER": "us'er",
            "ALERT_SMTP_PASSWORD": "p\"a's: #$w${HOME}`ls`\\n",
            **SMTP,
        },
        {"page": ["webhook", "slack", "email"], "ticket": ["email"]},
    ),
]


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(("environment", "wanted"), ENVIRONMENTS)
def test_the_environment_chooses_who_is_told(shell, environment, wanted, tmp_path):
    """What would run is valid, and has exactly the receivers that were named."""
    done = rendered(shell, environment)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "alertmanager.yml"
    path.write_bytes(done.stdout)
    run("amtool", "check-config", str(path))
    found = receivers(path)
    assert {name: [f"{kind}_configs" for kind in kinds] for name, kinds in wanted.items()} == {
        name: list(kinds) for name, kinds in found.items()
    }
    assert done.stderr.decode().count("nobody is told") == list(wanted.values()).count([])
    written = json.dumps(found)
    for name, value in environment.items():
        assert json.dumps(value)[1:-1] in written, name


def test_secrets_may_come_from_files(shell, tmp_path):
    """As containers get them, with or without a line's end."""
    path = tmp_path / "secret"
    for content in ("http://pager/secret", "http://pager/secret\n"):
        path.write_text(content)
        done = rendered(shell, {"ALERT_PAGE_WEBHOOK_FILE": str(path)})
        assert b"url: 'http://pager/secret'\n" in done.stdout


@pytest.mark.parametrize(
    "environment",
    [
        {"ALERT_PAGE_EMAIL": "a@example.org"},
        {"ALERT_PAGE_EMAIL": "a@example.org", "ALERT_SMTP_HOST": "mail:25"},
        {"ALERT_TICKET_WEBHOOK": "http://a/\n  - name: forged"},
        {"ALERT_TICKET_WEBHOOK_FILE": "/no/such/file"},
        {"ALERT_TICKET_WEBHOOK_FILE": os.devnull},
        {"ALERT_TICKET_WEBHOOK": "http://a/", "ALERT_TICKET_WEBHOOK_FILE": "/etc/hostname"},
    ],
)
def test_a_wrong_environment_is_refused(shell, environment):
    """Rather than an Alertmanager that tells nobody."""
    done = rendered(shell, environment)
    assert done.returncode == 2
    assert b"ALERT_" in done.stderr


@pytest.mark.needs("amtool")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [("severity=page", "page"), ("severity=ticket", "ticket"), ("severity=odd", "ticket")],
)
def test_severity_decides_who_is_told(labels, receiver):
    """No alert is lost for its labels."""
    config = str(CONFIG / "alertmanager.yml")
    routed = run("amtool", "config", "routes", "test", f"--config.file={config}", labels)
    assert routed.splitlines()[-1] == receiver


@contextlib.contextmanager
def webhook() -> Iterator[Tuple[str, "queue.Queue[Tuple[str, Any]]"]]:
    """A receiver: its URL, and what arrives there as path and JSON."""
    got: "queue.Queue[Tuple[str, Any]]" = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            got.put((self.path, json.loads(body)))

        def log_message(self, *args: Any) -> None:
            """Nobody reads it."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@pytest.mark.needs("alertmanager")
@pytest.mark.slow
def test_a_page_arrives_where_the_operator_wants_it(tmp_path):
    """The real program, started as in a container: an alert in, a POST out."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    alert = {"alertname": "AutoVoiceDown", "severity": "page", "job": "autovoice"}
    with webhook() as (url, got):
        env = {**os.environ, "ALERT_PAGE_WEBHOOK": f"{url}/page", "TMPDIR": str(tmp_path)}
        env.update(ALERT_TICKET_WEBHOOK=f"{url}/ticket", NO_PROXY="127.0.0.1")
        arguments = [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        process = subprocess.Popen(
            ["sh", str(SCRIPT), *arguments, f"--storage.path={tmp_path}"],
            env=env,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: answers(f"{base}/-/ready"), "Alertmanager is ready")
            sent = requests.post(f"{base}/api/v2/alerts", json=[{"labels": alert}], timeout=10)
            assert sent.status_code == 200, sent.text
            path, body = got.get(timeout=60)
            assert path == "/page"
            assert body["status"] == "firing"
            assert body["alerts"][0]["labels"] == alert
            (file,) = tmp_path.glob("*/alertmanager.yml")
            assert file.stat().st_mode & 0o077 == 0, "others can read the secrets"
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
