"""sherpa-onnx, with small voices of each signature: what reaches the model, and what goes wrong."""

import os
import shutil

import numpy
import pytest

from auto_voice.engines.engine import EngineOptions, Utterance
from auto_voice.engines.manifest import Manifest, Reference, write
from auto_voice.engines.process import WorkerDied, WorkerProcess
from auto_voice.engines.sherpa import SherpaEngine
from auto_voice.engines.sherpa.metadata import read_metadata
from auto_voice.errors import VoiceUnavailable
from tests.unit.engines import sherpa_voices
from tests.unit.engines.sherpa_voices import FRAME_SAMPLES, RATE_HZ, SYMBOLS, TOKEN_SAMPLES, tone_hz
from tests.unit.engines.speaking import Recorder, loudest_hz, said_by, samples, silence_at_end_s

PHONEMES = "həlˈoʊ"
"""How espeak-ng says "hello"."""


@pytest.fixture
def folder(tmp_path):
    """The folder of voices."""
    path = tmp_path / "voices"
    path.mkdir()
    return path


@pytest.fixture
def engine(folder):
    """An engine for that folder; voices may come later."""
    loaded = SherpaEngine(EngineOptions(voice_dir=str(folder)))
    loaded.load()
    return loaded


@pytest.fixture
def worker(folder):
    """Starts workers for that folder."""
    started = []

    def start():
        process = WorkerProcess("sherpa", EngineOptions(voice_dir=str(folder)))
        started.append(process)
        process.wait_until_loaded()
        return process

    yield start
    for process in started:
        process.kill()
        process.close()


def say(engine, text, voice, stop_after=None, **options):
    recorder = Recorder(stop_after)
    engine.speak(Utterance(text, voice, **options), recorder)
    return recorder


def heard(pcm, token_samples=TOKEN_SAMPLES, offset_hz=0):
    """The symbols whose tones these are."""
    size = 2 * token_samples
    found = [
        loudest_hz(pcm[at : at + size], RATE_HZ) - offset_hz for at in range(0, len(pcm), size)
    ]
    return "".join(SYMBOLS[round((hz - 200) / 20)] for hz in found)


# --- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("vits", "^" + "".join(f"_{symbol}" for symbol in PHONEMES) + "_$"),
        ("kokoro", f"_{PHONEMES}_"),
        ("kitten", f"_{PHONEMES}_"),
        ("matcha", "_" + "".join(f"{symbol}_" for symbol in PHONEMES)),
    ],
)
def test_a_model_hears_the_phonemes_of_the_text(folder, engine, kind, expected):
    getattr(sherpa_voices, kind)(folder / "one")
    token_samples = 2 * FRAME_SAMPLES if kind == "matcha" else TOKEN_SAMPLES
    assert heard(say(engine, "hello", "one").pcm, token_samples) == expected


def test_a_model_with_a_lexicon_hears_the_words_tokens(folder, engine):
    sherpa_voices.vits_with_lexicon(folder / "one")
    assert "helo" in heard(say(engine, "hello", "one").pcm).replace(" ", "")


def test_a_model_that_clones_says_the_text_after_a_recording(folder, engine):
    """ZipVoice's frames reach its vocoder: the tone of the word's tokens, in their order."""
    sherpa_voices.zipvoice(folder / "one")
    pcm = say(engine, "hello", "one").pcm
    bin_hz = 24_000 / 1024
    frames = [loudest_hz(pcm[at : at + 2048], 24_000) for at in range(0, len(pcm) - 2048, 2048)]
    expected = [(20 + SYMBOLS.index(symbol)) * bin_hz for symbol in "helo"]
    assert len(frames) >= 3
    assert all(any(abs(hz - wanted) < bin_hz for wanted in expected) for hz in frames)


@pytest.mark.parametrize("kind", ["vits", "vits_with_lexicon", "kokoro", "kitten", "matcha"])
def test_twice_the_speed_is_half_the_time(folder, engine, kind):
    getattr(sherpa_voices, kind)(folder / "one")
    normal = len(say(engine, "hello", "one").pcm)
    assert len(say(engine, "hello", "one", speed=2.0).pcm) == pytest.approx(normal / 2, rel=0.25)
    assert len(say(engine, "hello", "one", speed=0.5).pcm) == pytest.approx(normal * 2, rel=0.05)


# --- voices ---------------------------------------------------------------------------------------


def test_a_voice_is_listed_as_its_manifest_says(folder, engine):
    sherpa_voices.kokoro(
        folder / "ann-and-bo",
        name="Ann and Bo",
        languages=("en-gb", "fr"),
        speakers={"ann": 0, "bo": 1},
        licence="CC-BY-4.0",
    )
    (voice,) = engine.voices()
    assert (voice.id, voice.name, voice.language) == ("ann-and-bo", "Ann and Bo", "en-gb")
    assert (voice.languages, voice.speakers) == (("en-gb", "fr"), ("ann", "bo"))
    assert (voice.licence, voice.sample_rate) == ("CC-BY-4.0", RATE_HZ)
    assert voice.size_bytes > (folder / "ann-and-bo" / "voices.bin").stat().st_size
    assert engine.preferred() == {"en-gb": "ann-and-bo", "fr": "ann-and-bo"}


