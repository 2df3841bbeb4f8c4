"""AutoVoice's WebSocket as a client sees it: a text is heard while it is written."""

import base64
import json
import socket
import time

import pytest
from websockets.exceptions import InvalidStatus

from auto_voice.audio.formats import FORMATS
from tests.integration.serving import SENTENCE, TEXT, until
from tests.integration.talking import STREAM, Talker
from tests.unit.audio.sound import decode

WORDS = "Good morning, Dr. Smith. Is it 3.5 or 4? I do not know yet. So be it"


@pytest.fixture
def talker(server):
    with Talker(server) as made:
        yield made


def test_a_sentence_sounds_as_over_rest(talker, server):
    """The protocol changes nothing about the samples."""
    talker.say(SENTENCE)
    heard = talker.hear()
    rest = server.speak(SENTENCE, response_format="pcm").content
    assert heard.audio == rest
    (start,) = heard.of("audio.start")
    assert start == {
        "type": "audio.start",
        "utterance": 0,
        "sentence_index": 0,
        "text": SENTENCE,
        "format": "pcm",
        "sample_rate": 24000,
    }
    assert heard.done["cancelled"] is False
    assert heard.done["duration_ms"] == round(1000 * len(rest) / 48000)


def test_a_sentence_is_heard_before_the_next_is_written(talker):
    """The first word of the next sentence shows that this one is over."""
    for word in ("Is", " Dr", ". Smith", " in? ", "I"):
        talker.send("input.text", text=word)
    before = talker.until("audio")
    assert before[0]["text"] == "Is Dr. Smith in?"
    talker.send("input.text", text=" will wait.")
    talker.send("input.done")
    heard = talker.hear()
    assert [event["text"] for event in heard.of("audio.start")] == ["I will wait."]


def test_a_sentence_that_clearly_ends_waits_for_nothing(talker):
    """Its client need not say that it is over."""
    talker.send("input.text", text="Hello there.")
    assert talker.until("audio")[0]["text"] == "Hello there."


def test_what_may_go_on_waits_until_it_is_flushed(talker):
    """An abbreviation is no end; a flush is one, though the utterance goes on."""
    talker.send("input.text", text="I met Dr.")
    with pytest.raises(TimeoutError):
        talker.next(0.3)
    talker.send("input.flush")
    assert talker.until("audio")[0]["text"] == "I met Dr."
    talker.say(" Who?")
    heard = talker.hear()
    assert [event["text"] for event in heard.of("audio.start")] == ["Who?"]
    assert heard.done["utterance"] == 0


def test_utterances_follow_each_other(talker):
    """Each has its number and its end, and they come in the order in which they were written."""
    for _ in range(3):
        talker.say(TEXT)
    for number in range(3):
        heard = talker.hear()
        assert heard.done["utterance"] == number
        starts = heard.of("audio.start")
        assert {start["utterance"] for start in starts} == {number}
        assert [start["sentence_index"] for start in starts] == list(range(4))
        assert " ".join(start["text"] for start in starts) == TEXT


def test_an_utterance_without_text_has_an_end(talker):
    """Whoever waits for one end for each `input.done` does not wait in vain."""
    talker.send("input.done")
    assert talker.next() == {
        "type": "audio.done",
        "utterance": 0,
        "cancelled": False,
        "duration_ms": 0,
    }


def test_words_are_timed_within_the_whole_utterance(talker):
    """Offsets are into all that the client wrote, times into all that it hears."""
    talker.send("session.config", timestamps="word")
    for at in range(0, len(WORDS), 5):
        talker.send("input.text", text=WORDS[at : at + 5])
    talker.send("input.done")
    heard = talker.hear()
    words = heard.words
    assert [WORDS[word["char_start"] : word["char_end"]] for word in words] == [
        word["word"] for word in words
    ]
    assert [words[0]["word"], words[-1]["word"]] == ["Good", "it"]
    assert len(words) >= 15
    times = [time_ms for word in words for time_ms in (word["start_ms"], word["end_ms"])]
    assert times == sorted(times)
    assert 0 <= times[0] and times[-1] <= heard.done["duration_ms"]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_each_utterance_is_a_file_of_its_own(talker, name):
    """Whatever the format, and however many sentences there are."""
    for _ in range(2):
        talker.say(TEXT, response_format=name)
        heard = talker.hear()
        assert {start["format"] for start in heard.of("audio.start")} == {name}
        length_s = heard.done["duration_ms"] / 1000
        if name == "pcm":
            assert len(heard.audio) / 48000 == pytest.approx(length_s, abs=0.001)
            continue
        # Opus has but one rate inside.
        rate = 48000 if name == "opus" else heard.of("audio.start")[0]["sample_rate"]
        assert len(decode(heard.audio, name)) / rate == pytest.approx(length_s, abs=0.15)


