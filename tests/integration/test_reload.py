"""`autovoice serve --reload`, for those who work on AutoVoice."""

import shutil
import sys

import pytest
import requests

from tests.house.house import ROOT
from tests.integration.serving import until

pytestmark = pytest.mark.slow


def test_an_edit_is_served_and_a_half_written_one_is_not(start, free_port, tmp_path, monkeypatch):
    """The process stays the same, so that whoever started it need not notice."""
    for name in ("src", "config"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    command = [sys.executable, "-m", "auto_voice", "serve", "--port", str(free_port), "--reload"]
    server = start(engine="stub", command=command)
    module = tmp_path / "src/auto_voice/__init__.py"
    whole = module.read_text(encoding="utf-8")

    def version():
        try:
            return server.is_ready() and server.get("/health").json()["version"]
        except requests.ConnectionError:
            return None  # it is beginning anew

    before = version()
    assert before and f'"{before}"' in whole
    module.write_text(f"{whole}\ndef half(")
    until(lambda: "cannot be imported" in server.output(), "the log tells of the half edit")
    until(lambda: version() == before, "it goes on as it was")
    module.write_text(whole.replace(before, "99.9.9"))
    until(lambda: version() == "99.9.9", "the edited source is served")
    assert server.process.poll() is None
