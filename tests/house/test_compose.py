"""What docker-compose.yml becomes, for every profile and setting: nothing in it is left open."""

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.house.house import ROOT

PROFILES = ("", "monitoring", "development", "training", "*")
ACCELERATORS = ("", "gpu")
ONE_SHOT = {"training"}
FILES = ["docker-compose.yml", "deploy/compose/cpu.yml", "deploy/compose/gpu.yml"]


def environment(**settings):
    """This process's environment, with these settings and no others of the stack."""
    known = {line.split("=")[0] for line in example().splitlines() if "=" in line}
    env = {name: value for name, value in os.environ.items() if name not in known}
    return {**env, **settings}


def example():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return "\n".join(line.lstrip("#") for line in text.splitlines() if "=" in line)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The stack's files without the developer's own .env beside them."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("docker-compose.yml", "deploy/compose", "config"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(str(ROOT / name), str(folder / name))
    return folder


@pytest.fixture
def config(checkout):
    """`docker compose config` as JSON: `config("monitoring", ACCELERATOR="gpu")`."""

    def render(profile="", **settings):
        command = ["docker", "compose", *(["--profile", profile] if profile else [])]
        done = subprocess.run(
            [*command, "config", "--format", "json"],
            cwd=checkout,
            env=environment(**settings),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert b"level=warning" not in done.stderr, done.stderr.decode()
        return json.loads(done.stdout)

    return render


pytestmark = pytest.mark.needs("docker compose")
every = pytest.mark.parametrize("accelerator", ACCELERATORS)
in_profiles = pytest.mark.parametrize("profile", PROFILES)


@in_profiles
@every
def test_every_service_is_hardened(config, profile, accelerator):
    """No capability, no way to more rights, nothing to write but what is named, and limits."""
    services = config(profile, ACCELERATOR=accelerator)["services"]
    assert {"autovoice", "redis"} <= set(services)
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert "/tmp" in service["tmpfs"], name
        assert int(service["mem_limit"]) > 0, name
        assert 0 < int(service["pids_limit"]) <= 4096, name
        assert "privileged" not in service and "cap_add" not in service, name
        assert service.get("network_mode") is None and service.get("pid") is None, name


@in_profiles
@every
def test_every_service_is_watched_and_its_log_ends_somewhere(config, profile, accelerator):
    """A health check each, and no log that fills the disk."""
    for name, service in config(profile, ACCELERATOR=accelerator)["services"].items():
        check = service["healthcheck"]
        assert check["test"][0] == "CMD" and not check.get("disable"), name
        assert service["logging"]["driver"] == "json-file", name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name


@in_profiles
def test_ports_are_published_on_this_machine_only(config, profile):
    """Nobody else reaches anything until somebody says so; Redis nobody ever."""
    services = config(profile)["services"]
    ports = [(name, port) for name, found in services.items() for port in found.get("ports", [])]
    assert ports
    for name, port in ports:
        assert ipaddress.ip_address(port["host_ip"]).is_loopback, name
    published = {name: port["published"] for name, port in ports}
    expected = {"autovoice": "5000"}
    if profile in ("monitoring", "*"):
        expected.update(prometheus="9090", grafana="3000")
    if profile in ("development", "*"):
        expected["development"] = "5001"
    assert published == expected


def test_redis_is_in_a_network_of_its_own(config):
    """It asks for no password: who is not in the network does not reach it."""
    found = config("*")
    assert set(found["services"]["redis"]["networks"]) == {"store"}
    assert found["networks"]["store"]["internal"] is True
    members = {
        name for name, service in found["services"].items() if "store" in service["networks"]
    }
    assert members == {"autovoice", "development", "training", "redis"}


@in_profiles
def test_no_secret_is_in_the_environment(config, profile):
    """Neither by default, nor where files are named."""
    files = {
        name: "/dev/null"
        for name in ("API_KEYS_FILE", "GRAFANA_ADMIN_PASSWORD_FILE", "ALERT_PAGE_WEBHOOK_FILE")
    }
    for name, service in config(profile, **files)["services"].items():
        for variable, value in service.get("environment", {}).items():
            if any(word in variable for word in ("KEYS", "PASSWORD", "TOKEN", "WEBHOOK", "SLACK")):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value in (None, "") or value.startswith("/run/secrets/"), variable


def test_without_keys_the_server_is_open_to_this_machine_only(config):
    """Whoever publishes it to others needs keys, or has to say that none are wanted."""

    def anonymous(**settings):
        environment = config(**settings)["services"]["autovoice"]["environment"]
        return environment["AUTOVOICE_ALLOW_ANONYMOUS"]

    assert anonymous() == "on"
    assert anonymous(PUBLISH_ADDRESS="0.0.0.0") == "off"


def test_one_word_chooses_the_gpu(config):
    """The same service, with another image and devices; without the word no GPU is asked for."""
    without = config()["services"]["autovoice"]
    assert without["build"]["target"] == "cpu" and "deploy" not in without
    with_gpu = config(ACCELERATOR="gpu")["services"]["autovoice"]
    assert with_gpu["build"]["target"] == "cuda"
    (device,) = with_gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    same = ("ports", "volumes", "networks", "healthcheck", "read_only", "cap_drop")
    assert {key: with_gpu[key] for key in same} == {key: without[key] for key in same}


def test_there_is_more_time_to_stop_than_the_server_takes(config):
    """What is being said is said to its end before anybody kills."""
    from auto_voice.settings import Settings

    grace = config()["services"]["autovoice"]["stop_grace_period"]
    assert int(grace.rstrip("s")) >= Settings().drain_s + 10


def test_every_image_has_its_version(config):
    for name, service in config("*")["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert tag == "cpu" or tag[:1].isdigit() or tag[:1] == "v", name


def test_each_mounted_file_is_there(config, checkout):
    """Docker would make a folder of the name of one that is missing."""
    found = config("*")
    sources = [entry["file"] for entry in found["secrets"].values()]
    for service in found["services"].values():
        mounts = [mount for mount in service.get("volumes", []) if mount["type"] == "bind"]
        sources += [mount["source"] for mount in mounts]
    missing = [path for path in sources if not Path(path).exists()]
    assert {Path(path).relative_to(checkout).as_posix() for path in missing} <= {"src"}


def test_the_example_names_settings_that_are_read():
    """Nothing in .env.example is without effect."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in FILES)
    for line in example().splitlines():
        name = line.split("=")[0]
        assert f"${{{name}" in text or name == "AUTOVOICE_RATE_LIMIT", name


def test_files_keep_to_the_schema():
    """That of the Compose specification."""
    checker = Path(sys.executable).parent / "check-jsonschema"
    if not checker.exists():
        pytest.skip("check-jsonschema is among the tools, which need a newer Python")
    command = [str(checker), "--builtin-schema", "vendor.compose-spec", *FILES]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("job", ["autovoice", "prometheus", "alertmanager"])
def test_prometheus_looks_for_services_that_there_are(config, job):
    """By the names that containers find each other by."""
    (group,) = yaml.safe_load((ROOT / f"config/compose/targets/{job}.yml").read_text())
    (target,) = group["targets"]
    host, port = target.split(":")
    services = config("monitoring")["services"]
    assert host in ("localhost", *services)
    if host != "localhost":
        shared = set(services[host]["networks"]) & set(services["prometheus"]["networks"])
        assert shared and port in {"autovoice": "5000", "alertmanager": "9093"}[host]


def start_grafana(tmp_path, password, published):
    """config/grafana/start.sh with something that stands for Grafana's own start."""
    (tmp_path / "password").write_text(password)
    run = tmp_path / "run.sh"
    run.write_text('#!/bin/sh\necho "started $*"\n')
    run.chmod(0o755)
    return subprocess.run(
        ["sh", "config/grafana/start.sh", "an argument"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "GF_SECURITY_ADMIN_PASSWORD__FILE": str(tmp_path / "password"),
            "GRAFANA_PUBLISHED": published,
            "GRAFANA_RUN": str(run),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_grafana_warns_of_the_password_that_everybody_knows(tmp_path):
    done = start_grafana(tmp_path, "admin\n", "127.0.0.1")
    assert done.stdout == b"started an argument\n"
    assert b"WARNING" in done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", ""])
def test_grafana_is_not_opened_to_others_with_that_password(tmp_path, address):
    done = start_grafana(tmp_path, "admin", address)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"GRAFANA_ADMIN_PASSWORD_FILE" in done.stderr


def test_grafana_starts_quietly_with_a_password_of_its_own(tmp_path):
    done = start_grafana(tmp_path, "correct horse", "0.0.0.0")
    assert (done.stdout, done.stderr) == (b"started an argument\n", b"")


def test_grafana_does_not_start_without_a_password(tmp_path):
    assert start_grafana(tmp_path, "", "127.0.0.1").returncode == 2
