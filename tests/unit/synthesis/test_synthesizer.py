"""The one call: what it refuses, what it shares, what it counts."""

import threading
import wave

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_voice import errors
from auto_voice.audio.encoders import FORMATS
from auto_voice.engines.job import Job
from auto_voice.engines.pool import WorkerPool
from auto_voice.errors import (
    AutoVoiceError,
    Cancelled,
    DeadlineExceeded,
    Draining,
    EmptyInput,
    EngineFailed,
    InputTooLong,
    InvalidRequest,
    Overloaded,
    VoiceNotFound,
)
from auto_voice.monitoring.metrics import Metrics
from auto_voice.monitoring.synthesis_metrics import OUTCOMES
from auto_voice.settings import load
from auto_voice.synthesis.cache import AudioCache, MemoryStore
from auto_voice.synthesis.ensemble import Ensemble
from auto_voice.synthesis.levels import Levels
from auto_voice.synthesis.planning import Planner
from auto_voice.synthesis.scheduler import FairScheduler
from auto_voice.synthesis.speech import SpeechRequest, outcome_of
from auto_voice.synthesis.synthesizer import Synthesizer
from auto_voice.text.lexicon_store import LexiconStore
from auto_voice.voices.folder import VoiceFolder
from tests.examples import examples
from tests.unit.synthesis.service import TEXT, answer, begin, counted, expected_pcm, said, wait_for

PCM = {"format": "pcm", "sample_rate": 16000}


@pytest.fixture
def cached(service):
    return service(engine_workers=2, max_input_chars=100_000)


@pytest.fixture
def submitted(monkeypatch):
    """The texts of all sentences that went to the scheduler."""
    texts = []
    submit = FairScheduler.submit

    def noted(self, ticket, job):
        texts.append(job.utterance.text)
        submit(self, ticket, job)

    monkeypatch.setattr(FairScheduler, "submit", noted)
    return texts


class TestRefusals:
    """Said at once, before anything is made, and counted."""

    @pytest.mark.parametrize("text", ["", " ", "\n\t\r ", "\u2003\u00a0"])
    def test_no_text(self, stub, text):
        with pytest.raises(EmptyInput) as caught:
            begin(stub, text)
        assert caught.value.param == "input"

    def test_too_much_text(self, service):
        running = service(cache="off", max_input_chars=10)
        assert said(running, "0123456789", **PCM)
        with pytest.raises(InputTooLong, match="11 characters.*accepts 10") as caught:
            begin(running, "0123456789a")
        assert caught.value.param == "input"

    def test_no_such_voice(self, stub):
        with pytest.raises(VoiceNotFound) as caught:
            begin(stub, "Hello.", voice="nobody")
        assert caught.value.param == "voice"

    def test_no_such_format(self, stub):
        with pytest.raises(InvalidRequest) as caught:
            begin(stub, "Hello.", format="midi")
        assert caught.value.param == "response_format"

    def test_no_such_sample_rate(self, stub):
        with pytest.raises(InvalidRequest) as caught:
            begin(stub, "Hello.", format="opus", sample_rate=22050)
        assert caught.value.param == "sample_rate"

    def test_while_stopping(self, service):
        running = service(cache="off")
        running.drain()
        with pytest.raises(Draining):
            begin(running, "Hello.")

    def test_but_not_who_came_before_the_stop(self, service, monkeypatch):
        """However long it takes from there to the first sentence."""
        running = service(cache="off")
        whole = said(running, "Hello.", **PCM)
        plan = running.synthesizer.plan

        def stopping_meanwhile(request):
            running.drain()
            return plan(request)

        monkeypatch.setattr(running.synthesizer, "plan", stopping_meanwhile)
        assert said(running, "Hello.", **PCM) == whole
        with pytest.raises(Draining):
            begin(running, "Hello.")

    def test_each_is_counted(self, service):
        running = service(cache="off", max_requests=1)

        def refused(outcome):
            return counted(
                running, "synthesis_requests_total", engine="stub", mode="none", outcome=outcome
            )

        for text, voice in (("", "en-us"), ("Hello.", "nobody"), ("x" * 5000, "en-us")):
            with pytest.raises(InvalidRequest):
                begin(running, text, voice=voice)
        assert refused("invalid") == 3
        with pytest.raises(EngineFailed):
            begin(running, "FAIL.")
        assert refused("error") == 1
        speaking = begin(running, TEXT, **PCM)
        with pytest.raises(Overloaded):
            begin(running, "Hello.")
        assert refused("rejected") == 1
        speaking.close()