@pytest.mark.parametrize("kind, apart_hz", [("vits", 10), ("kokoro", 10), ("kitten", 10)])
def test_each_speaker_has_a_voice(folder, engine, kind, apart_hz):
    getattr(sherpa_voices, kind)(folder / "two", count=2)
    assert engine.voices()[0].speakers == ("0", "1")
    first = say(engine, "hello", "two").pcm
    assert say(engine, "hello", "two+0").pcm == first
    second = say(engine, "hello", "two+1").pcm
    assert heard(second, offset_hz=apart_hz) == heard(first)
    with pytest.raises(VoiceUnavailable, match="no speaker"):
        say(engine, "hello", "two+2")


def test_a_voice_that_is_dropped_into_the_folder_is_there_at_once(folder, engine):
    assert engine.voices() == []
    sherpa_voices.vits(folder / "late")
    assert [voice.id for voice in engine.voices()] == ["late"]
    assert say(engine, "hello", "late").pcm


def test_a_voice_whose_files_are_replaced_speaks_anew(folder, engine):
    sherpa_voices.kokoro(folder / "one", count=2)
    before = say(engine, "hello", "one+1").pcm
    shutil.rmtree(folder / "one")
    sherpa_voices.vits(folder / "one", count=2)
    assert say(engine, "hello", "one+1").pcm != before


def test_memory_holds_as_many_voices_as_it_may(folder):
    """The one used last stays; the others are loaded again when they are wanted."""
    for name in ("a", "b", "c"):
        sherpa_voices.kokoro(folder / name)
        with open(folder / name / "lexicon-unused.txt", "wb") as file:
            file.truncate(700_000)
    size = 1 << 20
    engine = SherpaEngine(EngineOptions(voice_dir=str(folder), memory_mb=1))
    engine.load()
    assert engine.voices()[0].size_bytes < size
    for name in ("a", "b", "c", "a"):
        assert say(engine, "hello", name).pcm
        loaded = engine.loaded()
        assert loaded[-1] == name
        assert sum(v.size_bytes for v in engine.voices() if v.id in loaded) <= size


# --- streaming ------------------------------------------------------------------------------------


def test_sentences_come_one_by_one_with_a_breath_between(folder, engine):
    sherpa_voices.kokoro(folder / "one")
    both = say(engine, "hello. hello.", "one")
    alone = say(engine, "hello.", "one").pcm
    assert len(both.pieces) == 2
    assert both.pcm == alone + bytes(2 * RATE_HZ // 5) + alone
    assert silence_at_end_s(say(engine, "hello.", "one", continues=True).pcm, RATE_HZ) >= 0.2


def test_whoever_leaves_stops_the_computing_with_the_piece(folder, engine):
    sherpa_voices.kokoro(folder / "one")
    text = "hello hello hello hello, " * 40
    whole = say(engine, text, "one")
    assert len(whole.pieces) > 3
    stopped = say(engine, text, "one", stop_after=1, continues=True)
    assert stopped.pieces == whole.pieces[:1]
    assert stopped.calls_after_no == 0


def test_a_sentence_without_an_end_is_cut_to_what_the_model_takes(folder, engine):
    """Kokoro ends the process at 510 tokens."""
    sherpa_voices.kokoro(folder / "one")
    assert len(say(engine, "hello " * 300, "one").pieces) > 3


def test_peaks_past_full_scale_are_rounded_not_wrapped(folder, engine, monkeypatch):
    monkeypatch.setattr(sherpa_voices, "LOUDNESS", 3.0)
    sherpa_voices.kokoro(folder / "one")
    wave = samples(say(engine, "hello", "one").pcm)
    assert numpy.abs(wave).max() <= 32767
    # A sample that wraps around jumps by more than a sine of these frequencies ever does.
    assert numpy.abs(numpy.diff(wave)).max() < 3.0 * 32767 * 2 * numpy.pi * 1400 / RATE_HZ


# --- what goes wrong ------------------------------------------------------------------------------


def broken(folder, change):
    sherpa_voices.kokoro(folder / "bad")
    change(folder / "bad")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "model.onnx").write_bytes(b"\x00" * 100),
        lambda path: (path / "model.onnx").write_bytes(b""),
        lambda path: (path / "model.onnx").write_bytes((path / "model.onnx").read_bytes()[:-300]),
        lambda path: (path / "model.onnx").unlink(),
        lambda path: (path / "voices.bin").write_bytes(b"abc"),
        lambda path: (path / "tokens.txt").unlink(),
        lambda path: (path / "tokens.txt").write_bytes(b"\xff\xfe\x00 1\n"),
        lambda path: (path / "voice.json").write_bytes(b"{"),
        lambda path: (path / "voice.json").write_bytes(b"[" * 100_000),
        lambda path: (path / "voice.json").write_bytes(b" " * (2 << 20)),
    ],
    ids=[
        "no-model",
        "empty-model",
        "half-a-model",
        "model-gone",
        "speakers",
        "tokens-gone",
        "tokens",
        "json",
        "deep-json",
        "long-json",
    ],
)
def test_a_broken_voice_is_an_error_of_its_own(folder, engine, worker, change):
    """It says so, and the other voices speak on in the same process."""
    sherpa_voices.vits(folder / "good")
    broken(folder, change)
    process = worker()
    with pytest.raises(VoiceUnavailable, match="bad"):
        said_by(process, "hello", "bad")
    assert said_by(process, "hello", "good").pcm
    assert "good" in [voice.id for voice in engine.voices()]


