"""Neural voices in the studio: found, chosen with a speaker, heard, followed and captioned."""

import json

import numpy
import pytest

from tests import voices
from tests.integration.looking import DESK, look, text
from tests.integration.serving import until
from tests.integration.studio import (
    HEARD_S,
    Studio,
    browser,
    downloads_to,
    place_of,
    samples_of,
)

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

__all__ = ["browser"]

TEXT = "Good morning, everybody. This is a neural voice, and it speaks in a browser."
PEOPLE = "en_US-people-medium"


@pytest.fixture(scope="module")
def server(start_for_module, tmp_path_factory):
    folder = voices.put(tmp_path_factory.mktemp("voices"), "people", PEOPLE)
    voices.put(folder, "en-us", "en_US-tiny-medium")
    voices.put(folder, "en-us", "en_US-torn-medium")
    (folder / "en_US-torn-medium.onnx").write_bytes(b"<b>no model</b>")
    path = folder / f"{PEOPLE}.onnx.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described.update(dataset="people", speaker_id_map={"Ann Marie": 0, "bo": 1, "p3922": 2})
    path.write_text(json.dumps(described), encoding="utf-8")
    return start_for_module(engine="piper,espeak", engine_workers=1, voice_dir=folder)


@pytest.fixture
def studio(browser, server):
    """The page with its voices, which in the end has complained of nothing."""
    made = Studio(browser, server).open()
    made.until("document.getElementById('voice-note').innerText")
    yield made
    assert browser.complaints() == []


def choose(studio, words, options):
    """Find a voice by some letters, and take the first one found."""
    studio.fill(words, "#voice")
    studio.press("Enter")
    count = "document.getElementById('variant').options.length"
    studio.until(f"{count} === {options}")


def test_a_speaker_is_chosen_heard_and_followed(studio, server, tmp_path):
    """What comes out of the loudspeaker is what this speaker says, and so are the captions."""
    choose(studio, "people", 4)
    studio.shows("#variant-label", "Speaker")
    offered = studio.evaluate("[...document.getElementById('variant').options].map(o => o.text)")
    assert offered == ["The first one", "Ann Marie", "bo", "p3922"]
    assert PEOPLE in studio.shows("#voice-note", PEOPLE)
    studio.select("#variant", "bo")
    studio.fill(TEXT)
    studio.click("#speak")
    studio.until(f"window.due && playedS() > {HEARD_S + 0.1}")
    heard = numpy.array(studio.evaluate("heard()"))
    (asked,) = studio.sent()
    assert asked["voice"] == f"{PEOPLE}+bo"
    made = samples_of(server.speak(TEXT, voice=f"{PEOPLE}+bo", response_format="pcm"))
    begin = place_of(heard, made)
    assert numpy.array_equal(heard, made[begin : begin + len(heard)])
    studio.until("!document.querySelector('#mirror mark').hidden")
    studio.state("ended")

    downloads_to(studio.browser, tmp_path)
    studio.click("#save-captions")
    until(lambda: list(tmp_path.glob("*.srt")), "the captions are there")
    (captions,) = tmp_path.glob("*.srt")
    lines = until(lambda: captions.read_text(encoding="utf-8"), "they are whole")
    assert "-->" in lines and "neural voice" in lines


def test_a_voice_of_one_has_no_speakers_to_choose_from(studio):
    """And what another voice's list was for does not stay."""
    choose(studio, "people", 4)
    choose(studio, "tiny", 1)
    assert studio.evaluate("document.getElementById('variant').disabled")
    studio.shows("#variant-label", "Variant")


def test_a_long_id_is_read_in_one_line(studio):
    """Beside the name there is no room for it: below there is."""
    look(studio.browser, DESK, "light")
    studio.until(f"innerWidth === {DESK}")
    studio.fill("people", "#voice")
    note = f"[...document.querySelectorAll('#voices .note')].find(n => n.innerText === '{PEOPLE}')"
    studio.until(f"{note}?.checkVisibility()")
    assert 0 < studio.evaluate(f"{note}.offsetHeight") < 30


def test_a_voice_that_cannot_be_used_is_told_of_with_the_reason(studio, server):
    """Nobody looks for it in vain; the reason is what the API says."""
    (broken,) = until(
        lambda: server.get("/v1/audio/voices").json()["broken"], "it is no longer being copied"
    )
    studio.load()
    studio.until("!document.getElementById('broken').hidden")
    assert text(studio.browser, "#broken") == "1 voice cannot be used"
    studio.click("#broken summary")
    assert broken["id"] == "en_US-torn-medium"
    assert text(studio.browser, "#broken li") == f"{broken['id']}: {broken['reason']}"


def test_where_all_voices_can_be_used_nothing_is_said(browser, start, tmp_path):
    server = start(engine="piper", voice_dir=voices.put(tmp_path, "en-us"))
    studio = Studio(browser, server).open()
    studio.until("document.getElementById('voice-note').innerText")
    assert not studio.evaluate("document.getElementById('broken').checkVisibility()")
