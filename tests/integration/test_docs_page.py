"""The page at /docs in a real browser: what is typed is heard, and what goes wrong is said."""

import io
import wave

import pytest

from tests.integration.browser import Browser
from tests.integration.serving import speech_body

pytestmark = pytest.mark.needs("chromium")

TEXT = "A first sentence. And another one."
"""Two, so that no answer is sent whole, nor knows its length before its end."""
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
CONTROL = 2


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture
def page(browser, server):
    """The page, which in the end has complained of nothing and asked no other machine."""
    browser.open(server.base + "/docs")
    yield browser
    assert browser.complaints() == []
    own = (server.base + "/", "blob:" + server.base + "/", "data:")
    assert [url for url in browser.requests() if not url.startswith(own)] == []


def fill(browser, **fields):
    for name, value in fields.items():
        if browser.evaluate(f"document.getElementById('{name}').tagName") == "SELECT":
            browser.evaluate(f"document.getElementById('{name}').value = '{value}'")
        else:
            browser.click(f"#{name}")
            browser.type(value)


def problem(browser):
    """What the page says is wrong, once it says so; then nothing is there to play."""
    said = browser.until("document.getElementById('problem').textContent")
    assert browser.evaluate("document.getElementById('result').hidden")
    return said


def playing(browser):
    """The length of the audio in seconds, once it is heard."""
    audio = "document.getElementById('audio')"
    return browser.until(f"{audio}.currentTime > 0 && {audio}.duration")


def keep(browser):
    """Have the page remember what it plays; its policy lets nobody fetch that."""
    browser.evaluate(
        "{ const make = URL.createObjectURL;"
        " URL.createObjectURL = blob => make.call(URL, window.kept = blob); }"
    )


def kept(browser):
    """The bytes that the page plays, and offers to save."""
    address = "document.getElementById('{}').{}"
    assert browser.evaluate(
        f"{address.format('download', 'href')} === {address.format('audio', 'src')}"
    )
    return bytes(browser.evaluate("window.kept.arrayBuffer().then(d => [...new Uint8Array(d)])"))


