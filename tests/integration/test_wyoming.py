"""Home Assistant hears what was to be said, as soon as it is written, whatever others do."""

import asyncio
import json
import random
import re
import signal
import subprocess

import pytest
from wyoming.audio import AudioStop
from wyoming.event import Event
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from tests.integration.assistant import Assistant
from tests.integration.serving import (
    AUTOVOICE,
    TEXT,
    environment,
    is_stopped,
    kill,
    metric_sum,
    until,
    unused_port,
)

WHOLE = ["audio-start", "audio-chunk", "audio-stop"]
LOGGER = "auto_voice.wyoming"
STREAMED = [*WHOLE, "synthesize-stopped"]


def written(text):
    """As a language model writes."""
    return re.findall(r" *[^ ]+", text)


def with_wyoming(start, **settings):
    """A server that speaks HTTP and Wyoming."""
    port = unused_port()
    server = start(wyoming_port=port, **settings)
    server.wyoming_port = port
    return server


@pytest.fixture(scope="module")
def spoken(start_for_module):
    """With the embedded engine."""
    return with_wyoming(start_for_module, cache="off")


@pytest.fixture
def tones(start):
    """With the stub."""
    return with_wyoming(start, engine="stub", engine_workers=1, cache="off")


def talk(server, scenario):
    """Run a coroutine function with a new connection."""

    async def talking():
        async with Assistant(server.wyoming_port) as assistant:
            return await scenario(assistant)

    return asyncio.run(talking())


async def waited(*condition):
    """`until`, while others go on."""
    await asyncio.get_running_loop().run_in_executor(None, until, *condition)


def over_http(server, text=TEXT, voice="alloy", rate=22050):
    """The same text's audio over REST."""
    answer = server.speak(text, voice=voice, response_format="pcm", sample_rate=rate)
    assert answer.status_code == 200
    return answer.content


# --- what Home Assistant does ---------------------------------------------------------------------


def test_it_is_told_which_voices_there_are(spoken):
    """Each with its languages, by which people choose in Home Assistant."""
    info = talk(spoken, lambda assistant: assistant.describe())
    (program,) = info.tts
    assert program.installed and program.supports_synthesize_streaming
    voices = {voice.name: voice for voice in program.voices}
    listed = spoken.get("/v1/audio/voices").json()["voices"]
    assert {voice["id"] for voice in listed} <= set(voices)
    assert "de" in voices["de"].languages
    assert "German" in voices["de"].description
    assert len(voices) < 2 * len(listed)


def test_a_whole_text_sounds_as_over_http(spoken):
    heard = talk(spoken, lambda assistant: assistant.say(TEXT))
    assert (heard.kinds, heard.rate, heard.errors) == (WHOLE, 22050, [])
    assert heard.pcm == over_http(spoken)


@pytest.mark.parametrize(
    "pieces",
    [written(TEXT), list(TEXT), [TEXT], [TEXT, ""]],
    ids=["words", "characters", "whole", "nothing"],
)
def test_a_text_in_pieces_sounds_as_over_http(spoken, pieces):
    """However it comes; and that it comes once more in the end changes nothing."""
    heard = talk(spoken, lambda assistant: assistant.stream(pieces))
    assert (heard.kinds, heard.rate, heard.errors) == (STREAMED, 22050, [])
    assert heard.pcm == over_http(spoken)


def test_paragraphs_sound_as_over_http(spoken):
    """With the pause between them."""
    text = "One. Two.\n\nThree. Four."
    heard = talk(spoken, lambda assistant: assistant.stream(written(text)))
    assert heard.pcm == over_http(spoken, text)


def test_markup_sounds_as_over_http(spoken):
    """Whole, and in pieces, of which none is spoken before the last has come."""
    markup = '<speak>One. <break time="300ms"/> <prosody rate="slow">Two. Three.</prosody></speak>'
    body = {"voice": "alloy", "ssml": True, "response_format": "pcm", "sample_rate": 22050}
    expected = spoken.speak(markup, **body).content

    async def scenario(assistant):
        form = {"text_format": "ssml"}
        await assistant.write_event(Event("synthesize", {"text": markup, **form}))
        whole = await assistant.hear(AudioStop)
        await assistant.write_event(Event("synthesize-start", form))
        for piece in written(markup):
            await assistant.write_event(SynthesizeChunk(piece).event())
        await assistant.write_event(SynthesizeStop().event())
        return whole, await assistant.hear(SynthesizeStopped)

    for heard in talk(spoken, scenario):
        assert heard.errors == []
        assert heard.pcm == expected


