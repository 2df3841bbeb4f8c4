"""The engine as its worker uses it: voices in a folder, their memory, their troubles."""

import json
import os
import subprocess
import sys
import weakref
from importlib import metadata

import onnx
import pytest
from benchmarks.machine import forget_peak, peak_mb

from auto_voice.engines.engine import EngineOptions
from auto_voice.engines.piper import store
from auto_voice.engines.piper.cores import idle_cores
from auto_voice.engines.piper.engine import PiperEngine
from auto_voice.engines.piper.phonemes import numbers
from auto_voice.engines.process import WorkerProcess
from auto_voice.errors import VoiceUnavailable
from tests import voices
from tests.unit.engines.speaking import loaded, said_by, samples, speak

LONG = "The quick brown fox jumps over the lazy dog and runs away into the deep dark forest. " * 4


@pytest.fixture
def folder(tmp_path):
    return voices.put(tmp_path / "voices")


@pytest.fixture
def engine(folder):
    made = PiperEngine(EngineOptions(voice_dir=str(folder)))
    made.load()
    return made


def change(folder, voice, **changes):
    path = folder / f"{voice}.onnx.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described.update(changes)
    path.write_text(json.dumps(described), encoding="utf-8")


@pytest.mark.slow
def test_people_of_a_voice_sound_different(engine):
    said = {name: speak(engine, "Hello.", name).pcm for name in ("people+p0", "people+P1")}
    assert said["people+p0"] == speak(engine, "Hello.", "people").pcm
    assert said["people+p0"] != said["people+P1"]
    with pytest.raises(VoiceUnavailable, match="no speaker 'p9'"):
        speak(engine, "Hello.", "people+p9")
    with pytest.raises(VoiceUnavailable):
        speak(engine, "Hello.", "en-us+p0")


def test_voices_tell_what_is_known_of_them(engine):
    people = {voice.id: voice for voice in engine.voices()}["people"]
    assert people.speakers == ("p0", "p1", "p2")
    assert people.language == "en-us"
    assert people.quality == "x_low"
    assert people.size_bytes == os.path.getsize(voices.folder() / "people.onnx")


def test_the_best_quality_is_preferred(folder, engine):
    change(folder, "fine", audio={"sample_rate": 22050, "quality": "high"})
    assert engine.preferred() == {"en-us": "fine", "en": "fine"}


@pytest.mark.slow
def test_voices_come_and_go_with_their_files(folder, engine):
    voices.put(folder, "en-us", "pt_PT-tugão.one")
    assert "pt_PT-tugão.one" in [voice.id for voice in engine.voices()]
    assert speak(engine, "Hello.", "pt_PT-tugão.one").pcm == speak(engine, "Hello.", "en-us").pcm
    (folder / "pt_PT-tugão.one.onnx").unlink()
    assert "pt_PT-tugão.one" not in [voice.id for voice in engine.voices()]
    with pytest.raises(VoiceUnavailable, match="no voice"):
        speak(engine, "Hello.", "pt_PT-tugão.one")


@pytest.mark.slow
def test_a_voice_that_is_replaced_is_loaded_anew(folder, engine):
    before = speak(engine, "Hello.", "en-us").pcm
    data = (folder / "fine.onnx").read_bytes()
    (folder / "staged").write_bytes(data)
    os.replace(str(folder / "staged"), str(folder / "en-us.onnx"))
    assert speak(engine, "Hello.", "en-us").pcm == speak(engine, "Hello.", "fine").pcm != before


