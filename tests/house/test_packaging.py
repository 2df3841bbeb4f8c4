"""What the package says of itself is said once, or the same everywhere."""

import json
import re
import subprocess
import sys
from typing import Dict, List

import pytest

import auto_voice
from auto_voice.utils import logging_config
from tests.house.house import ROOT, pyproject

PROJECT = pyproject()["project"]


def pythons_of_the_classifiers() -> List[str]:
    names = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    return sorted(names, key=lambda name: int(name.split(".")[1]))


def by_name(requirements: List[str]) -> Dict[str, str]:
    """Distribution to its bounds, both without a difference in spelling."""
    parts = [re.split(r"(?=[<>=!~; ])", line.strip(), maxsplit=1) for line in requirements]
    return {
        re.sub(r"[-_.]+", "-", part[0]).lower(): "".join(part[1:]).replace(" ", "")
        for part in parts
    }


def test_requirements_txt_names_what_pyproject_names():
    """`pip install -r requirements.txt` and `pip install .` bring the same packages."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    listed = [line.split(" #")[0] for line in lines if line.strip() and line[0] != "#"]
    assert by_name(listed) == by_name(PROJECT["dependencies"])


def test_requirements_have_lower_bounds_that_can_be_tested():
    """Each dependency is `name>=version`: the session `lowest` installs that very version."""
    for requirement in PROJECT["dependencies"]:
        assert re.fullmatch(r"[\w.-]+>=[\d.]+", requirement), requirement


def test_the_wheel_has_the_configuration_of_the_log():
    """Beside the module that looks for it there."""
    wheel = pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, target in wheel["force-include"].items():
        assert (ROOT / source).is_file()
        assert (ROOT / "src" / target).parent.is_dir()
    beside = logging_config.__name__.replace(".", "/") + ".yaml"
    assert beside in wheel["force-include"].values()


def test_each_extra_is_tested():
    """The tests' packages bring every extra, so that none of its tests is skipped in CI."""
    tests = by_name(pyproject()["dependency-groups"]["test"])
    for name, extra in PROJECT["optional-dependencies"].items():
        assert {key: tests.get(key) for key in by_name(extra)} == by_name(extra), name


def test_classifiers_begin_with_the_python_that_is_required():
    """No Python is promised that pip would refuse, and none is left out in between."""
    names = pythons_of_the_classifiers()
    assert PROJECT["requires-python"] == f">={names[0]}"
    minors = [int(name.split(".")[1]) for name in names]
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_each_classified_python_has_its_session_of_tests():
    """`make test-matrix` covers every Python that the package promises."""
    pytest.importorskip("nox", reason="nox is among the tools, which need a newer Python")
    command = [sys.executable, "-m", "nox", "--list-sessions", "--json"]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    sessions = [entry for entry in json.loads(listed.stdout) if entry["name"] == "tests"]
    assert [entry["python"] for entry in sessions] == pythons_of_the_classifiers()


def test_tools_that_name_the_oldest_python_name_the_right_one():
    """vermin and black check for the Python that the package promises."""
    oldest = pythons_of_the_classifiers()[0]
    assert f"targets = {oldest}-\n" in (ROOT / "vermin.ini").read_text(encoding="utf-8")
    targets = [f"py{name.replace('.', '')}" for name in pythons_of_the_classifiers()]
    assert pyproject()["tool"]["black"]["target-version"] == targets


def test_the_version_is_written_in_one_place():
    """A release changes one line; the changelog tells what is in it."""
    assert "version" in PROJECT["dynamic"]
    assert pyproject()["tool"]["hatch"]["version"]["path"] == "src/auto_voice/__init__.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+([ab]\d+|rc\d+|\.dev\d+)?", auto_voice.__version__)
    assert auto_voice.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_notice_names_every_package_that_is_installed_along():
    """Nobody passes a package on without having been told its licence."""
    notice = re.sub(r"[-_]", "-", (ROOT / "NOTICE").read_text(encoding="utf-8")).lower()
    extras = PROJECT.get("optional-dependencies", {}).values()
    wanted = by_name([*PROJECT["dependencies"], *(line for extra in extras for line in extra)])
    assert [name for name in wanted if not re.search(rf"\b{re.escape(name)}\b", notice)] == []