def test_audio_begins_with_the_first_sentence(spoken):
    """While the rest is still to be thought of."""

    async def scenario(assistant):
        await assistant.write_event(SynthesizeStart().event())
        await assistant.write_event(SynthesizeChunk("This is the first one. And").event())
        await assistant.begin_to_hear()
        await assistant.write_event(SynthesizeChunk(" this is another.").event())
        await assistant.write_event(SynthesizeStop().event())
        return await assistant.hear(SynthesizeStopped)

    assert talk(spoken, scenario).kinds == STREAMED[1:]


@pytest.mark.parametrize(
    ("voice", "name"),
    [
        (SynthesizeVoice(name="de"), "de"),
        (SynthesizeVoice(name="en-gb", speaker="f3"), "en-gb+f3"),
        (SynthesizeVoice(language="fr-fr"), "fr-fr"),
        (SynthesizeVoice(name="ash"), "ash"),
    ],
)
def test_the_voice_is_the_one_that_was_chosen(spoken, voice, name):
    """By its name, with a speaker, by a language."""
    text = "Guten Morgen, everybody."
    expected = over_http(spoken, text, name)
    assert talk(spoken, lambda assistant: assistant.say(text, voice)).pcm == expected
    assert talk(spoken, lambda assistant: assistant.stream([text], voice)).pcm == expected
    assert expected != over_http(spoken, text)


@pytest.mark.parametrize(
    "voice",
    [
        SynthesizeVoice(name="nobody"),
        SynthesizeVoice(language="tlh"),
        SynthesizeVoice(name="en-gb", speaker="nobody"),
    ],
)
def test_an_unknown_voice_is_an_error_and_the_connection_goes_on(spoken, voice):
    """And whoever takes no notice of errors, as Home Assistant does, is told that it is over."""

    async def scenario(assistant):
        refused = [await assistant.say(TEXT, voice), await assistant.stream(written(TEXT), voice)]
        return refused, await assistant.say("Hello.")

    (whole, streamed), fine = talk(spoken, scenario)
    assert whole.kinds == ["error", "audio-stop"]
    assert streamed.kinds == ["error", "audio-stop", "synthesize-stopped"]
    for refused in (whole, streamed):
        (error,) = refused.errors
        assert error.code == "voice_not_found" and "There is no voice" in error.text
    assert fine.kinds == WHOLE


def test_it_is_told_that_the_server_is_there(spoken):
    """Also while it listens."""

    async def scenario(assistant):
        await assistant.write_event(Ping("one").event())
        assert Pong.from_event(await assistant.next()) == Pong("one")
        await assistant.write_event(SynthesizeStart().event())
        await assistant.write_event(Ping().event())
        assert Pong.from_event(await assistant.next()) == Pong(None)

    talk(spoken, scenario)


# --- what others do -------------------------------------------------------------------------------


def test_texts_are_spoken_in_the_order_in_which_they_come(spoken):
    """More of them than may wait."""
    texts = [f"This is number {number}." for number in range(40)]

    async def scenario(assistant):
        async def ask():
            for text in texts:
                await assistant.write_event(Synthesize(text).event())

        asking = asyncio.ensure_future(ask())
        heard = [(await assistant.hear(AudioStop)).pcm for _ in texts]
        await asking
        return heard

    assert talk(spoken, scenario) == [over_http(spoken, text) for text in texts]


