"""A text becomes exactly its sentences' audio, in bounded memory, and frees what it took."""

import io
import threading
import time
import tracemalloc
import wave

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_voice.audio.encoders import FORMATS, sample_rate_for
from auto_voice.engines.job import Job
from auto_voice.errors import (
    Cancelled,
    DeadlineExceeded,
    EngineCrashed,
    EngineFailed,
    Overloaded,
)
from auto_voice.synthesis.stream import LOOKAHEAD, Manner, SpeechStream, Stats
from auto_voice.synthesis.tape import SILENT_ANSWER_S
from auto_voice.text.plan import plan_text
from auto_voice.text.sentences import segments
from tests.examples import examples
from tests.unit.audio.sound import decode
from tests.unit.engines.speaking import samples, speech, tones
from tests.unit.synthesis.service import (
    TEXT,
    answer,
    begin,
    encoded,
    expected_pcm,
    said,
    wait_for,
)

ENGINES = ["stub", "espeak"]


@pytest.fixture
def assigned(monkeypatch):
    """The texts that workers are given, in that order."""
    texts = []
    assign = Job.assign

    def noted(self, worker):
        texts.append(self.utterance.text)
        assign(self, worker)

    monkeypatch.setattr(Job, "assign", noted)
    return texts


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def running(engine, request):
    return request.getfixturevalue(engine)


