"""again.py's part within pytest: records how far a run came, and leaves out what is done.

A record has a line for each event, `{heading: [texts]}` as JSON, written at once: it is there
however the run ends. Of xdist's processes the controller alone writes one, and all of them read.
"""

import json
import os
from pathlib import Path
from typing import Dict, List, Set

import pytest

COLLECTED = "collected"
UNREADABLE = "unreadable"
"""What could not be collected."""
ENDED = "ended"
"""Tests that came to their end: also those that were skipped, or failed on the way there."""
FAILED = "failed"
BROKEN = "broken"
"""Tracebacks of pytest itself."""


def read(path: Path) -> Dict[str, List[str]]:
    """The texts under each heading; none where nothing was recorded."""
    record: Dict[str, List[str]] = {
        heading: [] for heading in (COLLECTED, UNREADABLE, ENDED, FAILED, BROKEN)
    }
    if path.exists():
        with path.open(encoding="ascii") as lines:
            for line in lines:
                if line.endswith("\n"):  # else who wrote it was killed over it
                    for heading, texts in json.loads(line).items():
                        record[heading] += texts
    return record


def done(record: Dict[str, List[str]]) -> Set[str]:
    """The tests that passed from setup to teardown, or were left out on purpose."""
    return set(record[ENDED]) - set(record[FAILED])


class Recorder:
    """Writes a record."""

    def __init__(self, path: Path) -> None:
        # Open from the start: the test that a report is about may have changed what opens files.
        self._file = path.open("a", encoding="ascii", buffering=1)
        self._collected: List[str] = []
        self._began = False

    def _write(self, heading: str, *texts: str) -> None:
        self._file.write(json.dumps({heading: texts}) + "\n")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected = [item.nodeid for item in session.items]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: List[str]) -> None:
        self._collected = list(ids)

    def pytest_runtest_logstart(self) -> None:
        # Only now, as pytest tells of a collection that broke down, too, with tests in it that
        # were yet to be deselected. And only once, as each worker tells of its own.
        if not self._began:
            self._began = True
            self._write(COLLECTED, *self._collected)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(UNREADABLE, report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._write(FAILED, report.nodeid)
        if report.when == "teardown":
            self._write(ENDED, report.nodeid)

    def pytest_internalerror(self, excrepr: object) -> None:
        self._write(BROKEN, str(excrepr))

    def pytest_unconfigure(self) -> None:
        self._file.close()


class LeaveOut:
    """Deselects tests. It names what to leave out: a test that nobody knows yet is run."""

    def __init__(self, names: Set[str]) -> None:
        self._names = names

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: List[pytest.Item]
    ) -> None:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in self._names])
        items[:] = [item for item in items if item.nodeid not in self._names]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("again")
    group.addoption("--again-record", type=Path, help="write here how far the run came")
    group.addoption("--again-after", type=Path, help="leave out what is done by this record")


def pytest_configure(config: pytest.Config) -> None:
    # again.py put this folder there. Tests, and what they start, are not to find it.
    first, _, others = os.environ.get("PYTHONPATH", "").partition(os.pathsep)
    if first == str(Path(__file__).parent):
        del os.environ["PYTHONPATH"]
        if others:
            os.environ["PYTHONPATH"] = others
    record, after = config.getoption("again_record"), config.getoption("again_after")
    # The controller hears of all that its workers do.
    if record and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(record))
    if after:
        config.pluginmanager.register(LeaveOut(done(read(after))))