def test_clients_that_speak_at_once_do_not_mix(spoken):
    """Whole texts and such in pieces, on many connections."""
    chance = random.Random(5)
    texts = [" ".join(chance.sample(TEXT.split(), 12)) + "." for _ in range(12)]

    async def one(number):
        async with Assistant(spoken.wyoming_port) as assistant:
            if number % 2:
                return (await assistant.stream(written(texts[number]))).pcm
            return (await assistant.say(texts[number])).pcm

    async def all_of_them():
        return await asyncio.gather(*map(one, range(len(texts))))

    assert asyncio.run(all_of_them()) == [over_http(spoken, text) for text in texts]


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([Event("synthesize", {})], "invalid_value"),
        ([Event("synthesize", {"text": 7})], "invalid_value"),
        ([Event("synthesize", {"text": "x", "voice": "en"})], "invalid_value"),
        ([Event("synthesize", {"text": " \n"})], "empty_input"),
        ([Event("synthesize", {"text": "x " * 3000})], "input_too_long"),
        ([Event("synthesize", {"text": "x", "text_format": "html"})], "unsupported_parameter"),
        ([Event("synthesize-start", {"voice": 7})], "invalid_value"),
        ([Event("synthesize-start"), Event("synthesize-chunk", {"text": 7})], "invalid_value"),
        ([Event("synthesize-start"), Event("synthesize-stop")], "empty_input"),
        (
            [Event("synthesize-start"), Event("synthesize-chunk", {"text": "x " * 3000})],
            "input_too_long",
        ),
    ],
)
def test_what_cannot_be_spoken_is_an_error_and_the_connection_goes_on(spoken, events, code):
    async def scenario(assistant):
        for event in events:
            await assistant.write_event(event)
        last = SynthesizeStopped if "start" in events[0].type else AudioStop
        refused = await assistant.hear(last)
        await assistant.write_event(SynthesizeStop().event())
        return refused, await assistant.say("Hello.")

    refused, fine = talk(spoken, scenario)
    assert [error.code for error in refused.errors] == [code]
    assert refused.kinds[:2] == ["error", "audio-stop"]
    assert fine.kinds == WHOLE


@pytest.mark.parametrize(
    "events",
    [
        [Event("select-program", {"name": "AutoVoice"})],
        [Event("transcribe"), Event("audio-chunk", {"rate": 16000}, bytes(100_000))],
        [Event("synthesize-chunk", {"text": "What for?"}), Event("synthesize-stop")],
        [Event("nobody-knows", {"this": ["event"]})],
    ],
)
def test_what_means_nothing_here_is_left_alone(spoken, events):
    async def scenario(assistant):
        for event in events:
            await assistant.write_event(event)
        return await assistant.say("Hello.")

    assert talk(spoken, scenario).kinds == WHOLE


def test_a_text_that_is_begun_anew_ends_the_one_before(spoken):
    async def scenario(assistant):
        for text in ("The first.", "The second."):
            await assistant.write_event(SynthesizeStart().event())
            await assistant.write_event(SynthesizeChunk(text).event())
        await assistant.write_event(SynthesizeStop().event())
        return [await assistant.hear(SynthesizeStopped) for _ in range(2)]

    first, second = talk(spoken, scenario)
    assert first.pcm == over_http(spoken, "The first.")
    assert second.pcm == over_http(spoken, "The second.")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(range(256)) * 10,
        b'{"type": "synthesize", "data_length": 1000000000}\n',
        b'{"type": "audio-chunk", "payload_length": 1000000000000}\n',
        b'{"type": "' + b"x" * 100_000,
        b'{"type": "synthesize", "data": ' + b"[" * 60_000 + b"\n",
        b"\n" * 1000,
    ],
    ids=["http", "binary", "long data", "long payload", "long header", "deep", "empty lines"],
)
def test_whoever_speaks_something_else_is_told_and_left(spoken, data):
    """The others notice nothing."""

    async def scenario(assistant):
        async with Assistant(spoken.wyoming_port) as other:
            await other.send_bytes(data)
            event = await other.next()
            assert event.type == "error"
            assert event.data["code"] in ("invalid_json", "request_too_large")
            assert await other.next() is None
        return await assistant.say("Hello.")

    assert talk(spoken, scenario).kinds == WHOLE
    assert spoken.troubles() == []


# --- when something goes wrong --------------------------------------------------------------------


