"""A Piper voice in every format and over every protocol: whole, as long and as timed as it is."""

import base64
import json

import numpy
import pytest

from tests import voices
from tests.integration.serving import SENTENCE, TEXT, assert_error
from tests.integration.talking import Talker
from tests.integration.test_elevenlabs import rest, send, stream
from tests.unit.audio.sound import decode, ffprobe

FORMATS = ("wav", "flac", "mp3", "aac", "opus", "pcm")
RATES = {"low": 16000, "usual": 22050, "odd": 22000}
"""Published voices have the first two; the last one only some formats can carry."""
SENT_AT = {
    "low": dict.fromkeys(FORMATS, 16000),
    "usual": {**dict.fromkeys(FORMATS, 22050), "opus": 24000},
    "odd": {"wav": 22000, "flac": 22000, "mp3": 22050, "aac": 22050, "opus": 24000},
}
"""The voice's own rate, or the next one above it that the format knows."""


@pytest.fixture(scope="module")
def server(start_for_module, tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    for name, rate in RATES.items():
        voices.put(folder, "en-us", name)
        path = folder / f"{name}.onnx.json"
        described = json.loads(path.read_text(encoding="utf-8"))
        described["audio"]["sample_rate"] = rate
        path.write_text(json.dumps(described), encoding="utf-8")
    voices.put(folder, "people")
    return start_for_module(engine="piper,espeak", engine_workers=1, voice_dir=folder)


def spoken(server, **fields):
    answer = server.speak(**fields)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("voice", RATES)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.needs("ffprobe")
def test_every_format_carries_a_neural_voice_at_a_rate_it_knows(server, name, voice):
    """In one piece and as it is spoken, and as long as the samples that the network made."""
    rate = 24000 if name == "pcm" else SENT_AT[voice][name]
    for text in (SENTENCE, TEXT):
        made = spoken(server, text=text, voice=voice, response_format="wav").content[44:]
        seconds = len(made) / 2 / RATES[voice]
        answer = spoken(server, text=text, voice=voice, response_format=name)
        assert answer.headers["X-Sample-Rate"] == str(rate)
        if name == "pcm":
            samples = len(answer.content) // 2
        else:
            shown = ffprobe(
                answer.content, "-show_entries", "stream=codec_name,sample_rate,channels"
            ).split("\n")
            codec = {"wav": "pcm_s16le"}.get(name, name)
            # FFmpeg decodes Opus at 48 kHz whatever the sound was made from.
            assert shown[:3] == [codec, "48000" if name == "opus" else str(rate), "1"]
            samples = len(decode(answer.content, name))
        # A codec fills its last frame, and may begin with one of its own.
        most = 0.001 if name in ("wav", "flac", "pcm") else 3 * 1152 / rate
        assert 0 <= samples / (48000 if name == "opus" else rate) - seconds + 0.0005 <= most


@pytest.mark.parametrize("voice", ["low", "usual", "people", "people+p1"])
def test_the_websocket_speaks_with_it_as_rest_does(server, voice):
    """Whole sentences while they are written, with times of words that are of this voice."""
    asked = {"voice": voice, "response_format": "pcm"}
    with Talker(server) as talker:
        talker.send("session.config", voice=voice, timestamps="word")
        talker.send("input.text", text="Hello there. How")
        assert talker.until("audio")[0]["text"] == "Hello there."
        talker.send("input.text", text=" are")
        talker.send("input.flush")
        talker.send("input.text", text=" you?")
        talker.send("input.done")
        heard = talker.hear()
    assert [event["text"] for event in heard.of("audio.start")] == ["How are", "you?"]
    assert [word["word"] for word in heard.words][-3:] == ["How", "are", "you"]
    starts = [word["start_ms"] for word in heard.words]
    assert starts == sorted(starts) and 0 < starts[-1] < heard.done["duration_ms"]

    with Talker(server) as talker:
        talker.say(SENTENCE, **asked, timestamps="word")
        heard = talker.hear()
    assert heard.audio == spoken(server, text=SENTENCE, **asked).content
    timed = spoken(server, text=SENTENCE, **asked, timestamps="word").json()["words"]
    assert heard.words == timed


def test_people_of_one_voice_are_heard_each_with_their_own(server):
    """Over each protocol; the first one where nobody is named, in whatever letter case."""
    said = {
        name: spoken(server, text=SENTENCE, voice=name, response_format="pcm").content
        for name in ("people", "people+p0", "people+P1", "people+p2")
    }
    assert said["people"] == said["people+p0"]
    assert len(set(said.values())) == 3
    for name, audio in said.items():
        with Talker(server) as talker:
            talker.say(SENTENCE, voice=name)
            assert talker.hear().audio == audio
    with Talker(server) as talker:
        talker.send("session.config", voice="people+p9")
        assert talker.error()["code"] == "voice_not_found"
    error = assert_error(server.speak(voice="people+p9"), 404, "voice_not_found")
    assert "people+p" in error["message"]


@pytest.mark.parametrize("voice", ["usual", "people+p1", "people%2Bp1"])
def test_elevenlabs_clients_hear_it_with_its_alignment(server, voice):
    """The voice's id is a part of the path; a flush is heard at once."""
    with stream(server, voice, "?output_format=pcm_16000") as talker:
        send(talker, text=" ")
        send(talker, text="The first is here. And")
        first = json.loads(talker.ws.recv(timeout=10))
        assert first["audio"]
        send(talker, text=" a second", flush=True)
        send(talker, text="")
        messages = [first, *rest(talker)]
    audio = b"".join(base64.b64decode(each["audio"] or "") for each in messages)
    samples = numpy.frombuffer(audio, "<i2").astype(float)
    assert numpy.abs(samples).max() > 1000
    alignments = [each["alignment"] for each in messages if each["alignment"]]
    chars = "".join(char for each in alignments for char in each["chars"])
    starts = [ms for each in alignments for ms in each["charStartTimesMs"]]
    lasts = [ms for each in alignments for ms in each["charDurationsMs"]]
    assert chars.startswith("The first is here") and chars.endswith("second")
    assert len(chars) == len(starts) == len(lasts)
    assert starts == sorted(starts)
    assert starts[-1] + lasts[-1] <= len(samples) / 16 + 1  # both are rounded
