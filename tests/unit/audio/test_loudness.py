"""Loudness, peaks and ends, each measured by something that is not the code under test."""

import math
import re
import subprocess

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.audio.ends import MAX_LEAD_S, MAX_TAIL_S, Ends
from auto_voice.audio.limiter import CEILING_DB, REACH_S, Gain
from auto_voice.audio.loudness import integrated_lufs
from tests.examples import examples
from tests.unit.audio.sound import speech_like

RATE = 22_050
SPEECH = speech_like(1.5, RATE)
CEILING = 32767 * 10 ** (CEILING_DB / 20)


def run(effect, pcm, cuts=()):
    data, start = [], 0
    for size in cuts:
        data.append(effect.push(pcm[start : start + size]))
        start += size
    data.append(effect.push(pcm[start:]))
    return b"".join(data) + effect.flush()


def samples(pcm):
    return numpy.frombuffer(pcm, "<i2").astype(float)


def sine(hz, seconds, amplitude, rate=RATE):
    t = numpy.arange(round(seconds * rate)) / rate
    return (amplitude * numpy.sin(2 * numpy.pi * hz * t)).astype("<i2").tobytes()


def quiet(seconds):
    return bytes(2 * round(seconds * RATE))


cuts = st.lists(st.one_of(st.integers(0, 9), st.integers(0, 9000)), max_size=20)


# --- loudness -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("level_db", [-6, -23, -40])
def test_a_tone_has_the_loudness_that_the_recommendation_says(rate, level_db):
    """BS.1770: a sine of 997 Hz at 0 dB of full scale in one channel is -3.01 LUFS."""
    tone = sine(997, 3, 32767 * 10 ** (level_db / 20), rate)
    assert integrated_lufs(tone, rate) == pytest.approx(level_db - 3.01, abs=0.1)


def test_pauses_do_not_count():
    tone = sine(997, 3, 8000)
    paused = sine(997, 1.5, 8000) + quiet(5) + sine(997, 1.5, 8000)
    assert integrated_lufs(paused, RATE) == pytest.approx(integrated_lufs(tone, RATE), abs=0.7)


@pytest.mark.parametrize("pcm", [b"", b"\x01", quiet(2), sine(997, 0.2, 8000)])
def test_what_is_silent_or_too_short_has_no_loudness(pcm):
    assert integrated_lufs(pcm, RATE) is None


