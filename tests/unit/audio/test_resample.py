import sys

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.audio.resample import Resampler
from tests.examples import examples
from tests.unit.audio.sound import speech_like

PAIRS = [(22050, 24000), (24000, 22050), (16000, 48000), (22050, 8000), (48000, 44100)]
SPEECH = speech_like(0.4, 22050)


def resample(pcm, source_hz, target_hz, cuts=()):
    resampler = Resampler(source_hz, target_hz)
    data, start = [], 0
    for size in cuts:
        data.append(resampler.push(pcm[start : start + size]))
        start += size
    return b"".join(data) + resampler.push(pcm[start:]) + resampler.flush()


@settings(deadline=None, max_examples=examples(40))
@given(
    pair=st.sampled_from(PAIRS),
    cuts=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 4000)), max_size=30),
)
def test_any_chunking_gives_identical_bytes(pair, cuts):
    assert resample(SPEECH, *pair, cuts=cuts) == resample(SPEECH, *pair)


def test_byte_by_byte_gives_identical_bytes():
    pcm = SPEECH[:3000]
    assert resample(pcm, 22050, 24000, [1] * len(pcm)) == resample(pcm, 22050, 24000)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_same_input_gives_the_same_bytes_each_time(source, target):
    assert len({resample(SPEECH, source, target) for _ in range(5)}) == 1


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_sine_keeps_its_frequency_level_and_length(source, target):
    seconds, hz = 1.0, 1000.0
    t = numpy.arange(round(source * seconds)) / source
    pcm = (12000 * numpy.sin(2 * numpy.pi * hz * t)).astype("<i2").tobytes()
    out = numpy.frombuffer(resample(pcm, source, target), "<i2").astype(float)
    assert abs(len(out) - target * seconds) <= 1
    ideal = 12000 * numpy.sin(2 * numpy.pi * hz * numpy.arange(len(out)) / target)
    middle = slice(target // 20, -target // 20)  # the filter rings where the sine breaks off
    assert numpy.abs(out - ideal)[middle].max() < 12


@pytest.mark.parametrize("seconds", [0.0001, 0.01, 0.1234])
def test_short_audio_keeps_its_length(seconds):
    pcm = speech_like(seconds, 22050)
    assert abs(len(resample(pcm, 22050, 24000)) / 2 - len(pcm) / 2 * 24000 / 22050) <= 1


def test_full_scale_is_clipped_and_does_not_wrap_around():
    pcm = numpy.tile(numpy.repeat(numpy.array([32767, -32768], "<i2"), 50), 100).tobytes()
    source = numpy.frombuffer(pcm, "<i2").astype(float)
    out = numpy.frombuffer(resample(pcm, 24000, 48000), "<i2").astype(float)[::2]
    steady = numpy.abs(numpy.diff(source, prepend=0, append=0))[:-1] == 0
    assert (numpy.sign(out[steady][10:-10]) == numpy.sign(source[steady][10:-10])).all()


def test_no_audio_gives_no_audio():
    assert resample(b"", 22050, 24000) == b""


def test_equal_rates_pass_whole_samples_through():
    resampler = Resampler(22050, 22050)
    assert [resampler.push(b"abc"), resampler.push(b"def"), resampler.flush()] == [
        b"ab",
        b"cdef",
        b"",
    ]


def test_most_audio_comes_out_before_the_end():
    resampler = Resampler(22050, 24000)
    assert len(resampler.push(speech_like(0.2, 22050))) > 0.1 * 24000 * 2


def test_equal_rates_need_no_library(monkeypatch):
    for name in ("soxr", "numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    assert Resampler(24000, 24000).push(b"ab") == b"ab"
