"""A missing real part skips on a laptop and fails in CI, and says its name."""

import pytest

from tests.house.house import ROOT
from tests.parts import PARTS, Part

pytest_plugins = ["pytester"]

TEST = """
import pytest

@pytest.mark.needs("missing")
def test_it():
    pass
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A project of one test, with our conftest and a part that no machine has."""
    monkeypatch.setitem(PARTS, "missing", Part(("no-such-command",), "no-such-package"))
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = needs(part, ...): real parts")
    pytester.makepyfile(TEST)
    return pytester


def test_on_a_laptop_it_is_skipped(project, monkeypatch):
    """The reason names the part and the package that brings it."""
    monkeypatch.delenv("CI", raising=False)
    result = project.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("*needs missing (Debian's package no-such-package)*")


def test_in_ci_it_fails(project, monkeypatch):
    """No test is left out there unseen."""
    monkeypatch.setenv("CI", "true")
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*needs missing*CI has to have it*")


def test_a_part_that_nobody_listed_is_an_error(project, monkeypatch):
    """A slip in a part's name does not skip the test for ever."""
    monkeypatch.delitem(PARTS, "missing")
    result = project.runpytest_inprocess()
    assert "does not know the part 'missing'" in result.stdout.str() + result.stderr.str()