@pytest.mark.parametrize("cache", ["on", "off"])
@pytest.mark.parametrize("text", ["a \ud800 b", "\udcff", "a\x00b", "\x01+50P a", "a\u2028b"])
def test_text_that_is_no_proper_text_is_spoken_or_refused(service, cache, text):
    """Lone surrogates come from a command line, control characters from anywhere."""
    running = service(cache=cache)
    for _ in range(3):  # with one worker: a lost one would be missed
        try:
            said(running, text, **PCM)
        except InvalidRequest:
            pass
    assert said(running, "one", **PCM) == answer("one")


@settings(
    max_examples=examples(20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.text(st.characters(), max_size=60),
    voice=st.one_of(st.just("en-us"), st.text(max_size=10)),
    format_name=st.one_of(st.sampled_from(sorted(FORMATS)), st.text(max_size=5)),
    speed=st.floats(0.25, 4.0),
    sample_rate=st.one_of(st.none(), st.integers(8000, 48000)),
)
def test_any_request_is_answered_or_refused(stub, text, voice, format_name, speed, sample_rate):
    """Never anything but bytes or an error that says whose fault it is."""
    try:
        data = said(
            stub, text, voice=voice, format=format_name, speed=speed, sample_rate=sample_rate
        )
        assert data
    except InvalidRequest:
        pass
    assert stub.synthesizer.scheduler.requests == 0


class TestCache:
    """The same request gives the same bytes, made once."""

    def test_what_was_said_before_is_a_hit(self, cached, submitted):
        first, again = begin(cached, TEXT, **PCM), None
        data = b"".join(first)
        first.close()
        count = len(submitted)
        again = begin(cached, TEXT, **PCM)
        assert b"".join(again) == data == expected_pcm("stub", TEXT, 16000)
        again.close()
        assert (first.cache, again.cache) == ("miss", "hit")
        assert (first.outcome, again.outcome) == ("success", "success")
        assert again.stats.audio_s == first.stats.audio_s > 0
        assert len(submitted) == count

    @pytest.mark.parametrize(
        "other",
        [
            {"text": "Two words"},
            {"text": "two words."},
            {"format": "wav"},
            {"speed": 1.5},
            {"sample_rate": 24000},
        ],
    )
    def test_another_request_is_no_hit(self, cached, other):
        request = {"text": "Two words.", **PCM}
        said(cached, **request)
        speaking = begin(cached, **{**request, **other})
        assert speaking.cache == "miss"
        speaking.close()

    def test_another_recording_of_the_same_name_is_no_hit(self, service, tmp_path):
        """Nor is one that comes only after its words were spoken in its place."""
        cached = service(ssml_audio_dir=str(tmp_path))

        def record(seconds):
            with wave.open(str(tmp_path / "bell.wav"), "wb") as file:
                file.setparams((1, 2, 16000, 0, "NONE", ""))
                file.writeframes(b"\x00\x10" * round(16000 * seconds))

        def spoken():
            return said(cached, '<audio src="bell.wav">Ding.</audio>', ssml=True, **PCM)

        with_words = spoken()
        record(0.5)
        assert len(spoken()) == 16000 != len(with_words)
        record(0.75)
        assert len(spoken()) == len(spoken()) == 24000
        assert counted(cached, "cache_requests_total", cache="audio", result="hit") == 1

    def test_another_name_for_the_same_voice_is_a_hit(self, cached):
        data = said(cached, "Hello.", **PCM)
        for name in ("alloy", "EN-US", "en_US"):
            speaking = begin(cached, "Hello.", voice=name, **PCM)
            assert (speaking.cache, b"".join(speaking)) == ("hit", data)
            speaking.close()

    def test_streamed_whole_and_cached_bytes_are_the_same(self, cached, stub):
        for text in ("One sentence.", TEXT):
            for format_name in sorted(FORMATS):
                made = said(cached, text, format=format_name)
                assert said(cached, text, format=format_name) == made
                assert said(stub, text, format=format_name) == made

    @pytest.mark.parametrize("text", ["One sentence.", TEXT], ids=["whole", "streamed"])
    def test_a_hundred_at_once_are_made_once(self, cached, submitted, text):
        """All get the same bytes; there was one synthesis, and it is counted so."""
        answers = [b""] * 100
        barrier = threading.Barrier(100)

        def ask(number):
            barrier.wait()
            answers[number] = said(cached, text, **PCM)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers) == {expected_pcm("stub", text, 16000)}
        assert len(submitted) == len(set(submitted))
        results = {
            result: counted(cached, "cache_requests_total", cache="audio", result=result)
            for result in ("miss", "hit", "joined")
        }
        assert results["miss"] == 1
        assert sum(results.values()) == 100

    def test_what_ends_between_two_looks_is_not_made_again(self, submitted):
        """One looks in the cache, and finds nothing; then the other one, which was making it,
        keeps it and is done; then the first one looks who is making it.
        """

        class Slow(AudioCache):
            meanwhile = None

            def get(self, key):
                found = super().get(key)
                meanwhile, self.meanwhile = self.meanwhile, None
                if meanwhile is not None:
                    meanwhile()
                return found

        configured = load({}, engine="stub", engine_workers=1)
        scheduler = FairScheduler(10)
        pool = WorkerPool("stub", scheduler.queue("stub"), 1, 10.0)
        folder = VoiceFolder(configured.voice_folder)
        ensemble = Ensemble({"stub": pool}, folder, configured.aliases, "stub")
        ensemble.start()
        try:
            cache = Slow(MemoryStore(1 << 20, lambda count: None), None)
            synthesizer = Synthesizer(
                configured,
                ensemble,
                scheduler,
                cache,
                Metrics("stub"),
                Planner(LexiconStore(configured.lexicon_folder), ""),
                Levels(scheduler, ensemble, 0, None, 1),
            )
            request = SpeechRequest("Hello.", "en-us")
            others = []
            cache.meanwhile = lambda: others.append(b"".join(synthesizer.speak(request)))
            assert b"".join(synthesizer.speak(request)) == others[0]
            assert submitted == ["Hello."]
        finally:
            pool.close()

    def test_what_failed_is_not_kept(self, cached):
        for _ in range(2):
            with pytest.raises(EngineFailed):
                said(cached, "One. FAIL.", **PCM)
        speaking = begin(cached, "One. Two.", **PCM)
        assert speaking.cache == "miss"
        speaking.close()

    def test_what_was_left_is_not_kept(self, cached):
        speaking = begin(cached, TEXT, **PCM)
        speaking.close()
        again = begin(cached, TEXT, **PCM)
        assert again.cache == "miss"
        assert b"".join(again) == expected_pcm("stub", TEXT, 16000)
        again.close()

    def test_what_is_too_large_is_not_kept(self, service):
        running = service(engine_workers=2, cache_entry_mb=1, max_input_chars=1_000_000)
        text = "word " * 75 + "end. "
        speaking = begin(running, text * 8, **PCM)
        assert sum(map(len, speaking)) > 1 << 20
        speaking.close()
        again = begin(running, text * 8, **PCM)
        assert again.cache == "miss"
        again.close()

    def test_a_hit_needs_no_place_and_no_worker(self, service):
        """A full server still answers what it knows."""
        running = service(max_requests=1)
        said(running, "Hello.", **PCM)
        busy = begin(running, TEXT, **PCM)
        with pytest.raises(Overloaded):
            said(running, "Something else.", **PCM)
        assert said(running, "Hello.", **PCM) == answer("Hello.")
        busy.close()

    def test_many_that_share_take_one_place(self, service):
        running = service(max_requests=1, engine_workers=2)
        speaking = [begin(running, TEXT, **PCM) for _ in range(20)]
        assert running.synthesizer.scheduler.requests == 1
        assert len({b"".join(each) for each in speaking}) == 1
        for each in speaking:
            each.close()
        assert running.synthesizer.scheduler.requests == 0

    def test_half_an_answer_is_never_kept_or_shared(self, cached, monkeypatch):
        """The client of a one-sentence request goes while it is being spoken."""
        put = Job.put

        def put_and_left(self, pcm, last):
            wanted = put(self, pcm, last)
            if "PAUSE" in self.utterance.text:
                self.cancel()
                return False
            return wanted

        text = "one two PAUSE " * 4
        with monkeypatch.context() as patched:
            patched.setattr(Job, "put", put_and_left)
            try:
                said(cached, text, **PCM)
            except AutoVoiceError:
                pass
        assert said(cached, text, **PCM) == answer(text)

    def test_off_is_off(self, stub, submitted):
        for _ in range(2):
            speaking = begin(stub, "Hello.", **PCM)
            list(speaking)
            speaking.close()
            assert speaking.cache == "off"
        assert len(submitted) == 2


