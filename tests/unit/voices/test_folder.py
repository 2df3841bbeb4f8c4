"""What is put into the folder is there, whatever it is, and harms nobody."""

import json
import logging
import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_voice.voices import contents
from auto_voice.voices import folder as module
from auto_voice.voices.folder import VoiceFolder
from tests.examples import examples
from tests.unit.engines import sherpa_voices
from tests.unit.voices.dropped import age, config, drop, drop_piper, model


class Watched:
    """A folder, and a clock that passes when a test says so."""

    def __init__(self, path):
        self.path = path
        self.now_s = 0.0
        self.folder = VoiceFolder(path, lambda: self.now_s)

    def look(self):
        self.now_s += module.LOOK_EVERY_S
        return self.folder.look()

    def ids(self):
        return [voice.id for voice in self.look().voices]

    def reasons(self):
        return {each.id: each.reason for each in self.look().broken}


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path / "voices")


def test_a_folder_that_is_not_there_is_empty(watched):
    assert watched.look() == ((), (), {})


def test_voices_appear_and_disappear(watched):
    drop_piper(watched.path, "de_DE-thorsten-medium")
    drop(watched.path, "kokoro", "another")
    assert watched.ids() == ["de_DE-thorsten-medium", "kokoro"]
    (watched.path / "de_DE-thorsten-medium.onnx.json").unlink()
    (watched.path / "de_DE-thorsten-medium.onnx").unlink()
    assert watched.ids() == ["kokoro"]
    shutil.rmtree(watched.path)
    assert watched.ids() == []


def test_it_is_looked_at_once_a_second_at_most(watched):
    drop(watched.path, "one")
    assert watched.ids() == ["one"]
    drop(watched.path, "two")
    watched.now_s += module.LOOK_EVERY_S * 0.9
    assert [voice.id for voice in watched.folder.look().voices] == ["one"]
    assert watched.ids() == ["one", "two"]


def test_nothing_new_is_the_same_object(watched):
    """Whoever has made something of it need not do that again."""
    drop_piper(watched.path, "a")
    assert watched.look() is watched.look()


def test_a_piper_voice_says_what_it_is(watched):
    people = {"num_speakers": 2, "speaker_id_map": {"Tom": 1, "Eva": 0}}
    drop_piper(watched.path, "de_DE-thorsten-high", quality="high", **people)
    (voice,) = watched.look().voices
    assert (voice.engine, voice.sample_rate, voice.quality) == ("piper", 22050, "high")
    assert (voice.language, voice.languages) == ("de-de", ("de-de", "de"))
    assert voice.speakers == ("Eva", "Tom"), "in the order of their numbers"
    assert voice.name == "Thorsten, German (Germany)"
    assert voice.size_bytes == sum(path.stat().st_size for path in watched.path.iterdir())


def test_a_piper_voice_tells_its_licence(watched):
    drop_piper(watched.path, "a", license="CC0-1.0\x1b[31m")
    assert watched.look().voices[0].licence == "CC0-1.0[31m"


def test_speakers_without_names_have_numbers(watched):
    drop_piper(watched.path, "many", num_speakers=3)
    assert watched.look().voices[0].speakers == ("0", "1", "2")


def test_a_folder_with_a_manifest_says_what_it_is(watched):
    more = {
        "languages": ["de", "en-US"],
        "speakers": {"0": 0, "1": 1},
        "licence": "MIT",
        "gender": "female",
    }
    drop(watched.path, "kokoro", "another", name="Kokoro", **more)
    (voice,) = watched.look().voices
    assert (voice.engine, voice.name, voice.gender) == ("another", "Kokoro", "female")
    assert voice.languages == ("de", "en-us", "en")
    assert (voice.speakers, voice.licence) == (("0", "1"), "MIT")


def test_files_that_were_replaced_are_another_voice(watched):
    """What was made with the old ones must not come out of a cache."""
    drop_piper(watched.path, "a")
    before = watched.look().identities["a"]
    drop_piper(watched.path, "a", model(3000))
    assert watched.look().identities["a"] != before
    folder = drop(watched.path, "b")
    (folder / "weights.bin").write_bytes(b"1")
    before = watched.look().identities["b"]
    (folder / "weights.bin").write_bytes(b"22")
    assert watched.look().identities["b"] != before


@pytest.mark.parametrize("part", [0, 1, 5, 20, 1000, -1])
def test_a_half_copied_model_is_waited_for(watched, part):
    """Nobody is told of a voice that is just being copied; if it stays so, everybody is."""
    drop_piper(watched.path, "a", model()[:part] or b"\x08")
    assert watched.look() == ((), (), {})
    age(watched.path)
    assert list(watched.reasons()) == ["a"]
    drop_piper(watched.path, "a")
    assert watched.ids() == ["a"]


