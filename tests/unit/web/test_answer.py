"""A speech on its way out, and what becomes of it when something goes wrong."""

import base64
import errno
import json
from types import SimpleNamespace

import pytest

from auto_voice.errors import Cancelled, EngineCrashed
from auto_voice.utils.redaction import text_facts
from auto_voice.web.answer import Answer, Events


class Speech:
    """A speech of these pieces; an error among them is raised in its turn."""

    def __init__(self, *pieces):
        self._pieces = iter(pieces)
        self.closed = 0
        self.words = []
        self.voice = SimpleNamespace(engine="stub", id="en-us")
        self.format = SimpleNamespace(name="wav")
        self.stats = SimpleNamespace(queue_wait_s=0.001, first_audio_s=None)
        self.made = SimpleNamespace(audio_s=1.25)
        self.cache = "miss"
        self.outcome = "success"

    def __iter__(self):
        return self

    def __next__(self):
        piece = next(self._pieces)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def new_words(self):
        words, self.words = self.words, []
        return words

    def new_marks(self):
        return []

    def close(self):
        self.closed += 1


def answer(*pieces, events=False):
    facts = {}
    return Answer(Speech(*pieces), facts, "Hello", events), facts


def test_audio_passes_through():
    made, _ = answer(b"one", b"two")
    assert list(made) == [b"one", b"two"]


def test_an_error_hangs_up():
    """As a broken pipe, which the WSGI server takes as a reason to end without the last chunk."""
    made, facts = answer(b"one", EngineCrashed("it crashed"))
    assert next(made) == b"one"
    with pytest.raises(BrokenPipeError) as raised:
        next(made)
    assert raised.value.errno == errno.EPIPE
    assert facts["error"] == "engine_crashed"


def test_the_facts_are_noted_at_the_end():
    made, facts = answer(b"one")
    list(made)
    made.close()
    assert made.speech.closed == 1
    assert facts == {
        "engine": "stub",
        "voice": "en-us",
        "format": "wav",
        **text_facts("Hello"),
        "audio_s": 1.25,
        "cache": "miss",
        "outcome": "success",
        "queue_wait_ms": 1.0,
        "first_audio_ms": 0.0,
    }


def parsed(events):
    found = []
    for event in events:
        assert event.startswith(b"data: ") and event.endswith(b"\n\n")
        assert event.count(b"\n") == 2
        found.append(json.loads(event[6:]))
    return found


def test_events_carry_the_audio_and_end_with_the_usage():
    made, _ = answer(b"one", b"\0\xff", events=True)
    *deltas, done = parsed(Events(made, 7))
    assert [base64.b64decode(delta["audio"]) for delta in deltas] == [b"one", b"\0\xff"]
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 7, "output_tokens": 25, "total_tokens": 32},
    }


def test_an_error_is_the_last_event():
    made, facts = answer(b"one", EngineCrashed("it crashed"), events=True)
    delta, error = parsed(Events(made, 7))
    assert delta["type"] == "speech.audio.delta"
    assert error["type"] == "error"
    assert (error["error"]["code"], error["error"]["message"]) == ("engine_crashed", "it crashed")
    assert facts["error"] == "engine_crashed"


def test_nobody_is_sent_an_event_about_having_left():
    """The WSGI server takes it as a client's going, which is no error of ours."""
    made, facts = answer(b"one", Cancelled("gone"), events=True)
    events = Events(made, 7)
    next(events)
    with pytest.raises(BrokenPipeError):
        next(events)
    assert facts["error"] == "client_closed_request"


def test_closing_events_frees_the_place():
    made, _ = answer(b"one", b"two", events=True)
    events = Events(made, 7)
    next(events)
    events.close()
    assert made.speech.closed == 1
