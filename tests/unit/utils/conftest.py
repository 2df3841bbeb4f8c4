"""What tests do to Python's logging does not outlive them."""

import logging

import pytest


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch):
    """Handlers, level and the switches that `setup_logging` turns come back."""
    for switch in ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing"):
        monkeypatch.setattr(logging, switch, getattr(logging, switch))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level
