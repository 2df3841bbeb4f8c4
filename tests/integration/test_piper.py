"""A server with voices of Piper: small ones, generated for these tests."""

import pytest

from tests import voices

LONG = "This is one sentence that goes on and on, and never comes to its end, or so it seems."


@pytest.fixture(scope="module")
def server(start_for_module):
    return start_for_module(
        engine="piper", engine_workers=1, voice_dir=str(voices.folder()), cache="off"
    )


def test_a_short_sentence_is_sent_whole(server):
    answer = server.speak("Hello there.", voice="en-us")
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_long_sentence_is_sent_while_it_is_spoken(server):
    """And is the same each time."""
    assert len(LONG) > 80
    answer = server.speak(LONG, voice="en-us", response_format="pcm")
    assert "Content-Length" not in answer.headers
    events = server.speak(LONG, voice="en-us", response_format="pcm", stream_format="sse")
    assert events.text.count("speech.audio.delta") > 2
    again = server.speak(LONG, voice="en-us", response_format="pcm")
    assert again.content == answer.content
