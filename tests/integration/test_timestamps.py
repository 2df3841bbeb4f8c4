"""Words' times over REST, by every way that a client may ask for them."""

import base64
import concurrent.futures
import json

import openai
import pytest

from tests.integration.serving import SENTENCE, TEXT, assert_error, events, kill, until


def words_of(answer):
    return [word["word"] for word in answer["words"]]


WORDS = TEXT.replace(".", "").replace("!", "").replace("?", "").replace(",", "").split()


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_one_object_has_the_audio_and_its_words(server, name):
    """The audio is the file that plain audio would have been."""
    answer = server.speak(TEXT, timestamps="word", response_format=name)
    assert answer.headers["Content-Type"] == "application/json"
    timed = answer.json()
    assert base64.b64decode(timed["audio"]) == server.speak(TEXT, response_format=name).content
    assert words_of(timed) == WORDS
    assert (timed["format"], timed["marks"]) == (name, [])
    last = 0
    for word in timed["words"]:
        assert TEXT[word["char_start"] : word["char_end"]] == word["word"]
        assert last <= word["start_ms"] <= word["end_ms"] <= 1000 * timed["duration_s"] + 1
        last = word["start_ms"]


def test_an_object_without_words_for_who_asks_for_none(server):
    timed = server.speak(SENTENCE, stream_format="json").json()
    assert timed["words"] == [] and timed["duration_s"] > 1


def test_events_tell_the_words_after_their_audio(server):
    """None comes before audio that reaches to its begin."""
    rate = 24_000
    text = f"The cache does not have this. {TEXT}"
    answer = server.speak(
        text, timestamps="word", stream_format="sse", response_format="pcm", sample_rate=rate
    )
    heard_ms, words = 0.0, []
    told = events(answer)
    for event in told:
        if event["type"] == "speech.audio.delta":
            heard_ms += 1000 * len(base64.b64decode(event["audio"])) / 2 / rate
        elif event["type"] == "speech.audio.timestamps":
            # The resampler keeps a little back.
            assert all(word["start_ms"] <= heard_ms + 60 for word in event["words"])
            words += event["words"]
    assert words == server.speak(text, timestamps="word", response_format="wav").json()["words"]
    assert told[-1]["type"] == "speech.audio.done"
    assert sum(event["type"] == "speech.audio.timestamps" for event in told) >= 4


def test_events_without_words_for_who_asks_for_none(server):
    kinds = {event["type"] for event in events(server.speak(TEXT, stream_format="sse"))}
    assert kinds == {"speech.audio.delta", "speech.audio.done"}


def test_many_at_once_get_the_same_words(server):
    """Those who join one that is being made, and those whom the cache serves."""
    text = f"This has not been said before. {TEXT}"
    ask = lambda _: server.speak(text, timestamps="word").json()["words"]  # noqa: E731
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(ask, range(12))
    assert len(first) == len(text.split())
    assert all(other == first for other in others)


def test_a_worker_that_dies_costs_no_word(start):
    """Its sentence is spoken again, and its words are told once."""
    server = start(engine="stub", engine_workers=1, cache="off")
    text = "one two PAUSE PAUSE PAUSE PAUSE PAUSE PAUSE three four. five."
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(server.speak, text, timestamps="word")
        until(lambda: server.in_progress() == 1, "it is spoken")
        kill(server.engine_pids()[0])
        assert words_of(asked.result().json()) == text.replace(".", "").split()


def test_openais_client_gets_them_as_a_field_of_its_own(server):
    with openai.OpenAI(base_url=f"{server.base}/v1", api_key="any", max_retries=0) as client:
        answer = client.audio.speech.create(
            model="tts-1", voice="alloy", input=SENTENCE, extra_body={"timestamps": "word"}
        )
    assert words_of(json.loads(answer.content)) == SENTENCE.strip(".").split()


def test_audio_bytes_have_no_room_for_them(server):
    """Rather than leaving them out."""
    answer = server.speak(timestamps="word", stream_format="audio")
    error = assert_error(answer, 400, "unsupported_parameter")
    assert error["param"] == "timestamps" and "json" in error["message"]


