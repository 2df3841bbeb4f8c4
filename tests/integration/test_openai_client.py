"""The official client against a real server: what everybody who changes only the URL does."""

import base64
import json
import threading

import openai
import pytest

from tests.integration.serving import SENTENCE, SPEECH, TEXT, speech_body, until

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


@pytest.fixture
def client():
    """Makes clients: `client(server, key)`."""
    made = []

    def make(server, key="any", **options):
        options.setdefault("max_retries", 0)
        made.append(openai.OpenAI(base_url=f"{server.base}/v1", api_key=key, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def keyed(start_for_module):
    return start_for_module(engine="stub", api_keys="alice:sesame,bob:swordfish")


def ask(server, text=SENTENCE, **fields):
    """The arguments of `speech.create`, with what a test does not care about."""
    return {"model": "tts-1", "voice": "alloy", "input": text, **fields}


@pytest.mark.parametrize("text", [SENTENCE, TEXT], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", FORMATS)
def test_create_gives_the_same_bytes_as_plain_http(client, server, name, text):
    """Each of the six formats, in one piece and sentence by sentence."""
    answer = client(server).audio.speech.create(**ask(server, text, response_format=name))
    assert answer.response.headers["content-type"] == {
        "mp3": "audio/mpeg",
    }.get(name, f"audio/{name}")
    assert answer.content
    assert answer.content == server.speak(text, response_format=name).content


def test_mp3_is_what_comes_when_no_format_is_named(client, server):
    answer = client(server).audio.speech.create(**ask(server))
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert answer.content == server.speak(response_format="mp3").content


def test_a_streamed_answer_arrives_in_pieces(client, server):
    """`with_streaming_response` is what OpenAI's own examples use."""
    text = f"This one is new, too. {TEXT}"  # the cache would give it in one piece
    speech = client(server).audio.speech.with_streaming_response
    with speech.create(**ask(server, text, response_format="pcm")) as answer:
        pieces = list(answer.iter_bytes())
    assert len(pieces) > 1
    assert b"".join(pieces) == server.speak(text, response_format="pcm").content


def test_a_streamed_answer_is_saved_to_a_file(client, server, tmp_path):
    path = tmp_path / "speech.mp3"
    with client(server).audio.speech.with_streaming_response.create(**ask(server, TEXT)) as answer:
        answer.stream_to_file(path)
    assert path.read_bytes() == server.speak(TEXT, response_format="mp3").content


def test_a_voice_is_a_string_or_an_object(client, server):
    """Newer clients send `{"id": …}` for voices of one's own."""
    by_name = client(server).audio.speech.create(**ask(server, voice="de+f3"))
    by_object = client(server).audio.speech.create(**ask(server, voice={"id": "de+f3"}))
    assert by_name.response.headers["x-voice"] == "de+f3"
    assert by_name.content == by_object.content


@pytest.mark.parametrize(
    "voice",
    "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split(),
)
def test_every_voice_of_openais_speaks(client, server, voice):
    assert client(server).audio.speech.create(**ask(server, voice=voice)).content


def test_different_voices_of_openais_sound_different(client, server):
    sounds = {
        client(server).audio.speech.create(**ask(server, voice=voice)).content
        for voice in "alloy ash ballad coral echo fable nova onyx sage shimmer verse".split()
    }
    assert len(sounds) == 11


def test_speed_and_instructions_are_accepted(client, server):
    speech = client(server).audio.speech
    slow = speech.create(**ask(server, response_format="pcm", speed=0.5)).content
    fast = speech.create(**ask(server, response_format="pcm", speed=2.0)).content
    assert len(slow) > 3 * len(fast)
    plain = speech.create(**ask(server)).content
    extra = {"instructions": "Speak like a pirate."}
    assert speech.create(**ask(server, extra_body=extra)).content == plain


def test_server_sent_events_carry_the_same_audio(client, server):
    """As OpenAI sends them: deltas in base64, then the usage."""
    events = []
    speech = client(server).audio.speech.with_streaming_response
    extra = {"stream_format": "sse"}
    with speech.create(**ask(server, TEXT, response_format="mp3", extra_body=extra)) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line:
                assert line.startswith("data: ")
                events.append(json.loads(line[len("data: ") :]))
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    audio = b"".join(base64.b64decode(event["audio"], validate=True) for event in deltas)
    assert audio == server.speak(TEXT, response_format="mp3").content
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_an_unknown_voice_is_a_not_found_error_with_near_matches(client, server):
    with pytest.raises(openai.NotFoundError) as raised:
        client(server).audio.speech.create(**ask(server, voice="aloy"))
    assert raised.value.code == "voice_not_found"
    assert raised.value.param == "voice"
    assert raised.value.type == "invalid_request_error"
    assert "alloy" in str(raised.value)
    assert raised.value.request_id == raised.value.response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"input": ""}, None),
        ({"input": "a" * 5000}, "input_too_long"),
        ({"speed": 9.0}, "invalid_value"),
        ({"response_format": "ogg"}, "invalid_value"),
    ],
)
def test_a_wrong_value_is_a_bad_request_error(client, server, fields, code):
    with pytest.raises(openai.BadRequestError) as raised:
        client(server).audio.speech.create(**{**ask(server), **fields})
    assert raised.value.param == list(fields)[0]
    assert code is None or raised.value.code == code


