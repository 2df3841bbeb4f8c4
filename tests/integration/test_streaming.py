"""Audio that leaves while its text is still being spoken, and the same bytes every time."""

import base64
import concurrent.futures
import json
import threading

import pytest

from tests.integration.serving import (
    SENTENCE,
    TEXT,
    is_running,
    kill,
    metric_sum,
    speech_body,
    until,
)

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
LONG_SENTENCE = "word " * 60 + "end."
"""4.6 s of the stub's tones: more than any codec keeps to itself."""


@pytest.fixture(scope="module")
def hanging(start_for_module):
    """A stub server, a worker of which is still hanging when everything else is over."""
    return start_for_module(engine="stub", engine_workers=4, engine_timeout_s=4, cache="off")


@pytest.fixture(scope="module")
def uncached(start_for_module):
    return start_for_module(cache="off", engine_workers=2)


# --- while the text is being spoken ---------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_first_audio_leaves_while_the_text_is_being_spoken(hanging, name):
    """The second sentence never ends; that the first one arrives proves that nothing waits."""
    done = "autovoice_synthesis_requests_total"
    before = metric_sum(hanging.get("/metrics").text, done, outcome="success")
    with hanging.connect() as connection:
        connection.ask(speech_body(LONG_SENTENCE + " HANG.", response_format=name))
        answer = connection.head()
        assert answer.status == 200
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert connection.chunk()
        now = hanging.get("/metrics").text
        assert metric_sum(now, "autovoice_synthesis_in_progress") >= 1
        assert metric_sum(now, done, outcome="success") == before
    until(lambda: hanging.in_progress() == 0, "the place is free again")


def test_the_first_event_leaves_while_the_text_is_being_spoken(hanging):
    """Server-sent events do not wait for the whole either."""
    with hanging.connect() as connection:
        connection.ask(speech_body(LONG_SENTENCE + " HANG.", stream_format="sse"))
        answer = connection.head()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        event = json.loads(connection.chunk()[len(b"data: ") :])
        assert event["type"] == "speech.audio.delta"
        assert base64.b64decode(event["audio"])
    until(lambda: hanging.in_progress() == 0, "the place is free again")


@pytest.mark.parametrize("name", FORMATS)
def test_chunks_are_well_formed_and_end_properly(server, name):
    """`Connection.chunk` checks each one's frame; none is empty before the last."""
    text = f"Nobody has said this before. {TEXT}"  # the cache would give it in one piece
    with server.connect() as connection:
        connection.ask(speech_body(text, response_format=name))
        assert connection.head().status == 200
        pieces = list(connection.chunks())
        assert len(pieces) > 1
        assert b"".join(pieces) == server.speak(text, response_format=name).content
        # The connection is still good for the next request.
        connection.ask(speech_body(SENTENCE))
        assert connection.answer().status == 200


def test_no_chunk_grows_with_the_text(server):
    """A long text comes in more pieces, not in larger ones."""
    with server.connect() as connection:
        connection.ask(speech_body((TEXT + " ") * 20, response_format="wav"))
        assert connection.head().status == 200
        sizes = [len(piece) for piece in connection.chunks()]
    assert len(sizes) >= 80
    assert max(sizes) < 400_000


def test_whole_answers_say_how_long_they_sound(stub):
    answer = stub.speak("one two three", response_format="pcm")
    assert float(answer.headers["X-Audio-Duration-Seconds"]) == pytest.approx(0.225, abs=0.001)


