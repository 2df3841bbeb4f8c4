"""A session of AutoVoice's own protocol, message by message."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_voice.errors import AutoVoiceError, RateLimited
from auto_voice.web.websocket.contract import Limits
from tests.examples import examples
from tests.unit.web.talking import LIMITS, talking

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
kinds = st.sampled_from(
    [
        "session.config",
        "input.text",
        "input.flush",
        "input.cancel",
        "input.done",
        "session.close",
        "audio.done",
    ]
)
any_message = st.one_of(
    st.text(max_size=60),
    any_json.map(json.dumps),
    st.builds(
        lambda kind, fields: json.dumps({**fields, "type": kind}),
        kinds,
        st.dictionaries(
            st.sampled_from(["text", "voice", "speed", "timestamps", "response_format", "ssml"]),
            any_json | st.sampled_from(["Yes. No. ", "pcm", "wav", "word", "alloy", "FAIL. "]),
            max_size=4,
        ),
    ),
    st.text(max_size=30).map(lambda text: json.dumps({"type": "input.text", "text": text})),
)


@pytest.mark.slow
@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(messages=st.lists(any_message, max_size=12))
def test_no_message_does_harm(service, messages):
    """Whatever comes, the answers are events that exist, and every utterance has one end."""
    with talking(service) as talk:
        for message in messages:
            if talk.is_open:
                talk.send_text(message)
                talk.run()
        for kind, fields in (
            ("input.cancel", {}),
            ("input.text", {"text": "Still here. "}),
            ("session.close", {}),
        ):
            if talk.is_open:
                talk.send(kind, **fields)
        talk.until("session.done")
        known = {"audio.start", "audio.timestamps", "audio.done", "session.done", "error"}
        assert {event["type"] for event in talk.events()} <= known
        ends = [event["utterance"] for event in talk.of("audio.done")]
        assert ends == sorted(set(ends)) == list(range(len(ends)))
        begun = {event["utterance"] for event in talk.of("audio.start")}
        assert begun <= set(ends)
        assert all(event["code"] != AutoVoiceError.code for event in talk.of("error"))
        assert talk.wire.close_code == 1000


def test_one_character_at_a_time_is_one_sentence(service):
    """Typing pauses in the middle of words; a pause after "example." ends nothing at once."""
    with talking(service) as talk:
        for char in "Look at example.":
            talk.send("input.text", text=char)
        talk.run(0.1)
        for char in "com now":
            talk.send("input.text", text=char)
        talk.send("input.done")
        talk.until("audio.done")
        assert [start["text"] for start in talk.of("audio.start")] == ["Look at example.com now"]


def test_a_new_paragraph_begins_after_a_pause(service):
    """As in a text that comes as a whole."""
    lengths = []
    for between in (" ", "\n\n"):
        with talking(service) as talk:
            talk.send("input.text", text=f"One two.{between}Three.")
            talk.send("input.done")
            talk.until("audio.done")
            lengths.append(talk.of("audio.done")[0]["duration_ms"])
    assert lengths[1] - lengths[0] == 250


def test_markup_is_one_document_up_to_a_flush(service):
    """It cannot be understood before its end."""
    with talking(service) as talk:
        talk.send("session.config", ssml=True)
        talk.send("input.text", text="<speak>One. ")
        talk.send("input.text", text="Two.</speak>")
        talk.run(0.05)
        assert talk.events() == []
        talk.send("input.done")
        talk.until("audio.done")
        assert len(talk.of("audio.start") + talk.of("error")) == 1


def test_an_utterance_that_may_not_be_is_left_out(service):
    """All of it, also what is written after the refusal; the next one is tried anew."""
    with talking(service) as talk:
        talk.refusal = RateLimited("Too many.", retry_after_s=1)
        talk.send("input.text", text="One. Two. Th")
        talk.until("error")
        talk.refusal = None
        talk.send("input.text", text="ree. Four. ")
        talk.send("input.done")
        talk.send("input.text", text="Five.")
        talk.send("input.done")
        talk.until("audio.done", 2)
        assert len(talk.of("error")) == 1
        assert [start["text"] for start in talk.of("audio.start")] == ["Five."]


def test_what_waits_for_a_slow_client_is_not_made(service):
    """The next sentence is begun when the one before has nearly been taken."""
    with talking(service) as talk:
        talk.link.pause_writing()
        sentence = "word " * 70 + "end. "
        talk.send("input.text", text=sentence * 8)
        talk.send("input.done")
        one = 71 * 0.075 * 48000
        talk.wait_for(lambda: talk.link.backlog > 0.9 * one, "a sentence")
        for _ in range(20):
            talk.run(0.01)
        assert 0.9 * one < talk.link.backlog < 1.5 * one
        assert talk.events() == []
        talk.link.resume_writing()
        talk.until("audio.done")
        assert len(talk.audio) == pytest.approx(8 * one, rel=0.05)


def test_cancel_drops_what_waits_for_a_slow_client(service):
    """And says how each utterance ended, also one whose last audio had been made."""
    with talking(service) as talk:
        talk.link.pause_writing()
        for text in ("One.", "Two. Three."):
            talk.send("input.text", text=text)
            talk.send("input.done")
        for _ in range(20):
            talk.run(0.01)
        talk.link.resume_writing()
        done = talk.until("audio.done", 2)
        assert all(not each["cancelled"] for each in talk.of("audio.done")), done
    with talking(service) as talk:
        talk.link.pause_writing()
        for text in ("One.", "Two. Three."):
            talk.send("input.text", text=text)
            talk.send("input.done")
        for _ in range(20):
            talk.run(0.01)
        talk.send("input.cancel")
        assert [each["utterance"] for each in talk.of("audio.done")] == [0, 1]
        assert all(each["cancelled"] for each in talk.of("audio.done"))
        talk.link.resume_writing()
        talk.run(0.05)
        assert talk.audio == b""


def test_a_client_that_takes_nothing_is_cut_off(service):
    """After the time that is set, and not before."""
    with talking(service, limits=LIMITS._replace(stall_s=5.0)) as talk:
        talk.wire.blocked = 100
        talk.link.tick(1000.0)
        talk.link.tick(1004.0)
        assert not talk.wire.aborted
        talk.wire.blocked = 99  # it has taken something
        talk.link.tick(1006.0)
        talk.link.tick(1010.0)
        assert not talk.wire.aborted
        talk.link.tick(1012.0)
        assert talk.wire.aborted


def test_who_answers_no_ping_is_gone(service):
    """A connection that died without a word is noticed by that."""
    with talking(service, limits=Limits(65_536, idle_s=1e9, stall_s=30.0)) as talk:
        now = talk.link._pinged
        talk.link.tick(now + 19)
        talk.link.tick(now + 21)
        talk.send_bytes(b"\x8a\x80\0\0\0\0")  # a pong
        talk.link._heard = now + 22
        talk.link.tick(now + 42)
        assert not talk.wire.aborted
        talk.link.tick(now + 63)
        assert talk.wire.aborted


def test_too_many_texts_at_once_are_refused(service):
    """Each takes some memory, however short it is."""
    with talking(service) as talk:
        talk.link.pause_writing()
        for _ in range(70):
            talk.send("input.done")
        assert {error["code"] for error in talk.of("error")} == {"overloaded"}
        assert all(error["retryable"] for error in talk.of("error"))
