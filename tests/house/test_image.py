"""The image's files agree with each other: Dockerfile, .dockerignore, locks."""

import json
import re
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.house import ROOT, pyproject

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")
LOCKS = ("requirements.lock", "requirements-build.lock")


def locked(name):
    """Distribution to its version in a lock file."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE))


NOT_IN_THE_IMAGE = {"sherpa"}
"""Extras whose packages would make it much larger; pyproject.toml says by how much."""


def wanted():
    """What pyproject.toml asks for, extras included."""
    project = pyproject()["project"]
    optional = project["optional-dependencies"]
    extras = [lines for extra, lines in optional.items() if extra not in NOT_IN_THE_IMAGE]
    return [Requirement(line) for line in [*project["dependencies"], *sum(extras, [])]]


def wanted_to_build():
    lines = (ROOT / "requirements-build.in").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.split("#")[0]) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize(("lock", "requirements"), [*zip(LOCKS, (wanted(), wanted_to_build()))])
def test_a_lock_holds_what_is_asked_for(lock, requirements):
    """`make lock` has been run since the last dependency came, went or moved its bound."""
    found = locked(lock)
    for requirement in requirements:
        version = found.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}: make lock"
        assert requirement.specifier.contains(version), f"{requirement} has {version}: make lock"


@pytest.mark.parametrize(
    ("lock", "source"), [*zip(LOCKS, ("pyproject.toml", "requirements-build.in"))]
)
def test_a_lock_holds_nothing_that_nobody_asks_for(lock, source):
    """Each package is there for another one's sake, or for that of the list it is made from."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    asked = {"pyproject.toml": wanted, "requirements-build.in": wanted_to_build}[source]()
    direct = {canonicalize_name(requirement.name) for requirement in asked}
    for entry in re.split(r"\n(?=[a-z0-9-]+==)", text)[1:]:
        name = entry.split("==")[0]
        via = re.findall(r"^    #(?: via)? +(\S+)", entry, re.MULTILINE)
        from_source = any(source in reason or reason.startswith("autovoice") for reason in via)
        assert via and (not from_source or name in direct), f"{name}: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes(lock):
    """A package index that was broken into cannot put something else into the image."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[a-z0-9-]+==)", text)[1:]:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def copied():
    """The sources of every COPY that is from the context."""
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        yield from line.split()[:-1]


def test_the_context_has_what_the_dockerfile_copies_and_nothing_else():
    """What is not listed cannot end up in an image, and nothing is sent for nothing."""
    listed = {line[1:] for line in IGNORE.splitlines() if line.startswith("!")}
    assert {source.rstrip("*") for source in copied()} == listed
    assert [name for name in listed if name != "native" and not (ROOT / name).exists()] == []
    assert "\n*\n" in f"\n{IGNORE}"


def test_every_base_can_be_exchanged_and_has_its_version():
    """Somebody with a registry of their own needs no change to the file."""
    images = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", DOCKERFILE, re.MULTILINE))
    for name, image in images.items():
        assert re.search(r":\d+\.\d+", image), f"{name} has no version"
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert len(stages) == len(re.findall(r"^FROM ", DOCKERFILE, re.MULTILINE))
    names = {name for _, name in stages}
    for base, _ in stages:
        assert base in names or base.strip("${}") in images


def test_the_image_has_the_python_that_the_locks_are_for():
    """And the folder of that Python's packages is spelt alike everywhere."""
    version = re.search(r"^ARG PYTHON_IMAGE=python:(\d+\.\d+)", DOCKERFILE, re.MULTILINE)[1]
    assert set(re.findall(r"lib/python(\d+\.\d+)/", DOCKERFILE)) <= {version}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"--python-version {version} " in makefile
    assert f"Programming Language :: Python :: {version}" in pyproject()["project"]["classifiers"]


def test_what_runs_is_neither_root_nor_has_a_shells_quirks():
    """Signals reach the server itself; a number can be checked by those who forbid root."""
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    for instruction in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        form = re.search(rf"^{instruction}\b.*?(\[.*\])$", DOCKERFILE, re.MULTILINE | re.DOTALL)
        assert form, f"{instruction} goes through a shell"
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE


def test_the_bill_of_materials_names_what_is_installed():
    """Each package of this interpreter once, with its version, in CycloneDX's shape."""
    printed = subprocess.run(
        [sys.executable, "scripts/sbom.py"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    bill = json.loads(printed.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    purls = [component["purl"] for component in bill["components"]]
    assert len(purls) == len(set(purls))
    assert f"pkg:pypi/flask@{metadata.version('flask')}" in purls
    assert bill["metadata"]["component"]["name"] == "autovoice"