def test_a_body_that_comes_after_its_headers_is_waited_for(server):
    """httpx sends them one after the other, and so do slow lines."""
    request = json.dumps(speech_body(SENTENCE)).encode()
    for cut in (0, 1, len(request) // 2, len(request) - 1):
        with server.connect() as connection:
            connection.send(
                b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(request) + request[:cut]
            )
            # By now the server has read what there is: it has answered somebody else.
            for _ in range(3):
                assert server.get("/health/live").status_code == 200
            connection.send(request[cut:])
            assert connection.answer().status == 200


# --- what goes wrong in the middle ----------------------------------------------------------------


@pytest.mark.parametrize("word", ["CRASH", "FAIL"])
def test_an_error_after_the_first_audio_is_noticed(hanging, word):
    """The body ends without its last chunk: a client knows that audio is missing."""
    with hanging.connect() as connection:
        connection.ask(speech_body(f"One two three. {word}. Four.", response_format="wav"))
        assert connection.head().status == 200
        with pytest.raises(EOFError):
            for _ in connection.chunks():
                pass


@pytest.mark.parametrize(("word", "code"), [("CRASH", "engine_crashed"), ("FAIL", "engine_failed")])
def test_an_error_after_the_first_event_is_an_event(hanging, word, code):
    """And no `done` follows, which would say that all is well."""
    with hanging.connect() as connection:
        text = f"One two three. {word}. Four."
        connection.ask(speech_body(text, response_format="wav", stream_format="sse"))
        assert connection.head().status == 200
        events = b"".join(connection.chunks()).decode().split("\n\n")
    assert events.pop() == ""
    *deltas, last = (json.loads(event[len("data: ") :]) for event in events)
    assert deltas and {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert last["type"] == "error"
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert last["error"]["code"] == code


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("CRASH", 503, "engine_crashed"),
        ("FAIL", 500, "engine_failed"),
        ("FAIL. And more.", 500, "engine_failed"),
        ("CRASH. And more.", 503, "engine_crashed"),
    ],
)
def test_an_error_before_the_first_audio_has_its_status(hanging, text, status, code):
    answer = hanging.speak(text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert hanging.speak("Fine again.").status_code == 200


# --- the same bytes -------------------------------------------------------------------------------


def all_at_once(call, arguments, threads=8):
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, arguments))


@pytest.mark.parametrize("text", [SENTENCE, TEXT], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", FORMATS)
def test_the_same_request_gives_the_same_bytes(uncached, name, text):
    """Whichever worker speaks, and whatever it and others have said before."""
    others = [
        {"text": f"{number} other words!", "voice": voice, "speed": speed, "response_format": "mp3"}
        for number in range(4)
        for voice, speed in (("fr-fr", 1.0), ("de+f3", 1.7), ("ru", 0.6), ("en-us+whisper", 1.0))
    ]
    ours = [{"text": text, "voice": "nova", "speed": 1.1, "response_format": name}] * len(others)
    mixed = [request for pair in zip(ours, others) for request in pair]
    answers = all_at_once(lambda request: uncached.speak(**request), mixed)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["X-Cache"] for answer in answers} == {"off"}
    assert len({answer.content for answer in answers[::2]}) == 1
    assert len({answer.content for answer in answers[1::2]}) == len(others)


def test_new_workers_say_the_same_as_those_before(uncached):
    """Also after every one of them has been killed."""
    request = {"text": TEXT, "voice": "en-gb", "response_format": "wav"}
    sounds = {uncached.speak(**request).content}
    for _ in range(2):
        old = uncached.engine_pids()
        assert len(old) == 2
        for pid in old:
            kill(pid)
        until(lambda: not any(map(is_running, old)), "the workers are dead")
        sounds |= {answer.content for answer in all_at_once(uncached.speak_of, [request] * 8)}
        until(lambda: len(uncached.engine_pids()) == 2, "new workers run")
    assert len(sounds) == 1


def test_another_server_says_the_same(uncached, server):
    """With a cache or without, in this process or another one."""
    for name in ("wav", "mp3"):
        for text in (SENTENCE, TEXT):
            fresh = uncached.speak(text, response_format=name)
            assert fresh.content == server.speak(text, response_format=name).content


# --- the cache ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SENTENCE, TEXT], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", FORMATS)
def test_the_second_time_comes_from_the_cache(server, name, text):
    """`X-Cache` says so, and the bytes are the same."""
    request = {"text": f"{text} {name}.", "voice": "shimmer", "response_format": name}
    first, second = server.speak(**request), server.speak(**request)
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert first.content == second.content
    for name in ("Content-Type", "X-Voice", "X-Sample-Rate", "X-Audio-Duration-Seconds"):
        assert first.headers.get(name) == second.headers.get(name)