@pytest.mark.slow
def test_broken_voices_are_told_of_and_harm_no_other(folder, engine, caplog):
    (folder / "en-us.onnx").write_bytes(b"no voice at all")
    (folder / "fine.onnx.json").write_text("{}", encoding="utf-8")
    assert [voice.id for voice in engine.voices()] == ["en-us", "people"]
    assert "fine" in caplog.text
    for _ in range(2):
        with pytest.raises(VoiceUnavailable, match="does not load"):
            speak(engine, "Hello.", "en-us")
    assert speak(engine, "Hello.", "people").pcm


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"phoneme_type": "pinyin"}, "g2pW"),
        ({"phoneme_type": "runes"}, "unknown type"),
        ({"espeak": {"voice": "../../etc/passwd"}}, "espeak-ng"),
        ({"espeak": {"voice": "xx-nowhere"}}, "espeak-ng"),
        ({"audio": {"sample_rate": 1}}, "sample rate"),
        ({"phoneme_id_map": {"a": [999]}}, "phonemes"),
        ({"phoneme_id_map": {"a": [1] * 1000}}, "too many"),
        ({"phoneme_map": {"a": ["b"] * 1000}}, "too many"),
        ({"phoneme_id_map": {}}, "no phonemes"),
        ({"num_symbols": 1 << 40, "phoneme_id_map": {"a": [(1 << 40) - 1]}}, "does not speak"),
        ({"inference": {"length_scale": 30}}, "scale"),
        ({"inference": {"noise_scale": -1}}, "scale"),
        ({"num_speakers": 1, "speaker_id_map": {"x": 5}}, "speakers"),
    ],
)
def test_a_description_that_cannot_be_spoken_says_why(folder, engine, changes, told):
    change(folder, "en-us", **changes)
    with pytest.raises(VoiceUnavailable, match=told):
        speak(engine, "Hello.", "en-us")


@pytest.mark.parametrize("name", ["fine.onnx", "fine.onnx.json"])
def test_a_pipe_among_the_files_holds_nobody_up(folder, engine, name):
    """Reading it would wait for somebody who writes."""
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "en-us" in [voice.id for voice in engine.voices()]
    with pytest.raises(VoiceUnavailable, match="no file"):
        speak(engine, "Hello.", "fine")
    assert speak(engine, "Hello.", "en-us").pcm


def test_a_voice_whose_sound_is_no_number_is_broken(folder, engine):
    """As silence it would pass for a voice that is well."""
    whole = onnx.load(str(folder / "en-us.onnx"))
    weights = max(whole.graph.initializer, key=lambda each: len(each.raw_data))
    weights.raw_data = b"\xff" * len(weights.raw_data)
    onnx.save(whole, str(folder / "en-us.onnx"))
    with pytest.raises(VoiceUnavailable, match="does not speak"):
        speak(engine, "Hello.", "en-us")


def test_a_description_that_no_longer_fits_its_graph_is_noticed(folder, engine):
    """Though the graph is loaded, and has spoken; and the next one that fits speaks."""
    before = speak(engine, "Hello.", "en-us").pcm
    path = folder / "en-us.onnx.json"
    fitting = path.read_text(encoding="utf-8")
    ids = json.loads(fitting)["phoneme_id_map"]
    change(folder, "en-us", num_symbols=5000, phoneme_id_map={**ids, "\u29d6": [4999]})
    for _ in range(2):
        with pytest.raises(VoiceUnavailable, match="does not speak"):
            speak(engine, "Hello.", "en-us")
    path.write_text(fitting, encoding="utf-8")
    assert speak(engine, "Hello.", "en-us").pcm == before


@pytest.mark.parametrize("voice", ["../voices/en-us", "/etc/passwd", ".", "", "en-us\x00", "a/b"])
def test_an_id_is_no_path(engine, voice):
    with pytest.raises(VoiceUnavailable):
        speak(engine, "Hello.", voice)


@pytest.mark.slow
def test_voices_that_were_not_used_lately_make_room(folder, monkeypatch):
    sizes = {name: os.path.getsize(folder / f"{name}.onnx") for name in ("en-us", "people", "fine")}
    made = store.VoiceStore(str(folder), "piper", 1)
    assert 1_000_000 < store._MEMORY_FACTOR * sum(sizes.values())
    first = made.get("en-us")
    made.get("people")
    assert made.get("en-us").network is first.network
    made.get("fine")
    assert made.loaded() == ["fine"] or made.loaded() == ["en-us", "fine"]
    assert "people" not in made.loaded()
    made.get("en-us")
    assert made.loaded()[-1] == "en-us"


def test_a_voice_that_made_room_is_gone(folder, monkeypatch):
    """And not only from the list: it is there no more when memory is given back."""
    made = PiperEngine(EngineOptions(voice_dir=str(folder), memory_mb=0))
    made.load()
    speak(made, "One.", "en-us")
    first = weakref.ref(made._store._loaded["en-us"].network)
    gone = []
    monkeypatch.setattr(store.runtime, "give_back", lambda: gone.append(first() is None))
    made._store.get("fine")
    assert gone == [True]


