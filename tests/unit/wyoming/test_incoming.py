"""Whatever a client sends is an event, the end, or an error; and never much memory."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.event import Event
from wyoming.tts import Synthesize, SynthesizeVoice

from auto_voice.errors import BodyTooLarge, InvalidJSON, InvalidRequest
from auto_voice.wyoming import incoming
from auto_voice.wyoming.incoming import Chunk, Start, VoiceWanted, Whole, read_event, understood

MAX_DATA = 1000


def read(*pieces, hung_up=True):
    """All events of what a client sends in these pieces, before it hangs up."""

    async def reading():
        reader = asyncio.StreamReader(limit=incoming.MAX_HEADER_BYTES)
        for piece in pieces:
            reader.feed_data(piece)
        if hung_up:
            reader.feed_eof()
        events = []
        while True:
            event = await asyncio.wait_for(read_event(reader, MAX_DATA), 10)
            if event is None:
                return events
            events.append(event)

    return asyncio.run(reading())


def sent(event, payload=b""):
    """An event as the package sends it: its data after the header."""
    data = json.dumps(event.data).encode()
    header = {"type": event.type, "version": "1.8.0", "data_length": len(data)}
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps(header).encode() + b"\n" + data + payload


def test_events_come_as_they_were_sent():
    first = Synthesize("Hello.", SynthesizeVoice(name="de", speaker="f3")).event()
    assert read(sent(first), sent(Event("ping"))) == [first, Event("ping")]


def test_data_may_be_in_the_header_and_after_it():
    """The latter counts, as in the package."""
    both = b'{"type": "x", "data": {"a": 1, "b": 1}, "data_length": 8}\n{"b": 2}'
    assert read(both) == [Event("x", {"a": 1, "b": 2})]


def test_a_payload_is_passed_over():
    payload = b'{"type": "not an event"}\n' * 10_000
    events = read(sent(Event("audio-chunk", {"rate": 1}), payload), sent(Event("ping")))
    assert [event.type for event in events] == ["audio-chunk", "ping"]


def test_an_event_may_come_in_any_pieces():
    whole = sent(Synthesize("Hällo.").event(), b"xyz")
    assert len(read(*(whole[at : at + 1] for at in range(len(whole))))) == 1


@pytest.mark.parametrize("length", range(1, 60, 7))
def test_an_event_that_breaks_off_is_none(length):
    assert read(sent(Synthesize("Hello.").event())[:-length]) == []


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n",
        b"[]\n",
        b'"describe"\n',
        b"{}\n",
        b'{"type": 7}\n',
        b'{"type": "x", "data": []}\n',
        b'{"type": "x", "data_length": -1}\n',
        b'{"type": "x", "data_length": "7"}\n',
        b'{"type": "x", "payload_length": -1}\n',
        b'{"type": "x", "data_length": 2}\n[]',
        b'{"type": "x", "data_length": 2}\n\xff\xff',
    ],
)
def test_what_is_no_event_is_told(data):
    with pytest.raises(InvalidJSON):
        read(data)


def test_deep_nesting_harms_nobody():
    """How deep is too deep for JSON's decoder depends on the Python."""
    deep = b'{"type": "x", "data": ' + b'{"text":' * 7_000 + b"1" + b"}" * 7_001 + b"\n"
    with pytest.raises(InvalidRequest):
        understood(*read(deep), Chunk)


@pytest.mark.parametrize(
    "header",
    [
        {"type": "synthesize", "data_length": MAX_DATA + 1},
        {"type": "synthesize", "data_length": 1 << 30},
        {"type": "audio-chunk", "payload_length": 1 << 30},
        {"type": "audio-chunk", "payload_length": 1 << 62},
    ],
)
def test_a_length_past_the_limit_is_refused_before_anything_of_it_comes(header):
    """The client is still sending, and nobody waits for it."""
    with pytest.raises(BodyTooLarge):
        read(json.dumps(header).encode() + b"\n", hung_up=False)


def test_a_header_without_an_end_is_refused():
    with pytest.raises(BodyTooLarge):
        read(b'{"type": "' + b"x" * (incoming.MAX_HEADER_BYTES + 1), hung_up=False)


@given(st.lists(st.binary(max_size=80) | st.just(b"\n") | st.just(b'{"type": "x"}\n')))
def test_no_bytes_are_too_strange(pieces):
    try:
        events = read(*pieces)
    except InvalidRequest:
        return
    assert all(isinstance(event, Event) for event in events)


@pytest.mark.parametrize(
    ("data", "kind", "meaning"),
    [
        ({"text": "Hello."}, Whole, Whole(text="Hello.")),
        (
            {"text": "x", "voice": {"name": "de", "speaker": "f3"}, "text_format": "ssml"},
            Whole,
            Whole(text="x", voice=VoiceWanted("de", None, "f3"), text_format="ssml"),
        ),
        ({"voice": {"language": "en"}, "context": {"a": 1}}, Start, Start(VoiceWanted(None, "en"))),
        ({"voice": None}, Start, Start()),
        ({"text": ""}, Chunk, Chunk("")),
    ],
)
def test_data_is_understood(data, kind, meaning):
    assert understood(Event("x", data), kind) == meaning


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({}, Whole),
        ({"text": None}, Whole),
        ({"text": 7}, Chunk),
        ({"voice": "en"}, Start),
        ({"voice": {"name": ["en"]}}, Start),
    ],
)
def test_data_of_another_kind_is_told(data, kind):
    with pytest.raises(InvalidRequest, match="synthesize: "):
        understood(Event("synthesize", data), kind)