def test_whatever_changes_the_sound_is_another_entry(server):
    """Text, voice, speed, format and sample rate each count; the name of a voice does not."""
    request = {"text": "Counted apart.", "voice": "onyx", "response_format": "wav"}
    assert server.speak(**request).headers["X-Cache"] == "miss"
    for change in (
        {"text": "Counted apart!"},
        {"voice": "en-us+m5"},
        {"speed": 1.25},
        {"response_format": "flac"},
        {"sample_rate": 16000},
    ):
        assert server.speak(**{**request, **change}).headers["X-Cache"] == "miss", change
    for same in ({"voice": "en-us+m4"}, {"speed": 1}, {"sample_rate": 22050}, {"model": "espeak"}):
        assert server.speak(**{**request, **same}).headers["X-Cache"] == "hit", same


def test_the_cache_on_disk_outlives_its_server(start, tmp_path):
    settings = {"engine": "stub", "cache_dir": tmp_path / "cache"}
    first = start(**settings)
    spoken = {text: first.speak(text).content for text in (SENTENCE, TEXT)}
    assert first.stop() == 0
    second = start(**settings)
    for text, content in spoken.items():
        answer = second.speak(text)
        assert (answer.headers["X-Cache"], answer.content) == ("hit", content)


def test_an_answer_that_a_client_has_left_is_not_kept(start):
    """Half of a text must never be somebody else's whole."""
    server = start(engine="stub", engine_workers=1)
    text = "Hello there. " + "PAUSE " * 20 + "done. The end."
    with server.connect() as connection:
        connection.ask(speech_body(text))
        assert connection.head().status == 200
        assert connection.chunk()
    until(lambda: server.in_progress() == 0, "the place is free")
    answer = server.speak(text)
    assert answer.headers["X-Cache"] == "miss"
    again = server.speak(text)
    assert again.headers["X-Cache"] == "hit"
    assert again.content == answer.content
    assert len(answer.content) > 2 * 16000 * 0.075 * 25


@pytest.mark.parametrize("text", [SENTENCE, TEXT], ids=["whole", "streamed"])
def test_a_hundred_identical_requests_are_spoken_once(start, text):
    """Whoever comes while it is being spoken shares it, whoever comes later gets it again."""
    server = start()
    once = server.speak(text, voice="de")
    seconds = server.metric("autovoice_synthesis_audio_seconds_total")
    compute = server.metric("autovoice_synthesis_compute_seconds_total")
    assert compute > 0
    together = threading.Barrier(100)

    def ask(number):
        with server.connect() as connection:
            together.wait()
            connection.ask(speech_body(text, voice="en-gb"))
            return connection.answer()

    answers = all_at_once(ask, range(100), threads=100)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    shown = server.get("/metrics").text
    found = {
        result: metric_sum(shown, "autovoice_cache_requests_total", result=result)
        for result in ("miss", "joined", "hit")
    }
    assert found["miss"] == 2, found
    assert sum(found.values()) == 101
    assert [answer.headers["X-Cache"] for answer in answers].count("miss") == 1
    done = metric_sum(shown, "autovoice_synthesis_requests_total", outcome="success")
    assert done == 101
    # One answer's worth of audio was made, whoever heard it.
    right = seconds / once.content.__len__() * len(answers[0].body)
    made = metric_sum(shown, "autovoice_synthesis_audio_seconds_total") - seconds
    assert made == pytest.approx(right, rel=0.02)


# --- memory ---------------------------------------------------------------------------------------


def memory_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


@pytest.mark.slow
def test_a_megabyte_of_text_streams_in_flat_memory(start):
    """Where the limit is raised; a client that leaves ends it all."""
    server = start(max_input_chars=2_000_000)
    text = (TEXT + " ") * (1_000_000 // len(TEXT))
    with server.connect() as connection:
        connection.ask(speech_body(text))
        assert connection.head().status == 200
        read, memory = 0, {}
        while read < 80_000_000:
            piece = connection.chunk()
            assert piece
            read += len(piece)
            megabytes = read // 1_000_000
            if megabytes >= 20 and megabytes % 20 == 0 and megabytes not in memory:
                memory[megabytes] = memory_mb(server.serving_pid())
    assert set(memory) == {20, 40, 60, 80}
    assert memory[80] < memory[20] + 8
    assert memory[80] < 250
    until(lambda: server.in_progress() == 0, "the place is free")
    assert server.speak().status_code == 200


def test_text_past_a_raised_limit_is_still_refused(start):
    server = start(engine="stub", max_input_chars=10_000)
    assert server.speak("a" * 10_000).status_code == 200
    assert server.speak("a" * 10_001).json()["error"]["code"] == "input_too_long"
