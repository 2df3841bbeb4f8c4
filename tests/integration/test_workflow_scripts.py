"""What workflows run besides make: each script does what it is for, and says where it cannot."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from scripts import release

from auto_voice import __version__
from tests.house.house import ROOT
from tests.integration.serving import unused_port

SCRIPTS = ROOT / "scripts"


def run(*command, stdin="", cwd=ROOT, **settings):
    """A script's status, and all that it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **settings},
        input=stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout.decode()


@st.composite
def tags(draw):
    number = ".".join(str(draw(st.integers(0, 10**6))) for _ in range(3))
    stage = draw(st.sampled_from(["", *release.STAGES]))
    return f"v{number}-{stage}.{draw(st.integers(0, 999))}" if stage else f"v{number}"


@given(tags())
def test_a_tag_and_its_version_are_the_same_to_python(tag):
    """Semantic Versioning's spelling and Python's mean one version, in its normal form."""
    version = release.python_version(tag)
    assert Version(tag[1:]) == Version(version)
    assert str(Version(version)) == version


@pytest.mark.parametrize(
    "tag", ["", "1.2.3", "v1.2", "v1.2.3rc1", "v1.2.3-rc1", "v1.2.3\n", "v1.2.3-rc.1; true", "main"]
)
def test_what_is_no_version_stops(tag):
    """Nothing else gets as far as a file's name or a command."""
    with pytest.raises(release.Stop):
        release.python_version(tag)


@pytest.mark.needs("curl")
def test_a_server_that_keeps_its_promises_is_verified(start):
    """Ready, of the version that was asked for, and speaking; with a key where it wants one."""
    key = "k" * 32
    server = start(engine="stub", api_keys=f"ci:{key}")
    number = __version__
    status, said = run(
        SCRIPTS / "verify.sh", server.base, f"v{number}", VERIFY_API_KEY=key, PATIENCE_S="20"
    )
    assert status == 0, said
    assert f"It is {number}." in said and "It speaks" in said
    status, said = run(SCRIPTS / "verify.sh", server.base, "v77.0.0", VERIFY_API_KEY=key)
    assert status != 0 and "is not 77.0.0" in said
    status, said = run(SCRIPTS / "verify.sh", server.base, "sha256:" + "0" * 64)
    assert status != 0, "it took silence for speech"
    assert key not in said


@pytest.mark.needs("curl")
def test_a_server_that_is_not_there_is_not_verified():
    """It is given its time, and no more."""
    url = f"http://127.0.0.1:{unused_port()}"
    status, said = run(SCRIPTS / "verify.sh", url, PATIENCE_S="1")
    assert status != 0 and "not ready" in said


IMAGE = "registry.example.org/autovoice"
DEPLOY = """#!/usr/bin/env bash
echo "arguments: $*"
while [ $# -gt 1 ]; do shift; done
cat "$1"/*.env
echo "known: $(cat "$1/known_hosts")"
echo "probe: $(cat "$1/secrets/probe_key")"
echo "agent: $(ssh-add -l)"
grep -rl 'PRIVATE KEY' "$1" && echo 'The key is in a file.'
env | grep 'PRIVATE KEY' && echo 'The key is in the environment.'
echo "folder: $1"
exit "${STATUS:-0}"
"""


@pytest.fixture
def deploying(tmp_path):
    """`deploy-from-ci.sh` beside a deploy.sh that tells what it was given."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(SCRIPTS / "deploy-from-ci.sh", scripts)
    (scripts / "deploy.sh").write_text(DEPLOY)
    (scripts / "deploy.sh").chmod(0o755)
    key = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of-the-test", "-f", str(key)]
    subprocess.run(command, check=True)
    settings = {
        "DEPLOY_CONFIG": f"IMAGE={IMAGE}\nSSH_KNOWN_HOSTS=~/other\nSSH_KEY=~/k",
        "DEPLOY_KNOWN_HOSTS": "voice1.example.org ssh-ed25519 AAAA",
        "DEPLOY_SSH_KEY": key.read_text(),
        "DEPLOY_PROBE_KEY": "a-probe",
    }

    def deploy(*arguments, **more):
        wanted = {name: value for name, value in {**settings, **more}.items() if value is not None}
        return run(scripts / "deploy-from-ci.sh", *arguments, **wanted)

    return deploy


@pytest.mark.needs("ssh-agent")
def test_a_deploy_gets_pinned_hosts_and_a_key_that_is_in_no_file(deploying):
    """Whatever the environment's file says of either; and nothing of it stays."""
    status, said = deploying("deploy", "staging", "v1.2.3")
    told = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    assert status == 0, said
    assert told["arguments"].startswith("staging v1.2.3 --environments ")
    assert f"IMAGE={IMAGE}" in said
    assert "~/other" not in said and "~/k" not in said and "SSH_KNOWN_HOSTS=known_hosts" in said
    assert told["known"] == "voice1.example.org ssh-ed25519 AAAA"
    assert told["probe"] == "a-probe"
    assert "of-the-test" in told["agent"]
    assert "The key is" not in said
    assert not os.path.exists(told["folder"])


