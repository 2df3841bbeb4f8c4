"""Commands, before they run: what Docker, ssh and HAProxy are told."""

import os
import subprocess

import pytest

from deployer import docker, files, proxy, ssh
from deployer.command import reads
from tests.unit.deployer.world import an_environment

LONG = (
    "STATE_DIR=/var/lib/autovoice/it\nSECRETS=api_keys\nGPUS=all\nAUTOVOICE_RATE_LIMIT=60/minute\n"
)


@pytest.fixture
def chosen():
    return an_environment(LONG)


def after(words, option):
    """All values of an option."""
    return [words[at + 1] for at, word in enumerate(words) if word == option]


def test_a_slot_is_hardened_and_listens_on_loopback(chosen):
    host = chosen.hosts[0]
    words = docker.run(chosen, host, "green", ("v2", "r@sha256:2", "d1"), (1000, 1000)).words
    assert words[-1] == "r@sha256:2"
    assert {"--read-only", "--detach"} < set(words)
    assert after(words, "--cap-drop") == ["ALL"]
    assert after(words, "--security-opt") == ["no-new-privileges"]
    assert after(words, "--user") == ["1000:1000"]
    assert after(words, "--gpus") == ["all"]
    assert after(words, "--pull") == ["never"]
    variables = dict(value.split("=", 1) for value in after(words, "--env"))
    assert variables["AUTOVOICE_HOST"] == "127.0.0.1"
    assert variables["AUTOVOICE_PORT"] == "5102"
    assert variables["AUTOVOICE_DEPLOYMENT_SLOT"] == "test/voice1/green"
    assert variables["AUTOVOICE_WEBSOCKET_CLOSE_CODE"] == "1012"
    assert variables["AUTOVOICE_RATE_LIMIT"] == "60/minute"
    labels = dict(value.split("=", 1) for value in after(words, "--label"))
    assert labels["org.autovoice.version"] == "v2" and labels["org.autovoice.slot"] == "green"


def test_secrets_are_files_and_on_no_command_line(chosen):
    host = chosen.hosts[0]
    words = docker.run(chosen, host, "blue", ("v2", "r", "d1"), (1000, 1000)).words
    assert "AUTOVOICE_API_KEYS_FILE=/run/secrets/api_keys" in words
    source = "/var/lib/autovoice/it/secrets/api_keys"
    assert f"type=bind,src={source},dst=/run/secrets/api_keys,readonly" in words


def test_roots_servers_do_not_run_as_root(chosen):
    words = docker.run(chosen, chosen.hosts[0], "blue", ("v", "r", "d"), (0, 0)).words
    assert after(words, "--user") == ["10001:10001"]


def test_it_gets_the_time_to_stop_that_it_was_told():
    chosen = an_environment("AUTOVOICE_DRAIN_S=50\n")
    words = docker.run(chosen, chosen.hosts[0], "blue", ("v", "r", "d"), (1, 1)).words
    assert after(words, "--stop-timeout") == ["60"]


def test_the_proxy_has_no_capability_unless_its_port_is_roots(chosen):
    host = chosen.hosts[0]
    low = docker.run_proxy(host, "test", (1000, 1000)).words
    assert "NET_BIND_SERVICE" in after(low, "--cap-add")
    high = an_environment("PUBLIC_PORT=8080\n").hosts[0]
    words = docker.run_proxy(high, "test", (1000, 1000)).words
    assert after(words, "--cap-add") == [] and after(words, "--user") == ["1000:1000"]


@pytest.mark.parametrize("serving", ["blue", "green", "hold", None])
def test_who_serves_survives_the_proxys_restart(chosen, serving):
    text = proxy.slots(chosen.hosts[0], serving)
    servers = [line.split() for line in text.splitlines() if line.startswith("    server")]
    assert [words[1] for words in servers if "disabled" not in words] == [serving] * bool(serving)


def test_the_switch_opens_before_it_closes(chosen):
    """At no moment is there nobody."""
    first, second, _ = proxy.switch("green").split("; ")
    assert first == "set server slots/green state ready"
    assert second == "set server slots/blue state drain"


@pytest.mark.parametrize(
    "text",
    ["1", "x,y\n1,2", "# pxname,svname,scur\nslots,blue,1"],
)
def test_an_answer_of_something_else_is_no_count(text):
    with pytest.raises(Exception, match="slots"):
        proxy.counts(text)


def test_everything_goes_through_the_connection_that_holds_the_lock(chosen):
    host = chosen.hosts[0]
    opened = ssh.connect(host, "/c", "/a", files.lock(host))
    assert "StrictHostKeyChecking=yes" in opened and "BatchMode=yes" in opened
    for words in (
        ssh.through(host, "/c", reads("true")),
        ssh.pipe(host, "/c", "127.0.0.1", 80),
    ):
        assert after(words, "-S") == ["/c"]
        assert "ProxyCommand=false" in words, "or ssh would connect anew, without the lock"


def test_words_reach_the_other_shell_as_they_are(chosen):
    """Whatever is in them."""
    hostile = reads("printf", "%s|", "a b", "$(id)", "'; id", '"', "*")
    words = ssh.through(chosen.hosts[0], "/c", hostile)
    out = subprocess.run(["sh", "-c", words[-1]], capture_output=True, text=True, check=True)
    assert out.stdout == "a b|$(id)|'; id|\"|*|"


def test_images_that_somebody_needs_stay():
    listed = "\n".join(f"sha256:{n} r:v{n} r@sha256:d{n}" for n in (9, 8, 7, 6, 5))
    gone = docker.idle_images(listed, {"r@sha256:d5", "sha256:9"}, keep=1)
    assert gone == ["r:v7", "r@sha256:d7", "r:v6", "r@sha256:d6"]


def test_files_appear_whole_or_not_at_all(tmp_path):
    path = str(tmp_path / "state.json")
    for text in ("one", "two"):
        command = files.write(path, text)
        subprocess.run(command.words, input=text, text=True, check=True)
        assert (tmp_path / "state.json").read_text() == text
    assert [found.name for found in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.slow
def test_only_one_holds_the_lock(tmp_path):
    """And it is free as soon as the other's connection ends."""
    host = an_environment(f"STATE_DIR={tmp_path}\n").hosts[0]
    words = files.lock(host).words
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline().startswith(b"held ")
        second = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert second.returncode == 75 and second.stdout == b""
        first.stdin.close()
        first.wait(timeout=10)
    third = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert third.returncode == 0 and third.stdout.startswith(b"held ")


def test_no_secret_is_shown():
    shown = files.put_secret("/s/api_keys", "alice:t0psecret").shown()
    assert "t0psecret" not in shown and "(15 bytes)" in shown


def test_a_hosts_folders_are_made_once(tmp_path):
    """And running it again finds nothing to do."""
    folders = [str(tmp_path / "state"), str(tmp_path / "data with a space")]
    for _ in range(2):
        subprocess.run(files.own(*folders).words, check=True)
        assert all(os.stat(folder).st_mode & 0o777 == 0o700 for folder in folders)


def test_a_secret_is_readable_for_one_only_and_says_whether_it_is_new(tmp_path):
    path = str(tmp_path / "api_keys")
    said = []
    for text in ("alice:one\n", "alice:one\n", "alice:two\n"):
        command = files.put_secret(path, text)
        words = (*command.words[:5], str(os.getuid()))
        done = subprocess.run(words, input=text, text=True, capture_output=True, check=True)
        said.append(done.stdout.strip())
        assert os.stat(path).st_mode & 0o777 == 0o400
    assert said == ["", "same", ""]
    assert (tmp_path / "api_keys").read_text() == "alice:two\n"
