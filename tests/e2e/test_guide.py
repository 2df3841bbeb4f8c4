"""The commands of docs/deployment-guide.md, typed as they stand there."""

import os
import re
import subprocess

import pytest

from tests.e2e.containers import ROOT, docker

pytestmark = [
    pytest.mark.needs("docker engine", "docker compose", "curl"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(1800),
]

PORTS = {
    "PUBLISH_PORT": "25000",
    "DEVELOPMENT_PORT": "25001",
    "PROMETHEUS_PORT": "29090",
    "GRAFANA_PORT": "23000",
}
FOR_EVER = ("make logs", "development up", "docker run --rm --publish")
"""What goes on until somebody ends it: some seconds of it do."""
OWN = {"ARGS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
"""What the make that runs this was told."""
LONG_ENOUGH_S = "15"


def commands():
    """The lines of its blocks of shell, in their order."""
    text = (ROOT / "docs/deployment-guide.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_every_command_works(image, tmp_path):
    """In a copy of the checkout, one after the other; ports and names are the test's own."""
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], check=True, input=archive.stdout)
    inherited = {key: value for key, value in os.environ.items() if key not in OWN}
    env = {**inherited, **PORTS, "COMPOSE_PROJECT_NAME": "autovoice-guide", "DOCKER_BUILDKIT": "1"}
    try:
        for command in commands():
            typed = command.replace("localhost:5000", "localhost:25000")
            typed = typed.replace("127.0.0.1:5000:", "127.0.0.1:25002:")
            if "PROFILE=monitoring" in typed:  # Grafana's image cannot be had everywhere
                typed += " ARGS='autovoice redis prometheus alertmanager'"
            ends = [0]
            if any(part in command for part in FOR_EVER):
                typed, ends = f"timeout --signal=INT {LONG_ENOUGH_S} {typed}", [0, 124, 130]
            done = subprocess.run(
                ["sh", "-c", typed],
                cwd=tmp_path,
                env=env,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            assert done.returncode in ends, f"{typed}: {done.stdout.decode()[-2000:]}"
        assert (tmp_path / "hello.mp3").stat().st_size > 1000
        assert (tmp_path / "hello.wav").read_bytes()[:4] == b"RIFF"
        assert (tmp_path / "secrets/api_keys").read_text().startswith("alice:")
    finally:
        project = ("compose", "--project-name", "autovoice-guide", "--profile", "*")
        docker(*project, "down", "--volumes")  # fails where a service outlived what it depends on