@pytest.mark.parametrize(("resident_mb", "times"), [(100, 0), (160, 1), (200, 1)])
def test_memory_is_given_back_where_it_is_more_than_promised(
    folder, monkeypatch, resident_mb, times
):
    """Once, if that does not help."""
    made = PiperEngine(EngineOptions(voice_dir=str(folder)))
    made.load()
    monkeypatch.setattr(store.memory, "resident_bytes", lambda: 0)  # whatever other tests took
    speak(made, "One.", "en-us")
    given_back = []
    monkeypatch.setattr(store.memory, "resident_bytes", lambda: resident_mb * 1_000_000)
    monkeypatch.setattr(store.runtime, "give_back", lambda: given_back.append(1))
    for _ in range(3):
        speak(made, "One.", "en-us")
    made.rest()
    assert len(given_back) == times


@pytest.mark.slow
def test_whoever_waits_hears_that_a_voice_is_loaded(folder):
    """Each time it is, since that takes a while without any other sign of life."""
    made = PiperEngine(EngineOptions(voice_dir=str(folder), memory_mb=0))
    made.load()
    voices_ = ("en-us", "en-us", "fine", "en-us")
    assert [speak(made, "Hello.", voice).loads for voice in voices_] == [1, 0, 1, 1]


@pytest.mark.slow
def test_letters_are_read_by_voices_that_learnt_letters(folder, engine):
    change(folder, "en-us", phoneme_type="text")
    told = speak(engine, "one two", "en-us", timestamps=True)
    assert [word.char_start for word in told.words] == [0, 4]
    assert samples(told.pcm).any()


@pytest.mark.slow
def test_silence_between_sentences_is_what_the_voice_says(folder, engine):
    change(folder, "en-us", inference={"sentence_silence": 0.0})
    short = speak(engine, "One. Two.", "en-us").pcm
    change(folder, "en-us", inference={"sentence_silence": 1.0})
    assert len(speak(engine, "One. Two.", "en-us").pcm) == len(short) + 2 * 22050


@pytest.mark.slow
@pytest.mark.parametrize("letters", [False, True])
def test_what_is_long_or_slow_is_computed_in_parts(folder, engine, monkeypatch, letters):
    """No matter what a voice has learnt, and whether the text or the voice is slow."""
    if letters:
        change(folder, "en-us", phoneme_type="text")
    counts = []
    monkeypatch.setattr(
        "auto_voice.engines.piper.engine.numbers",
        lambda phonemes, *more: counts.append(len(phonemes)) or numbers(phonemes, *more),
    )
    for length_scale, speed, most in [(1.0, 1.0, 350), (1.0, 0.5, 175), (2.0, 0.5, 87)]:
        change(folder, "en-us", inference={"length_scale": length_scale})
        del counts[:]
        speak(engine, "word " * 80, "en-us", speed=speed)
        assert most / 4 < min(counts) <= max(counts) <= most


@pytest.mark.slow
def test_within_a_long_sentence_there_is_no_silence_of_the_voice(folder, engine):
    """It is spoken in parts, and goes on between them; words are found in all of them."""
    text = "word " * 100
    change(folder, "en-us", inference={"sentence_silence": 0.0})
    short = speak(engine, text, "en-us")
    change(folder, "en-us", inference={"sentence_silence": 1.0})
    assert len(speak(engine, text, "en-us").pcm) == len(short.pcm)
    told = speak(engine, text, "en-us", timestamps=True)
    assert told.pcm == short.pcm
    assert [word.char_start for word in told.words] == list(range(0, 500, 5))
    assert sorted(told.words, key=lambda word: word.start_s) == told.words


@pytest.mark.slow
def test_a_client_that_leaves_ends_the_work_within_a_piece():
    """What is computed for nobody is a piece, not the rest of the text."""
    whole = speak(loaded("piper"), LONG)
    stopped = speak(loaded("piper"), LONG, stop_after=1)
    assert stopped.calls_after_no == 0
    assert len(stopped.pcm) * 10 < len(whole.pcm)


