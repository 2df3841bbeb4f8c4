"""The image as an operator runs it."""

import http.client
import json
import re
import subprocess
import threading
from urllib.parse import urlsplit

import pytest

from tests import voices
from tests.e2e.containers import ROOT, SPEECH, docker, get, speak, until

pytestmark = [
    pytest.mark.needs("docker engine"),
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(900),
]

LONG = " ".join(f"This is sentence number {n} of a long text." for n in range(400))
"""More audio than the buffers on its way take: some is still to come while nobody reads."""


def configuration(image):
    return json.loads(docker("image", "inspect", image).stdout)[0]["Config"]


@pytest.mark.parametrize("variant", ["image", "cuda_image"])
def test_labels_say_what_is_in_it(request, variant):
    """The version, the commit, when, under which licence, and where the source is."""
    found = configuration(request.getfixturevalue(variant))
    labels = {key.rpartition(".")[2]: value for key, value in found["Labels"].items()}
    source = (ROOT / "src/auto_voice/__init__.py").read_text(encoding="utf-8")
    assert f'"{labels["version"]}"' in source
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    assert labels["revision"] == head.strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels["created"])
    assert labels["licenses"] == "Apache-2.0"
    assert labels["source"].startswith("https://")
    assert f"AUTOVOICE_REVISION={labels['revision']}" in found["Env"]


@pytest.mark.parametrize("variant", ["image", "cuda_image"])
def test_it_has_no_tools_for_those_who_broke_in(request, variant):
    """No compiler, nothing that fetches, no cache of packages, and no root."""
    image = request.getfixturevalue(variant)
    assert configuration(image)["User"] == "10001:10001"
    script = (
        "for name in cc gcc g++ c++ clang nvcc cmake make curl wget git uv hatchling;"
        " do command -v $name; done; find / -xdev -path '*/.cache/*' -name '*.whl' 2>/dev/null;"
        " ls -A /root /var/lib/apt/lists 2>/dev/null | grep -i -e cache -e Packages; true"
    )
    found = docker("run", "--rm", "--entrypoint", "sh", image, "-c", script)
    assert found.stdout == ""


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--read-only",),
        ("--user", "12345", "--read-only"),
        ("--user", "12345:54321", "--read-only", "--cap-drop", "ALL"),
    ],
    ids=" ".join,
)
def test_it_speaks_whoever_it_runs_as(run, options):
    """Ready, healthy by its own check, and gone with 0 when told to stop."""
    container = run(*options).wait_until_ready()
    assert speak(container.base)[:4] == b"RIFF"
    until(
        lambda: container.inspect()["State"]["Health"]["Status"] == "healthy",
        "it is called healthy",
    )
    assert container.stop() == 0


@pytest.mark.parametrize("user", ["10001:10001", "12345", "12345:54321"])
def test_a_new_volume_can_be_written_by_any_user(run, user):
    """The audio cache and the lexicons find a place in it."""
    container = run(
        *("--user", user, "--read-only", "--env", "AUTOVOICE_CACHE_DIR=/var/cache/autovoice"),
        *("--volume", "/var/cache/autovoice", "--volume", "/var/lib/autovoice"),
    ).wait_until_ready()
    speak(container.base)
    until(lambda: container.exec("find", "/var/cache/autovoice", "-type", "f"), "something is kept")
    container.exec("autovoice", "lexicon", "add", "words", "AutoVoice", "--say", "auto voice")
    assert "words" in container.exec("ls", "/var/lib/autovoice/lexicons")


def test_it_speaks_with_the_voices_of_a_folder(run, tmp_path):
    """A neural voice that is mounted is listed and heard, on a root that cannot be written."""
    folder = voices.put(tmp_path / "voices", "en-us", renamed="mine")
    mount = f"{folder}:/var/lib/autovoice/voices:ro"
    container = run("--read-only", "--volume", mount).wait_until_ready()
    listed = json.loads(get(f"{container.base}/v1/audio/voices?engine=piper"))["voices"]
    assert [voice["id"] for voice in listed] == ["mine"]
    assert speak(container.base, voice="mine")[:4] == b"RIFF"


def test_without_keys_it_does_not_start(image):
    """What listens to everybody must not do so by accident, and says how it is meant."""
    done = docker("run", "--rm", image, check=False)
    assert done.returncode == 2
    assert "AUTOVOICE_API_KEYS_FILE" in done.stderr
    assert "AUTOVOICE_ALLOW_ANONYMOUS" in done.stderr


def test_a_stop_lets_a_stream_end_whole(run):
    """`docker stop` in the middle: the client gets every byte, and the container ends with 0."""
    settings = ("AUTOVOICE_CACHE=off", "AUTOVOICE_MAX_INPUT_CHARS=100000")
    container = run(*(part for setting in settings for part in ("--env", setting)))
    container.wait_until_ready()
    whole = speak(container.base, LONG)
    address = urlsplit(container.base)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    body = json.dumps({"input": LONG, "response_format": "wav"})
    connection.request("POST", SPEECH, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    first = answer.read1(4096)
    statuses = []
    stopping = threading.Thread(target=lambda: statuses.append(container.stop()))
    stopping.start()
    until(lambda: get(f"{container.base}/health/ready") is None, "it has been told to stop")
    assert container.inspect()["State"]["Running"]
    rest = answer.read()
    stopping.join()
    assert first + rest == whole
    assert statuses == [0]


def test_a_full_disk_costs_nobody_an_answer(run):
    """What cannot be kept is said nevertheless."""
    container = run(
        *("--read-only", "--env", "AUTOVOICE_CACHE_DIR=/var/cache/autovoice"),
        *("--tmpfs", "/var/cache/autovoice:size=256k,mode=1777"),
    ).wait_until_ready()
    for number in range(12):
        assert speak(container.base, f"Sentence number {number} for a disk that is full.")
    assert "disk" in docker("logs", container.id).stdout.lower()


def test_the_bill_of_materials_is_what_is_installed(image):
    """Neither more nor less, in the file that the label names."""
    path = configuration(image)["Labels"]["org.autovoice.sbom"]
    bill = json.loads(docker("run", "--rm", "--entrypoint", "cat", image, path).stdout)
    listed = {
        f"{component['name']}=={component['version']}"
        for component in [bill["metadata"]["component"], *bill["components"]]
        if component["purl"].startswith("pkg:pypi/")
    }
    script = (
        "import re; from importlib import metadata; print(*{re.sub('[-_.]+', '-', found.name)"
        ".lower() + '==' + found.version for found in metadata.distributions()})"
    )
    command = ("run", "--rm", "--entrypoint", "python", image, "-c", script)
    assert listed == set(docker(*command).stdout.split())


def test_bytecode_is_there_for_every_module(image):
    """No start compiles anything, which a read-only root would make it do every time."""
    script = (
        "import pathlib; root = pathlib.Path('/opt/autovoice/lib');"
        "print(*(path for path in root.rglob('*.py')"
        " if not list(path.parent.glob(f'__pycache__/{path.stem}.*.pyc'))))"
    )
    found = docker("run", "--rm", "--entrypoint", "python", image, "-c", script)
    assert found.stdout.split() == []