@pytest.mark.parametrize(("word", "code"), [("FAIL", "engine_failed"), ("CRASH", "engine_crashed")])
def test_an_engine_that_fails_ends_the_text_and_not_the_connection(tones, word, code):
    """Also in the middle, after audio; what is still written of it nobody waits for."""
    text = f"One two. Three {word} four. Five six."

    async def scenario(assistant):
        failed = [await assistant.say(text), await assistant.stream(written(text))]
        return failed, await assistant.say("Hello.")

    (whole, streamed), fine = talk(tones, scenario)
    for heard in (whole, streamed):
        assert [error.code for error in heard.errors] == [code]
        assert heard.kinds[:4] == ["audio-start", "audio-chunk", "error", "audio-stop"]
    assert streamed.kinds[4:] == ["synthesize-stopped"]
    assert fine.kinds == WHOLE


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_leaves_frees_its_place(tones, streamed):
    """Within a second, and nobody goes on speaking to it."""
    text = "One two. " + "PAUSE and so on. " * 200

    async def scenario(assistant):
        if streamed:
            await assistant.write_event(SynthesizeStart().event())
            await assistant.write_event(SynthesizeChunk(text).event())
        else:
            await assistant.write_event(Synthesize(text).event())
        await assistant.begin_to_hear()
        assistant.abort()

    talk(tones, scenario)

    def ends():
        return [line["outcome"] for line in tones.log() if line["logger"] == LOGGER]

    until(ends, "the server has noticed", 2.0)
    assert ends() == ["cancelled"]
    assert tones.in_progress() == 0
    assert tones.metric("autovoice_synthesis_audio_seconds_total") < 5  # of more than 40


def test_a_client_that_leaves_the_queue_frees_its_place(tones):
    """There is nothing to send to it yet that could fail."""
    (engine,) = tones.engine_pids()

    async def scenario(assistant):
        await assistant.write_event(Synthesize("STOP").event())
        await waited(lambda: is_stopped(engine), "it is being spoken")
        async with Assistant(tones.wyoming_port) as other:
            await other.write_event(Synthesize("Waits.").event())
            await waited(lambda: tones.in_progress() == 2, "the other one waits")
        await waited(lambda: tones.in_progress() == 1, "its place is free", 2.0)
        kill(engine, signal.SIGCONT)
        assert (await assistant.hear(AudioStop)).errors == []

    talk(tones, scenario)


def test_a_client_that_does_not_read_is_not_spoken_to_without_end(tones):
    """What it does not take is not made."""
    text = "word " * 800

    def made():
        return tones.metric("autovoice_synthesis_audio_seconds_total")

    async def scenario(assistant):
        for _ in range(16):
            await assistant.write_event(Synthesize(text).event())
        await assistant.begin_to_hear()
        async with Assistant(tones.wyoming_port) as other:
            assert (await other.say("Hello.")).kinds == WHOLE
        while True:
            before = made()
            await asyncio.sleep(0.5)
            if made() == before:
                return before

    assert talk(tones, scenario) < 0.9 * 16 * 800 * 0.075


def test_a_full_server_says_so(start):
    server = with_wyoming(start, engine="stub", engine_workers=1, max_requests=1, cache="off")
    (engine,) = server.engine_pids()

    async def scenario(assistant):
        await assistant.write_event(Synthesize("STOP").event())
        await waited(lambda: is_stopped(engine), "it is busy")
        async with Assistant(server.wyoming_port) as other:
            refused = await other.say("Hello.")
            kill(engine, signal.SIGCONT)
            await assistant.hear(AudioStop)
            return refused, await other.say("Hello.")

    refused, fine = talk(server, scenario)
    assert [error.code for error in refused.errors] == ["overloaded"]
    assert fine.kinds == WHOLE


# --- what an operator sees ------------------------------------------------------------------------


def test_each_text_has_one_line_and_its_metrics(tones):
    """And the text itself is nowhere."""

    async def scenario(assistant):
        await assistant.stream(["Xylophonic ", "quizzes. ", "They ", "jolt."])
        await assistant.say("Xylophonic jolt.", SynthesizeVoice(name="nobody"))

    talk(tones, scenario)

    def lines():
        return [line for line in tones.log() if line["logger"] == LOGGER]

    first, second = until(lambda: len(lines()) == 2 and lines(), "both are in the log")
    expected = {
        "client": "127.0.0.1",
        "streaming": True,
        "engine": "stub",
        "voice": "en-us",
        "format": "pcm",
        "characters": 30,
        "sentences": 2,
        "audio_s": 0.3,
        "outcome": "success",
    }
    assert {name: first.get(name) for name in expected} == expected
    assert first["duration_ms"] >= first["first_audio_ms"] > 0
    assert (second["outcome"], second["error"]) == ("invalid", "voice_not_found")
    assert "Xylo" not in tones.output()

    shown = tones.get("/metrics").text
    first_audio = "autovoice_synthesis_first_audio_seconds_count"
    assert metric_sum(shown, first_audio, transport="wyoming") == 2  # a sentence each
    assert metric_sum(shown, "autovoice_synthesis_requests_total", outcome="invalid") == 1
    (error,) = tones.get("/v1/status").json()["errors"]
    assert (error["method"], error["route"], error["code"]) == (
        "WYOMING",
        "synthesize",
        "voice_not_found",
    )


