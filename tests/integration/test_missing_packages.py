"""Neural voices are there, the packages of their engines are not: told of, and no more."""

import pytest

from tests import voices
from tests.integration.serving import assert_error, until
from tests.integration.test_cli import run, succeeded
from tests.unit.engines import sherpa_voices

EXTRAS = {"neural": "pip install 'autovoice[piper]'", "koko": "pip install 'autovoice[sherpa]'"}
ENGINES = pytest.mark.parametrize("engine", ["auto", "piper,sherpa,espeak"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Voices of two engines; no process that a test starts finds these engines' packages."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    hide = "import sys\nsys.modules['onnxruntime'] = sys.modules['sherpa_onnx'] = None\n"
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
