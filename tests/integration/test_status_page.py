"""The page at /status in a real browser: live figures, and nothing that leaves the host."""

import contextlib
import re
import signal
import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.browser import Browser
from tests.integration.looking import (
    PHONE,
    assert_legible,
    look,
    look_as_usual,
    rows,
    text,
    visible,
)
from tests.integration.serving import AUTOVOICE, SPEECH, kill, until

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

STRANGE = re.compile(r"NaN|Infinity|undefined|null|\[object|∞")
"""What a page shows whose author forgot that there may be nothing to show."""
# Instead of the page's clock: timers go off when the test says so.
TIMERS = """
const timers = new Map();
let count = 0;
window.setTimeout = (then, after) => { timers.set(++count, [then, after]); return count; };
window.clearTimeout = number => timers.delete(number);
window.pending = () => [...timers.values()].map(([, after]) => after);
window.fire = () => { for (const [number, [then]] of timers) { timers.delete(number); then(); } };
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


@pytest.fixture
def page(browser):
    """Opens a server's page, which in the end has asked no other machine for anything."""
    bases = []

    def begin(server):
        bases.append(server.base)
        browser.open(server.base + "/status")
        return browser

    yield begin
    assert [url for url in browser.requests() if not url.startswith((bases[-1], "data:"))] == []
    assert STRANGE.search(text(browser)) is None
    look_as_usual(browser)
    browser.open("about:blank")  # else it would go on asking


def has_figures(page):
    page.until("document.querySelector('#figures').checkVisibility()")


def shows(page, selector, wanted):
    until(lambda: text(page, selector) == wanted, f"{selector} is {wanted!r}")


# --- figures --------------------------------------------------------------------------------------


@contextlib.contextmanager
def load(server):
    """Requests of each kind, and such as the cache answers, for as long as it takes."""
    enough = threading.Event()

    def run():
        while not enough.wait(0.02):
            server.speak("The first sentence. The second.")
            server.speak("The first sentence. The second.")
            server.speak("FAIL")
            server.speak(voice="nobody")
            server.get("/nothing")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


def told(server, name, label):
    """What /metrics says of each value of a label, where it says anything."""
    quiet = ("/health", "/health/live", "/health/ready", "/metrics", "/v1/status")
    found = {}
    for family in text_string_to_metric_families(server.get("/metrics").text):
        for sample in family.samples:
            named = sample.name == f"autovoice_{name}" and sample.labels.get("route") not in quiet
            if named and sample.value:
                key = sample.labels[label]
                found[key] = found.get(key, 0) + int(sample.value)
    return found


def told_statuses(server):
    """HTTP requests by the kind of their status, without those of machines that ask often."""
    found = {}
    for code, count in told(server, "http_requests_total", "code").items():
        found[f"{code[0]}xx"] = found.get(f"{code[0]}xx", 0) + count
    return found


def shown(page, name):
    """The same since the start, as the page shows it."""
    found = rows(page, f'[data-list="{name}"] > tr')
    return {row[0]: int(row[2].replace(",", "")) for row in found}


def milliseconds(words):
    value, unit = re.fullmatch(r"([\d.]+) (ms|s)", words).groups()
    return float(value) * {"ms": 1, "s": 1000}[unit]


def test_the_figures_are_those_of_the_metrics(start, page, tmp_path):
    """They move while requests come; then they say what /metrics says."""
    server = start(engine="stub", engine_workers=1)
    page = page(server)
    has_figures(page)
    with load(server):
        for least in (0, 10):
            until(lambda: shown(page, "outcomes").get("success", 0) > least, "the page moves")
        page.until("document.querySelector('#plot-speech path[d*=H]') !== null")
        assert_legible(page, tmp_path, "busy")
    # Of the last request an answer may be here before it is counted.
    until(
        lambda: shown(page, "outcomes") == told(server, "synthesis_requests_total", "outcome")
        and shown(page, "statuses") == told_statuses(server),
        "the page agrees with the metrics",
    )
    assert set(shown(page, "outcomes")) == {"success", "error", "invalid"}
    cache = told(server, "cache_requests_total", "result")
    ratio = 100 * cache["hit"] / sum(cache.values())
    since_start = text(page, '[data-show="cache.hit_ratio_since_start"]')
    assert abs(float(since_start.rstrip(" %")) - ratio) <= 0.5
    assert 0 < float(text(page, "#hit-ratio").rstrip(" %")) < 100
    p50, p95 = (milliseconds(text(page, selector)) for selector in ("#p50", "#p95"))
    assert 0 < p50 <= p95 < 1000
    assert float(text(page, "#rate")) > 0
    assert text(page, "#state") == "Ready"
    assert page.complaints() == []


