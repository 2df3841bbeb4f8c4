import pytest

from auto_voice.audio.formats import FORMATS, find_format, sample_rate_for
from auto_voice.errors import InvalidRequest


def test_content_types_are_those_that_openai_answers():
    assert {name: format.content_type for name, format in FORMATS.items()} == {
        "mp3": "audio/mpeg",
        "opus": "audio/opus",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }


@pytest.mark.parametrize(
    ("name", "native", "expected"),
    [
        ("pcm", 22050, 24000),
        ("pcm", 48000, 24000),
        ("wav", 22050, 22050),
        ("flac", 16000, 16000),
        ("wav", 96000, 48000),
        ("wav", 4000, 8000),
        ("mp3", 22050, 22050),
        ("mp3", 23000, 24000),
        ("mp3", 96000, 48000),
        ("aac", 22050, 22050),
        ("opus", 16000, 16000),
        ("opus", 22050, 24000),
        ("opus", 24000, 24000),
        ("opus", 32000, 48000),
        ("opus", 44100, 48000),
    ],
)
def test_without_a_request_the_rate_keeps_all_of_the_voice(name, native, expected):
    assert sample_rate_for(name, native) == expected
    assert sample_rate_for(name, native, None) == expected


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
def test_common_rates_can_be_asked_for_in_each_format(name, rate):
    assert sample_rate_for(name, 22050, rate) == rate


@pytest.mark.parametrize(
    ("name", "rate", "allowed"),
    [
        ("opus", 22050, "8000, 12000, 16000, 24000, 48000 Hz"),
        ("mp3", 23000, "8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000 Hz"),
        ("aac", 7350, "8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000 Hz"),
        ("wav", 96000, "8000 to 48000 Hz"),
        ("pcm", 7999, "8000 to 48000 Hz"),
        ("flac", 0, "8000 to 48000 Hz"),
        ("pcm", -24000, "8000 to 48000 Hz"),
    ],
)
def test_a_rate_that_cannot_be_is_an_error_that_lists_those_that_can(name, rate, allowed):
    with pytest.raises(InvalidRequest) as caught:
        sample_rate_for(name, 22050, rate)
    assert caught.value.param == "sample_rate"
    assert allowed in caught.value.message
    assert str(rate) in caught.value.message


def test_an_unknown_format_is_an_error_that_lists_the_known_ones():
    with pytest.raises(InvalidRequest) as caught:
        find_format("ogg")
    assert caught.value.param == "response_format"
    assert all(name in caught.value.message for name in FORMATS)