def test_a_configuration_holds_for_what_follows(talker):
    """Half the pace takes longer; another rate has other samples."""
    talker.say(SENTENCE)
    usual = talker.hear()
    talker.say(SENTENCE, speed=0.5, sample_rate=16000, voice="en-gb")
    slow = talker.hear()
    assert slow.done["duration_ms"] > 1.5 * usual.done["duration_ms"]
    assert slow.of("audio.start")[0]["sample_rate"] == 16000
    assert len(slow.audio) == pytest.approx(32 * slow.done["duration_ms"], abs=32)


def test_cancel_silences_at_once(stub):
    """The user interrupts: nothing more of what was written is heard, and its place is free."""
    with Talker(stub) as talker:
        talker.send("input.text", text="PAUSE " * 60 + "one. " + "Two two two. " * 40)
        talker.send("input.done")
        talker.send("input.text", text="And one more.")
        until(lambda: stub.in_progress() == 1, "it is being spoken")
        began = time.monotonic()
        talker.send("input.cancel")
        events = [talker.next(), talker.next()]
        assert time.monotonic() - began < 0.1
        assert [event["utterance"] for event in events] == [0, 1]
        assert all(event["type"] == "audio.done" and event["cancelled"] for event in events)
        until(lambda: stub.in_progress() == 0, "its place is free", 1.5)
        talker.say("Now this.")
        heard = talker.hear()
        assert [start["text"] for start in heard.of("audio.start")] == ["Now this."]
        assert heard.done == {
            "type": "audio.done",
            "utterance": 2,
            "cancelled": False,
            "duration_ms": 150,
        }


def test_cancel_drops_what_the_client_has_not_taken(server):
    """What waits for a client that reads slowly is not sent after it has interrupted."""
    with Talker(server) as talker:
        talker.send("session.config", sample_rate=48000)
        talker.send("input.text", text="A sentence that is neither short nor long. " * 90)
        talker.send("input.done")
        talker.until("audio")
        time.sleep(0.5)  # the sockets' buffers fill
        talker.send("input.cancel")
        heard = talker.hear()
        assert heard.done["cancelled"]
        assert len(heard.audio) < heard.done["duration_ms"] * 96


def test_session_close_ends_with_what_was_written(talker):
    """What is queued is said, then goodbye."""
    talker.send("input.text", text=TEXT)
    talker.send("session.close")
    heard = talker.hear()
    assert len(heard.of("audio.start")) == 4
    assert talker.next() == {"type": "session.done"}
    assert talker.close_code() == 1000


def test_a_client_that_goes_frees_its_place(stub):
    """Nobody is spoken to who does not listen."""
    talker = Talker(stub)
    talker.send("input.text", text="PAUSE " * 60)
    talker.send("input.flush")
    until(lambda: stub.in_progress() == 1, "it is being spoken")
    talker.ws.socket.shutdown(socket.SHUT_RDWR)
    until(lambda: stub.in_progress() == 0, "its place is free", 1.5)


@pytest.mark.parametrize(
    "config, code, param",
    [
        ({"voice": "nobody"}, "voice_not_found", None),
        ({"response_format": "midi"}, "invalid_value", "response_format"),
        ({"response_format": "opus", "sample_rate": 44100}, "invalid_value", "sample_rate"),
        ({"speed": 9}, "invalid_value", "speed"),
        ({"pitch": "high"}, "invalid_value", "pitch"),
        ({"timestamps": "char"}, "invalid_value", "timestamps"),
    ],
)
def test_a_wrong_configuration_is_refused(talker, config, code, param):
    """The session goes on as it was."""
    talker.send("session.config", **config)
    error = talker.error()
    assert error["code"] == code
    assert error["retryable"] is False
    if param:
        assert error["param"] == param
    talker.say(SENTENCE)
    assert talker.hear().audio


