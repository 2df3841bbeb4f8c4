"""Checks of `make lint` that say how the source is built, run as tests, too."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.house import ROOT

BIN = Path(sys.executable).parent


def run(*command):
    program = BIN / command[0]
    if not program.exists():
        pytest.skip(f"{command[0]} is among the tools, which need a newer Python")
    done = subprocess.run(
        [str(program), *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.returncode, done.stdout.decode()


def test_imports_follow_the_directions_of_the_house():
    """No room knows the rooms above it, and there is no circle."""
    code, output = run("lint-imports", "--no-cache")
    assert code == 0, output


@pytest.mark.slow
def test_source_runs_on_the_oldest_python():
    """Nothing in the source needs more than the oldest Python that is promised."""
    code, output = run("vermin", "--quiet", "src", "main.py")
    assert code == 0, output


def test_a_newer_construct_is_found(tmp_path):
    """The check above is awake: what 3.8 cannot run, it refuses."""
    path = tmp_path / "new.py"
    path.write_text("import functools\nfunctools.cache\n")
    code, output = run("vermin", "--quiet", "--config-file", str(ROOT / "vermin.ini"), str(path))
    assert code != 0
    assert "functools.cache" in output


def test_the_dockerfile_has_no_bad_habits():
    """What hadolint knows of; an exception says why, where it is made."""
    code, output = run("hadolint", "Dockerfile")
    assert code == 0, output


def test_a_bad_habit_is_found(tmp_path):
    """The check above is awake."""
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian\nRUN cd /tmp && sudo ls\n")
    code, output = run("hadolint", str(path))
    assert code != 0
    assert "DL3004" in output
