"""What is true of espeak-ng beyond the contract of all engines."""

import logging
import subprocess
import sys

import espeakng_loader
import pytest

from auto_voice.engines.engine import Utterance
from auto_voice.engines.espeak import EspeakEngine
from auto_voice.engines.espeak_state import HiddenState
from auto_voice.errors import EngineFailed, MissingDependency
from tests.unit.engines.speaking import loaded, samples, speak, speech

SENTENCE = "Hello, how are you today?"


@pytest.fixture(scope="module")
def engine():
    return loaded("espeak")


def test_it_speaks_more_than_a_hundred_languages(engine):
    tags = engine.capabilities().languages
    assert len({tag.split("-")[0] for tag in tags}) > 100
    assert {"en-us", "en-gb", "de", "fr-fr", "es", "ru", "hi", "ar", "cmn", "sw"} <= set(tags)


def test_every_voice_speaks(engine):
    """No voice is listed that would answer with silence: one word of each can be heard."""
    silent = [
        voice.id
        for voice in engine.voices()
        if abs(samples(speak(engine, "hello", voice.id).pcm)).max(initial=0) < 1000
    ]
    assert silent == []


def test_every_variant_speaks_in_a_voice_of_its_own(engine):
    """All variants can be heard, the Klatt synthesizer's too, and differ from the plain voice."""
    said = {name: speak(engine, "hello", f"en-us+{name}").pcm for name in engine.variants()}
    assert len(said) > 50
    assert {"klatt", "whisper", "f3", "m3", "croak"} <= set(said)
    assert [name for name, pcm in said.items() if abs(samples(pcm)).max(initial=0) < 500] == []
    # This one only changes the pace, which is the request's own affair.
    assert [name for name, pcm in said.items() if pcm == speech("hello")] == ["fast"]


@pytest.mark.parametrize("name, gender", [("f1", "female"), ("m1", "male"), ("whisperf", "female")])
def test_genders_of_variants_are_known(engine, name, gender):
    assert engine.variants()[name] == gender


def test_a_language_alone_means_its_main_voice(engine):
    assert engine.preferred()["en-us"] == "en-us"
    assert engine.preferred()["de"] == "de"
    assert engine.preferred()["en"].startswith("en")
    assert engine.preferred()["cmn"] == "cmn"


@pytest.mark.parametrize(
    "voice, text",
    [("de", "Straße"), ("ru", "Привет"), ("cmn", "你好"), ("ar", "مرحبا"), ("hi", "नमस्ते")],
)
def test_a_language_sounds_like_itself(voice, text):
    """The text is read by that language's rules, not spelled by another's."""
    assert speech(text, voice) != speech(text, "en-us")


def test_an_unknown_voice_leaves_the_one_before_usable(engine):
    plain = speech(SENTENCE)
    with pytest.raises(EngineFailed, match="no voice 'xx'"):
        speech(SENTENCE, "xx")
    assert speech(SENTENCE) == plain


def test_a_zero_in_the_text_does_not_end_it():
    """C ends its strings with it; a text goes on."""
    assert len(speech("Hello\0 to all the world")) > 2 * len(speech("Hello"))


def test_an_error_of_the_emitter_reaches_the_caller(engine):
    """ctypes would print it and go on."""

    class Broken:
        def audio(self, pcm):
            raise ZeroDivisionError

        def word(self, word):
            raise KeyError

        def loading(self, done=False):
            raise AssertionError("espeak-ng loads nothing later")

    plain = speech(SENTENCE)
    with pytest.raises(ZeroDivisionError):
        engine.speak(Utterance(SENTENCE, "en-us"), Broken())
    with pytest.raises(KeyError):
        engine.speak(Utterance(SENTENCE, "en-us", timestamps=True), Broken())
    assert speech(SENTENCE) == plain


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingDependency, match="pip install espeakng-loader"):
        EspeakEngine().load()


def test_a_broken_library_is_said_to_be_broken(monkeypatch, tmp_path):
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(broken))
    with pytest.raises(EngineFailed, match="does not load"):
        EspeakEngine().load()


def run(script):
    return subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60
    )


def test_missing_data_is_an_error_not_the_end(tmp_path):
    """The library would end the process by itself, if it were let."""
    done = run(
        "import espeakng_loader\n"
        f"espeakng_loader.get_data_path = lambda: {str(tmp_path)!r}\n"
        "from auto_voice.engines.espeak import EspeakEngine\n"
        "from auto_voice.errors import EngineFailed\n"
        "try:\n"
        "    EspeakEngine().load()\n"
        "except EngineFailed as error:\n"
        "    print('refused:', error)\n"
    )
    assert done.stdout.decode().startswith("refused: "), done


def test_close_gives_the_library_back():
    done = run(
        "from auto_voice.engines import create\n"
        "engine = create('espeak'); engine.load(); engine.close(); print('closed')\n"
    )
    assert (done.returncode, done.stdout) == (0, b"closed\n"), done


class TestHiddenState:
    """Resetting what no function of the library resets."""

    def test_it_is_known_in_the_library_that_we_ship_with(self, engine):
        assert engine.capabilities().reproducible

    def test_a_library_without_symbols_is_spoken_with_as_it_is(self, engine, tmp_path, caplog):
        """It can speak; only repeated requests will differ, and that is said once."""
        stripped = tmp_path / "library.so"
        stripped.write_bytes(b"\x7fELF")
        with caplog.at_level(logging.WARNING):
            state = HiddenState(engine._library, str(stripped))
        assert not state.known
        assert "not be identical" in caplog.text
        state.reset()
        assert speech(SENTENCE)

    def test_a_library_that_has_spoken_is_not_trusted_to_be_new(self, engine):
        """Values other than the first ones may mean other variables than the known ones."""
        speech(SENTENCE, "en-us+klatt")
        assert not HiddenState(engine._library, espeakng_loader.get_library_path()).known
