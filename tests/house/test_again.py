"""A test that fails has a second chance in CI, and nothing else has."""

import subprocess
import sys

import pytest

from tests.house.house import ROOT

pytestmark = pytest.mark.slow

SOMETIMES = """
from pathlib import Path

def test_sometimes():
    seen = Path(__file__).with_name("seen")
    assert seen.exists() or seen.touch()
"""


@pytest.fixture
def again(tmp_path):
    """Runs pytest in a folder of these files; its status, and all that was said."""

    def run(*options, **files):
        for name, text in files.items():
            (tmp_path / f"test_{name}.py").write_text(text)
        command = [sys.executable, str(ROOT / "scripts/again.py"), sys.executable, "-m", "pytest"]
        command += ["--rootdir", str(tmp_path), *options, str(tmp_path)]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return done.returncode, done.stdout.decode()

    return run


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["by itself", "workers"])
def test_what_fails_once_passes_the_second_time(again, options):
    """And what passed is not run again."""
    status, said = again(*options, sometimes=SOMETIMES, good="def test_good(): pass\n")
    assert status == 0, said
    assert "1 failed, 1 passed" in said
    second = said.partition("once more")[2]
    assert "test_sometimes.py::test_sometimes" in second and "= 1 passed" in second


def test_what_is_broken_fails(again):
    """Twice."""
    status, said = again(broken="def test_broken(): assert False\n")
    assert status == 1
    assert said.count("1 failed in") == 2


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["by itself", "workers"])
def test_what_cannot_be_read_has_no_second_chance(again, options):
    """Running what failed would leave out what never ran."""
    status, said = again(*options, unreadable="import nothing_like_it\n", sometimes=SOMETIMES)
    assert status in (1, 2)
    assert "once more" not in said


def test_a_run_that_is_ended_has_no_second_chance(again):
    """Nor has one that found no tests, or that was asked for wrongly."""
    ends = "def test_ends():\n    raise KeyboardInterrupt\n"
    status, said = again(ends=ends, sometimes=SOMETIMES)
    assert status == 2
    assert "once more" not in said
    assert again("-m", "no_such_mark and nothing")[0] not in (0, 1)
