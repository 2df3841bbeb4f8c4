"""The studio in a real browser: what is typed is heard while it is made, and can be followed."""

import numpy
import pytest

from tests.integration.serving import until
from tests.integration.studio import (
    CONTROL,
    HEARD_S,
    RATE_HZ,
    Studio,
    browser,
    place_of,
    samples_of,
)

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

__all__ = ["browser"]

TEXT = (
    "Good morning, everybody. It is 12° 🙂 and the sun shines on all of us. Nobody knows how long "
    "it will, so make the best of it. In the afternoon there may be rain."
)
SLOW = "PAUSE. " * 400
"""The stub takes 20 s of time for it."""


@pytest.fixture
def studio(browser, server):
    """The page, which in the end has complained of nothing and asked no other machine."""
    yield Studio(browser, server).open()
    assert browser.complaints() == []
    own = (server.base + "/", "blob:" + server.base + "/", "data:")
    assert [url for url in browser.requests() if not url.startswith(own)] == []


@pytest.fixture
def slow(browser, stub):
    return Studio(browser, stub).open()


def test_the_loudspeaker_gets_every_sample_without_a_gap(studio, server):
    """What comes out, over many pieces, is what the server made: no sample more, none less."""
    studio.fill(TEXT)
    studio.click("#speak")
    studio.until(f"window.due && playedS() > {HEARD_S + 0.1}")
    heard = numpy.array(studio.evaluate("heard()"))
    made = samples_of(server.speak(TEXT, response_format="pcm"))
    begin = place_of(heard, made)
    assert numpy.array_equal(heard, made[begin : begin + len(heard)])


def test_it_is_heard_before_it_is_made(slow):
    """A long text plays while the server is at its first sentences."""
    slow.fill(SLOW)
    slow.click("#speak")
    slow.until("window.due && playedS() > 0.1 && !isSilent()")
    assert slow.server.get("/v1/status").json()["queue"]["in_progress"] == 1
    slow.press("Escape")