class TestCaptions:
    """Files that players read."""

    PATH = "/v1/audio/captions"

    def ask(self, server, **fields):
        return server.request("POST", self.PATH, json={"input": TEXT, "voice": "en-us", **fields})

    def test_srt(self, server):
        answer = self.ask(server, captions_format="srt")
        assert answer.headers["Content-Type"] == "application/x-subrip; charset=utf-8"
        blocks = answer.content.decode().strip().split("\n\n")
        assert blocks[0].startswith("1\n00:00:00,0") and " --> " in blocks[0]
        shown = " ".join(" ".join(block.split("\n")[2:]) for block in blocks)
        assert shown == TEXT

    def test_webvtt_is_the_default(self, server):
        answer = self.ask(server)
        assert answer.headers["Content-Type"] == "text/vtt; charset=utf-8"
        assert answer.text.startswith("WEBVTT\n\n00:00:00.0")

    def test_ssml_is_shown_without_its_markup(self, server):
        ssml = "<speak><s>AT&amp;T is <emphasis>here</emphasis>!</s><s>Good.</s></speak>"
        shown = self.ask(server, input=ssml, ssml=True).text.split("\n")[3::3]
        assert shown == ["AT&amp;T is here!", "Good."]  # WebVTT escapes an ampersand, too

    def test_they_end_with_the_audio(self, server):
        timed = server.speak(TEXT, timestamps="word").json()
        last = [line for line in self.ask(server).text.split("\n") if " --> " in line][-1]
        hours, minutes, seconds = last.split(" --> ")[1].split(":")
        end_s = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        assert end_s == pytest.approx(timed["words"][-1]["end_ms"] / 1000)

    def test_they_count_for_the_rate_limit(self, start):
        server = start(engine="stub", rate_limit="2/hour")
        assert self.ask(server).status_code == 200
        assert server.speak().status_code == 200
        assert_error(self.ask(server), 429, "rate_limit_exceeded")

    def test_an_error_is_an_error(self, stub):
        assert_error(self.ask(stub, input="Good. FAIL. Good."), 500, "engine_failed")
        assert_error(self.ask(stub, voice="nobody"), 404, "voice_not_found")
        assert_error(self.ask(stub, captions_format="txt"), 400, "invalid_value")


class TestPlan:
    """What would be said, without saying it."""

    def ask(self, server, **fields):
        return server.request("POST", "/v1/text/plan", json={"voice": "en-us", **fields})

    def test_silence_is_no_volume(self, server):
        """JSON has no infinity, and the schema says so."""
        ssml = '<prosody volume="silent">Hush</prosody> and speak.'
        plan = self.ask(server, input=ssml, ssml=True).json()
        assert [sentence["volume_db"] for sentence in plan["sentences"]] == [None, 0.0]
        schemas = server.get("/openapi.json").json()["components"]["schemas"]
        volume = schemas["PlannedSentence"]["properties"]["volume_db"]
        assert {kind["type"] for kind in volume["anyOf"]} == {"number", "null"}

    def test_sentences_with_their_places(self, server):
        plan = self.ask(server, input=TEXT).json()
        assert len(plan["sentences"]) == 4
        for sentence in plan["sentences"]:
            assert TEXT[sentence["char_start"] : sentence["char_end"]] == sentence["text"]
            assert sentence["voice"] == plan["voice"] == "en-us"
        assert plan["characters"] == len(TEXT)

    @pytest.mark.parametrize("speed", [0.5, 1, 2])
    def test_the_estimate_is_about_right(self, server, speed):
        plan = self.ask(server, input=TEXT, speed=speed).json()
        real = server.speak(TEXT, speed=speed, stream_format="json").json()["duration_s"]
        assert 0.75 * real < plan["seconds"] < 1.25 * real

    def test_a_query_gives_the_same(self, server):
        answer = server.get("/v1/text/plan", params={"input": TEXT, "voice": "en-us"})
        assert answer.json() == self.ask(server, input=TEXT).json()

    def test_nothing_is_spoken(self, start):
        server = start(engine="stub")
        assert self.ask(server, input="CRASH. HANG. FAIL.").status_code == 200
        assert server.metric("synthesis_requests_total") == 0

    @pytest.mark.parametrize("query", ["", "?input=", "?input=a&ssml=1", "?input=a&normalize=x"])
    def test_a_wrong_query_is_an_error(self, server, query):
        assert_error(server.get(f"/v1/text/plan{query}"), 400, "invalid_value")

    def test_what_speech_would_refuse_is_refused(self, server):
        assert_error(self.ask(server, input="   "), 400, "empty_input")
        assert_error(self.ask(server, input="a" * 5000), 400, "input_too_long")
        assert_error(self.ask(server, input="a", voice="nobody"), 404, "voice_not_found")