def test_an_unknown_model_is_a_not_found_error(client, server):
    with pytest.raises(openai.NotFoundError) as raised:
        client(server).audio.speech.create(**ask(server, model="gpt-9"))
    assert raised.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client(server).models.retrieve("gpt-9")


def test_models_are_listed_and_retrieved(client, server):
    models = client(server).models.list()
    names = [model.id for model in models]
    assert "tts-1" in names
    for name in names:
        model = client(server).models.retrieve(name)
        assert (model.id, model.object, model.owned_by) == (name, "model", "autovoice")


def test_a_wrong_key_is_an_authentication_error(client, keyed):
    for key in ("wrong", "sesam", "SESAME", "sesame2", "alice", "alice:sesame"):
        with pytest.raises(openai.AuthenticationError) as raised:
            client(keyed, key).audio.speech.create(**ask(keyed))
        assert raised.value.code == "invalid_api_key"
        assert key not in raised.value.message
    with pytest.raises(openai.AuthenticationError):
        client(keyed, "wrong").models.list()


def test_any_of_the_keys_opens(client, keyed):
    for key in ("sesame", "swordfish"):
        assert client(keyed, key).audio.speech.create(**ask(keyed)).content
        assert list(client(keyed, key).models.list())


@pytest.mark.parametrize("value", ["Bearer ", "Bearer", "", "Bearer x", "Basic Og=="])
def test_an_empty_key_is_fine_where_none_are_configured(server, value):
    """SillyTavern sends `Authorization: Bearer ` with nothing behind it."""
    with server.connect() as connection:
        connection.ask(speech_body(SENTENCE), f"Authorization: {value}")
        assert connection.answer().status == 200


@pytest.mark.slow
def test_the_client_waits_and_tries_again_when_told_to_slow_down(start, client):
    """429 with Retry-After, which the client obeys without its user noticing."""
    server = start(engine="stub", rate_limit="1/second")
    speech = client(server, max_retries=5).audio.speech
    assert len({speech.create(**ask(server)).content for _ in range(3)}) == 1
    refused = server.metric("autovoice_http_requests_total", route=SPEECH, code="429")
    assert refused >= 1
    assert server.metric("autovoice_http_requests_total", route=SPEECH, code="200") == 3


def test_without_retries_a_rate_limit_is_a_rate_limit_error(start, client):
    server = start(engine="stub", rate_limit="1/hour")
    speech = client(server).audio.speech
    assert speech.create(**ask(server)).content
    with pytest.raises(openai.RateLimitError) as raised:
        speech.create(**ask(server))
    assert raised.value.code == "rate_limit_exceeded"
    assert 3000 < int(raised.value.response.headers["retry-after"]) <= 3600


@pytest.mark.slow
def test_the_client_tries_again_when_the_server_is_full(start, client):
    """503 with Retry-After; as soon as a place is free the client gets it."""
    server = start(engine="stub", max_requests=1, engine_timeout_s=600, cache="off")
    occupant = server.connect().ask({"input": "Hello. HANG.", "response_format": "wav"})
    assert occupant.head().status == 200
    with pytest.raises(openai.InternalServerError) as raised:
        client(server).audio.speech.create(**ask(server, "Hello."))
    assert raised.value.code == "overloaded"
    assert int(raised.value.response.headers["retry-after"]) >= 1

    def refusals():
        return server.metric("autovoice_http_requests_total", route=SPEECH, code="503")

    content = []
    patient = client(server, max_retries=20)
    thread = threading.Thread(
        target=lambda: content.append(patient.audio.speech.create(**ask(server, "Hello.")).content)
    )
    thread.start()
    until(lambda: refusals() >= 2, "the patient client has been refused, too")
    occupant.close()
    thread.join(60)
    assert content and content[0]
