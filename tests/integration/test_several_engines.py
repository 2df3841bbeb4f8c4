"""Several engines in one server, and voices that come and go while it speaks."""

import shutil
import threading
import time

import numpy
import pytest

from auto_voice import engines, settings
from auto_voice.bootstrap import build
from auto_voice.engines.pool import WorkerPool
from auto_voice.engines.stub import SAMPLE_RATE_HZ, tone_hz
from auto_voice.errors import (
    EngineCrashed,
    EngineFailed,
    EngineTimeout,
    VoiceNotFound,
    VoiceUnavailable,
)
from auto_voice.synthesis.ensemble import Ensemble
from auto_voice.synthesis.scheduler import FairScheduler
from auto_voice.synthesis.speech import SpeechRequest
from auto_voice.voices.folder import VoiceFolder
from tests.integration.pools import until
from tests.unit.engines.speaking import loudest_hz, samples
from tests.unit.voices.dropped import drop, drop_piper, model


class Running:
    """A service with two engines: the stub, whose voices may be files, and espeak-ng."""

    def __init__(self, folder, **options):
        self.folder = folder
        options = {
            "engine": "stub,espeak",
            "engine_workers": 1,
            "voice_dir": str(folder),
            **options,
        }
        self.service = build(settings.load({}, gpu_metrics="off", **options))
        self.synthesizer = self.service.synthesizer
        self.ensemble = self.synthesizer.ensemble

    def find(self, name):
        return self.synthesizer.catalogue.find(name)

    def has(self, name):
        return any(voice.id == name for voice in self.synthesizer.catalogue.list())

    def speech(self, text, voice, **options):
        options = {"format": "pcm", "sample_rate": SAMPLE_RATE_HZ, **options}
        speech = self.synthesizer.speak(SpeechRequest(text, voice, **options))
        try:
            return b"".join(speech), speech
        finally:
            speech.close()

    def say(self, text, voice, **options):
        return self.speech(text, voice, **options)[0]

    def value(self, name, **labels):
        return self.service.metrics.registry.get_sample_value(f"autovoice_{name}", labels)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    made = Running(tmp_path_factory.mktemp("voices"))
    yield made
    made.service.close()


@pytest.fixture(autouse=True)
def _tidy(running):
    yield
    for path in running.folder.iterdir():
        shutil.rmtree(str(path)) if path.is_dir() else path.unlink()
    until(lambda: not running.ensemble.folder.look().voices, "the folder is empty")


def drop_and_wait(running, voice_id, **more):
    folder = drop(running.folder, voice_id, **more)
    until(lambda: running.has(voice_id), f"{voice_id} is there")
    return folder


def heard_hz(pcm, start_ms, end_ms):
    """What sounds between two moments."""
    start, end = (round(SAMPLE_RATE_HZ * ms / 1e3) for ms in (start_ms, end_ms))
    return loudest_hz(pcm[2 * start : 2 * end], SAMPLE_RATE_HZ)