@pytest.mark.parametrize(
    "files",
    [
        {"model": "/etc/passwd"},
        {"model": "../good/model.onnx"},
        {"model": "link.onnx"},
        {"model": "circle.onnx"},
        {"model": "model.onnx\x00"},
        {"model": "model.onnx", "lexicon": ["lexicon.txt", "../../lexicon.txt"]},
    ],
)
def test_a_manifest_cannot_lead_out_of_its_folder(folder, engine, files):
    sherpa_voices.vits(folder / "good")
    sherpa_voices.vits(folder / "bad")
    (folder / "bad" / "link.onnx").symlink_to(folder / "good" / "model.onnx")
    (folder / "bad" / "circle.onnx").symlink_to("circle.onnx")
    write(folder / "bad", Manifest("sherpa", "vits", {**files, "tokens": "tokens.txt"}))
    with pytest.raises(VoiceUnavailable, match="in its folder"):
        say(engine, "hello", "bad")
    assert [voice.id for voice in engine.voices()] == ["good"]


def test_a_recording_outside_the_folder_is_not_read(folder, engine):
    sherpa_voices.zipvoice(folder / "one", references={"me": Reference("/etc/passwd", "hello")})
    assert engine.voices() == []
    with pytest.raises(VoiceUnavailable, match="in its folder"):
        say(engine, "hello", "one")


def test_a_model_that_ends_the_process_does_so_once(folder, worker):
    """The next one that is asked for it knows, and goes on speaking with the others."""
    sherpa_voices.vits(folder / "good")
    sherpa_voices.matcha(folder / "bad", vocoder_hz=22_050)
    with pytest.raises(WorkerDied):
        said_by(worker(), "hello", "bad")
    process = worker()
    with pytest.raises(VoiceUnavailable, match="crashed"):
        said_by(process, "hello", "bad")
    assert said_by(process, "hello", "good").pcm
    sherpa_voices.matcha(folder / "whole")
    shutil.copy(folder / "whole" / "hifigan.onnx", folder / "bad" / "hifigan.onnx")
    assert said_by(process, "hello", "bad").pcm, "mended, it is tried again"


def test_a_vocoder_that_is_none_is_seen_before(folder, engine):
    sherpa_voices.matcha(folder / "bad")
    shutil.copy(folder / "bad" / "model-steps-3.onnx", folder / "bad" / "hifigan.onnx")
    with pytest.raises(VoiceUnavailable, match="no vocoder"):
        say(engine, "hello", "bad")


def test_texts_are_not_printed(folder, worker, capfd):
    """The library complains of what it cannot say, with the text in it."""
    sherpa_voices.vits_with_lexicon(folder / "one")
    said_by(worker(), "hello xyzzyplugh", "one")
    printed = capfd.readouterr()
    assert "xyzzyplugh" not in printed.out + printed.err


def test_metadata_are_read_without_the_model(folder):
    sherpa_voices.kokoro(folder / "one")
    facts = read_metadata(folder / "one" / "model.onnx")
    assert facts["sample_rate"] == str(RATE_HZ)
    assert facts["style_dim"] == "512,1,4"


def test_tones_are_those_that_the_test_voices_promise():
    assert tone_hz("a", 1) - tone_hz("a") == 10


@pytest.mark.parametrize("name", ["voice.json", "model.onnx", "tokens.txt"])
def test_a_pipe_in_a_voices_folder_holds_nobody_up(folder, engine, name):
    """Reading it would wait for somebody who writes."""
    sherpa_voices.kokoro(folder / "good")
    sherpa_voices.kokoro(folder / "pipe")
    (folder / "pipe" / name).unlink()
    os.mkfifo(folder / "pipe" / name)
    assert [voice.id for voice in engine.voices()] == ["good"]
    with pytest.raises(VoiceUnavailable):
        say(engine, "hello", "pipe")
    assert say(engine, "hello", "good").pcm
