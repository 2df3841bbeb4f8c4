"""Voices are as loud as one another, measured apart from the code that sees to it."""

import threading

import numpy
import pytest

from auto_voice.engines.job import Job
from auto_voice.synthesis.levels import gain_for
from tests.unit.audio.measuring import lufs, peak_db
from tests.unit.engines import sherpa_voices
from tests.unit.synthesis.service import said

TARGET = -21.0
RATE = 22_050
TEXT = (
    "Beyond the river lies a market where people trade stories for bread. "
    "Nobody leaves without a tale, and some come back with two."
)
RAW = {"format": "pcm", "sample_rate": RATE}
UNLIKE = ["en-us", "en-us+iven", "en-us+Marco", "en-us+klatt", "en-us+f3", "en-gb+m2"]
"""Voices between -12 and -30 LUFS by nature."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A data folder of the test's own, in which nothing has been measured."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def probes(monkeypatch):
    """The voices that have been measured."""
    measured = []
    submit = Job.__init__

    def noted(self, utterance, *args, **options):
        if utterance.text.startswith("The old town") or utterance.text.startswith("1, 2, 3"):
            measured.append(utterance.voice)
        submit(self, utterance, *args, **options)

    monkeypatch.setattr(Job, "__init__", noted)
    return measured


def espeak(service, **options):
    return service(engine="espeak", cache="off", **options)


@pytest.mark.slow
def test_voices_are_equally_loud(service):
    """Within 1.5 LU on a text of some seconds, though by nature they lie 17 apart."""
    running = espeak(service)
    by_nature = espeak(service, loudness_lufs=0)
    natural = [lufs(said(by_nature, TEXT, voice=voice, **RAW), RATE) for voice in UNLIKE]
    assert max(natural) - min(natural) > 12
    for voice in UNLIKE:
        pcm = said(running, TEXT, voice=voice, **RAW)
        assert lufs(pcm, RATE) == pytest.approx(TARGET, abs=1.5), voice
        assert peak_db(pcm) < -0.9 or voice == "en-us"


@pytest.mark.slow
def test_another_target_is_met(service):
    quiet = espeak(service, loudness_lufs=-30)
    assert lufs(said(quiet, TEXT, **RAW), RATE) == pytest.approx(-30, abs=1.5)


@pytest.mark.slow
def test_the_default_voice_is_what_its_engine_says(service):
    """The embedded voice is at the target by nature: levelling costs it nothing."""
    assert said(espeak(service), TEXT, **RAW) == said(espeak(service, loudness_lufs=0), TEXT, **RAW)


def test_streamed_sentences_have_the_gain_of_the_whole(service):
    """A sentence alone has the bytes it has in a longer text."""
    running = espeak(service)
    sentence = "Beyond the river lies a market."
    alone = said(running, sentence, voice="en-us+iven", **RAW)
    longer = said(running, sentence + "\n\nThe end.", voice="en-us+iven", **RAW)
    tail = RATE // 50  # the engine ends a sentence otherwise where more follows
    assert longer.startswith(alone[: len(alone) - 2 * tail])


def test_what_markup_asks_for_is_on_top(service):
    running = espeak(service)
    plain = said(
        running, "<speak>One two three four five.</speak>", ssml=True, voice="en-us+m3", **RAW
    )
    softer = said(
        running,
        "<speak><prosody volume='-6dB'>One two three four five.</prosody></speak>",
        ssml=True,
        voice="en-us+m3",
        **RAW,
    )
    assert lufs(softer, RATE) - lufs(plain, RATE) == pytest.approx(-6, abs=0.3)


def test_a_voice_is_measured_once(service, probes):
    """However many ask for it at the same time, and whatever they want it to say."""
    running = espeak(service, engine_workers=2)
    threads = [
        threading.Thread(
            target=said, args=(running, f"Number {number}."), kwargs={"voice": "de+f3"}
        )
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert probes == ["de+f3"]


def test_servers_that_share_a_folder_share_what_was_measured(service, probes, home):
    """Where models draw noise, each would measure something else; the first one's counts."""
    folder = home / "cache"
    first = service(engine="espeak", cache_dir=str(folder))
    said(first, "Hello.", voice="de+f3")
    (kept,) = (folder / "loudness").iterdir()
    kept.write_text("-31.0\n")
    again = service(engine="espeak", cache_dir=str(folder))
    assert again.synthesizer.levels.gain_db(voice_of(again, "de+f3"), lambda: False) == 10.0
    assert probes == ["de+f3"]


@pytest.mark.parametrize("found", ["", "loud", "nan", "1e9", "\0" * 9])
def test_what_is_broken_in_the_folder_is_measured_again(service, probes, home, found):
    folder = home / "cache"
    first = service(engine="espeak", cache_dir=str(folder))
    said(first, "Hello.", voice="de+f3")
    (kept,) = (folder / "loudness").iterdir()
    before = kept.read_text()
    kept.write_text(found)
    again = service(engine="espeak", cache_dir=str(folder))
    said(again, "Hello.", voice="de+f3")
    assert probes == ["de+f3", "de+f3"]
    assert kept.read_text() == before


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(service, home):
    (home / "data").write_text("no folder")
    assert said(espeak(service), "Hello.", voice="de+f3")


def voice_of(running, name):
    return running.synthesizer.catalogue.find(name)


@pytest.mark.parametrize(
    "natural, gain",
    [(None, 0), (-21, 0), (-20.3, 0), (-21.7, 0), (-15, -6), (-25.1, 4), (-60, 12), (6, -20)],
)
def test_gains_are_steps_between_bounds(natural, gain):
    assert gain_for(natural, TARGET) == gain


# --- ends of sentences ----------------------------------------------------------------------------


def test_sentences_of_an_untidy_engine_are_trimmed_and_joined_without_clicks(service, home):
    """Its tones begin and end anywhere, with as much silence as its model likes."""
    folder = home / "voices"
    sherpa_voices.kokoro(folder / "tones", count=1)
    running = service(engine="sherpa", cache="off", voice_dir=str(folder), loudness_lufs=0)
    rate = sherpa_voices.RATE_HZ
    pcm = said(running, "hello. hello. hello.", voice="tones", format="pcm", sample_rate=rate)
    wave = numpy.frombuffer(pcm, "<i2").astype(float)
    loud = numpy.flatnonzero(abs(wave) > 103)
    assert loud[0] / rate <= 0.1 and (len(wave) - loud[-1]) / rate <= 0.31
    pauses = numpy.diff(loud) / rate
    assert sum(pauses > 0.1) == 2, "a breath between each two"
    assert pauses.max() <= 0.31 + 0.1
    # Around each pause the sound comes and goes; within, tones follow as the model has them.
    for at in numpy.flatnonzero(pauses > 0.1):
        before, after = loud[at], loud[at + 1]
        for edge in (wave[before - 20 : before + 20], wave[after - 20 : after + 20]):
            assert abs(numpy.diff(edge)).max() < 3500
