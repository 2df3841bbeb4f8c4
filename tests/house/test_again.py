"""What did not pass has a second chance in CI, once, and never so that a test is left out."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.house.house import ROOT

pytestmark = pytest.mark.slow

CONFTEST = """
import json
from pathlib import Path
import pytest

def first_time(name):
    try:
        Path(__file__).with_name(name + ".once").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

@pytest.fixture(autouse=True)
def ran(request):
    with Path(__file__).with_name("ran").open("a") as file:
        file.write(json.dumps(request.node.name) + "\\n")
"""
BREAKS = """
def pytest_configure(config):
    global is_worker
    is_worker = hasattr(config, "workerinput")

def pytest_runtest_{hook}(nodeid):
    if is_worker and "test_breaks" in nodeid and {when}:
        raise ValueError("that was" + " it")
"""
"""An error of pytest's own, in a worker."""
FIRST_TIME = "first_time('breaks')"
ONCE = BREAKS.format(hook="logfinish", when=FIRST_TIME)
SOMETIMES = """
from conftest import first_time

def test_sometimes():
    assert not first_time("sometimes")
"""
GOOD = "def test_good(): pass\n"

both_ways = pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["by itself", "workers"])


@pytest.fixture
def again(tmp_path):
    """Runs pytest in a folder of these files; its status, and all that was said."""

    def run(*options, conftest="", program=("pytest",), **files):
        (tmp_path / "conftest.py").write_text(CONFTEST + conftest)
        for name, text in files.items():
            (tmp_path / f"test_{name}.py").write_text(text)
        command = [sys.executable, str(ROOT / "scripts/again.py"), sys.executable, "-m", *program]
        command += ["-p", "xdist", "--rootdir", str(tmp_path), *options, str(tmp_path)]
        # Other plugins take more time to load than all the rest.
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return done.returncode, done.stdout.decode()

    return run


@pytest.fixture
def times(tmp_path):
    """How often each test began, by its name."""
    return lambda: Counter(map(json.loads, (tmp_path / "ran").read_text().splitlines()))


def numbers(upto):
    """As many tests that pass."""
    return (
        f"import pytest\n@pytest.mark.parametrize('n', range({upto}))\ndef test_number(n): pass\n"
    )


@both_ways
def test_what_fails_once_passes_the_second_time(again, options):
    """And what passed is not run again."""
    status, said = again(*options, sometimes=SOMETIMES, good=GOOD)
    assert status == 0, said
    assert "1 failed, 1 passed" in said
    second = said.partition("once more")[2]
    assert "test_sometimes.py::test_sometimes" in second and "= 1 passed" in second


def test_what_is_broken_fails(again):
    """Twice."""
    status, said = again(broken="def test_broken(): assert False\n")
    assert status == 1
    assert said.count("1 failed in") == 2


@both_ways
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
    for options, expected in ((["-m", "no_such_mark and nothing"], 5), (["--no-such-option"], 4)):
        status, said = again(*options)
        assert status == expected
        assert "once more" not in said


def test_where_pytest_broke_down_all_that_did_not_pass_is_run(again, times):
    """What failed and what never ran; the cause is said again, at the very end."""
    breaks = "def test_breaks(): pass\n"
    status, said = again("-n", "1", conftest=ONCE, a=SOMETIMES, b=breaks, c=numbers(20))
    assert status == 0, said
    first, _, second = said.partition(" 21 once more; 20 had not run to their end, 1 had failed:\n")
    assert "INTERNALERROR" in first
    assert second.startswith("test_a.py::test_sometimes\n=")
    assert "= 21 passed, 1 deselected" in second and "worker [" not in second
    assert second.index("= 21 passed") < second.index("ValueError: that was it")
    numbered = {f"test_number[{number}]": 1 for number in range(20)}
    assert times() == {"test_sometimes": 2, "test_breaks": 1, **numbered}


def test_what_other_workers_had_done_is_not_run_again(again, times):
    """A breakdown leaves them, too, with tests on their way; none is left out."""
    breaks = "def test_breaks(): pass\n"
    options = ("-n", "2", "--dist", "worksteal")
    status, said = again(*options, conftest=ONCE, a=breaks, b=numbers(80))
    assert status == 0, said
    left = re.search(r"(\d+) once more; \1 had not", said)[1]
    assert f"= {left} passed" in said.partition("once more")[2]
    assert len(times()) == 81 and times()["test_breaks"] == 1


def test_many_tests_are_shared_among_workers_once_more(again):
    """As in the first run; names of tests that never ran are not listed."""
    breaks = "def test_breaks(): pass\n"
    status, said = again("-n", "1", conftest=ONCE, a=breaks, b=numbers(60))
    assert status == 0, said
    second = said.partition(" 60 once more; 60 had not run to their end, 0 had failed:\n")[2]
    assert second.startswith("=") and "1 worker [60 items]" in second


def test_what_breaks_pytest_down_twice_fails(again):
    """Both causes are said at the end."""
    breaks = "def test_breaks(): assert False\n"
    status, said = again(
        "-n", "1", conftest=BREAKS.format(hook="logfinish", when="True"), a=breaks, b=numbers(60)
    )
    assert status == 3
    assert said.count("once more") == 1
    causes = said.rpartition("= 1 failed")[2]
    assert "in the first run" in causes and "in the second run" in causes
    assert causes.count("ValueError: that was it") == 2