def test_the_word_that_lights_up_is_the_one_that_is_heard(studio, server):
    """From the first to the last; beyond characters that JavaScript counts twice, too."""
    studio.fill(TEXT)
    studio.click("#speak")
    seen = studio.evaluate("""new Promise(done => {
             const seen = [];
             const look = () => {
               const {state} = document.body.dataset;
               const mark = document.querySelector("#mirror mark");
               const at = mark.hidden ? null : mark.previousSibling.data.length;
               if (window.due && state === "playing") seen.push([playedS(), at, mark.textContent]);
               if (state === "ended") done(seen); else requestAnimationFrame(look);
             };
             look();
           })""")
    asked = {"response_format": "pcm", "timestamps": "word"}
    words = server.speak(TEXT, **asked).json()["words"]
    units = {len(TEXT[: word["char_start"]].encode("utf-16-le")) // 2: word for word in words}
    assert len(words) > 25 and any(place != units[place]["char_start"] for place in units)
    lit = [(1000 * time, units[at], shown) for time, at, shown in seen if at is not None]
    in_turn = [word for _, word, _ in lit]
    assert [one for one, before in zip(in_turn, [None, *in_turn]) if one != before] == words
    for time_ms, word, shown in lit:
        assert shown == word["word"]
        assert word["start_ms"] - 50 <= time_ms <= word["end_ms"] + 350
    for time, at, _ in seen:
        heard = [word for word in words if word["start_ms"] + 50 < 1000 * time < word["end_ms"]]
        assert heard in ([], [units.get(at)])
    assert studio.evaluate("document.querySelector('#mirror mark').hidden"), "the end is dark"


@pytest.mark.serial
def test_an_interruption_is_silent_within_a_fifth_of_a_second(slow):
    """And the server's place is free for somebody else."""
    slow.fill(SLOW)
    slow.click("#speak")
    slow.until("window.due && playedS() > 0.3")
    slow.evaluate("""{
          let pressed = 0, loud = 0;
          addEventListener("keydown", () => { pressed = performance.now(); }, {capture: true});
          const look = () => {
            const now = performance.now();
            if (!isSilent()) loud = now;
            if (pressed && now - pressed > 500) window.silentMs = Math.max(0, loud - pressed);
            else setTimeout(look, 2);
          };
          look();
        }""")
    slow.press("Escape")
    assert slow.until("window.silentMs !== undefined && {ms: window.silentMs}")["ms"] < 200
    free = lambda: slow.server.get("/v1/status").json()["queue"]["in_progress"] == 0  # noqa: E731
    until(free, "the place is free", 2)
    slow.state("idle")


def test_pause_and_go_on(studio):
    """Time stands still meanwhile, and nothing is lost."""
    studio.fill(TEXT)
    studio.click("#speak")
    studio.until("window.due && playedS() > 0.5")
    studio.click("#speak")
    studio.state("paused")
    assert studio.evaluate("document.getElementById('speak').innerText.trim()") == "Go on"
    studio.until("tap.whole.context.state === 'suspended'")
    lit = studio.evaluate("document.querySelector('#mirror mark').textContent")
    place = studio.evaluate("playedS()")
    studio.click("#speak")
    studio.state("playing")
    studio.until(f"playedS() > {place} + 0.2")
    assert lit


def test_one_can_go_to_any_place(studio, server):
    """With the mouse on the waveform, and with the keys of a slider."""
    studio.fill(TEXT)
    studio.click("#speak")
    studio.until("document.getElementById('wave').getAttribute('aria-valuemax') > 8")
    studio.click("#wave")  # its middle
    half = studio.evaluate("document.getElementById('wave').getAttribute('aria-valuemax') / 2")
    now = "Number(document.getElementById('wave').getAttribute('aria-valuenow'))"
    assert int(half) - 1 <= studio.evaluate(now) <= half + 3, "it is there at once"
    studio.until("playedS() > 1")
    heard, second = studio.evaluate(f"[heard(), {now}]")
    made = samples_of(server.speak(TEXT, response_format="pcm"))
    end_s = (place_of(numpy.array(heard), made) + len(heard)) / RATE_HZ
    assert second - 0.1 <= end_s < second + 1.3
    studio.press("Home")
    studio.until(f"{now} <= 1")
    studio.press("PageUp")
    studio.until(f"{now} >= 8")
    studio.press("End")
    studio.state("ended")


def test_the_same_again_is_not_asked_for_again(studio):
    """It is there already; another speed is another speech."""
    studio.fill("Yes.")
    studio.press("Enter", CONTROL)
    studio.state("ended")
    studio.click("#speak")
    studio.state("playing")
    studio.state("ended")
    assert len(studio.sent()) == 1
    studio.click("#speed")
    studio.press("ArrowRight")
    studio.press("Enter", CONTROL)
    studio.state("playing")
    assert [body["speed"] for body in studio.sent()][0] == 1
    assert len(studio.sent()) == 2


def test_a_change_is_heard_at_the_next_press(slow):
    """While the old one still plays: the button speaks what is on screen, not what was."""
    slow.fill(SLOW)
    slow.click("#speak")
    slow.shows("#speak", "Pause")
    slow.click("#pitch")
    slow.press("ArrowRight")
    slow.shows("#speak", "Speak")
    slow.click("#speak")
    slow.shows("#speak", "Pause")
    assert [body.get("pitch", 1) for body in slow.sent()] == [1, 1.05]
    slow.press("Escape")


def test_what_is_set_is_what_is_sent(studio):
    """Voice, variant, speed, pitch and how the text is to be read."""
    studio.until("document.getElementById('variant').options.length > 50")
    studio.fill("deutsch", "#voice")
    studio.press("Enter")
    studio.until("[...document.getElementById('variant').options].some(o => o.value === 'f3')")
    studio.select("#variant", "f3")
    studio.click("#pitch")
    studio.press("End")
    studio.click("#normalize")
    studio.click("#ssml")
    studio.fill("<speak>Guten Tag.</speak>")
    studio.press("Enter", CONTROL)
    studio.state("ended")
    assert studio.sent() == [
        {
            "input": "<speak>Guten Tag.</speak>",
            "voice": "de+f3",
            "speed": 1,
            "pitch": 2,
            "ssml": True,
            "normalize": False,
            "response_format": "pcm",
            "stream_format": "sse",
            "timestamps": "word",
        }
    ]


def test_words_stay_dark_in_a_text_that_was_changed(studio):
    """Times belong to the text that is spoken; in another one they would point anywhere."""
    studio.fill(TEXT)
    studio.click("#speak")
    studio.until("!document.querySelector('#mirror mark').hidden")
    studio.fill("Something else.")
    assert studio.evaluate("document.querySelector('#mirror mark').hidden")
    studio.until("playedS() > 1.5")
    assert studio.evaluate("document.querySelector('#mirror mark').hidden")
    studio.press("Escape")


def test_nothing_is_lost_on_reload(studio):
    """Text, voice and settings are there again; forgotten is forgotten."""
    studio.until("document.getElementById('variant').options.length > 50")
    studio.fill(TEXT)
    studio.fill("nova", "#voice")
    studio.press("Enter")
    studio.click("#pitch")
    studio.press("Home")
    studio.until("JSON.parse(localStorage['autovoice-studio'] || '{}').pitch === 0.5")
    studio.load()
    assert studio.evaluate("document.getElementById('text').value") == TEXT
    assert studio.evaluate("document.getElementById('pitch-reset').textContent") == "0.5×"
    studio.until("document.getElementById('voice').value === 'Nova'")
    studio.click("#forget")
    studio.load()
    assert studio.evaluate("document.getElementById('text').value") != TEXT
