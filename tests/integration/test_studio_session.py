"""The studio finds what it was left with on whichever server it is opened."""

import pytest

from tests.integration.browser import Browser
from tests.integration.redis_server import shared
from tests.integration.serving import until
from tests.integration.studio import Studio

pytestmark = [pytest.mark.needs("chromium", "redis-server"), pytest.mark.slow]

__all__ = ["shared"]


@pytest.fixture
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.close()


def test_text_settings_and_recent_texts_are_there_on_another_server(browser, start, shared):
    """Which the browser has kept nothing for: to it, another port is another origin."""
    settings = {"engine": "stub", "redis_url": shared.url, "redis_wait_ms": 1000}
    one, other = start(**settings), start(**settings)
    studio = Studio(browser, one).open()
    studio.fill("First this.")
    studio.click("#speak")
    studio.state("ended")
    studio.fill("Then that.")
    studio.click("#normalize")
    until(
        lambda: any(
            b"Then that." in shared.client.get(key)
            for key in shared.client.scan_iter("autovoice:1:session:*")
        ),
        "the server keeps it",
    )
    elsewhere = Studio(browser, other).load()
    elsewhere.until("document.getElementById('text').value === 'Then that.'")
    assert elsewhere.evaluate("document.getElementById('normalize').checked") is False
    elsewhere.tab("recent")
    elsewhere.shows("#recent", "First this.")
    elsewhere.click("#recent button")
    elsewhere.until("document.getElementById('text').value === 'First this.'")
    elsewhere.click("#forget")
    until(lambda: not list(shared.client.scan_iter("autovoice:1:session:*")), "it is forgotten")
    elsewhere.load()
    assert elsewhere.evaluate("document.getElementById('recent').children.length") == 0
    assert browser.complaints() == []
