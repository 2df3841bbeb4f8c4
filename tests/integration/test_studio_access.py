"""The studio for everybody: without a mouse, without sight, on a phone, by night."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from tests.integration.browser import Browser
from tests.integration.looking import DESK, PHONE, assert_legible, look, look_as_usual
from tests.integration.studio import CONTROL, SHIFT, Studio

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

TEXT = "Good morning, everybody. " * 30
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture
def studio(browser, server):
    """The page, which in the end has complained of nothing."""
    yield Studio(browser, server).open(text=TEXT)
    assert browser.complaints() == []
    look_as_usual(browser)


@pytest.fixture(scope="module")
def axe():
    """Deque's checker of accessibility, out of a package that brings it along."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or not package.submodule_search_locations:
        assert sys.version_info < (3, 11) or "CI" not in os.environ, "the tools are installed in CI"
        pytest.skip("axe-core is among the tools, which need a newer Python")
    return (Path(package.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


def show_playing(studio):
    studio.click("#speak")
    studio.until("!document.querySelector('#mirror mark').hidden")


def show_voices(studio):
    studio.until("document.getElementById('variant').options.length > 50")
    studio.click("#voice")
    studio.until("document.querySelectorAll('[role=option]').length > 100")


def show_plan(studio):
    studio.click("#ssml")
    studio.fill('<speak>The <sub alias="World Wide Web">WWW</sub>. And so on.</speak>')
    studio.tab("plan")
    studio.shows("#plan", "World Wide Web")


def show_words(studio):
    studio.tab("words")
    studio.fill("Nguyen", "#entry-word")


def show_problem(studio):
    studio.evaluate("document.getElementById('access').hidden = false")
    studio.fill("x" * 5000)
    studio.evaluate("document.getElementById('problem').hidden = false")
    studio.evaluate("document.getElementById('problem-title').textContent = 'Too long.'")
    studio.evaluate("document.getElementById('again').hidden = false")


SIGHTS = {
    "fresh": lambda studio: None,
    "playing": show_playing,
    "voices": show_voices,
    "plan": show_plan,
    "words": show_words,
    "code": lambda studio: studio.tab("code"),
    "problem": show_problem,
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_axe_finds_nothing(studio, browser, axe, sight, scheme):
    """Names, roles, contrast, order: of every sight that the page has."""
    look(browser, DESK, scheme)
    SIGHTS[sight](studio)
    browser.evaluate(axe + ";0")
    options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found = browser.evaluate(
        f"axe.run(document, {json.dumps(options)}).then(found => ({{"
        " passed: found.passes.length,"
        " violations: found.violations.map("
        "  one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 200)).join(' | '))"
        "}))"
    )
    assert found["passed"] > 20
    assert found["violations"] == []


@pytest.mark.parametrize("sight", SIGHTS)
def test_it_can_be_read(studio, browser, tmp_path, sight):
    """On desk and phone (or a desk at 400 %), by day and by night, and nothing is cut off."""
    SIGHTS[sight](studio)
    assert_legible(browser, tmp_path, sight)


def test_it_works_without_a_mouse(studio):
    """Tab goes through it in the order one reads it, and shows where one is."""
    studio.until("document.getElementById('variant').options.length > 50")
    studio.evaluate("document.getElementById('text').focus()")
    visited = []
    for _ in range(14):
        studio.press("Tab")
        visited.append(studio.focused())
        assert studio.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert visited[:4] == ["pick", "wave", "speak", "voice"]
    assert visited[4:10] == ["variant", "speed", "pitch", "lexicon", "normalize", "ssml"]
    assert visited[10:] == ["tab-download", "panel-download", "format", "save-audio"]
    studio.press("Tab", SHIFT)
    assert studio.focused() == "format"


def test_a_voice_is_found_with_the_keyboard(studio):
    """As ARIA's practices say: typing narrows down, arrows go through, Enter takes, Escape not."""
    studio.until("document.getElementById('variant').options.length > 50")
    studio.evaluate("document.getElementById('voice').focus()")
    browser, voice = studio.browser, "document.getElementById('voice')"
    browser.type("portugues")  # an accent may be left out
    active = f"document.getElementById({voice}.getAttribute('aria-activedescendant'))?.textContent"
    assert studio.evaluate(f"{voice}.getAttribute('aria-expanded')") == "true"
    first = studio.evaluate(active)
    assert "Portuguese" in first
    studio.press("ArrowDown")
    second = studio.evaluate(active)
    assert "Portuguese" in second and second != first
    studio.press("ArrowUp")
    assert studio.evaluate(active) == first
    studio.press("Escape")
    assert studio.evaluate(f"{voice}.value") == "Alloy"
    assert studio.evaluate(f"{voice}.getAttribute('aria-expanded')") == "false"
    browser.type("portugues")
    studio.press("ArrowDown")
    studio.press("Enter")
    assert second.startswith(studio.evaluate(f"{voice}.value"))
    assert studio.focused() == "voice"


def test_a_speech_begins_and_ends_with_the_keyboard(studio):
    """From wherever one is; the state is announced, the words are not one by one."""
    studio.evaluate("document.getElementById('pitch').focus()")
    studio.press("Enter", CONTROL)
    studio.state("playing")
    assert "Speaking" in studio.shows("#told", "Speaking")
    assert studio.evaluate("document.getElementById('told').getAttribute('role')") == "status"
    assert studio.evaluate("!!document.getElementById('mirror').closest('[aria-hidden=true]')")
    studio.press("Escape")
    studio.state("idle")


def test_tabs_answer_to_arrows(studio):
    studio.evaluate("document.getElementById('tab-download').focus()")
    studio.press("ArrowRight")
    assert studio.focused() == "tab-plan"
    assert not studio.evaluate("document.getElementById('panel-plan').hidden")
    studio.press("End")
    assert studio.focused() == "tab-recent"
    studio.press("ArrowRight")
    assert studio.focused() == "tab-download"
    assert studio.evaluate("document.getElementById('panel-recent').hidden")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_marked_page_lies_exactly_under_the_text(studio, browser, width):
    """Where lines broke otherwise, the light would be on another word."""
    look(browser, width)
    studio.fill("Some  words and\ta verylongword" + "x" * 200 + "\n\nnew lines, 🙂.\n")
    boxes = browser.evaluate(
        "['text', 'mirror'].map(id => {"
        " const {x, y, width, height} = document.getElementById(id).getBoundingClientRect();"
        " return [x, y, width, height]; })"
    )
    assert boxes[0] == boxes[1]
    fits = "(text => text.scrollHeight <= text.clientHeight)(document.getElementById('text'))"
    assert browser.evaluate(fits)


def test_a_long_text_is_followed(studio, browser):
    """The word that is heard is in sight, and nothing moves smoothly for whom that is too much."""
    calm = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.call("Emulation.setEmulatedMedia", features=[calm])
    studio.fill("One more line.\n" * 60)
    studio.evaluate("document.getElementById('sheet').scrollTop = 0")
    studio.click("#speak")
    studio.until("Number(document.getElementById('wave').ariaValueMax) > 40")
    studio.evaluate("document.getElementById('wave').focus()")
    for _ in range(3):
        studio.press("PageUp")
    studio.until("document.getElementById('sheet').scrollTop > 100")
    inside = (
        "((w, s) => w.top >= s.top && w.bottom <= s.bottom)("
        "document.querySelector('mark').getBoundingClientRect(),"
        "document.getElementById('sheet').getBoundingClientRect())"
    )
    studio.until(f"!document.querySelector('mark').hidden && {inside}")
    studio.press("Escape")