def test_each_language_of_a_text_is_spoken_by_the_engine_that_has_it(running):
    """At one rate, each in its place, with its words' times."""
    drop_and_wait(running, "anna", languages=["de"], sample_rate=22050)
    text = (
        "<speak>Alpha beta. <lang xml:lang='de'>Gamma.</lang> "
        "<lang xml:lang='fr'>Bonjour tout le monde.</lang> Delta.</speak>"
    )
    pcm, speech = running.speech(text, "en-us", ssml=True, timestamps=True, normalize=False)
    words = {word.word: word for word in speech.new_words()}
    assert list(words) == ["Alpha", "beta", "Gamma", "Bonjour", "tout", "le", "monde", "Delta"]
    for name in ("Alpha", "beta", "Gamma", "Delta"):
        found = heard_hz(pcm, words[name].start_ms, words[name].start_ms + 50)
        assert found == pytest.approx(tone_hz(name), abs=25), name
    options = {"normalize": False, "continues": True}
    french = running.say("Bonjour tout le monde.", "espeak:fr-fr", **options)
    start = round(SAMPLE_RATE_HZ * words["Bonjour"].start_ms / 1e3)
    end = round(SAMPLE_RATE_HZ * words["Delta"].start_ms / 1e3)
    there, alone = samples(pcm[2 * start : 2 * end]), samples(french)
    assert len(there) == pytest.approx(len(alone), rel=0.02)
    middle = alone[len(alone) // 4 : len(alone) // 2]
    assert numpy.correlate(there, middle, "valid").max() > 0.95 * numpy.sum(middle**2)


def test_a_language_is_spoken_by_the_best_voice_there_is(running):
    assert running.find("de").engine == "espeak"
    drop_and_wait(running, "anna-low", languages=["de"], quality="low")
    assert running.find("de").id == "anna-low"
    drop_and_wait(running, "anna-high", languages=["de-DE"], quality="high")
    assert running.find("de").id == running.find("de-de").id == "anna-high"
    assert running.find("espeak:de").id == "espeak:de"
    assert running.find("de+f3").id == "espeak:de+f3"
    shutil.rmtree(str(running.folder / "anna-high"))
    until(lambda: running.find("de").id == "anna-low", "the better one is gone")


def test_a_crash_in_one_engine_leaves_the_other_serving(running):
    said = {running.say("Hello there.", "espeak:en-us")}
    crashes = []

    def crash():
        for _ in range(3):
            try:
                running.say("CRASH", "stub:en-us")
            except EngineCrashed as error:
                crashes.append(error)

    thread = threading.Thread(target=crash)
    thread.start()
    spoken = 0
    while thread.is_alive() or spoken < 10:
        # Another text each time, so that it does not come from the cache.
        assert len(running.say(f"Hello {spoken}.", "espeak:en-us")) > 10_000
        spoken += 1
    thread.join()
    assert len(crashes) == 3
    assert running.value("engine_errors_total", engine="stub", reason="crash") == 6
    assert running.value("engine_errors_total", engine="espeak", reason="crash") == 0
    assert {running.say("Hello there.", "espeak:en-us")} == said


def test_a_slow_engine_holds_up_no_other(running):
    """Its texts take seconds each, and a short one of the other engine none of them."""
    slow = [threading.Thread(target=running.say, args=("PAUSE " * 40, "stub:en-us"))]
    slow += [threading.Thread(target=running.say, args=("PAUSE " * 41, "stub:en-us"))]
    for thread in slow:
        thread.start()
    until(lambda: running.value("synthesis_queue_depth", engine="stub"), "the stub has a queue")
    for number in range(5):
        running.say(f"Number {number}.", "espeak:en-us")
    assert all(thread.is_alive() for thread in slow)
    assert running.value("synthesis_queue_depth", engine="espeak") == 0
    for thread in slow:
        thread.join()


def test_voices_come_and_go_under_load(running):
    """Whoever asks for a voice gets it or a clear no; nobody else notices."""
    enough = threading.Event()
    faults, spoken = [], []

    def ask(voice, allowed):
        number = 0
        while not enough.is_set():
            number += 1
            try:
                spoken.append((voice, len(running.say(f"{voice} {number}", voice))))
            except Exception as error:
                if not isinstance(error, allowed):
                    faults.append(error)

    jobs = [("visitor", VoiceNotFound), ("de", ()), ("stub:en-us", ()), ("espeak:fr-fr", ())]
    threads = [threading.Thread(target=ask, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            drop_and_wait(running, "visitor", languages=["de"])
            before = sum(voice == "visitor" for voice, _ in spoken)
            until(lambda: sum(v == "visitor" for v, _ in spoken) > before + 3, "it is heard")
            shutil.rmtree(str(running.folder / "visitor"))
            until(lambda: not running.has("visitor"), "it is gone")
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert faults == []
    assert {voice for voice, _ in spoken} == {voice for voice, _ in jobs}


def test_a_voice_that_was_replaced_is_not_heard_from_the_cache(running):
    folder = drop_and_wait(running, "anna", sample_rate=22050)
    old, speech = running.speech("Hello.", "anna")
    assert speech.cache == "miss"
    assert running.speech("Hello.", "anna")[1].cache == "hit"
    manifest = folder / "voice.json"
    manifest.write_text(manifest.read_text().replace("22050", "11025"))
    until(lambda: running.find("anna").sample_rate == 11025, "the new one is seen")
    new, speech = running.speech("Hello.", "anna")
    assert speech.cache == "miss"
    assert new != old


def test_what_was_spoken_while_a_voice_was_replaced_is_not_kept(running):
    """It is of the one, or of the other, or of both; nobody hears it again."""
    folder = drop_and_wait(running, "anna", sample_rate=22050)
    request = SpeechRequest("PAUSE. " * 40, "anna", format="pcm")
    pieces = iter(running.synthesizer.speak(request))
    next(pieces)
    manifest = folder / "voice.json"
    manifest.write_text(manifest.read_text().replace("22050", "11025"))
    until(lambda: running.find("anna").sample_rate == 11025, "the new one is seen")
    manifest.write_text(manifest.read_text().replace("11025", "22050"))
    for _ in pieces:
        pass
    until(lambda: running.find("anna").sample_rate == 22050, "the old one is back")
    again = running.synthesizer.speak(request)
    assert again.cache == "miss"
    again.close()


def test_a_voice_that_does_not_load_is_broken_until_its_files_change(running):
    folder = drop_and_wait(running, "anna")
    (folder / "refuse").write_text("")
    seen = running.ensemble.folder
    until(lambda: "refuse" in seen.look().identities["anna"], "the change is seen")
    for _ in range(2):
        with pytest.raises(VoiceUnavailable, match="asked to refuse"):
            running.say("Hello.", "anna")
    assert [each.id for each in running.synthesizer.catalogue.broken] == ["anna"]
    assert running.find("de").engine == "espeak"
    assert running.value("voices", engine="stub", state="broken") == 1
    (folder / "refuse").unlink()
    until(lambda: running.has("anna"), "it is tried again")
    assert running.say("Hello.", "anna")


@pytest.mark.parametrize(("text", "error"), [("FAIL", EngineFailed), ("CRASH", EngineCrashed)])
def test_a_voice_that_fails_again_and_again_and_was_never_heard_is_broken(running, text, error):
    """Whoever asks next need not lose a worker to find out; others are as they were."""
    folder = drop_and_wait(running, "anna", licence=f"new, to {text}")
    for _ in range(2):
        with pytest.raises(error) as raised:  # that may have been the text
            running.say(text, "anna")
        assert not isinstance(raised.value, VoiceUnavailable)
    with pytest.raises(VoiceUnavailable, match="anna does not speak"):
        running.say(text, "anna")
    assert [each.id for each in running.synthesizer.catalogue.broken] == ["anna"]
    assert running.say("Hello.", "stub:en-us")
    (folder / "better").write_text("")
    until(lambda: running.has("anna"), "its files have changed")
    assert running.say("Hello.", "anna")


@pytest.mark.parametrize(("text", "error"), [("FAIL", EngineFailed), ("CRASH", EngineCrashed)])
def test_a_text_that_a_voice_fails_at_takes_the_voice_from_nobody(running, text, error):
    """Once it has been heard, the voice is not what is to blame."""
    drop_and_wait(running, "anna")
    assert running.say("Hello.", "anna")
    with pytest.raises(error) as raised:
        running.say(text, "anna")
    assert not isinstance(raised.value, VoiceUnavailable)
    assert running.has("anna")


def test_a_voice_of_an_engine_that_is_not_there_says_so(running):
    drop_piper(running.folder, "de_DE-x-low", model())
    until(lambda: running.synthesizer.catalogue.broken, "it is seen")
    (broken,) = running.synthesizer.catalogue.broken
    assert (broken.id, broken.engine) == ("de_DE-x-low", "piper")
    assert "piper is switched off" in broken.reason
    with pytest.raises(VoiceUnavailable):
        running.say("Hallo.", "de_DE-x-low")


def test_the_model_may_name_the_engine(running):
    assert running.speech("Hi.", "en-us", engine="espeak")[1].voice.id == "espeak:en-us"
    assert running.speech("Hi.", "alloy", engine="stub")[1].voice.id == "en-us"
    with pytest.raises(VoiceNotFound):
        running.say("Bonjour.", "fr", engine="stub")


def test_requests_count_for_the_engine_of_their_voice(running):
    labels = {"mode": "whole", "outcome": "success"}
    before = running.value("synthesis_requests_total", engine="espeak", **labels)
    running.say("Only here.", "fr")
    assert running.value("synthesis_requests_total", engine="espeak", **labels) == before + 1


class Degraded:
    """The stub, and an engine that cannot even be started."""

    def __init__(self, folder, primary):
        scheduler = FairScheduler(10)
        pools = {
            name: WorkerPool(name, scheduler.queue(name), 1, 10.0) for name in ("nobody", "stub")
        }
        self.ensemble = Ensemble(pools, VoiceFolder(folder), {}, primary)
        self.ensemble.start()


def test_an_engine_that_fails_takes_its_voices_with_it_and_no_others(tmp_path):
    drop(tmp_path, "lost", "nobody", languages=["en-us"], quality="high")
    ensemble = Degraded(tmp_path, "stub").ensemble
    try:
        until(lambda: ensemble.catalogue.find("en-us").engine == "stub", "the other one has it")
        assert "no worker is ready" in ensemble.fault("nobody")
        assert ensemble.fault("stub") is None
        with pytest.raises(VoiceUnavailable):
            ensemble.catalogue.find("lost")
    finally:
        ensemble.close()


def test_workers_of_an_engine_without_a_voice_are_not_started(tmp_path, monkeypatch):
    """They take memory that nobody needs; the first voice has them started."""
    monkeypatch.setitem(engines.PACKAGES, "stub", "json")
    scheduler = FairScheduler(10)
    pools = {
        "stub": WorkerPool("stub", scheduler.queue("stub"), 1, 10.0, voices_are_files=True),
        "espeak": WorkerPool("espeak", scheduler.queue("espeak"), 1, 10.0),
    }
    ensemble = Ensemble(pools, VoiceFolder(tmp_path), {}, "espeak")
    ensemble.start()
    try:
        assert ensemble.catalogue.find("de").engine == "espeak"
        assert (pools["stub"].workers, ensemble.fault("stub")) == (0, None)
        drop(tmp_path, "anna", languages=["de"])
        until(lambda: ensemble.catalogue.find("de").engine == "stub", "the voice is there")
        until(lambda: pools["stub"].ready_workers, "and its worker")
        assert len(list(ensemble.catalogue.list(engine="stub"))) == 1, "its own do not count"
    finally:
        ensemble.close()


def test_a_voice_that_takes_long_to_load_is_no_worker_that_hangs(tmp_path, monkeypatch):
    """Only where it does load: afterwards silence means what it always does."""
    monkeypatch.setitem(engines.PACKAGES, "stub", "json")
    drop(tmp_path, "heavy", load_s=1.5)
    made = Running(tmp_path, engine="stub", engine_timeout_s=0.5)
    try:
        assert made.say("Hello.", "heavy")
        assert made.value("engine_errors_total", engine="stub", reason="timeout") == 0
        with pytest.raises(EngineTimeout):
            made.say("HANG", "heavy")
    finally:
        made.service.close()


def test_over_http(start, tmp_path):
    """Listing, models, readiness and refusals of a real server."""
    folder = tmp_path / "voices"
    drop(folder, "anna", speakers={"Eva": 0}, licence="CC0-1.0")
    drop(folder, "other", "another")
    server = start(engine="stub,espeak", engine_workers=1, voice_dir=folder)
    listed = server.get("/v1/audio/voices").json()
    assert [voice["id"] for voice in listed["voices"]][:3] == ["anna", "en-us", "af"]
    assert listed["voices"][0]["licence"] == "CC0-1.0"
    assert [voice["id"] for voice in listed["broken"]] == ["other"]
    models = [each["id"] for each in server.get("/v1/models").json()["data"]]
    assert models[:3] == ["stub", "espeak", "tts-1"]
    assert server.speak(voice="de").headers["X-Voice"] == "anna"
    assert server.speak(voice="anna+eva").headers["X-Voice"] == "anna+Eva"
    assert server.speak(voice="de", model="espeak").headers["X-Voice"] == "espeak:de"
    refused = server.speak(voice="other")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "voice_unavailable")
    health = server.get("/health").json()
    assert health["status"] == "pass"
    assert {"engine:stub", "engine:espeak"} <= set(health["checks"])
    drop(folder, "søren", languages=["da"])
    began = time.monotonic()
    until(lambda: server.speak(voice="søren").status_code == 200, "a new voice speaks")
    assert time.monotonic() - began < 10
    assert server.speak(voice="da").headers["X-Voice"] == "s%C3%B8ren"
    shown = {each["name"]: each for each in server.get("/v1/status").json()["engines"]}
    assert (shown["stub"]["voices"], shown["espeak"]["ready"]) == (3, True)