@pytest.mark.parametrize(
    "message, code",
    [
        ("nonsense", "invalid_json"),
        ("[]", "invalid_value"),
        ("{}", "invalid_value"),
        ('{"type": "input.song"}', "invalid_value"),
        ('{"type": 1}', "invalid_value"),
        ('{"type": "input.text"}', "invalid_value"),
        ('{"type": "input.text", "text": 5}', "invalid_value"),
        ('{"type": "input.text", "text": "\\ud800"}', "invalid_json"),
        ("[" * 40 + "]" * 40, "invalid_json"),
    ],
)
def test_a_wrong_message_is_an_error_and_no_end(talker, message, code):
    """It is told, and the next message is understood."""
    talker.ws.send(message)
    assert talker.error()["code"] == code
    talker.say("Yes.")
    assert talker.hear().audio


def test_a_configuration_comes_between_utterances(talker):
    """In the middle of one it would be unclear what it is for."""
    talker.send("input.text", text="So far")
    talker.send("session.config", speed=2)
    assert talker.error()["code"] == "wrong_order"
    talker.send("input.done")
    talker.hear()
    talker.send("session.config", speed=2)
    talker.say("Faster.")
    assert talker.hear().audio


def test_text_waits_only_up_to_the_limit(start):
    """What would be too much is refused as a whole, and may come later."""
    server = start(max_input_chars=100)
    with Talker(server) as talker:
        talker.send("input.text", text="word " * 19)
        talker.send("input.text", text="some more")
        error = talker.error()
        assert (error["code"], error["retryable"]) == ("input_too_long", True)
        talker.send("input.done")
        heard = talker.hear()
        assert heard.of("audio.start")[0]["text"] == ("word " * 19).strip()
        talker.send("input.text", text="x" * 101)
        assert talker.error()["retryable"] is False


def test_a_sentence_that_fails_is_left_out(start):
    """The rest of the utterance is spoken, and the error says what is missing."""
    server = start(engine="stub", engine_workers=1)
    with Talker(server) as talker:
        talker.say("One two. FAIL now. Three four.")
        heard = talker.hear()
        (error,) = heard.of("error")
        assert (error["code"], error["sentence_index"]) == ("engine_failed", 1)
        assert [start["sentence_index"] for start in heard.of("audio.start")] == [0, 2]
        assert heard.done["cancelled"] is False
    errors = server.get("/v1/status").json()["errors"]
    assert [(each["code"], each["route"]) for each in errors] == [("engine_failed", STREAM)]


# --- who may --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(start_for_module):
    return start_for_module(engine="stub", api_keys="alice:open-sesame-123", log_level="DEBUG")


def refused(server, path=STREAM, **options):
    with pytest.raises(InvalidStatus) as caught:
        Talker(server, path, **options)
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"]["code"]


def key_as_subprotocol(key):
    return "key." + base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def test_a_key_opens_it_as_everything_else(guarded):
    """In any of the places where clients can put it; it is never sent back, nor logged."""
    key = "open-sesame-123"
    for header in (("Authorization", f"Bearer {key}"), ("X-API-Key", key), ("xi-api-key", key)):
        with Talker(guarded, additional_headers=[header]) as talker:
            talker.say("Yes.")
            assert talker.hear().audio
    wanted = ["autovoice", key_as_subprotocol(key)]
    with Talker(guarded, subprotocols=wanted) as talker:
        assert talker.ws.subprotocol == "autovoice"
        assert key_as_subprotocol(key) not in str(talker.ws.response.headers)
    assert refused(guarded) == (401, "invalid_api_key")
    assert refused(guarded, subprotocols=["autovoice", key_as_subprotocol("no")])[0] == 401
    assert refused(guarded, subprotocols=["autovoice", "key.!"])[0] == 401
    assert refused(guarded, f"{STREAM}?api_key={key}")[0] == 401
    output = guarded.output()
    assert key not in output and key_as_subprotocol(key) not in output


def test_a_key_in_the_url_is_taken_where_that_is_set(start):
    """Proxies log URLs, so it is off unless somebody wants it."""
    server = start(engine="stub", api_keys="open-sesame-123", websocket_key_in_url="on")
    with Talker(server, f"{STREAM}?api_key=open-sesame-123") as talker:
        talker.say("Yes.")
        assert talker.hear().audio
    assert refused(server, f"{STREAM}?api_key=wrong")[0] == 401
    assert "open-sesame-123" not in server.output()


