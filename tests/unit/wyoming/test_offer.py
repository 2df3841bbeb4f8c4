"""What a client reads of the server's voices, and which one its word for one means."""

import pytest
from wyoming.info import Info

from auto_voice.errors import VoiceNotFound
from auto_voice.voices.catalogue import Catalogue
from auto_voice.wyoming.incoming import VoiceWanted
from auto_voice.wyoming.offer import find, offer
from tests.unit.voices.test_catalogue import ALIASES, SMALL


@pytest.fixture
def catalogue():
    return Catalogue([SMALL], ALIASES)


def test_there_is_one_program_which_takes_texts_that_are_being_written(catalogue):
    info = Info.from_event(offer({"small": "1"}, catalogue))
    (program,) = info.tts
    assert program.installed and program.supports_synthesize_streaming
    assert (program.name, info.asr, info.wake, info.satellite) == ("AutoVoice", [], [], None)


def test_every_voice_is_in_it_and_those_variants_that_have_a_name(catalogue):
    """Not all of the variants: there are a hundred for each voice."""
    (program,) = Info.from_event(offer({"small": "1"}, catalogue)).tts
    voices = {voice.name: voice for voice in program.voices}
    assert set(voices) == {"en-us", "en-gb", "de", "chr-US-Qaaa-x-west", "en-us+f2"}
    assert voices["en-us"].languages == ["en-us", "en"]
    assert voices["en-us"].description == "English (America) (alloy)"
    assert voices["en-us+f2"].description == "English (America), f2 (Nova)"
    assert all(voice.installed and voice.version == "1" for voice in program.voices)


@pytest.mark.parametrize(
    ("wanted", "voice"),
    [
        (None, "en-us"),
        (VoiceWanted(), "en-us"),
        (VoiceWanted(name="de"), "de"),
        (VoiceWanted(name="nova"), "en-us+f2"),
        (VoiceWanted(name="de", language="en"), "de"),
        (VoiceWanted(language="en"), "en-gb"),
        (VoiceWanted(language="de", speaker="f2"), "de+f2"),
        (VoiceWanted(name="en-gb", speaker="MR serious"), "en-gb+Mr serious"),
        (VoiceWanted(name="en-us+f2", speaker="plain"), "en-us+plain"),
        (VoiceWanted(speaker="f2"), "en-us+f2"),
    ],
)
def test_a_voice_is_found_by_name_language_and_speaker(catalogue, wanted, voice):
    assert find(wanted, catalogue, "alloy").id == voice


@pytest.mark.parametrize(
    "wanted",
    [
        VoiceWanted(name="nobody"),
        VoiceWanted(language="tlh"),
        VoiceWanted(name="de", speaker="nobody"),
        VoiceWanted(name="lost"),
    ],
)
def test_an_unknown_one_is_an_error_and_not_another_voice(catalogue, wanted):
    with pytest.raises(VoiceNotFound):
        find(wanted, catalogue, "alloy")
