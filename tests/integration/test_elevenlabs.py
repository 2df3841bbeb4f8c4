"""The WebSocket for ElevenLabs' clients, in the messages that these send and expect."""

import base64
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.serving import until
from tests.integration.talking import ELEVENLABS, Talker
from tests.unit.audio.sound import decode

TEXT = "The first sentence is here. And a second one, too! "


def stream(server, voice="alloy", query="", **options):
    return Talker(server, ELEVENLABS.format(voice=voice) + query, **options)


def send(talker, **fields):
    talker.ws.send(json.dumps(fields))


def rest(talker):
    """All messages to the end, which is a proper one."""
    messages = []
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            messages.append(json.loads(talker.ws.recv(timeout=30)))
    assert caught.value.rcvd.code == 1000
    assert messages[-1]["isFinal"] is True
    return messages[:-1]


def test_a_text_is_spoken_as_their_clients_write_it(server):
    """The generator of their own client sends word by word, with a space at the end."""
    with stream(server, query="?model_id=eleven_flash_v2&output_format=pcm_16000") as talker:
        settings = {"stability": 0.5, "similarity_boost": 0.8, "use_speaker_boost": False}
        send(talker, text=" ", voice_settings=settings, generation_config={})
        for word in TEXT.split():
            send(talker, text=word + " ", try_trigger_generation=True)
        send(talker, text="")
        messages = rest(talker)
    audio = b"".join(base64.b64decode(each["audio"]) for each in messages if each["audio"])
    assert len(audio) / 32000 == pytest.approx(3.5, abs=1.5)
    chars, starts, durations = [], [], []
    for message in messages:
        alignment = message["alignment"]
        if alignment:
            chars += alignment["chars"]
            starts += alignment["charStartTimesMs"]
            durations += alignment["charDurationsMs"]
    assert TEXT.startswith("".join(chars))
    assert "".join(chars).endswith("too")
    assert len(chars) == len(starts) == len(durations)
    assert starts == sorted(starts)
    assert all(duration >= 0 for duration in durations)
    assert starts[-1] + durations[-1] <= len(audio) / 32
    word = "".join(chars).index("second")
    assert starts[word] > 1000


def test_audio_comes_before_the_text_is_complete(server):
    """At the end of a sentence, or when a flush is sent."""
    with stream(server) as talker:
        send(talker, text=" ")
        send(talker, text="Here I am. And")
        assert json.loads(talker.ws.recv(timeout=5))["audio"]
        send(talker, text=" now this", flush=True)
        messages = []
        send(talker, text="")
        messages = rest(talker)
        assert any(each["audio"] for each in messages)


@pytest.mark.parametrize("output_format", ["mp3_44100_128", "opus_48000_64", "wav_22050"])
def test_output_formats_are_theirs(server, output_format):
    """The name says the codec and the sample rate; the first one is the default."""
    name, rate = output_format.split("_")[:2]
    query = "" if name == "mp3" else f"?output_format={output_format}"
    with stream(server, query=query) as talker:
        send(talker, text=" ", voice_settings={"speed": 0.5})
        send(talker, text=TEXT)
        send(talker, text="")
        audio = b"".join(base64.b64decode(each["audio"] or "") for each in rest(talker))
    assert len(decode(audio, name)) / int(rate) > 5


def test_what_is_wrong_is_told_before_the_session(server):
    """By HTTP's own means, as for every other request."""
    for voice, query, status, code in (
        ("nobody", "", 404, "voice_not_found"),
        ("alloy", "?output_format=ulaw_8000", 400, "unsupported_parameter"),
    ):
        with pytest.raises(InvalidStatus) as caught:
            stream(server, voice, query)
        assert caught.value.response.status_code == status
        assert json.loads(caught.value.response.body)["error"]["code"] == code


def test_a_wrong_message_ends_the_session(server):
    """With a message that says why; their clients expect no session to go on after an error."""
    with stream(server) as talker:
        send(talker, text=5)
        error = json.loads(talker.ws.recv(timeout=5))
        assert (error["error"], error["code"]) == ("invalid_value", 1008)
        assert talker.close_code() == 1008


def test_their_key_header_is_taken(start):
    """As `xi-api-key`."""
    server = start(engine="stub", api_keys="open-sesame-123")
    with stream(server, additional_headers={"xi-api-key": "open-sesame-123"}) as talker:
        send(talker, text=" ")
        send(talker, text="Hello.")
        send(talker, text="")
        assert rest(talker)
    with pytest.raises(InvalidStatus):
        stream(server, additional_headers={"xi-api-key": "wrong"})
    until(
        lambda: server.metric("autovoice_websocket_connections_total", outcome="unauthorized") == 1,
        "it is counted",
    )
