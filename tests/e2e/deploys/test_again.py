"""What an operator does besides deploying: again, just looking, back; and who is told."""

import hashlib
import hmac
import http.server
import json
import re
import threading
import time

import pytest

from tests.e2e.containers import docker, get, until
from tests.e2e.deploys import bed as beds
from tests.e2e.deploys import checks, versions
from tests.e2e.deploys.loading import Loaded

pytestmark = [
    pytest.mark.needs("docker engine", "ssh", "sshd"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(600),
]

SECRET = b"a secret of the webhook's"


class Webhook:
    """Hears what is told, and answers as it is told to."""

    def __init__(self):
        self.heard = []
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.heard.append((self.headers, body, time.time()))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def events(self):
        """What has been told since the last look, each signed."""
        heard, self.heard = self.heard, []
        for headers, body, came in heard:
            stamp = headers["X-AutoVoice-Timestamp"]
            assert abs(int(stamp) - came) < 30
            signed = hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
            assert headers["X-AutoVoice-Signature"] == f"sha256={signed}"
        return [json.loads(body) for _, body, _ in heard]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def webhook():
    made = Webhook()
    yield made
    made.close()


@pytest.fixture(scope="module")
def bed(repository, tmp_path_factory, webhook):
    """One host without Prometheus, and somebody who listens."""
    folder = tmp_path_factory.mktemp("again")
    (folder / "webhook_secret").write_bytes(SECRET)
    told = {"WEBHOOK_URL": webhook.url, "WEBHOOK_SECRET_FILE": "webhook_secret"}
    with beds.Bed(folder, repository, **beds.WITHOUT_PROMETHEUS, **told) as made:
        made.have(versions.GOOD)
        before = made.fingerprint()
        # Asked for here, where there is only one version yet.
        made.first_way_back = made.deploy("--rollback"), before, made.fingerprint()
        yield made


def files_of(bed):
    """All that a host has on disk, as it is."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(bed.hosts[0].state.rglob("*"))
        if path.is_file()
    }


def of_docker(words):
    """The commands to Docker that change something, in their order. Left out is what only the
    deploy itself can know: its name, and the digest of an image that is not there yet."""
    wanted = re.compile(r"docker (run|start|stop|rename|rm|pull|rmi|kill|exec|image rm) ")
    found = [text[text.index("docker ") :] for text in words if wanted.search(text)]
    found = [re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{4}", "DEPLOY", text) for text in found]
    return [re.sub(r"/autovoice(:v[\d.]+|@sha256:[0-9a-f]{64})", "/IMAGE", text) for text in found]


def test_the_same_version_again_does_nothing(bed):
    """D7: exit 0, and nothing is created, started or stopped."""
    before = bed.fingerprint(), bed.state()
    bed.deployed(bed.serving())
    assert (bed.fingerprint(), bed.state()) == before


def test_a_dry_run_changes_nothing_and_tells_everything(bed, webhook):
    """D8: every command to Docker of the deploy that follows it, as it then comes."""
    new = bed.another()
    webhook.events()
    before = bed.fingerprint(), files_of(bed), bed.requests()
    told = bed.deployed(new, "--dry-run")
    assert (bed.fingerprint(), files_of(bed), bed.requests()) == before
    assert webhook.events() == []
    commands = len(bed.hosts[0].commands())
    bed.deployed(new)
    done = of_docker(bed.hosts[0].commands()[commands:])
    would = [line for line in told.stdout.splitlines() if "would:" in line]
    assert of_docker(would) == done
    assert any("set server slots/" in line for line in would)


def test_back_works_without_version_and_registry(bed, registry, tmp_path):
    """D10: from the container that is still there, while requests come; and forth again."""
    new = bed.another()
    old = bed.serving()
    bed.have(new)
    container, address = registry
    docker("stop", "--time", "1", container)
    try:
        with Loaded(bed.url(), tmp_path) as load:
            bed.deployed("--rollback")
            checks.settled(bed, old)
            bed.deployed("--rollback")
            checks.nothing_failed(load.stop())
        checks.settled(bed, new)
    finally:
        docker("start", container)
        until(lambda: get(f"http://{address}/v2/"), "the registry answers")


def test_without_a_version_before_there_is_no_way_back(bed):
    """It says so, and changes nothing."""
    done, before, after = bed.first_way_back
    assert done.status == beds.USAGE and "no version before" in done.stderr
    assert after == before


def test_every_phase_is_a_line_in_the_audit_log(bed):
    """D12: here and on the host, each with what anybody asks of it later."""
    new = bed.another()
    old = bed.serving()
    lines = len(bed.audit())
    bed.deployed(new)
    mine = bed.audit()[lines:]
    phases = [line["phase"] for line in mine]
    order = "start ready speak switch bake accept drain stop prune end".split()
    assert [phase for phase in phases if phase in order] == order
    keys = "time deploy environment host phase outcome seconds version from slot operator detail"
    for line in mine:
        assert set(keys.split()) <= set(line)
        assert (line["version"], line["from"]) == (new, old)
        assert line["outcome"] == "ok" and line["seconds"] >= 0 and "@" in line["operator"]
    assert len({line["deploy"] for line in mine}) == 1
    assert mine[-1]["status"] == 0
    there = (bed.hosts[0].state / "audit.jsonl").read_text().splitlines()
    told = [json.loads(line)["phase"] for line in there if mine[0]["deploy"] in line]
    assert [phase for phase in told if phase in order] == order


def test_a_webhook_is_told_and_decides_nothing(bed, webhook):
    """D12: start, success, failure, rollback, each signed; what it answers changes no status."""
    new = bed.another()
    old = bed.serving()
    webhook.events()
    webhook.status = 500
    try:
        bed.deployed(new)
        assert [event["event"] for event in webhook.events()] == ["start", "success"]
        bed.configure(READY_TIMEOUT_S=2)
        assert bed.deploy(versions.NEVER_HEALTHY).status == beds.NOT_READY
        failed = webhook.events()
        assert [event["event"] for event in failed] == ["start", "failure"]
        assert failed[1]["status"] == beds.NOT_READY and failed[1]["detail"]
        bed.configure(READY_TIMEOUT_S=beds.KEYS["READY_TIMEOUT_S"])
        assert bed.deploy("--rollback").status == beds.OK
        back = webhook.events()
        assert [event["event"] for event in back] == ["start", "rollback"]
        assert (back[1]["version"], back[1]["from"]) == (old, new)
    finally:
        webhook.status = 200
        bed.configure(READY_TIMEOUT_S=beds.KEYS["READY_TIMEOUT_S"])
