"""Environment files: what is read, and what is refused before any host is touched."""

from pathlib import Path

import pytest

from deployer import environment
from deployer.errors import Misused

ROOT = Path(__file__).resolve().parents[3]
HERE = Path("/etc/deploys")
LEAST = {
    "IMAGE": "registry.example.org/autovoice",
    "HOSTS": "voice1 voice2",
    "STATE_DIR": "/var/lib/autovoice/it",
    "SECRETS": "api_keys",
    "GATE": "probes",
}


def parsed(**changes):
    """An environment of few lines; a value of None leaves one out."""
    lines = {**LEAST, **{key.replace("__", "@"): value for key, value in changes.items()}}
    text = "\n".join(f"{key}={value}" for key, value in lines.items() if value is not None)
    return environment.parse("it", text, HERE)


def test_every_shipped_environment_can_be_read():
    folder = ROOT / "deploy" / "environments"
    names = sorted(path.stem for path in folder.glob("*.env"))
    assert names == ["example", "production", "staging"]
    for name in names:
        assert environment.read(name, folder).hosts


def test_the_example_has_every_key():
    """Set or commented out; and its values are the defaults, where they can be."""
    text = (ROOT / "deploy" / "environments" / "example.env").read_text(encoding="utf-8")
    keys = {line.lstrip("#").partition("=")[0].partition("@")[0] for line in text.splitlines()}
    wanted = {each.name.upper() for each in environment.fields(environment.Settings)}
    assert wanted - {"SERVER"} - keys == set()
    shown = environment.parse("example", text, HERE).settings
    default = environment.Settings()
    chosen = {"image", "state_dir", "data_dir", "secrets_dir", "secrets", "server", "prefix"}
    chosen |= {"prometheus_url", "ssh_known_hosts"}
    for each in environment.fields(environment.Settings):
        if each.name not in chosen:
            assert getattr(shown, each.name) == getattr(default, each.name), each.name


def test_a_value_may_hold_for_one_host_only():
    chosen = parsed(PUBLIC_PORT="8000", PUBLIC_PORT__voice2="9000", SSH__voice1="ada@10.0.0.1")
    assert [host.settings.public_port for host in chosen.hosts] == [8000, 9000]
    assert [host.target for host in chosen.hosts] == ["ada@10.0.0.1", "voice2"]


def test_files_here_begin_in_the_files_folder():
    chosen = parsed(COSIGN_KEY="keys/cosign.pub", SSH_KEY="/root.key")
    assert chosen.settings.cosign_key == "/etc/deploys/keys/cosign.pub"
    assert chosen.settings.ssh_key == "/root.key"


def test_nothing_is_evaluated():
    chosen = parsed(PROBE_TEXT='"$(reboot) `reboot` $HOME"')
    assert chosen.settings.probe_text == "$(reboot) `reboot` $HOME"


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"HOSTS": ""}, "HOSTS is empty"),
        ({"HOSTS": "voice1 voice1"}, "twice"),
        ({"HOSTS": "-oProxyCommand=reboot"}, "no name of a host"),
        ({"SSH": "-oProxyCommand=reboot"}, "begins with -"),
        ({"IMAGE": None}, "IMAGE is empty"),
        ({"STATE_DIR": "state"}, "absolute path"),
        ({"STATE_DIR": "/a,readonly"}, "absolute path"),
        ({"STATE_DIR": "/a b"}, "absolute path"),
        ({"BLUE_PORT": "80"}, "different ones"),
        ({"BLUE_PORT": "x"}, "no number"),
        ({"BAKE_S": "-1"}, "below 0"),
        ({"SLOTS": "three"}, "none of two, one"),
        ({"SECRETS": "api_keys passwords"}, "none of api_keys"),
        ({"SECRETS": None}, "AUTOVOICE_ALLOW_ANONYMOUS=on"),
        ({"GATE": "prometheus"}, "PROMETHEUS_URL"),
        ({"SIGNATURE": "cosign"}, "COSIGN_KEY"),
        ({"BAKES": "1"}, "no key BAKES"),
        ({"SERVER": "1"}, "no key SERVER"),
        ({"AUTOVOICE_API_KEYS": "alice:secret"}, "belongs into a file"),
        ({"AUTOVOICE_REDIS_URL": "redis://:pw@host"}, "belongs into a file"),
        ({"AUTOVOICE_PORT": "5000"}, "set by the deployer"),
        ({"SSH__voice9": "x"}, "none of HOSTS"),
    ],
)
def test_what_is_wrong_is_named(changes, complaint):
    with pytest.raises(Misused, match=complaint):
        parsed(**changes)


def test_all_that_is_wrong_is_named_at_once():
    with pytest.raises(Misused) as caught:
        parsed(BLUE_PORT="x", SLOTS="three")
    assert "BLUE_PORT" in str(caught.value) and "SLOTS" in str(caught.value)


def test_no_secret_is_quoted():
    with pytest.raises(Misused) as caught:
        parsed(AUTOVOICE_API_KEYS="alice:t0psecret")
    assert "t0psecret" not in str(caught.value)


@pytest.mark.parametrize("name", ["../secrets", "", ".hidden", "a/b"])
def test_a_name_is_no_path(name, tmp_path):
    with pytest.raises(Misused, match="no name"):
        environment.read(name, tmp_path)


def test_an_environment_that_is_not_there_says_which_are(tmp_path):
    (tmp_path / "staging.env").write_text("")
    with pytest.raises(Misused, match="staging"):
        environment.read("production", tmp_path)