def test_the_last_errors_are_shown_as_text(start, page):
    """Whatever is in them; with the id that finds them in the log."""
    server = start(engine="stub", engine_workers=1)
    long_id = "x" * 128
    server.speak("FAIL", headers={"X-Request-ID": "the-failure"})
    for number in range(12):
        server.get("/nothing", headers={"X-Request-ID": f"{number}"})
    server.speak(voice="nobody", headers={"X-Request-ID": long_id})
    page = page(server)
    has_figures(page)
    look(page, PHONE)
    found = rows(page, "#errors tbody tr")
    assert len(found) == 10
    assert found[0][1:] == ["404", "voice_not_found", f"POST {SPEECH}", long_id]
    assert found[1][1:] == ["404", "not_found", "GET <unmatched>", "11"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert text(page, "#more") == "Show all 14"
    page.click("#more")
    found = rows(page, "#errors tbody tr")
    assert found[-1][1:] == ["500", "engine_failed", f"POST {SPEECH}", "the-failure"]
    assert "FAIL" not in text(page, "#errors")
    assert page.complaints() == []


def test_without_traffic_nothing_strange_is_shown(start, page, tmp_path):
    page = page(start(engine="stub"))
    has_figures(page)
    assert_legible(page, tmp_path, "idle")
    assert [text(page, each) for each in ("#rate", "#p50", "#p95", "#hit-ratio")] == [
        "0",
        "–",
        "–",
        "–",
    ]
    assert text(page, "#no-errors") == "None since the start."
    assert visible(page, "#gpus", "#errors", "#access", "#notice", "#forget") == []
    assert page.complaints() == []


# --- the server's state ---------------------------------------------------------------------------


def test_a_server_that_goes_away_and_comes_back_is_noticed(start, page):
    """The page says so by itself, recovers by itself, and begins again where the server does."""
    server = start(engine="stub", engine_workers=1)
    for number in range(20):
        server.speak(f"{number}")
    page = page(server)
    has_figures(page)
    until(lambda: shown(page, "outcomes") == {"success": 20}, "all are counted")
    server.stop()
    shows(page, "#state", "No answer")
    assert "has not answered since" in text(page, "#notice")
    assert page.evaluate("document.title").startswith("No answer")
    again = start(engine="stub", command=[AUTOVOICE, "serve", "--port", str(server.port)])
    shows(page, "#state", "Ready")
    assert "was restarted" in text(page, "#notice")
    assert shown(page, "outcomes") == {"success": 0}
    assert text(page, "#rate") == "0"
    again.speak("Once.")
    until(lambda: shown(page, "outcomes") == {"success": 1}, "it counts on")


def test_a_server_that_drains_is_seen_to(start, page):
    server = start(engine="stub", engine_workers=1)
    page = page(server)
    has_figures(page)
    answer = server.speak("One. " + "PAUSE " * 400, stream=True)
    next(answer.iter_content(1000))
    kill(server.process.pid, signal.SIGTERM)
    shows(page, "#state", "Draining")
    assert "takes no new requests" in text(page, "#notice")
    assert "fail not draining the server is stopping" in text(page, "#figures")
    answer.close()


# --- access ---------------------------------------------------------------------------------------


def enter(page, key):
    page.click("#key")
    page.type(key)
    page.click("#access button")


def test_where_keys_are_configured_one_is_asked_for(start, page, tmp_path):
    """Without one nothing is shown, nor asked of the server."""
    server = start(engine="stub", api_keys="me:sesame")
    page = page(server)
    page.until("document.querySelector('#access').checkVisibility()")
    assert_legible(page, tmp_path, "locked")
    assert page.requests()[0] == f"{server.base}/status"
    assert not [url for url in page.requests() if "/v1/" in url]
    assert visible(page, "#figures", "#facts", "#pause", "#forget") == []
    enter(page, "wrong")
    shows(page, "#why", "This key is not valid. Another one?")
    assert visible(page, "#figures") == []
    enter(page, " sesame ")
    has_figures(page)
    assert visible(page, "#access") == []


def test_the_key_stays_in_its_tab_until_it_is_forgotten(start, page):
    """In no cookie, in nothing that other tabs see, in no address."""
    server = start(engine="stub", api_keys="me:sesame")
    opened = page(server)
    enter(opened, "sesame")
    has_figures(opened)
    page(server)
    has_figures(opened)
    assert opened.evaluate("[document.cookie, localStorage.length]") == ["", 0]
    assert not [url for url in opened.requests() if "sesame" in url]
    opened.click("#forget")
    opened.until("document.querySelector('#access').checkVisibility()")
    assert opened.evaluate("sessionStorage.length") == 0
    assert visible(opened, "#figures") == []
    assert opened.complaints() == []


# --- for everybody --------------------------------------------------------------------------------


def test_whoever_pauses_it_is_left_alone(stub, browser, page):
    """For reading, for copying, and for those whom movement disturbs."""
    script = browser.call("Page.addScriptToEvaluateOnNewDocument", source=TIMERS)
    try:
        page(stub)
        has_figures(browser)

        def asked():
            return sum("/v1/status" in url for url in browser.requests())

        browser.until("pending().join() === '2000'")
        for count in (2, 3):
            browser.evaluate("fire()")
            browser.until("pending().join() === '2000'")
            assert asked() == count
        browser.click("#pause")
        assert browser.evaluate("document.querySelector('#pause').ariaPressed") == "true"
        assert browser.evaluate("pending()") == []
        browser.click("#pause")
        browser.until("pending().join() === '2000'")
        assert asked() == 4
    finally:
        browser.call("Page.removeScriptToEvaluateOnNewDocument", **script)


def test_every_control_has_a_name(stub, page):
    """What a screen reader says of it; and tables stay tables where they look like lists."""
    stub.get("/nothing")
    page = page(stub)
    has_figures(page)
    look(page, PHONE)
    found = {}
    for node in page.call("Accessibility.getFullAXTree")["nodes"]:
        if not node.get("ignored"):
            role = node.get("role", {}).get("value")
            found.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert found["button"][0] == "Pause"
    assert all(found["button"]) and all(found["link"])
    assert found["heading"] == [
        "AutoVoice",
        "Speech requests",
        "Time to first audio",
        "Outcomes",
        "Queue",
        "Engine and health",
        "Cache",
        "Last errors",
    ]
    assert {"time", "status", "error", "request", "request id"} <= set(found["columnheader"])
    assert "not_found" in found["cell"]


def test_a_foreign_script_on_the_page_does_not_run(stub, page):
    """Should markup ever get in, the browser itself stops it."""
    page = page(stub)
    has_figures(page)
    before = stub.metric("autovoice_http_requests_total", route="<unmatched>")
    page.evaluate("""new Promise(done => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'taken over'";
          const image = document.createElement("img");
          image.onload = image.onerror = done;
          image.src = "/taken-over.png";
          document.body.append(script, image);
        }).then(() => 0)""")
    complaints = until(lambda: len(page.complaints()) >= 2 and page.complaints(), "it objects")
    assert all("Content Security Policy" in line for line in complaints)
    assert page.evaluate("document.title") == "Ready – AutoVoice status"
    assert stub.metric("autovoice_http_requests_total", route="<unmatched>") == before
