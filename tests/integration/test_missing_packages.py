"""Neural voices are there, the packages of their engines are not: told of, and no more."""

import pytest

from tests import voices
from tests.integration.serving import assert_error, until
from tests.integration.test_cli import run, succeeded
from tests.unit.engines import sherpa_voices

EXTRAS = {"neural": "pip install 'autovoice[piper]'", "koko": "pip install 'autovoice[sherpa]'"}
HIDE = """
import os
from importlib.machinery import PathFinder
find = PathFinder.find_spec
def found(name, path=None, target=None):
    hidden = name in ("onnxruntime", "sherpa_onnx") and not os.path.exists({installed!r})
    return None if hidden else find(name, path, target)
PathFinder.find_spec = staticmethod(found)
"""
ENGINES = pytest.mark.parametrize("engine", ["auto", "piper,sherpa,espeak"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Voices of two engines; no process that a test starts finds these engines' packages."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    hide = HIDE.format(installed=str(tmp_path / "installed"))
    (hiding / "sitecustomize.py").write_text(hide, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(hiding))
    made = voices.put(tmp_path / "voices", "en-us", "neural")
    sherpa_voices.kokoro(made / "koko")
    return made


@ENGINES
def test_a_server_speaks_with_the_engines_it_has_and_names_what_the_others_need(
    start, folder, engine
):
    server = start(engine=engine, engine_workers=1, voice_dir=folder)

    def broken():
        listed = server.get("/v1/audio/voices").json()["broken"]
        return {each["id"]: each["reason"] for each in listed}

    until(lambda: set(broken()) == set(EXTRAS), "it is known that neither engine loads")
    for voice, extra in EXTRAS.items():
        assert extra in broken()[voice]
        refused = assert_error(server.speak(voice=voice), 503, "voice_unavailable")
        assert extra in refused["message"]
        told = [line for line in server.log() if line.get("voice") == voice and "reason" in line]
        assert [(line["level"], extra in line["message"]) for line in told] == [("WARNING", True)]
    assert server.speak(voice="alloy").headers["X-Voice"] == "en-us"
    ready = server.get("/health/ready")
    assert ready.status_code == 200
    degraded = " ".join(ready.json()["degraded"])
    for extra in EXTRAS.values():
        assert (extra in degraded) == (engine != "auto")
    assert server.troubles() == []


@ENGINES
def test_the_command_line_says_so_too(folder, engine):
    listed = succeeded("voices", "list", voice_dir=folder, engine=engine)
    examined = run("doctor", port=0, voice_dir=folder, engine=engine)
    assert examined.status == (engine != "auto")
    for voice, extra in EXTRAS.items():
        assert f"The voice {voice} cannot be used: " in listed.err
        assert not any(line.startswith(voice) for line in listed.text.split("\n"))
        assert extra in listed.err
        assert extra in examined.text
    assert succeeded("say", "Hello.", "-o", "-", voice_dir=folder, engine=engine).out


@pytest.mark.slow
def test_what_is_installed_later_is_found_without_a_restart(start, folder, tmp_path):
    server = start(engine="piper,sherpa,espeak", engine_workers=1, voice_dir=folder)
    assert_error(server.speak(voice="neural"), 503, "voice_unavailable")
    (tmp_path / "installed").write_text("")
    for voice in EXTRAS:
        until(lambda: server.speak(voice=voice).status_code == 200, f"{voice} speaks")
    assert server.get("/health/ready").json()["degraded"] == []
