"""A server that stops lets its WebSockets end with what they are saying."""

import signal
import time

import pytest
from websockets.exceptions import InvalidStatus

from tests.integration.serving import kill, until
from tests.integration.talking import Talker


def terminate(server):
    kill(server.process.pid, signal.SIGTERM)
    until(lambda: server.get("/health/ready").status_code == 503, "it is about to stop")


def test_what_is_being_said_is_finished(start):
    """Then the server says that it goes; whoever is silent is told at once."""
    server = start(engine="stub", drain_s=20)
    with Talker(server) as silent, Talker(server) as talker:
        talker.send("input.text", text="PAUSE " * 30 + "one. ")
        talker.send("input.flush")
        until(lambda: server.in_progress() == 1, "it is being spoken")
        terminate(server)
        assert silent.close_code() == 1001
        with pytest.raises(InvalidStatus) as caught:
            Talker(server)
        assert caught.value.response.status_code == 503
        talker.say("And two.")
        heard = talker.hear()
        assert [start["text"][-4:] for start in heard.of("audio.start")] == ["one.", "two."]
        assert heard.done["cancelled"] is False
        assert talker.close_code() == 1001
    assert server.process.wait(timeout=20) == 0
    assert server.troubles() == []


def test_no_new_utterance_begins(start):
    """It would hold up the end."""
    server = start(engine="stub", drain_s=20)
    with Talker(server) as talker:
        talker.say("PAUSE " * 30 + "one.")
        until(lambda: server.in_progress() == 1, "it is being spoken")
        terminate(server)
        talker.send("input.text", text="Another one.")
        error = talker.error()
        assert (error["code"], error["retryable"]) == ("draining", True)
        assert talker.hear().done["cancelled"] is False
        assert talker.close_code() == 1001
    assert server.process.wait(timeout=20) == 0


def test_nobody_holds_it_up_for_longer_than_is_allowed(start):
    """What has not ended by then is cut off."""
    server = start(engine="stub", drain_s=1)
    with Talker(server) as talker:
        talker.say("PAUSE " * 60 + "one. " + "PAUSE " * 60)
        until(lambda: server.in_progress() == 1, "it is being spoken")
        terminate(server)
        began = time.monotonic()
        assert talker.close_code() == 1001
        assert server.process.wait(timeout=20) == 0
        assert time.monotonic() - began < 4


def test_a_text_that_nobody_goes_on_with_counts_as_finished(start):
    """A client that has stopped in the middle is waited for a moment only."""
    server = start(engine="stub", drain_s=20)
    with Talker(server) as talker:
        talker.send("input.text", text="This has no end")
        until(lambda: server.metric("autovoice_websocket_events_total", event="input.text"), "came")
        terminate(server)
        assert talker.close_code() == 1001
    assert server.process.wait(timeout=8) == 0


def test_the_code_may_say_that_another_server_is_there(start):
    """Behind a proxy that has switched already, clients need not wait before they come back."""
    server = start(engine="stub", drain_s=20, websocket_close_code="1012")
    with Talker(server) as silent:
        terminate(server)
        assert silent.close_code() == 1012