class TestAccount:
    """What the metrics say is what happened."""

    def test_of_a_whole_and_a_streamed_answer(self, service):
        running = service(cache="off")
        size = 0
        for text in ("Hello.", TEXT):
            size += len(said(running, text, **PCM))
        for mode in ("whole", "stream"):
            labels = {"engine": "stub", "mode": mode}
            assert counted(running, "synthesis_requests_total", outcome="success", **labels) == 1
            assert counted(running, "synthesis_duration_seconds_count", **labels) == 1
        engine = {"engine": "stub"}
        characters = len("Hello.") + len(TEXT)
        assert counted(running, "synthesis_input_characters_total", **engine) == characters
        seconds = counted(running, "synthesis_audio_seconds_total", **engine)
        assert seconds == pytest.approx(size / 2 / 16000)
        assert counted(running, "synthesis_compute_seconds_total", **engine) > 0
        http = {"engine": "stub", "transport": "http"}
        assert counted(running, "synthesis_first_audio_seconds_count", **http) == 2

    def test_of_each_way_to_end(self, service):
        running = service(cache="off")

        def outcome(text, read_all=True):
            speaking = begin(running, text, **PCM)
            try:
                for _ in speaking:
                    if not read_all:
                        break
            except AutoVoiceError:
                pass
            speaking.close()
            return speaking.outcome

        assert outcome("Hello.") == "success"
        assert outcome(TEXT, read_all=False) == "cancelled"
        assert outcome("One. FAIL.") == "error"
        for name, count in (("success", 1), ("cancelled", 1), ("error", 1)):
            total = sum(
                counted(running, "synthesis_requests_total", engine="stub", mode=mode, outcome=name)
                for mode in ("whole", "stream", "none")
            )
            assert total == count, name

    def test_a_hit_is_no_new_audio(self, cached):
        said(cached, "Hello.", **PCM)
        before = counted(cached, "synthesis_audio_seconds_total", engine="stub")
        said(cached, "Hello.", **PCM)
        assert counted(cached, "synthesis_audio_seconds_total", engine="stub") == before
        assert counted(cached, "cache_requests_total", cache="audio", result="hit") == 1

    def test_in_progress_is_what_is_in_progress(self, service):
        running = service(cache="off")
        speaking = begin(running, TEXT, **PCM)
        assert counted(running, "synthesis_in_progress") == 1
        speaking.close()
        assert counted(running, "synthesis_in_progress") == 0

    def test_the_size_of_the_cache_is_shown(self, cached):
        size = len(said(cached, "Hello.", **PCM))
        assert counted(cached, "cache_size_bytes", cache="memory") == size

    def test_every_error_has_an_outcome(self):
        def all_of(error):
            yield error
            for child in error.__subclasses__():
                yield from all_of(child)

        for error in all_of(AutoVoiceError):
            assert outcome_of(error("why")) in OUTCOMES

    @pytest.mark.parametrize(
        "error, outcome",
        [
            (Cancelled, "cancelled"),
            (DeadlineExceeded, "timeout"),
            (errors.EngineTimeout, "timeout"),
            (Overloaded, "rejected"),
            (Draining, "rejected"),
            (VoiceNotFound, "invalid"),
            (errors.EngineCrashed, "error"),
        ],
    )
    def test_outcomes_say_what_they_mean(self, error, outcome):
        assert outcome_of(error("why")) == outcome


