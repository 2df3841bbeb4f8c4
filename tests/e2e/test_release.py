"""A release from its tag to its users: the workflow's own steps, and an index and a registry
of this machine in place of the public ones.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import speaks

from tests.e2e.containers import docker, get, until
from tests.e2e.index import Index
from tests.e2e.rehearsal import Runner, git, released

TAG, VERSION = "v9.9.9-rc.1", "9.9.9rc1"
WHEEL = f"autovoice-{VERSION}-py3-none-any.whl"
IMAGE = "autovoice-rehearsal:cpu"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,  # one after the other they share what was built, which workers would not
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (Path(sys.executable).parent / "git-cliff").exists(),
        reason="the tools need a newer Python",
    ),
]


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    return Runner(folder, released(folder, TAG, VERSION), TAG)


@pytest.fixture(scope="module")
def packages(runner):
    """The folder in which the job `packages` ran."""
    return runner.job("release.yml", "packages")


@pytest.fixture(scope="module")
def index(runner, packages, tmp_path_factory):
    """A package index that the job `pypi` published to."""
    with Index(tmp_path_factory.mktemp("index")) as index:
        runner.uses["pypa/gh-action-pypi-publish"] = lambda workspace, given: index.publish(
            workspace / given.get("packages-dir", "dist")
        )
        runner.job("release.yml", "pypi")
        yield index


def sums(folder):
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def test_the_steps_are_run_in_the_workflows_order(runner, packages):
    """Nothing is built before the version is known to be right, nor kept before it spoke."""
    made = [re.sub(r"^make ", "", command) for command in runner.log if "make" in command]
    wanted = ["release-check", "dist", "dist-again", "dist-speaks", "release-sbom"]
    assert [target for target in made if target in wanted] == wanted


def test_the_sums_are_of_everything_that_is_published(packages):
    """Wheel, sdist and the list of what an installed one consists of; and the wheel is small."""
    dist = packages / "dist"
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in dist.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert sums(dist) == found
    assert set(found) == {WHEEL, f"autovoice-{VERSION}.tar.gz", "autovoice.cdx.json"}
    assert (dist / WHEEL).stat().st_size < 2_000_000


def test_the_list_is_of_what_is_installed(packages, tmp_path):
    """Name for name and version for version what somebody has who installs the wheel."""
    uv = Path(sys.executable).parent / "uv"
    python = tmp_path / "bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path], check=True)
    wheel = packages / "dist" / WHEEL
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, wheel], check=True)
    listed = subprocess.run(
        [uv, "pip", "list", "--quiet", "--python", python, "--format", "json"],
        check=True,
        stdout=subprocess.PIPE,
    )
    installed = {(found["name"], found["version"]) for found in json.loads(listed.stdout)}
    bill = json.loads((packages / "dist/autovoice.cdx.json").read_text(encoding="utf-8"))
    components = [bill["metadata"]["component"], *bill["components"]]
    assert {(part["name"], part["version"]) for part in components if part["name"] != "python"} == (
        installed
    )
    assert bill["metadata"]["component"]["hashes"][0]["content"] == sums(packages / "dist")[WHEEL]


def test_the_notes_have_the_changelog_on_top_and_the_commits_below(packages):
    """What users are told stands first; the list of commits ends with the release's own."""
    notes = (packages / "build/release-notes.md").read_text(encoding="utf-8")
    assert notes.startswith("### Added\n\n- What a rehearsal adds.\n")
    told, _, commits = notes.partition("<details>")
    assert f"refs/tags/{TAG}" in told
    assert re.search(r"^- Release 9\.9\.9-rc\.1 \([0-9a-f]{10}\)$", commits, re.MULTILINE)


@pytest.mark.parametrize(
    ("tag", "spoilt", "reason"),
    [
        ("v9.9.8", "", "__init__.py says 9.9.9rc1"),
        ("v9.9.9", "", "__init__.py says 9.9.9rc1"),
        (TAG, "CHANGELOG.md", "has no section"),
        (TAG, "README.md", f"the tag {TAG} is at"),
    ],
)
def test_a_tag_that_means_something_else_stops_it(runner, tmp_path, tag, spoilt, reason):
    """Another version than the source's, one that nobody described, a commit after the tag."""
    runner.checkout(tmp_path, {})
    if spoilt:
        (tmp_path / spoilt).write_text("# Nothing\n")
        git(tmp_path, "commit", "--quiet", "--all", "--message", "Spoil it")
    script = [sys.executable, "scripts/release.py", "check", tag]
    done = subprocess.run(script, cwd=tmp_path, stderr=subprocess.PIPE)
    assert done.returncode != 0
    assert reason in done.stderr.decode()


def test_a_commit_that_is_not_on_main_stops_it(runner, tmp_path):
    """Even if everything else is right: nobody looked at it."""
    git(runner.repository, "checkout", "--quiet", "-B", "aside", "main~1")
    try:
        runner.checkout(tmp_path, {})
        git(tmp_path, "checkout", "--quiet", TAG)
        check = [sys.executable, "scripts/release.py", "check", TAG]
        env = {**os.environ, "RELEASE_BRANCH": "origin/main"}
        assert subprocess.run(check, cwd=tmp_path, env=env).returncode == 0
        env["RELEASE_BRANCH"] = "origin/aside"
        done = subprocess.run(check, cwd=tmp_path, env=env, stderr=subprocess.PIPE)
        assert "is not on origin/aside" in done.stderr.decode()
    finally:
        git(runner.repository, "checkout", "--quiet", "main")
        git(runner.repository, "branch", "--quiet", "-D", "aside")


