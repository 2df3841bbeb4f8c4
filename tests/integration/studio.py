"""The studio in a real browser: what one does there, and what comes out of the loudspeaker."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy
import pytest

from tests.integration.browser import Browser
from tests.integration.looking import look_as_usual, text
from tests.integration.serving import Server

RATE_HZ = 24_000
HEARD_S = 32_768 / RATE_HZ
"""How far back the loudspeaker can be listened to."""
CONTROL, SHIFT = 2, 8

# Listens to whatever goes to the loudspeaker, and notes when the first sound of it was due.
TAP = """
{
  const {connect} = AudioNode.prototype, {start} = AudioBufferSourceNode.prototype;
  const taps = new Map();
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode) {
      if (!taps.has(this.context)) taps.set(this.context, {
        whole: new AnalyserNode(this.context, {fftSize: 32768}),
        last: new AnalyserNode(this.context, {fftSize: 256}),
      });
      window.tap = taps.get(this.context);
      for (const tap of Object.values(window.tap)) connect.call(this, tap);
      window.due = null;
    }
    return connect.call(this, to, ...more);
  };
  AudioBufferSourceNode.prototype.start = function (when, ...more) {
    window.due ??= when;
    return start.call(this, when, ...more);
  };
  const samples = (node, count) => {
    const found = new Float32Array(count);
    node.getFloatTimeDomainData(found);
    return [...found];
  };
  window.heard = () => samples(window.tap.whole, 32768);
  window.isSilent = () => samples(window.tap.last, 256).every(sample => sample === 0);
  window.playedS = () => {
    const {currentTime, outputLatency} = window.tap.whole.context;
    return currentTime - outputLatency - window.due;
  };
}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One whose loudspeaker can be listened to."""
    made = Browser(tmp_path_factory.mktemp("browser"))
    made.call("Page.addScriptToEvaluateOnNewDocument", source=TAP)
    yield made
    made.close()


def samples_of(answer):
    return numpy.frombuffer(answer.content, "<i2") / 32768


def place_of(heard, made):
    """The index in ``made`` at which ``heard`` begins, by the loudest of its last samples."""
    some = heard[-20_000:-64]
    loud = len(heard) - 20_000 + int(numpy.argmax(numpy.abs(some)))
    assert abs(heard[loud]) > 0.05
    places = numpy.lib.stride_tricks.sliding_window_view(made, 64)
    (found,) = numpy.flatnonzero((places == heard[loud : loud + 64]).all(axis=1))[:1]
    return int(found) - loud


class Studio:
    """The page of one server."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.browser = browser
        self.server = server
        self.evaluate = browser.evaluate
        self.until = browser.until

    def open(self, key: Optional[str] = None, **kept: Any) -> "Studio":
        """Load the page, as somebody who was there before if something is ``kept``."""
        look_as_usual(self.browser)
        self.browser.open(self.server.base + "/docs")  # the same origin, for what it keeps
        self.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.browser.call("Network.clearBrowserCookies")
        if kept:
            state = json.dumps(json.dumps(kept))
            self.evaluate(f"localStorage.setItem('autovoice-studio', {state})")
        if key:
            self.evaluate(f"sessionStorage.setItem('autovoice-key', {json.dumps(key)})")
        return self.load()

    def load(self) -> "Studio":
        self.browser.open(self.server.base + "/")
        self.until("document.body.dataset.state || document.getElementById('count').textContent")
        return self

    # --- what one does --------------------------------------------------------------------------

    def click(self, selector: str) -> None:
        self.browser.click(selector)

    def fill(self, words: str, selector: str = "#text") -> None:
        """Type into a field, in place of what is there."""
        self.click(selector)
        self.browser.type(words)

    def select(self, selector: str, value: str) -> None:
        """Choose from a list; a closed one cannot be clicked from here."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(
            f"{found}.value = {json.dumps(value)};"
            f"{found}.dispatchEvent(new Event('input', {{bubbles: true}}));"
            f"{found}.dispatchEvent(new Event('change', {{bubbles: true}}))"
        )

    def press(self, key: str, modifiers: int = 0) -> None:
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "End": 35, "Home": 36}
        arrows = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        code = {**codes, **arrows}[key]
        if key == "Enter" and not modifiers:
            # The character is what sends a form, or presses a button.
            for kind, typed in (("keyDown", {"text": "\r"}), ("keyUp", {})):
                about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
                self.browser.call("Input.dispatchKeyEvent", type=kind, **about, **typed)
        else:
            self.browser.press(key, code, modifiers)

    def tab(self, name: str) -> None:
        self.click(f"#tab-{name}")

    # --- what is there then ---------------------------------------------------------------------

    def shows(self, selector: str, wanted: str) -> str:
        """Wait until this can be read there, and return all that can."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.until(f"{found}.checkVisibility() && {found}.innerText.includes({json.dumps(wanted)})")
        return text(self.browser, selector)

    def state(self, wanted: str) -> None:
        self.until(f"document.body.dataset.state === {json.dumps(wanted)}")

    @property
    def problem(self) -> str:
        """What the page says is wrong, once it says so."""
        self.until("!document.getElementById('problem').hidden")
        return text(self.browser, "#problem")

    def focused(self) -> str:
        found: str = self.evaluate("document.activeElement.id")
        return found

    def sent(self, path: str = "/v1/audio/speech") -> List[Dict[str, Any]]:
        """The bodies that the page has sent there."""
        return [
            json.loads(event["params"]["request"]["postData"])
            for event in list(self.browser.events)
            if event["method"] == "Network.requestWillBeSent"
            and event["params"]["request"]["url"].endswith(path)
            and "postData" in event["params"]["request"]
        ]


def downloads_to(browser: Browser, folder: Path) -> None:
    """Save what is downloaded there, without a question."""
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