@pytest.mark.parametrize("restarts", [(), ("--max-worker-restart", "0")], ids=["some", "none"])
def test_a_killed_workers_tests_are_run(again, times, restarts):
    """Also where no other worker may take its place, which leaves tests that never ran."""
    dies = "import os\nfrom conftest import first_time\n"
    dies += "def test_dies():\n    if first_time('dies'): os._exit(1)\n"
    status, said = again("-n", "1", *restarts, a=dies, b=numbers(20))
    assert status == 0, said
    assert "test_a.py::test_dies\n" in said.partition("once more")[2]
    assert times() == {"test_dies": 2, **{f"test_number[{number}]": 1 for number in range(20)}}


def test_what_stopped_at_a_failure_is_run_to_the_end(again, times):
    """pytest -x says that tests failed, and leaves the others."""
    status, said = again("-x", a=SOMETIMES, b=GOOD)
    assert status == 0, said
    assert times() == {"test_sometimes": 2, "test_good": 1}


def test_only_what_passed_from_setup_to_teardown_is_done(again, times):
    """Or what was skipped or expected to fail."""
    phases = """
import pytest
from conftest import first_time

@pytest.fixture
def before():
    assert not first_time("before")

@pytest.fixture
def after():
    yield
    assert not first_time("after")

def test_setup(before): pass
def test_teardown(after): pass
def test_good(): pass
def test_skipped(): pytest.skip()
@pytest.mark.skip
def test_never(): pass
@pytest.mark.xfail
def test_expected(): assert False
"""
    status, said = again(phases=phases)
    assert status == 0, said
    assert "= 2 passed, 4 deselected" in said
    assert times()["test_teardown"] == 2
    assert [times()[f"test_{name}"] for name in ("good", "skipped", "expected")] == [1, 1, 1]


def test_a_run_that_was_cut_off_goes_on_where_it_was(again, times):
    """Be it in a teardown, and be it that pytest had no time to say so."""
    cut = """
import os
import pytest
from conftest import first_time

@pytest.fixture
def cut():
    yield
    if first_time("cut"):
        os._exit(1)

def test_before(): pass
def test_cut(cut): pass
def test_after(): pass
"""
    status, said = again(cut=cut)
    assert status == 0, said
    assert times() == {"test_before": 1, "test_cut": 2, "test_after": 1}


ODD = ["a b", 'it\'s "q"', "[x]", "a::b", "a/b.py::c", "\\", "ü", "\n", "\ud800", "", "@", "-n"]


@both_ways
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_odd_names_are_told_apart(again, times, options, encoding, monkeypatch):
    """Each that failed is run again, and only those; the terminal need not know their letters."""
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    odd = f"""
import pytest
from conftest import first_time

@pytest.mark.parametrize("name", {ascii(ODD)}, ids=str)
@pytest.mark.parametrize("fails", [True, False])
def test_ö(fails, name):
    assert not (fails and first_time(name.encode("utf-8", "surrogatepass").hex()))
"""
    status, said = again(*options, odd=odd)
    assert status == 0, said
    assert f"{len(ODD)} failed, {len(ODD)} passed" in said
    assert f"= {len(ODD)} passed" in said.partition("once more")[2]
    assert sorted(times().values()) == [1] * len(ODD) + [2] * len(ODD)


@both_ways
def test_a_breakdown_before_any_test_is_a_failure(again, options):
    """What would have to be run is not known. xdist says of so few tests that all is well."""
    breaks = "\ndef pytest_collection_modifyitems():\n    raise ValueError\n"
    status, said = again(*options, conftest=breaks, good=GOOD)
    assert status == 3, said
    assert "once more" not in said


def test_a_worker_that_breaks_down_over_its_last_test_has_not_passed(again, times):
    """xdist says that all is well, and the test never ran."""
    breaks = BREAKS.format(hook="logstart", when=FIRST_TIME)
    status, said = again("-n", "1", conftest=breaks, a=GOOD, b="def test_breaks(): pass\n")
    assert status == 0, said
    assert "1 once more; 1 had not run to their end" in said
    assert times() == {"test_good": 1, "test_breaks": 1}


@pytest.mark.parametrize("others", [{}, {"other": SOMETIMES}], ids=["alone", "among others"])
def test_a_test_that_is_gone_the_second_time_is_a_failure(again, others):
    """To run none of what is left, or not all of it, is not to pass."""
    gone = "from conftest import first_time\nif first_time('gone'):\n"
    gone += "    def test_gone(): assert False\n"
    status, said = again(gone=gone, good=GOOD, **others)
    assert status == 1, said
    assert said.endswith("test_gone.py::test_gone\n")


@both_ways
def test_tests_do_not_notice(again, options, monkeypatch, tmp_path):
    """What they start has the search path that it would have without a second chance."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = f"import os\ndef test_path(): assert os.environ['PYTHONPATH'] == {str(tmp_path)!r}\n"
    assert again(*options, path=path)[0] == 0
    monkeypatch.delenv("PYTHONPATH")
    path = "import os\ndef test_path(): assert 'PYTHONPATH' not in os.environ\n"
    assert again(*options, path=path)[0] == 0


@pytest.mark.skipif(not importlib.util.find_spec("coverage"), reason="needs coverage")
@both_ways
def test_coverage_is_counted_the_second_time_too(again, options, tmp_path):
    """make coverage runs pytest under another program."""
    program = ("coverage", "run", "--parallel-mode", "-m", "pytest")
    status, said = again(*options, program=program, sometimes=SOMETIMES)
    assert status == 0, said
    assert "= 1 passed" in said.partition("once more")[2]
    assert len(list(tmp_path.glob(".coverage.*"))) == 2
