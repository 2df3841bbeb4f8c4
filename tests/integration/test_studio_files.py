"""What one takes away from the studio: files that play, captions that fit, code that runs."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.integration.browser import Browser
from tests.integration.serving import speech_body, until
from tests.integration.studio import Studio, downloads_to
from tests.parts import PARTS

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

TEXT = 'It\'s a "fine" day: $HOME costs €5.\nReally? Grüße an 🙂 \\o/ `id`!'
"""All that shells and programming languages like to misread."""
PROBED = {"mp3": "mp3", "opus": "opus", "aac": "aac", "flac": "flac", "wav": "pcm_s16le"}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture
def studio(browser, server, tmp_path):
    downloads_to(browser, tmp_path)
    yield Studio(browser, server).open(text=TEXT, voice="en-gb", speed=1.5)
    assert browser.complaints() == []


def saved(studio, folder, extension):
    """The file that has been downloaded, once it is there."""
    studio.shows("#saved", "Saved")
    return until(lambda: list(folder.glob(f"*.{extension}")), f"there is a .{extension}")[0]


@pytest.mark.needs("ffprobe")
@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_every_format_downloads_and_plays(studio, server, tmp_path, name):
    """It is what the API gives for the same, with a WAV's true length; named after its text."""
    studio.select("#format", name)
    studio.click("#save-audio")
    path = saved(studio, tmp_path, name)
    assert path.stem == "it-s-a-fine-day-home"
    wanted = server.speak(TEXT, voice="en-gb", speed=1.5, response_format=name).content
    data, skipped = path.read_bytes(), 44 if name == "wav" else 0
    assert data[skipped:] == wanted[skipped:]
    if name == "wav":
        assert int.from_bytes(data[40:44], "little") == len(data) - 44
    raw = ("-f", "s16le", "-ar", "24000") if name == "pcm" else ()
    shown = subprocess.run(
        [PARTS["ffprobe"].path(), "-v", "error", *raw, "-show_streams", "-of", "json", str(path)],
        check=True,
        stdout=subprocess.PIPE,
    )
    (stream,) = json.loads(shown.stdout)["streams"]
    assert stream["codec_name"] == PROBED.get(name, "pcm_s16le")
    if name != "aac":  # ADTS tells no length
        assert 2 < float(stream.get("duration") or 3) < 8


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_captions_download(studio, server, tmp_path, name):
    studio.select("#captions", name)
    studio.click("#save-captions")
    path = saved(studio, tmp_path, name)
    body = speech_body(TEXT, voice="en-gb", speed=1.5, captions_format=name)
    wanted = server.request("POST", "/v1/audio/captions", json=body).content
    assert path.read_bytes() == wanted
    assert b" --> " in wanted


def code(studio, language):
    studio.tab("code")
    studio.click(f"[name=code][value={language}]")
    return studio.evaluate("document.getElementById('code').textContent")


@pytest.mark.needs("curl")
def test_the_curl_on_screen_gives_what_is_on_screen(studio, server, tmp_path):
    """Pasted into a shell as it is."""
    studio.select("#format", "flac")
    studio.click("#pitch")
    studio.press("End")
    script = code(studio, "curl")
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    asked = {"voice": "en-gb", "speed": 1.5, "pitch": 2, "response_format": "flac"}
    assert (tmp_path / "speech.flac").read_bytes() == server.speak(TEXT, **asked).content


def test_the_python_on_screen_gives_what_is_on_screen(studio, server, tmp_path):
    """With OpenAI's client; what that does not know goes along, too."""
    studio.select("#format", "wav")
    studio.click("#normalize")
    script = code(studio, "python")
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env=environment)
    asked = {"voice": "en-gb", "speed": 1.5, "normalize": False, "response_format": "wav"}
    assert (tmp_path / "speech.wav").read_bytes() == server.speak(TEXT, **asked).content


def test_the_code_is_copied(studio, browser, server):
    """Whole, as it is shown."""
    permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.call("Browser.grantPermissions", permissions=permissions)
    browser.call("Emulation.setFocusEmulationEnabled", enabled=True)
    shown = code(studio, "curl")
    studio.click("#copy")
    studio.shows("#copied", "Copied")
    assert studio.evaluate("navigator.clipboard.readText()") == shown
    assert server.base in shown


def test_a_key_is_never_in_the_code(browser, start):
    """It comes from the environment of whoever runs it."""
    server = start(engine="stub", api_keys="sesame")
    studio = Studio(browser, server).open(key="sesame")
    for language in ("curl", "python"):
        shown = code(studio, language)
        assert "AUTOVOICE_API_KEY" in shown and "sesame" not in shown


# --- what is said otherwise than it is written ----------------------------------------------------


def test_one_sees_what_will_be_said(studio, server):
    """What the markup and the lexicon change is struck out, and what is said stands beside it."""
    studio.tab("plan")
    studio.click("#ssml")
    studio.fill('<speak>The <sub alias="World Wide Web">WWW</sub>. And so on.</speak>')
    studio.shows("#plan", "WWW World Wide Web")
    changed = "[...document.querySelectorAll('#plan ins')].map(node => node.textContent)"
    assert studio.evaluate(changed) == ["World Wide Web"]
    assert studio.evaluate("document.querySelectorAll('#plan li').length") == 2


def test_a_word_is_said_in_another_way(browser, start, tmp_path):
    """Selected, told how, heard at once; the same lexicon serves every client."""
    server = start(lexicon_dir=str(tmp_path))
    studio = Studio(browser, server).open(text="Ask Nguyen. Then go.", voice="en-us")
    studio.click("#text")
    studio.evaluate("document.getElementById('text').setSelectionRange(4, 10)")
    studio.shows("#pick", "Nguyen")
    studio.click("#pick")
    studio.until("document.activeElement.id === 'entry-said'")
    browser.type("win")
    studio.press("Enter")
    studio.state("ended")
    (sent,) = studio.sent()
    assert sent["lexicon"] == "studio"
    assert server.get("/v1/lexicons/studio").json()["entries"][0]["say"] == "win"
    win = server.speak("Ask win. Then go.", voice="en-us", response_format="pcm")
    nguyen = {"voice": "en-us", "response_format": "pcm", "lexicon": "studio"}
    assert server.speak("Ask Nguyen. Then go.", **nguyen).content == win.content
    assert studio.shows("#entries tbody", "Nguyen") == "Nguyen win Remove"
    studio.click("#entries tbody button")
    studio.shows("#entry-note", "removed")
    assert server.get("/v1/lexicons/studio").json()["entries"] == []
    assert browser.complaints() == []


def test_markup_in_names_stays_text(browser, start, tmp_path):
    """Of a lexicon's words, of a voice, of a text: nobody's `<script>` becomes one."""
    server = start(engine="stub", lexicon_dir=str(tmp_path))
    evil = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    entry = {"word": evil[:60], "say": evil[:60]}
    server.request("POST", "/v1/lexicons/studio/entries", json=entry).raise_for_status()
    kept = {"text": evil, "voice": evil, "variant": evil, "lexicon": "studio"}
    studio = Studio(browser, server).open(**kept)
    for name in ("plan", "code"):
        studio.tab(name)
    studio.tab("words")
    studio.shows("#entries tbody", "<img")
    studio.click("#speak")
    assert "<img" in studio.problem
    assert studio.evaluate("document.querySelectorAll('img, body script').length") == 0
    assert not re.search(r"\bimg\b", " ".join(browser.requests()))
