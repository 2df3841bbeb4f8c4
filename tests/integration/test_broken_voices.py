"""Neural voices that load, and fail when they are to speak: seen, told of, and harming no other."""

import json

import pytest

from tests import voices
from tests.integration.serving import assert_error, children, kill, until
from tests.integration.test_cli import run, succeeded

VOICE = "wrong"


def describe(folder, voice=VOICE, **changes):
    """Change what a voice says of itself, as an editor does."""
    path = folder / f"{voice}.onnx.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described.update(changes)
    path.write_text(json.dumps(described), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """A voice that is well, and one whose numbers of phonemes its graph does not have."""
    made = voices.put(tmp_path / "voices", "en-us", "well")
    voices.put(made, "en-us", VOICE)
    ids = json.loads((made / f"{VOICE}.onnx.json").read_text(encoding="utf-8"))["phoneme_id_map"]
    # No text of these tests has such a phoneme: what fails is the voice, not the sentence.
    describe(made, num_symbols=5000, phoneme_id_map={**ids, "\u29d6": [4999]})
    return made


def broken(server):
    return {each["id"]: each["reason"] for each in server.get("/v1/audio/voices").json()["broken"]}


def test_a_voice_whose_phonemes_do_not_fit_its_graph_is_broken_until_its_file_changes(
    start, folder
):
    server = start(engine="piper,espeak", engine_workers=1, voice_dir=folder, voices=VOICE)
    for _ in range(2):
        error = assert_error(server.speak(voice=VOICE), 503, "voice_unavailable")
        assert f"The voice {VOICE} does not speak" in error["message"]
    assert list(broken(server)) == [VOICE]
    assert "does not speak" in broken(server)[VOICE]
    assert server.metric("autovoice_voices", engine="piper", state="broken") == 1
    assert server.speak(voice="well").status_code == 200
    assert server.is_ready()
    (check,) = server.get("/health").json()["checks"]["voices"]
    assert check["status"] == "warn"
    assert f"{VOICE} cannot be used: " in check["output"]
    told = [line for line in server.log() if line.get("voice") == VOICE and "reason" in line]
    assert [line["level"] for line in told] == ["WARNING"]
    assert server.troubles() == []

    describe(folder, phoneme_id_map={"a": [3], "^": [1], "$": [2], "_": [0]})
    until(lambda: server.speak(voice=VOICE).status_code == 200, "it has another chance")
    assert broken(server) == {}
    assert server.get("/health").json()["checks"]["voices"][0]["status"] == "pass"


def test_the_command_line_has_each_voice_speak_where_it_is_asked_to(folder):
    settings = {"engine": "piper,espeak", "voice_dir": folder}
    listed = run("voices", "list", "--try", "--json", **settings)
    ids = [voice["id"] for voice in json.loads(listed.text)]
    assert "well" in ids and VOICE not in ids
    assert f"The voice {VOICE} cannot be used" in listed.err


def test_doctor_names_the_voice_that_does_not_speak_and_the_engine_that_does(folder):
    found = succeeded("doctor", port=0, voice_dir=folder, engine="piper,espeak").text.split("\n")
    assert any("engine piper" in line and "speaks after" in line for line in found)
    assert any(f"voice {VOICE}" in line and "does not speak" in line for line in found)
    assert not any("voice well" in line for line in found)


def test_doctor_says_that_none_of_an_engines_voices_speaks(folder):
    (folder / "well.onnx").unlink()
    done = run("doctor", port=0, voice_dir=folder, engine="piper,espeak")
    assert done.status != 0
    (line,) = [line for line in done.text.split("\n") if "engine piper" in line]
    assert "FAIL" in line and "does not speak" in line


def test_what_voices_cost_is_told_to_who_operates_the_server(start, folder):
    """Loads, failures and memory within its budget; a voice that makes room is counted once."""
    voices.put(folder, "people", "other")
    settings = {"engine": "piper,espeak", "engine_workers": 1, "loudness_lufs": 0}
    server = start(**settings, voice_dir=folder, voices_memory_mb=64, cache="off")

    def shown(name, **labels):
        return server.metric(f"autovoice_{name}", engine="piper", **labels)

    assert shown("voices_loaded") == shown("voices_memory_bytes") == 0
    assert shown("voices_memory_limit_bytes") == 64_000_000
    for voice in ("well", "other", "well"):
        assert server.speak(voice=voice).status_code == 200
    assert shown("voice_loads_total", outcome="loaded") == shown("voice_load_seconds_count") == 2
    assert 0 < shown("voice_load_seconds_sum") < 30
    assert shown("voices_loaded") == 2
    files = sum((folder / f"{name}.onnx").stat().st_size for name in ("well", "other"))
    assert files < shown("voices_memory_bytes") < 2 * files
    assert_error(server.speak(voice=VOICE), 503)
    assert shown("voice_loads_total", outcome="failed") == 1
    assert shown("voice_unloads_total") == 0
    describe(folder, "well", dataset="another")
    until(lambda: server.speak(voice="well") and shown("voice_unloads_total"), "it is loaded anew")
    assert (shown("voice_unloads_total"), shown("voices_loaded")) == (1, 2)
    (worker,) = [
        pid for pid in server.engine_pids() if "piper" in children(server.serving_pid())[pid]
    ]
    kill(worker)
    until(lambda: shown("voices_loaded") == 0, "memory goes with the worker that has it")
