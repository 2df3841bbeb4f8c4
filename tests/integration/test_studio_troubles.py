"""The studio when something is in the way: what it says, and what is left."""

import pytest

from tests.integration.looking import text, visible
from tests.integration.studio import Studio, browser

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

__all__ = ["browser"]

SLOW = "PAUSE. " * 400
"""The stub takes 20 s of time for it."""


@pytest.fixture
def studio(browser, stub):
    return Studio(browser, stub).open()


def speaks(studio):
    """Whether it can be heard now."""
    studio.until("window.due && playedS() > 0.05")
    return visible(studio.browser, "#problem") == []


def test_a_key_is_asked_for_and_kept_in_the_tab(browser, start):
    """Once; a wrong one is said to be wrong. It is in no storage that outlives the tab."""
    server = start(engine="stub", api_keys="sesame", public_listings="off")
    studio = Studio(browser, server).open()
    studio.until("!document.getElementById('access').hidden")
    for key in ("wrong", "sesame"):
        studio.fill(key, "#key")
        studio.click("#access button")
        studio.until("document.getElementById('access').hidden")
        studio.click("#speak")
        if key == "wrong":
            assert "invalid_api_key" in studio.problem
            studio.until("!document.getElementById('access').hidden")
    assert speaks(studio)
    studio.until("document.getElementById('voice-note').textContent.includes('en-us')")
    assert "sesame" not in studio.evaluate("JSON.stringify(localStorage)")
    studio.load()
    studio.click("#speak")
    assert speaks(studio)


def test_a_text_that_is_too_long_is_counted_and_refused(studio):
    """The count says it while one types; a character is what the server takes for one."""
    studio.fill("🙂" * 4096)
    assert text(studio.browser, "#count") == "4,096 of 4,096 characters"
    studio.fill("🙂" * 4100)
    assert text(studio.browser, "#count") == "4,100 of 4,096 characters: 4 too many"
    studio.click("#speak")
    said = studio.problem
    assert "The text is too long." in said and "input_too_long" in said
    assert visible(studio.browser, "#again") == []
    studio.fill("Short.")
    studio.click("#speak")
    assert speaks(studio)


def test_a_voice_that_is_gone_is_said(browser, stub):
    """With near matches, as the server knows them."""
    studio = Studio(browser, stub).open(voice="aloy")
    studio.click("#speak")
    said = studio.problem
    assert "voice_not_found" in said and "alloy" in said
    studio.state("idle")


def test_markup_that_cannot_be_read_is_said(studio):
    """Where it is wrong, too."""
    studio.click("#ssml")
    studio.fill("<speak>Hello <break")
    studio.click("#speak")
    assert "invalid_ssml" in studio.problem


def test_too_many_requests_wait_as_long_as_the_server_says(browser, start):
    """The next try is offered once it can succeed, and not before."""
    server = start(engine="stub", rate_limit="1/second")
    studio = Studio(browser, server).open(text="One.")
    studio.evaluate(
        "for (let i = 0; i < 3; i++) fetch('/v1/audio/speech', {method: 'POST', body: '{}'})"
    )
    studio.click("#speak")
    assert "rate_limit_exceeded" in studio.problem
    assert "Try again in" in text(browser, "#again")
    assert studio.evaluate("document.getElementById('again').disabled")
    studio.until("!document.getElementById('again').disabled")
    studio.click("#again")
    assert speaks(studio)


def test_a_server_that_dies_half_way_leaves_what_came(browser, start):
    """It is said that this is not all; what there is can be heard again."""
    server = start(engine="stub")
    studio = Studio(browser, server).open(text=SLOW)
    studio.click("#speak")
    studio.until("window.due && playedS() > 0.3")
    server.kill()
    assert "broke off" in studio.problem
    studio.state("ended")
    assert studio.evaluate("Number(document.getElementById('wave').ariaValueMax)") > 0
    studio.click("#wave")
    studio.state("playing")
    studio.state("ended")
    studio.click("#again")
    assert "cannot be reached" in studio.problem
    studio.until("document.getElementById('live').dataset.state === 'bad'")


def test_an_engine_that_fails_half_way_is_said(studio):
    """In its own words."""
    studio.fill("One two three. FAIL.")
    studio.click("#speak")
    assert "asked to fail" in studio.problem


def test_a_download_that_fails_is_said(studio):
    """And can be tried again from there."""
    studio.fill("FAIL.")
    studio.click("#save-audio")
    assert "engine_failed" in studio.problem
    assert text(studio.browser, "#saved") == ""


def test_the_server_is_seen_live(browser, start):
    """Idle, speaking, about to stop."""
    server = start(engine="stub")
    studio = Studio(browser, server).open(text=SLOW)
    studio.shows("#live", "Ready, idle")
    studio.click("#speak")
    studio.shows("#live", "Ready, speaking 1")
    studio.press("Escape")
    server.stop()
    studio.shows("#live", "cannot be reached")