@pytest.mark.slow
def test_two_workers_say_the_same(start_worker):
    said = [said_by(start_worker("piper"), LONG).pcm for _ in range(2)]
    assert said[0] == said[1] == speak(loaded("piper"), LONG).pcm


def test_without_voices_it_loads_and_has_none():
    made = PiperEngine()
    made.load()
    assert made.voices() == []
    assert made.capabilities().languages == ()


def test_idle_cores_are_never_more_than_allowed():
    assert idle_cores(1) == 1
    assert 1 <= idle_cores(4) <= 4


def test_without_onnxruntime_the_way_to_it_is_told():
    script = (
        "import sys\n"
        "sys.modules['onnxruntime'] = None\n"
        "from auto_voice.engines.piper.engine import PiperEngine\n"
        "from auto_voice.errors import MissingDependency\n"
        "try:\n    PiperEngine().load()\n"
        "except MissingDependency as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert b"autovoice[piper]" in done.stdout


WATCH = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
static void told(const char *what) { if (write(9, what, 8) < 0) abort(); }
int getaddrinfo(const char *n, const char *s, const struct addrinfo *h, struct addrinfo **r)
{ told("looked  "); return EAI_FAIL; }
int connect(int d, const struct sockaddr *a, socklen_t l) { told("connects"); return -1; }
int mkdir(const char *p, mode_t m)
{ told("mkdir   "); return ((int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir"))(p, m); }
"""


@pytest.mark.slow
@pytest.mark.needs("cc")
@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_looked_up_and_nothing_written(tmp_path, quiet):
    """onnxruntime's telemetry is off; where it is not, this test would notice."""
    (tmp_path / "watch.c").write_text(WATCH, encoding="utf-8")
    library = tmp_path / "watch.so"
    compile_ = ["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "watch.c"), "-ldl"]
    subprocess.run(compile_, check=True)
    home = tmp_path / "home"
    home.mkdir()
    speaks = (
        "from auto_voice.engines.piper.engine import PiperEngine\n"
        "from auto_voice.engines.engine import EngineOptions\n"
        "from tests.unit.engines.speaking import speak\n"
        f"engine = PiperEngine(EngineOptions(voice_dir={str(voices.folder())!r}))\n"
        "engine.load()\n"
        "assert speak(engine, 'Hello.').pcm\n"
    )
    careless = "import onnxruntime, time\nonnxruntime.SessionOptions()\n"
    told = tmp_path / "told"
    # onnxruntime itself tells nobody anything where it takes this to be a build machine.
    environment = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    environment.update(LD_PRELOAD=str(library), HOME=str(home), XDG_CACHE_HOME=str(home))
    script = (speaks if quiet else careless) + "import time; time.sleep(1)\n"
    command = f'exec 9>"{told}"; exec "{sys.executable}" -B -c "$SCRIPT"'
    environment["SCRIPT"] = script
    subprocess.run(["sh", "-c", command], env=environment, check=True, timeout=60)
    noticed = told.read_bytes() + b"".join(map(bytes, home.rglob("*")))
    release = tuple(map(int, metadata.version("onnxruntime").split(".")[:2]))
    if not quiet and not noticed and release < (1, 32):
        pytest.skip("this onnxruntime, of an older Python, tells nobody anything")
    assert (noticed == b"") == quiet, noticed


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.parametrize(
    ("text", "options"),
    [
        (LONG, {}),
        ("w," * 200, {}),
        ("w," * 80, {"speed": 0.25}),
    ],
    ids=["long", "of many phonemes", "slow"],
)
def test_memory_stays_within_what_is_promised(text, options):
    """150 MB and 1.3 times the voice's file, while it speaks, too."""
    process = WorkerProcess("piper", EngineOptions(voice_dir=str(voices.folder()), cores=2))
    try:
        process.wait_until_loaded()
        said_by(process, "Hello.")
        forget_peak(process.pid)
        for _ in range(3):
            said_by(process, text, **options)
        size = os.path.getsize(voices.folder() / "en-us.onnx") / 1e6
        assert peak_mb(process.pid) <= 150 + 1.3 * size
    finally:
        process.kill()
        process.close()