@pytest.mark.needs("ffmpeg")
def test_the_measure_is_that_of_the_program_ffmpeg():
    command = ["ffmpeg", "-nostats", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-"]
    command += ["-af", "ebur128", "-f", "null", "-"]
    done = subprocess.run(command, input=SPEECH, stderr=subprocess.PIPE, check=True)
    said = re.findall(rb"I:\s+(-?[0-9.]+) LUFS", done.stderr)[-1]
    assert integrated_lufs(SPEECH, RATE) == pytest.approx(float(said), abs=0.06)


# --- gain and peaks -------------------------------------------------------------------------------


@pytest.mark.parametrize("decibels", [-40, -6, -0.5, 3, 9])
def test_gain_changes_the_volume_by_so_many_decibels(decibels):
    tone = sine(440, 0.2, 8000)
    change = 20 * math.log10(samples(run(Gain(decibels, RATE), tone)).std() / samples(tone).std())
    assert change == pytest.approx(decibels, abs=0.05)


def test_no_gain_changes_nothing():
    assert run(Gain(0, RATE), SPEECH, [1, 300]) == SPEECH


def test_a_gain_of_minus_infinity_is_silence():
    assert run(Gain(-math.inf, RATE), SPEECH) == bytes(len(SPEECH))


@pytest.mark.parametrize("decibels", [0.5, 6, 20, 100])
@pytest.mark.parametrize("pcm", [SPEECH, sine(150, 0.5, 32767), b"\x00\x80\xff\x7f" * 500])
def test_no_peak_passes_the_ceiling(pcm, decibels):
    """Every sample keeps its sign, and as many come out as went in."""
    out = samples(run(Gain(decibels, RATE), pcm))
    assert len(out) == len(pcm) // 2
    assert abs(out).max() <= CEILING + 1
    assert (out * samples(pcm) >= 0).all()


def test_a_peak_is_turned_down_and_not_cut_off():
    """A tone that is too loud stays a tone: a cut one would have overtones."""
    out = samples(run(Gain(12, RATE), sine(400, 1, 30_000)))
    inner = out[RATE // 4 : 3 * RATE // 4]
    spectrum = numpy.abs(numpy.fft.rfft(inner * numpy.hanning(len(inner)))) ** 2
    hz = numpy.arange(len(spectrum)) * RATE / len(inner)
    assert spectrum[abs(hz - 400) > 100].sum() < 1e-3 * spectrum.sum()


def test_what_is_far_from_a_peak_is_exactly_as_loud_as_asked_for():
    calm = sine(400, 0.2, 3000)
    out = run(Gain(6, RATE), calm + sine(400, 0.05, 32_000) + calm)
    far = len(calm) - 4 * 2 * round(REACH_S * RATE)
    assert numpy.allclose(samples(out[:far]), samples(calm[:far]) * 10 ** (6 / 20), atol=0.51)


@settings(deadline=None, max_examples=examples(40))
@given(cuts, st.sampled_from([-3.0, 6.0, 15.0]))
def test_gain_gives_the_same_bytes_however_its_input_is_cut(cuts, decibels):
    assert run(Gain(decibels, RATE), SPEECH, cuts) == run(Gain(decibels, RATE), SPEECH)


def test_gain_holds_back_no_more_than_10_ms():
    louder, quieter = Gain(6, RATE), Gain(-6, RATE)
    assert len(louder.push(SPEECH)) >= len(SPEECH) - 2 * math.ceil(0.0101 * RATE)
    assert len(quieter.push(SPEECH)) == len(SPEECH)


# --- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lead_s", [0, 0.05, 0.3, 2])
@pytest.mark.parametrize("tail_s", [0, 0.2, 0.5, 3])
def test_silence_at_the_ends_is_bounded(lead_s, tail_s):
    """What is within bounds stays, and all that is heard stays."""
    ends = Ends(RATE)
    out = samples(run(ends, quiet(lead_s) + sine(300, 0.5, 9000) + quiet(tail_s)))
    loud = numpy.flatnonzero(abs(out) > 103)
    assert loud[0] / RATE == pytest.approx(min(lead_s, MAX_LEAD_S), abs=0.004)
    assert (len(out) - loud[-1]) / RATE == pytest.approx(min(tail_s, MAX_TAIL_S), abs=0.004)
    assert (loud[-1] - loud[0]) / RATE == pytest.approx(0.5, abs=0.006)
    assert ends.cut_s == pytest.approx(max(0, lead_s - MAX_LEAD_S), abs=0.002)


def test_a_pause_within_stays_as_long_as_it_is():
    sound = sine(300, 0.3, 9000)
    assert len(run(Ends(RATE), sound + quiet(1.5) + sound)) == len(sound + quiet(1.5) + sound)


def test_a_sentence_without_a_sound_is_nothing():
    assert run(Ends(RATE), quiet(3), [100, 5000]) == b""
    assert run(Ends(RATE), b"") == b""


def test_a_sound_that_is_cut_off_does_not_click():
    """No step at the ends is larger than those of the sound itself."""
    tone = sine(300, 0.4, 9000)[2 * 40 :][: 2 * 4000 + 100]
    own = abs(numpy.diff(samples(tone))).max()
    out = samples(run(Ends(RATE), tone))
    joined = numpy.concatenate([[0], out, [0], out, [0]])
    assert abs(numpy.diff(joined)).max() <= 1.1 * own


def test_sound_is_held_back_for_3_ms_only():
    tone = sine(300, 0.4, 9000)
    assert len(Ends(RATE).push(tone)) >= len(tone) - 2 * math.ceil(0.0031 * RATE)


@settings(deadline=None, max_examples=examples(60))
@given(cuts, st.floats(0, 0.4), st.floats(0, 0.8), st.floats(0, 0.8))
def test_ends_are_the_same_however_the_input_is_cut(cuts, lead_s, pause_s, tail_s):
    sound = SPEECH[: RATE // 2 * 2]
    pcm = quiet(lead_s) + sound + quiet(pause_s) + sound + quiet(tail_s)
    assert run(Ends(RATE), pcm, cuts) == run(Ends(RATE), pcm)