class TestProbe:
    """What readiness rests on: a worker really speaks."""

    def test_it_speaks_through_the_queue(self, service, submitted):
        running = service(cache="on")
        running.synthesizer.probe(20)
        running.synthesizer.probe(20)
        assert len(submitted) == 2, "past the cache"
        assert running.synthesizer.scheduler.requests == 0

    def test_it_fails_where_no_worker_comes_free(self, service):
        running = service(cache="off")
        busy = begin(running, "Start. " + "PAUSE " * 40, **PCM)
        with pytest.raises(DeadlineExceeded):
            running.synthesizer.probe(0.1)
        assert running.synthesizer.scheduler.requests == 1
        busy.close()

    def test_it_fails_while_stopping(self, service):
        running = service(cache="off")
        running.drain()
        with pytest.raises(Draining):
            running.synthesizer.probe(1)


def test_ready_only_after_a_worker_has_spoken(service):
    """From the first moment on, health tells the truth."""
    running = service(cache="off")
    assert running.health.reasons() in ([], ["engine:stub: no worker is ready"])
    wait_for(lambda: not running.health.reasons())
    assert running.synthesizer.ensemble.pools["stub"].last_success > 0
    running.drain()
    assert running.health.reasons() == ["draining: the server is stopping"]


def test_open_requests_end_while_draining(service):
    """A stream that was begun is finished; then the server is idle."""
    running = service(cache="off")
    speaking = begin(running, TEXT, **PCM)
    received = next(speaking)
    running.drain()
    assert not running.synthesizer.scheduler.wait_until_idle(0)
    received += b"".join(speaking)
    speaking.close()
    assert received == expected_pcm("stub", TEXT, 16000)
    assert running.synthesizer.scheduler.wait_until_idle(10)
