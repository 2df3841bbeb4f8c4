"""What all tests share.

`@pytest.mark.needs("ffprobe")`: a real part that is missing skips the test on a
laptop and fails it in CI, so that no test is left out there unseen.
"""

import os
import signal
import tempfile
from typing import Any, Generator
from unittest import mock

import pytest
from hypothesis import settings

from tests.examples import examples
from tests.parts import PARTS

pytest.register_assert_rewrite("tests.e2e.deploys.checks")

settings.register_profile("autovoice", max_examples=examples(100))
settings.load_profile("autovoice")

DATA = tempfile.TemporaryDirectory(prefix="autovoice-tests-")


def pytest_configure() -> None:
    """Ctrl-C works in what tests start, even where a shell's background job ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # What tests and the servers they start save is not the developer's own.
    os.environ["XDG_DATA_HOME"] = DATA.name


def pytest_unconfigure() -> None:
    DATA.cleanup()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if name not in PARTS:
                raise pytest.UsageError(f"tests/parts.py does not know the part {name!r}")
            if PARTS[name].path() is None:
                missing = f"needs {name} (Debian's package {PARTS[name].package})"
                if os.environ.get("CI") == "true":
                    pytest.fail(f"{missing}, and CI has to have it", pytrace=False)
                pytest.skip(missing)


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare(left: Any, right: Any) -> Generator[None, Any, Any]:
    """In CI, pytest explains a difference line by line, for minutes where both are a sound."""
    with mock.patch.dict(os.environ):
        if isinstance(left, bytes) and isinstance(right, bytes):
            os.environ.pop("CI", None)
        return (yield)