class TestContent:
    """What is sent is what was said, no sample more or less."""

    @pytest.mark.parametrize("format_name", sorted(FORMATS))
    def test_a_streamed_file_is_the_file_of_the_whole(self, running, engine, format_name):
        """However the sentences come, the bytes are those of an encoder that got all at once."""
        native = running.synthesizer.engine.capabilities.sample_rate
        rate = sample_rate_for(format_name, native)
        pcm = expected_pcm(engine, TEXT, rate)
        speaking = begin(running, TEXT, format=format_name)
        pieces = list(speaking)
        speaking.close()
        assert not speaking.whole
        assert speaking.sample_rate == rate
        assert len(pieces) > 1 and all(pieces)
        assert b"".join(pieces) == encoded(pcm, format_name, rate)

    @pytest.mark.parametrize("format_name", ["wav", "flac", "pcm"])
    @pytest.mark.parametrize("text", ["One sentence.", TEXT], ids=["whole", "streamed"])
    def test_lossless_formats_decode_to_the_samples(self, running, engine, format_name, text):
        rate = running.synthesizer.engine.capabilities.sample_rate
        data = said(running, text, format=format_name, sample_rate=rate)
        pcm = data if format_name == "pcm" else decode(data, format_name).tobytes()
        assert pcm == expected_pcm(engine, text, rate)

    def test_one_sentence_is_sent_whole_with_its_length(self, running, engine):
        rate = running.synthesizer.engine.capabilities.sample_rate
        speaking = begin(running, "Hello, world.", format="wav")
        pieces = list(speaking)
        speaking.close()
        assert speaking.whole and len(pieces) == 1
        pcm = expected_pcm(engine, "Hello, world.", rate)
        assert pieces[0] == encoded(pcm, "wav", rate, whole=True)
        with wave.open(io.BytesIO(pieces[0])) as file:
            assert (file.getframerate(), file.getnframes()) == (rate, len(pcm) // 2)

    @pytest.mark.parametrize("rate", [8000, 24000, 44100, 48000])
    def test_another_sample_rate_is_the_same_sound_resampled(self, running, engine, rate):
        data = said(running, TEXT, format="pcm", sample_rate=rate)
        assert data == expected_pcm(engine, TEXT, rate)

    @pytest.mark.parametrize("speed", [0.25, 0.7, 2.0, 4.0])
    def test_speed_is_the_engines(self, running, engine, speed):
        rate = running.synthesizer.engine.capabilities.sample_rate
        data = said(running, TEXT, format="pcm", sample_rate=rate, speed=speed)
        assert data == expected_pcm(engine, TEXT, rate, speed=speed)

    def test_a_variant_of_a_voice_is_heard(self, service):
        espeak = service(engine="espeak", cache="off", loudness_lufs=0)
        data = said(espeak, TEXT, voice="en-us+klatt", format="pcm", sample_rate=22050)
        assert data == expected_pcm("espeak", TEXT, 22050, voice="en-us+klatt")

    def test_many_at_once_each_get_their_own(self, running, engine):
        """Sixteen different texts in parallel: nothing is mixed up."""
        texts = [f"Number {number} begins. It goes on. {number} ends." for number in range(16)]
        answers = {}

        def ask(text):
            answers[text] = said(running, text, format="pcm", sample_rate=16000)

        threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for text in texts:
            assert answers[text] == expected_pcm(engine, text, 16000)

    @settings(
        max_examples=examples(25),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        words=st.lists(
            st.sampled_from(["one", "two.", "three!", "four\n\n", "-", "...", "5", "e.g.", "é"]),
            min_size=1,
            max_size=30,
        )
    )
    def test_any_text_is_said_word_for_word(self, stub, words):
        """Every word of the text is heard once, in its place, whatever stands between."""
        text = " ".join(words)
        data = said(stub, text, format="pcm", sample_rate=16000)
        assert data == answer(text)
        if "\n\n" not in text:
            assert data.rstrip(b"\0") == tones(text).rstrip(b"\0")


class TestSilence:
    """A text without anything to say is a short silence, and a valid file."""

    @pytest.mark.parametrize("format_name", sorted(FORMATS))
    def test_in_every_format(self, stub, format_name):
        speaking = begin(stub, "...", format=format_name)
        data = b"".join(speaking)
        speaking.close()
        assert speaking.outcome in ("success", "empty")
        if format_name == "pcm":
            assert data == bytes(round(2 * 24000 * SILENT_ANSWER_S))
        else:
            assert len(decode(data, format_name)) > 0

    @pytest.mark.parametrize("text", ["...", "—", "“”", ")", "\u200b", ". . .\n\n...", "•", "''"])
    def test_is_as_long_with_every_engine(self, running, text):
        data = said(running, text, format="pcm", sample_rate=16000)
        assert not samples(data).any()
        assert SILENT_ANSWER_S <= len(data) / 2 / 16000 < 1


@pytest.mark.slow
class TestMemory:
    """It does not grow with the text."""

    def peak(self, service, sentences):
        text = "".join(f"{'w' * 190}{number}. " for number in range(sentences))
        speaking = begin(service, text, format="pcm", speed=4.0)
        tracemalloc.start()
        try:
            size = sum(map(len, speaking))
            return tracemalloc.get_traced_memory()[1], size
        finally:
            tracemalloc.stop()
            speaking.close()

    def test_of_a_stream_is_flat(self, stub):
        self.peak(stub, 20)
        short, short_bytes = self.peak(stub, 250)
        long, long_bytes = self.peak(stub, 1000)
        assert long_bytes > 3.9 * short_bytes > 400_000
        assert long < short + 100_000

    def test_of_an_answer_too_large_for_the_cache_is_bounded(self, service):
        """What is collected to be kept is let go at the limit."""
        cached = service(
            engine_workers=2, cache_memory_mb=1, cache_entry_mb=1, max_input_chars=1_000_000
        )
        self.peak(cached, 20)
        peak, size = self.peak(cached, 2000)
        assert size > 1.5 * (1 << 20)
        assert peak < 1.5 * (1 << 20)

    def test_what_nobody_reads_is_not_made(self, stub):
        speaking = begin(stub, TEXT * 20, format="pcm")
        assert next(speaking)
        assert speaking.stats.sentences <= 1 + LOOKAHEAD
        speaking.close()


class TestPlaces:
    """Whoever is done, or gone, or refused, holds no place."""

    @pytest.fixture
    def busy(self, service):
        """A service whose only worker speaks a long sentence; its other requests wait."""
        running = service(cache="off")
        speaking = begin(running, "Start. " + "PAUSE " * 60, format="pcm")
        assert running.synthesizer.scheduler.requests == 1
        yield running
        speaking.close()

    @pytest.mark.parametrize("text", ["Hello.", TEXT], ids=["whole", "streamed"])
    def test_after_the_end(self, stub, text):
        said(stub, text)
        assert stub.synthesizer.scheduler.requests == 0

    def test_after_closing_early(self, stub):
        speaking = begin(stub, TEXT * 20, format="pcm")
        next(speaking)
        assert stub.synthesizer.scheduler.requests == 1
        speaking.close()
        assert stub.synthesizer.scheduler.requests == 0
        speaking.close()
        assert stub.synthesizer.scheduler.requests == 0

    def test_after_closing_unread(self, stub):
        begin(stub, TEXT).close()
        assert stub.synthesizer.scheduler.requests == 0

    def test_after_being_thrown_away(self, stub):
        """A protocol that forgets to close loses no place for ever."""
        speaking = begin(stub, TEXT, format="pcm")
        del speaking
        wait_for(lambda: stub.synthesizer.scheduler.requests == 0)

    def test_closing_early_frees_the_worker(self, service, assigned):
        """It stops in the middle of the sentence; what was queued is not spoken."""
        running = service(cache="off")
        text = "First. " + "PAUSE " * 60 + ". Third one. Fourth one."
        speaking = begin(running, text, format="pcm")
        next(speaking)
        speaking.close()
        assert said(running, "Next.", format="pcm", sample_rate=16000) == answer("Next.")
        assert "Third one." not in assigned

    @pytest.mark.parametrize("text", ["Hello.", TEXT], ids=["whole", "streamed"])
    def test_when_the_client_goes_while_waiting(self, busy, text):
        scheduler = busy.synthesizer.scheduler
        with pytest.raises(Cancelled):
            begin(busy, text, is_gone=lambda: True)
        assert scheduler.requests == 1

    @pytest.mark.parametrize("text", ["Hello.", TEXT], ids=["whole", "streamed"])
    def test_when_the_deadline_passes_while_waiting(self, busy, text):
        scheduler = busy.synthesizer.scheduler
        stats = Stats()
        with pytest.raises(DeadlineExceeded):
            list(stream(busy, text, stats, start_deadline_s=0.1))
        assert scheduler.requests == 1

    def test_when_it_is_refused(self, service):
        running = service(cache="off", max_requests=1)
        speaking = begin(running, TEXT, format="pcm")
        for _ in range(3):
            with pytest.raises(Overloaded):
                begin(running, "Hello.")
        speaking.close()
        assert said(running, "Hello.", format="pcm", sample_rate=16000) == answer("Hello.")

    @pytest.mark.parametrize("text", ["FAIL.", "One. FAIL. Two."], ids=["whole", "streamed"])
    def test_after_an_error(self, stub, text):
        with pytest.raises(EngineFailed):
            said(stub, text)
        assert stub.synthesizer.scheduler.requests == 0


def stream(service, text, stats, start_deadline_s=20.0, request_deadline_s=60.0, is_gone=None):
    """The pieces of a stream that is told its own deadlines."""
    voice = service.synthesizer.catalogue.find("en-us")
    speaking = SpeechStream(
        scheduler=service.synthesizer.scheduler,
        text=text,
        steps=plan_text(text, "en-us", ()),
        manner=Manner("pcm", voice.sample_rate),
        voice_for=lambda style: voice,
        capabilities=service.synthesizer.ensemble.capabilities,
        gains_db={},
        start_deadline_s=start_deadline_s,
        request_deadline_s=request_deadline_s,
        stats=stats,
        is_gone=is_gone or (lambda: False),
    )
    whole = len(list(plan_text(text, "en-us", ()))) == 1
    return speaking.whole() if whole else speaking.pieces()


class TestErrors:
    """They are raised, before the first piece or in the middle; nothing is passed over."""

    def test_before_the_first_piece(self, stub):
        with pytest.raises(EngineFailed, match="asked to fail"):
            begin(stub, "FAIL. And on.")

    def test_in_the_middle(self, stub):
        speaking = begin(stub, "One two three. FAIL. Two.", format="pcm", sample_rate=16000)
        received = []
        with pytest.raises(EngineFailed):
            for piece in speaking:
                received.append(piece)
        speaking.close()
        assert b"".join(received) == tones("One two three.")
        assert speaking.outcome == "error"

    def test_a_crash_in_the_middle(self, service):
        running = service(cache="off")
        speaking = begin(running, "One two. CRASH. Two.", format="pcm", sample_rate=16000)
        received = []
        with pytest.raises(EngineCrashed):
            for piece in speaking:
                received.append(piece)
        speaking.close()
        assert b"".join(received) == tones("One two.")
        assert said(running, "Yes.", format="pcm", sample_rate=16000) == answer("Yes.")

    @pytest.mark.parametrize(
        "text",
        ["PAUSE " * 20, "PAUSE " * 8 + ". Go on. " + "PAUSE " * 8 + ". The end."],
        ids=["whole", "streamed"],
    )
    def test_a_request_that_takes_too_long(self, stub, text):
        """Its deadline is kept while the engine is speaking, too, and not only in the queue."""
        with pytest.raises(DeadlineExceeded):
            list(stream(stub, text, Stats(), request_deadline_s=0.2))
        assert stub.synthesizer.scheduler.requests == 0

    def test_a_client_that_reads_too_slowly(self, stub):
        """It may not hold a place for ever, however idle the server is."""
        stats = Stats()
        pieces = stream(stub, "One. " * 50, stats, request_deadline_s=0.3)
        next(pieces)
        wait_for(lambda: time.monotonic() > stats.began + 0.3)
        with pytest.raises(DeadlineExceeded):
            list(pieces)
        assert stub.synthesizer.scheduler.requests == 0


class TestStats:
    """What is told of a request is what became of it."""

    def test_of_a_whole_text(self, running):
        speaking = begin(running, TEXT, format="pcm", sample_rate=16000)
        size = sum(map(len, speaking))
        speaking.close()
        stats = speaking.stats
        assert stats.sentences == len(list(segments(TEXT, "en-us")))
        assert stats.characters == len(TEXT)
        assert stats.audio_s == pytest.approx(size / 2 / 16000)
        assert 0 < stats.first_audio_s
        assert 0 <= stats.queue_wait_s <= stats.first_audio_s
        assert stats.compute_s > 0

    def test_of_a_text_that_was_left(self, stub):
        speaking = begin(stub, TEXT * 5, format="pcm", sample_rate=16000)
        piece = next(speaking)
        speaking.close()
        assert speaking.stats.characters < len(TEXT)
        assert speaking.stats.audio_s == pytest.approx(len(piece) / 2 / 16000)


def test_speech_and_tones_come_from_where_they_should():
    """The references of these tests are no silence."""
    assert samples(speech("Hello.")).any() and samples(tones("Hello.")).any()