@pytest.mark.needs("ssh-agent")
def test_a_dry_run_and_a_rollback_are_what_they_are_called(deploying):
    """And the status of a deploy that failed is the script's own."""
    assert "arguments: staging v1.2.3 --dry-run " in deploying("dry-run", "staging", "v1.2.3")[1]
    assert "arguments: production --rollback " in deploying("rollback", "production")[1]
    assert deploying("deploy", "staging", "v1.2.3", STATUS="11")[0] == 11


@pytest.mark.parametrize("name", ["DEPLOY_CONFIG", "DEPLOY_KNOWN_HOSTS", "DEPLOY_SSH_KEY"])
@pytest.mark.needs("ssh-agent")
def test_a_deploy_without_what_it_needs_does_not_begin(deploying, name):
    """It says what is missing; without pinned hosts, nobody is asked to trust whoever answers."""
    status, said = deploying("deploy", "staging", "v1.2.3", **{name: ""})
    assert status != 0 and name in said and "arguments" not in said


@pytest.mark.needs("ssh-agent")
def test_a_name_that_is_a_path_is_no_environment(deploying):
    status, said = deploying("deploy", "../production", "v1.2.3")
    assert status == 2 and "arguments" not in said


@pytest.fixture
def webhook():
    """A server that keeps what it is told."""
    told = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.needs("curl")
def test_a_webhook_is_told_how_it_went(webhook):
    """In words for people and in fields for programs, whatever is in them."""
    url, told = webhook
    run(SCRIPTS / "notify.sh", 'deploy "x" $HOME', "failure", "https://x/1", NOTIFY_WEBHOOK_URL=url)
    assert told == [
        {
            "text": 'deploy "x" $HOME: failure https://x/1',
            "subject": 'deploy "x" $HOME',
            "result": "failure",
            "url": "https://x/1",
        }
    ]


@pytest.mark.needs("curl")
def test_a_webhook_that_is_down_changes_nothing():
    """Nor does one that nobody configured."""
    url = f"http://127.0.0.1:{unused_port()}"
    status, said = run(SCRIPTS / "notify.sh", "deploy", "success", NOTIFY_WEBHOOK_URL=url)
    assert status == 0 and "Nobody could be told" in said
    assert run(SCRIPTS / "notify.sh", "deploy", "success", NOTIFY_WEBHOOK_URL="")[0] == 0


@pytest.mark.parametrize(
    ("results", "passes"),
    [
        ({"lint": "success", "test": "success"}, True),
        ({"lint": "success", "test": "failure"}, False),
        ({"lint": "success", "test": "skipped"}, False),
        ({"lint": "cancelled"}, False),
        ({}, False),
    ],
)
def test_the_gate_is_open_if_everything_succeeded(results, passes):
    """What was skipped was not tried."""
    given = json.dumps(
        {name: {"result": result, "outputs": {}} for name, result in results.items()}
    )
    assert (run(sys.executable, SCRIPTS / "gate.py", RESULTS=given)[0] == 0) is passes


def test_an_image_is_not_pushed_without_a_tag_nor_signed_without_a_digest():
    """An empty list is a slip before it, not a wish."""
    assert run(SCRIPTS / "publish-image.sh", "image", stdin="\n")[0] != 0
    status, said = run(SCRIPTS / "sign-image.sh", "latest", stdin="ghcr.io/autovoice/autovoice:1\n")
    assert status == 2 and "no digest" in said