def test_a_model_without_its_json_is_waited_for(watched):
    drop_piper(watched.path, "a")
    (watched.path / "a.onnx.json").rename(watched.path / "aside")
    assert watched.look() == ((), (), {})
    age(watched.path)
    assert watched.reasons() == {"a": "a.onnx.json is missing"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "a.onnx.json does not describe a Piper voice: Input data was truncated"),
        ("[]", "Expected `object`"),
        ("{}", "missing required field `phoneme_id_map`"),
        (json.dumps(config(audio={"sample_rate": 5})), "a sample rate out of 8000 to 48000 Hz"),
        (json.dumps(config(audio={"sample_rate": "x"})), "Expected `int`"),
        (json.dumps({**config("../x"), "espeak": {}}), "'../x' is no language"),
        (json.dumps(config(phoneme_type="pinyin")), "need g2pW"),
        (json.dumps(config(num_speakers=10**15)), "more than 10000 speakers"),
        (json.dumps(config(inference={"noise_scale": float("nan")})), "invalid"),
        ("[" * 100_000, "a.onnx.json"),
        ('{"more": ' * 100_000, "a.onnx.json"),
        (" " * (4 << 20) + "{}", "too long to describe a voice"),
    ],
    ids=[
        "cut",
        "list",
        "empty",
        "rate",
        "word",
        "language",
        "phonemes",
        "crowd",
        "nan",
        "nested",
        "deep",
        "long",
    ],
)
def test_a_voice_that_cannot_be_read_is_broken_and_the_others_are_not(watched, content, reason):
    drop_piper(watched.path, "a")
    drop_piper(watched.path, "good")
    (watched.path / "a.onnx.json").write_text(content)
    age(watched.path)
    assert reason in watched.reasons()["a"]
    assert watched.ids() == ["good"]


@pytest.mark.parametrize("data", [b"hello, I am no model", b"\x00" * 500, b"\xff" * 500, b"PK\x03"])
def test_what_is_no_model_is_broken(watched, data):
    drop_piper(watched.path, "a", data)
    age(watched.path)
    assert "a.onnx" in watched.reasons()["a"] or "not whole" in watched.reasons()["a"]


@pytest.mark.parametrize("name", ["a b", "-a", "a+b", "espeak:a", "a\n", "x" * 101, "a;b"])
def test_names_that_could_be_taken_for_something_else_are_refused(watched, name):
    drop_piper(watched.path, name)
    assert watched.ids() == []
    assert "letters" in watched.reasons()[name.replace("\n", "\ufffd")]


def test_letters_are_those_of_all_languages(watched):
    drop_piper(watched.path, "pt_PT-tugão-medium", language="pt_PT")
    assert watched.ids() == ["pt_PT-tugão-medium"]


@pytest.mark.parametrize("name", [".a", "..onnx", "a.txt", "a.onnx.json", "a.part"])
def test_other_files_are_none_of_its_business(watched, name):
    watched.path.mkdir()
    (watched.path / name).write_bytes(b"x")
    age(watched.path)
    assert watched.look() == ((), (), {})


@pytest.mark.parametrize("name", ["a.onnx", "a.onnx.json"])
def test_links_do_not_lead_out(watched, tmp_path, name):
    drop_piper(watched.path, "a")
    (watched.path / name).rename(tmp_path / "outside")
    (watched.path / name).symlink_to(tmp_path / "outside")
    age(watched.path)
    assert watched.reasons() == {"a": f"{name} leads out of the folder"}


def test_links_do_not_lead_out_of_folders_either(watched, tmp_path):
    outside = drop(tmp_path, "b")
    (drop(watched.path, "a") / "weights.bin").symlink_to("/etc/passwd")
    (watched.path / "b").symlink_to(outside)
    age(tmp_path)
    assert set(watched.reasons()) == {"a", "b"}
    assert watched.ids() == []


def test_links_within_are_followed(watched):
    """As Kubernetes mounts files."""
    drop_piper(watched.path, "a")
    (watched.path / "..data").mkdir()
    for name in ("a.onnx", "a.onnx.json"):
        (watched.path / name).rename(watched.path / "..data" / name)
        (watched.path / name).symlink_to(f"..data/{name}")
    assert watched.ids() == ["a"]


def test_what_is_no_file_is_not_read(watched):
    """A pipe would be waited for."""
    drop_piper(watched.path, "a")
    (watched.path / "a.onnx").unlink()
    os.mkfifo(str(watched.path / "a.onnx"))
    age(watched.path)
    assert watched.reasons() == {"a": "a.onnx is no file"}


def test_of_two_that_pass_for_each_other_one_is_broken(watched):
    drop_piper(watched.path, "De_x")
    drop_piper(watched.path, "de-x")
    assert watched.ids() == ["De_x"]
    assert "De_x" in watched.reasons()["de-x"]