def test_a_package_that_builds_and_is_not_the_locked_one_is_refused(runner, tmp_path):
    """What has another hash than the lock says has no part in a release."""
    runner.checkout(tmp_path, {})
    lock = tmp_path / "requirements-build.lock"
    before, name, after = lock.read_text(encoding="utf-8").partition("hatchling==")
    spoilt = re.sub("sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, after, count=2)
    lock.write_text(before + name + spoilt, encoding="utf-8")
    done = subprocess.run(
        ["scripts/dist.sh", "elsewhere"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode != 0
    assert "hash" in done.stdout.decode().lower()


def test_what_is_attested_is_what_is_released(runner, packages):
    """Every file of the release by its sum, and the list as the wheel's own."""
    runner.job("release.yml", "attest")
    names = [path.name for path in runner.attested]
    assert names == ["SHA256SUMS", WHEEL, "autovoice.cdx.json"]


def test_the_index_has_the_very_bytes_that_were_built(index, packages):
    """And nothing else than the two packages."""
    assert index.sums() == {
        name: digest
        for name, digest in sums(packages / "dist").items()
        if name.endswith((".whl", ".tar.gz"))
    }


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_it_speaks_where_pip_installed_it_from_the_index(index, version, tmp_path):
    """As a user does it: a new environment, `pip install`, `autovoice say`."""
    python = speaks.interpreter(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    subprocess.run([python, "-m", "venv", tmp_path], check=True)
    pip = [tmp_path / "bin/python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--extra-index-url", index.url, f"autovoice=={VERSION}"], check=True)
    program = tmp_path / "bin/autovoice"
    said = subprocess.run([program, "--version"], check=True, stdout=subprocess.PIPE)
    assert VERSION in said.stdout.decode()
    sound = tmp_path / "sound.wav"
    subprocess.run([program, "say", "--output", sound, "--", "I am released."], check=True)
    speaks.listen(sound, at_least_s=0.5)


def test_the_release_on_github_is_a_pre_release_with_every_file(runner, index):
    """It is made last, after the index has the packages, and `latest` does not move."""
    workspace = runner.job("release.yml", "github")
    (call,) = runner.calls("gh")
    assert call.startswith(f"release create {TAG} --verify-tag ")
    assert "--prerelease --latest=false" in call
    assert "--notes-file build/release-notes.md" in call
    assert (workspace / "build/release-notes.md").is_file()
    named = {word for word in call.split() if word.startswith("dist/")}
    assert named == {f"dist/{name}" for name in [*sums(workspace / "dist"), "SHA256SUMS"]}


@pytest.mark.needs("docker engine", "skopeo")
def test_the_image_that_was_scanned_is_the_one_that_is_pulled(runner):
    """Built by `make image`, pushed under each tag with one digest, signed by it, and it speaks."""
    workspace = runner.folder / "image"
    workspace.mkdir()
    runner.checkout(workspace, {})
    subprocess.run(["make", "image", f"TAG={IMAGE}", "ARGS=--quiet"], cwd=workspace, check=True)
    layout = runner.artifacts / "image-cpu"
    subprocess.run(
        ["skopeo", "copy", "--quiet", f"docker-daemon:{IMAGE}", f"oci:{layout}"], check=True
    )
    one = [workspace / "scripts/one-platform.sh", layout, "amd64", runner.folder / "scanned"]
    subprocess.run(one, check=True)

    registry = docker(
        "run", "--detach", "--publish", "127.0.0.1::5000", "registry:2"
    ).stdout.strip()
    try:
        address = docker("port", registry, "5000/tcp").stdout.split()[0]
        until(lambda: get(f"http://{address}/v2/") is not None, "the registry answers")
        tags = [f"{address}/autovoice:{tag}" for tag in (TAG[1:], "sha-0123456")]
        runner.contexts.update(
            {"matrix.variant": "cpu", "steps.metadata.outputs.tags": "\n".join(tags)}
        )
        for action in (
            "docker/metadata-action",
            "docker/login-action",
            "sigstore/cosign-installer",
        ):
            runner.uses[action] = lambda workspace, given: None
        pushed = []
        runner.uses["actions/attest"] = lambda workspace, given: pushed.append(
            given["subject-digest"]
        )
        runner.contexts.update(
            {
                "matrix.suffix": "",
                "github.repository": "autovoice/autovoice",
                "github.actor": "nobody",
                "vars.DOCKERHUB_IMAGE": "",
                "vars.DOCKERHUB_USERNAME": "",
                "secrets.DOCKERHUB_TOKEN": "",
            }
        )
        runner.environment["INSECURE_REGISTRY"] = "yes"
        runner.job("docker-build.yml", "publish")
        digest = pushed[0]
        assert f"sign --yes --recursive {address}/autovoice@{digest}" in runner.calls("cosign")
        docker("rmi", "--force", IMAGE)
        for tag in tags:
            docker("pull", "--quiet", tag)
            told = docker("image", "inspect", "--format", "{{json .RepoDigests}}", tag).stdout
            assert f"{address}/autovoice@{digest}" in json.loads(told)
        labels = json.loads(docker("image", "inspect", tags[0]).stdout)[0]["Config"]["Labels"]
        assert labels["org.opencontainers.image.version"] == VERSION
        sound = runner.folder / "pulled.wav"
        with sound.open("wb") as file:
            say = ["docker", "run", "--rm", tags[0], "say", "--output", "-", "I am released."]
            subprocess.run(say, check=True, stdout=file)
        speaks.listen(sound, at_least_s=0.5)
    finally:
        docker("rm", "--force", "--volumes", registry, check=False)
        docker("rmi", "--force", IMAGE, *tags, check=False)