@pytest.mark.parametrize("stream", ["audio", "sse"])
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_typed_is_heard(page, server, name, stream):
    """In every format, and whichever way it is sent; bare samples get what a player needs."""
    samples = server.speak(TEXT, voice="de", response_format="pcm").content
    keep(page)
    fill(page, text=TEXT, voice="de", format=name, stream=stream)
    page.click("button")
    assert playing(page) == pytest.approx(len(samples) / 2 / 24_000, abs=0.15)
    assert "Voice de:" in page.evaluate("document.getElementById('status').textContent")
    assert page.evaluate("document.getElementById('problem').textContent") == ""
    content = server.speak(TEXT, voice="de", response_format=name).content
    if name not in ("wav", "pcm"):
        assert kept(page) == content
        return
    with wave.open(io.BytesIO(kept(page))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert file.getframerate() == (24_000 if name == "pcm" else 22_050)
        assert file.readframes(file.getnframes()) == content[0 if name == "pcm" else 44 :]


def test_speed_is_obeyed(page, server):
    fill(page, text=TEXT, format="wav", speed="2")
    page.click("button")
    double = playing(page)
    fill(page, speed="1")
    page.click("button")
    page.until(f"document.getElementById('audio').duration > {1.5 * double}")


def test_the_last_press_counts(page, server):
    """Whoever presses twice hears what was asked for last, once."""
    fill(page, text=TEXT * 100, format="wav")
    page.click("button")
    fill(page, text="Short.")
    page.click("button")
    assert playing(page) < 2
    assert page.evaluate("document.getElementById('problem').textContent") == ""


def test_a_bad_voice_is_said_and_can_be_mended(browser, server):
    """The message is the server's, with near matches; it goes when the next try succeeds."""
    browser.open(server.base + "/docs")
    fill(browser, voice="aloy")
    browser.click("button")
    said = problem(browser)
    assert "no voice 'aloy'" in said and "alloy" in said
    fill(browser, voice="alloy")
    browser.click("button")
    assert playing(browser) > 0
    assert browser.evaluate("document.getElementById('problem').textContent") == ""
    # The browser itself notes the 404; the page has nothing to add.
    assert [line for line in browser.complaints() if "404" not in line] == []


def test_voices_are_offered(page, server):
    """With OpenAI's names among them, once somebody is about to choose."""
    page.click("#voice")
    page.until("document.getElementById('voices').options.length > 100")
    offered = "[...document.getElementById('voices').options].map(option => option.value)"
    assert {"alloy", "en-us", "de"} <= set(page.evaluate(offered))


@pytest.mark.parametrize("stream", ["audio", "sse"])
def test_a_speech_that_fails_half_way_is_not_played(browser, stub, stream):
    """Nobody shall take the half for the whole."""
    browser.open(stub.base + "/docs")
    fill(browser, text="One two three. FAIL.", stream=stream)
    browser.click("button")
    said = problem(browser)
    assert ("asked to fail" if stream == "sse" else "broke off") in said


def test_a_server_that_is_gone_is_said(browser, start):
    server = start(engine="stub")
    browser.open(server.base + "/docs")
    server.stop()
    browser.click("button")
    assert "cannot be reached" in problem(browser)


def test_a_key_is_asked_for_and_taken(browser, start):
    server = start(engine="stub", api_keys="sesame")
    browser.open(server.base + "/docs")
    browser.click("button")
    assert "API key is missing" in problem(browser)
    fill(browser, key="sesame")
    browser.click("button")
    assert playing(browser) > 0


# --- for everybody --------------------------------------------------------------------------------


def test_every_control_has_a_name(page):
    """What a screen reader says of it."""
    roles = ("textbox", "searchbox", "combobox", "spinbutton", "button", "link", "form")
    found = {role: [] for role in roles}
    for node in page.call("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if role in found and not node.get("ignored"):
            found[role].append(node["name"]["value"])
    assert found["textbox"] == ["Text", "API key"]
    assert found["combobox"] == ["Voice", "Format", "Sent as"]
    assert found["spinbutton"] == ["Speed"]
    assert found["button"] == ["Speak"]
    assert found["form"] == ["Try it"]
    assert all(found["link"])


def test_it_works_without_a_mouse(page):
    """Tab goes through the form in the order one reads it, and shows where one is."""
    page.evaluate("document.getElementById('text').focus()")
    visited = []
    for _ in range(6):
        page.press("Tab", 9)
        visited.append(
            page.evaluate("document.activeElement.id || document.activeElement.textContent")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert visited == ["voice", "format", "stream", "speed", "key", "Speak"]
    page.evaluate("document.getElementById('text').focus()")
    page.press("Enter", 13, CONTROL)
    assert playing(page) > 0


FAINT = """
(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const over = (top, below) => {
    const alpha = top.length > 3 ? top[3] : 1;
    return [0, 1, 2].map(i => alpha * top[i] + (1 - alpha) * below[i]);
  };
  const ground = element => {
    const colour = parse(getComputedStyle(element).backgroundColor);
    const opaque = colour.length === 3 || !element.parentElement;
    return opaque ? colour : over(colour, ground(element.parentElement));
  };
  const light = colour => {
    const [r, g, b] = colour.map(c => c / 255).map(
      c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = element => {
    const below = ground(element);
    const one = light(over(parse(getComputedStyle(element).color), below)), two = light(below);
    return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  };
  document.getElementById("problem").textContent = "Something is wrong.";
  const own = element => [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  const shown = [...document.body.querySelectorAll("*")].filter(e => own(e) && e.checkVisibility());
  return {
    looked: shown.length,
    faint: shown.filter(e => contrast(e) < 4.5).map(e => e.outerHTML.slice(0, 100)),
    ground: light(ground(document.body)),
  };
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200], ids=["phone", "desktop"])
def test_it_can_be_read(page, server, width, scheme):
    """On a phone nothing is beyond the edge; by day and by night every text stands out."""
    mobile = width < 500
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=2,
        mobile=mobile,
    )
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    try:
        page.open(server.base + "/docs")
        found = page.evaluate(FAINT)
        assert found["looked"] > 100
        assert found["faint"] == []
        assert (found["ground"] > 0.5) == (scheme == "light")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        size = "parseFloat(getComputedStyle(document.getElementById('text')).fontSize)"
        assert page.evaluate(size) >= 14
    finally:
        page.call("Emulation.clearDeviceMetricsOverride")
        page.call("Emulation.setEmulatedMedia", features=[])


def test_it_shows_what_it_sends(page, server):
    """The form's request is the one that the documents describe."""
    fill(page, text=TEXT, voice="nova", format="flac", speed="1.5")
    page.click("button")
    playing(page)
    (sent,) = (
        event["params"]["request"]
        for event in page.events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["request"]["method"] == "POST"
    )
    answer = server.request("POST", "/v1/audio/speech", data=sent["postData"])
    wanted = speech_body(TEXT, voice="nova", response_format="flac", speed=1.5)
    assert answer.content == server.request("POST", "/v1/audio/speech", json=wanted).content