def test_a_broken_voice_is_logged_once(watched, caplog):
    drop_piper(watched.path, "a", b"no model")
    age(watched.path)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            watched.look()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        drop_piper(watched.path, "a")
        watched.look()
    assert [record.message for record in caplog.records][1:] == ["voice a is there"]


@settings(
    deadline=None,
    max_examples=examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.binary(max_size=300), text=st.text(max_size=60))
def test_any_content_is_a_voice_or_broken_and_never_an_error(tmp_path, data, text):
    watched = Watched(tmp_path / "any")
    drop_piper(watched.path, "a", data)
    drop_piper(watched.path, "b")
    (watched.path / "b.onnx.json").write_text(text, errors="replace")
    drop_piper(watched.path, "good")
    age(watched.path)
    found = watched.look()
    assert "good" in {voice.id for voice in found.voices}
    assert {voice.id for voice in found.voices} | {each.id for each in found.broken} == {
        "a",
        "b",
        "good",
    }
    shutil.rmtree(str(watched.path))


def test_a_voice_of_sherpa_onnx_says_most_of_itself(watched):
    """Its manifest names files; rate and speakers are the model's own, and so are its faults."""
    sherpa_voices.kokoro(watched.path / "whole", count=3, licence="Apache-2.0")
    sherpa_voices.kokoro(watched.path / "broken")
    (watched.path / "broken" / "voices.bin").write_bytes(b"1234")
    found = watched.look()
    (voice,) = found.voices
    assert (voice.id, voice.engine, voice.licence) == ("whole", "sherpa", "Apache-2.0")
    assert (voice.sample_rate, voice.speakers) == (sherpa_voices.RATE_HZ, ("0", "1", "2"))


def test_the_digest_of_a_voice_tells_what_is_in_its_files_and_nothing_else(watched, tmp_path):
    """Two machines with the same files have the same, whenever they were copied."""
    other = Watched(tmp_path / "elsewhere")
    for each in (watched, other):
        drop_piper(each.path, "piper", model(3000))
        (drop(each.path, "folder") / "model.bin").write_bytes(b"12345")
        each.look()
    age(other.path)
    other.look()
    for voice in ("piper", "folder"):
        assert watched.folder.digest(voice) == other.folder.digest(voice) != ""
        assert watched.look().identities[voice] != other.look().identities[voice]
    for name in ("piper.onnx", "piper.onnx.json", "folder/model.bin"):
        voice, path = name.split(".")[0].split("/")[0], watched.path / name
        before, status = watched.folder.digest(voice), path.stat()
        was = watched.folder.seen(voice)
        assert watched.folder.is_as(voice, was)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1  # of the same size, and as old
        path.write_bytes(bytes(data))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        assert not watched.folder.is_as(voice, was)
        watched.look()
        assert watched.folder.digest(voice) != before
        assert not watched.folder.is_as(voice, was)
    assert watched.folder.digest("nobody") == ""
    assert watched.folder.is_as("nobody", watched.folder.seen("nobody"))


def test_a_digest_is_read_once(watched, monkeypatch):
    drop_piper(watched.path, "one")
    watched.look()
    before = watched.folder.digest("one")
    monkeypatch.setattr(contents, "_digest", lambda paths: pytest.fail("it is read again"))
    watched.look()
    assert watched.folder.digest("one") == before


def test_names_that_are_no_text_are_broken_voices_and_the_listing_is_text(watched):
    """A name of a file is bytes, whatever they are: one of them must not cost the whole answer."""
    drop_piper(watched.path, "one")
    for name in (b"bad\xff", b"new\nline", b"\x1b[31mred"):
        (watched.path / os.fsdecode(name + b".onnx")).write_bytes(model())
        folder = watched.path / os.fsdecode(b"folder " + name)
        folder.mkdir()
        (folder / "voice.json").write_text("{}")
    age(watched.path)
    assert watched.ids() == ["one"]
    found = watched.look().broken
    assert len(found) == 6
    for each in found:
        each.id.encode()
        each.reason.encode()
        assert each.id.isprintable() and each.reason.isprintable()


@pytest.mark.parametrize("name", ["one.onnx", "one.onnx.json", "two/voice.json", "two/model.onnx"])
def test_a_pipe_is_no_file_and_nobody_waits_for_it(watched, name):
    drop_piper(watched.path, "one")
    sherpa_voices.kokoro(watched.path / "two")
    (watched.path / name).unlink()
    os.mkfifo(watched.path / name)
    age(watched.path)
    voice = name.partition(".")[0].partition("/")[0]
    assert voice not in watched.ids()
    assert "no file" in watched.reasons()[voice]