# --- its life -------------------------------------------------------------------------------------


def stop_in_the_middle(server):
    """What a client hears whose text is half written when the server is told to stop."""

    async def scenario(assistant):
        await assistant.write_event(SynthesizeStart().event())
        await assistant.write_event(SynthesizeChunk("One two. Three").event())
        await assistant.begin_to_hear()
        async with Assistant(server.wyoming_port) as idle, Assistant(server.wyoming_port) as late:
            await late.write_event(SynthesizeStart().event())  # so that it is not idle
            await late.write_event(Ping().event())
            assert await late.next() is not None
            kill(server.process.pid, signal.SIGTERM)
            assert await idle.next() is None  # sent away
            await late.write_event(SynthesizeStop().event())
            assert (await late.hear(SynthesizeStopped)).errors[0].code == "empty_input"
        await assistant.write_event(SynthesizeChunk(" four. Five six.").event())
        await assistant.write_event(SynthesizeStop().event())
        heard = await assistant.hear(SynthesizeStopped)
        assert await assistant.next() is None
        return heard

    heard = talk(server, scenario)
    assert heard.errors == []
    assert len(heard.pcm) == round(6 * 0.075 * 16000) * 2
    assert server.process.wait(30) == 0


def test_what_has_begun_is_finished_before_the_server_stops(tones):
    stop_in_the_middle(tones)


class Alone:
    """`autovoice wyoming` on a free port."""

    def __init__(self, **settings):
        self.process = subprocess.Popen(
            [AUTOVOICE, "wyoming", "--uri", "tcp://127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment({"log_format": "json", **settings}),
        )
        self.log = []
        while not self.log or "Wyoming listens" not in self.log[-1]["message"]:
            self.log.append(json.loads(self.process.stdout.readline()))
        self.wyoming_port = int(self.log[-1]["message"].rpartition(":")[2])


def test_it_is_served_without_http(spoken):
    server = Alone()
    try:
        assert talk(server, lambda assistant: assistant.stream(written(TEXT))).pcm == over_http(
            spoken
        )
    finally:
        server.process.terminate()
    assert server.process.wait(30) == 0
    rest = [json.loads(line) for line in server.process.stdout]
    assert [line["outcome"] for line in rest if "outcome" in line] == ["success"]


def test_without_http_what_has_begun_is_finished_too():
    stop_in_the_middle(Alone(engine="stub", engine_workers=1, cache="off"))


def test_the_impatient_tell_it_twice():
    server = Alone(engine="stub", drain_s=600)

    async def scenario(assistant):
        await assistant.write_event(SynthesizeStart().event())
        await assistant.write_event(Ping().event())
        assert await assistant.next() is not None
        server.process.terminate()
        until(lambda: "stopping" in server.process.stdout.readline(), "it has heard")
        assert server.process.poll() is None
        server.process.terminate()
        assert await assistant.next() is None

    talk(server, scenario)
    assert server.process.wait(30) == 0


def run(*arguments, **settings):
    """A command that ends by itself: its exit status and what it says."""
    done = subprocess.run(
        [AUTOVOICE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(settings),
    )
    return done.returncode, done.stdout + done.stderr


def test_a_port_that_is_taken_is_told_at_the_start(spoken):
    port = spoken.wyoming_port
    status, told = run("wyoming", "--uri", f"tcp://127.0.0.1:{port}")
    assert status == 2
    assert f"Wyoming cannot listen at tcp://127.0.0.1:{port}: " in told
    status, told = run("serve", "--port", "0", wyoming_port=port)
    assert status == 2
    assert f"Wyoming cannot listen at tcp://127.0.0.1:{port}: " in told


@pytest.mark.parametrize("uri", ["127.0.0.1:10200", "unix:///tmp/x", "tcp://x", "tcp://x:99999"])
def test_an_address_that_is_none_is_told(uri):
    status, told = run("wyoming", "--uri", uri)
    assert status == 2 and uri in told
