"""A server with voices of Piper: small ones, generated for these tests."""

import base64

import pytest

from tests import voices
from tests.integration.serving import events

SHORT = "One sentence, long enough for several pieces, that is sent whole when done."
LONG = "This is one sentence that goes on and on, and never comes to its end, or so it seems."


@pytest.fixture(scope="module")
def server(start_for_module):
    return start_for_module(
        engine="piper", engine_workers=1, voice_dir=str(voices.folder()), cache="off"
    )


def test_a_short_sentence_is_sent_whole(server):
    answer = server.speak(SHORT, voice="en-us")
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_long_sentence_is_sent_while_it_is_spoken(server):
    """And is the same each time."""
    assert len(LONG) > 80
    answer = server.speak(LONG, voice="en-us", response_format="pcm")
    assert "Content-Length" not in answer.headers
    told = server.speak(LONG, voice="en-us", response_format="pcm", stream_format="sse")
    assert told.text.count("speech.audio.delta") > 2
    again = server.speak(LONG, voice="en-us", response_format="pcm")
    assert again.content == answer.content


@pytest.mark.parametrize("text", [SHORT, LONG])
@pytest.mark.parametrize("options", [{}, {"timestamps": "word"}])
def test_what_is_sent_in_pieces_has_the_bytes_of_the_whole(server, text, options):
    """Whoever compares them, or has one of them in a cache, sees no difference."""
    whole = server.speak(text, voice="en-us", response_format="pcm").content
    answer = server.speak(
        text, voice="en-us", response_format="pcm", stream_format="sse", **options
    )
    audio = [event["audio"] for event in events(answer) if event["type"] == "speech.audio.delta"]
    assert b"".join(map(base64.b64decode, audio)) == whole
