"""A server with voices of sherpa-onnx: small ones, in which each token is a tone."""

import pytest

from tests.integration.serving import until
from tests.unit.engines import sherpa_voices


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """A folder with a good voice, a broken one, and one that some texts kill."""
    folder = tmp_path_factory.mktemp("voices")
    sherpa_voices.kokoro(folder / "ann-and-bo", speakers={"ann": 0, "bo": 1})
    sherpa_voices.kokoro(folder / "broken")
    (folder / "broken" / "voices.bin").write_bytes(b"1234")
    sherpa_voices.kokoro(folder / "touchy", longest=20)
    return folder


@pytest.fixture(scope="module")
def server(start_for_module, voices):
    return start_for_module(
        engine="sherpa,espeak", engine_workers=1, voice_dir=str(voices), cache="off"
    )


def ask(server, voice, text="hello"):
    return server.speak(text, voice=voice, response_format="wav")


def test_its_voices_are_listed_with_their_speakers(server):
    listed = server.get("/v1/audio/voices?engine=sherpa").json()
    voices = {voice["id"]: voice for voice in listed["voices"]}
    assert {"ann-and-bo", "touchy"} == set(voices)
    assert voices["ann-and-bo"]["speakers"] == ["ann", "bo"]
    assert voices["ann-and-bo"]["sample_rate"] == sherpa_voices.RATE_HZ


def test_they_speak_beside_the_embedded_voices(server):
    first, second = (ask(server, f"ann-and-bo+{name}") for name in ("ann", "bo"))
    assert first.status_code == second.status_code == 200
    assert len(first.content) == len(second.content) > 10_000
    assert first.content != second.content
    assert ask(server, "en-us").status_code == 200


def test_a_broken_voice_is_answered_by_its_code(server):
    answer = ask(server, "broken")
    assert answer.status_code in (404, 503)
    assert answer.json()["error"]["code"] in ("voice_not_found", "voice_unavailable")


def test_a_text_that_ends_the_process_fails_alone(server):
    """sherpa-onnx exits; the next request, in the same voice, is spoken by a new worker."""
    answer = ask(server, "touchy", "hello " * 10)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "engine_crashed"
    assert ask(server, "touchy").status_code == 200
    assert ask(server, "ann-and-bo").status_code == 200


def test_a_voice_that_is_dropped_into_the_folder_speaks_without_a_restart(server, voices):
    sherpa_voices.vits(voices / "late")
    until(lambda: ask(server, "late").status_code == 200, "the voice is there")