def test_pages_from_elsewhere_may_not(stub, guarded, start):
    """Without keys, any page could use a server that only its visitor can reach."""
    elsewhere = "https://evil.example"
    assert refused(stub, origin=elsewhere) == (403, "origin_not_allowed")
    assert refused(stub, origin="null")[0] == 403
    with Talker(stub, origin=f"http://127.0.0.1:{stub.port}") as talker:
        talker.say("Yes.")
        assert talker.hear().audio
    # Whoever has a key was given it.
    with Talker(guarded, origin=elsewhere, additional_headers={"X-API-Key": "open-sesame-123"}):
        pass
    listed = start(engine="stub", websocket_origins="https://good.example, https://other.example")
    with Talker(listed, origin="https://other.example"):
        pass
    assert refused(listed, origin=f"http://127.0.0.1:{listed.port}")[0] == 403


def test_utterances_count_for_the_rate_limit(start):
    """Each is as much as a request; one too many is refused, and the session goes on."""
    server = start(engine="stub", rate_limit="2/hour")
    with Talker(server) as talker:
        for _ in range(2):
            talker.say("Yes. And no.")
            assert talker.hear().audio
        talker.say("One too many. It is not said. Not at all.")
        heard = talker.hear()
        (error,) = heard.of("error")
        assert (error["code"], error["retryable"]) == ("rate_limit_exceeded", True)
        assert heard.audio == b""
    assert server.speak().status_code == 429


def test_there_is_room_for_so_many(start):
    """One more is told to come again; when one goes, there is room."""
    server = start(engine="stub", websocket_max_sessions=2)
    with Talker(server), Talker(server) as second:
        assert refused(server) == (503, "overloaded")
        assert server.metric("autovoice_websocket_connections_active") == 2
        second.ws.close()
        until(lambda: server.metric("autovoice_websocket_connections_active") == 1, "one has gone")
        with Talker(server):
            pass
    assert server.metric("autovoice_websocket_connections_total", outcome="overloaded") == 1


# --- what an operator sees ------------------------------------------------------------------------


def test_everything_is_counted_and_nothing_is_told(start):
    """One line for the session, one for each utterance; the text is in none."""
    server = start(engine="stub", log_level="DEBUG")
    with Talker(server, additional_headers={"X-Request-ID": "my-session"}) as talker:
        talker.say("Secretly whispered.")
        heard = talker.hear()
        talker.send("session.config", speed=99)
        talker.error()
        talker.send("session.close")
        assert talker.close_code() == 1000

    def lines():
        return [line for line in server.log() if line["logger"] == "auto_voice.websocket"]

    until(lambda: len(lines()) == 2, "both lines are there")
    utterance, session = lines()
    assert utterance["request_id"] == session["request_id"] == "my-session"
    assert utterance["outcome"] == "success"
    assert utterance["characters"] == len("Secretly whispered.")
    assert utterance["audio_s"] == heard.done["duration_ms"] / 1000
    assert session["close_code"] == 1000
    assert (session["messages"], session["utterances"]) == (4, 1)
    assert server.access_line("my-session")["status"] == 101
    assert "whispered" not in server.output()

    def count(event, direction):
        name = "autovoice_websocket_events_total"
        return server.metric(name, event=event, direction=direction)

    assert count("input.text", "in") == count("input.done", "in") == 1
    assert count("session.config", "in") == count("session.close", "in") == 1
    assert count("audio.start", "out") == count("audio.done", "out") == 1
    assert count("audio", "out") >= 1
    assert count("session.done", "out") == count("error", "out") == 1
    name = "autovoice_websocket_event_errors_total"
    assert server.metric(name, event="session.config", reason="invalid") == 1
    assert server.metric("autovoice_websocket_disconnects_total", reason="client") == 1
    assert server.metric("autovoice_websocket_connections_total", outcome="accepted") == 1
    first = "autovoice_synthesis_first_audio_seconds_count"
    assert server.metric(first, transport="websocket") == 1


def test_a_silent_session_is_closed_after_a_while(start):
    """And one that speaks is not."""
    server = start(engine="stub", websocket_idle_s=1)
    with Talker(server) as talker:
        began = time.monotonic()
        assert talker.close_code() == 1000
        assert 0.9 < time.monotonic() - began < 3
    until(
        lambda: server.metric("autovoice_websocket_disconnects_total", reason="timeout") == 1,
        "it is counted",
    )
