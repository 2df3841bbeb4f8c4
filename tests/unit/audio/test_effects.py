import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.audio.effects import MAX_TEMPO, MIN_TEMPO, Tempo
from tests.examples import examples
from tests.unit.audio.sound import speech_like

RATE = 22050
SPEECH = speech_like(0.6, RATE)


def run(effect, pcm, cuts=()):
    data, start = [], 0
    for size in cuts:
        data.append(effect.push(pcm[start : start + size]))
        start += size
    data.append(effect.push(pcm[start:]))
    return b"".join(data) + (effect.flush() if hasattr(effect, "flush") else b"")


def samples(pcm):
    return numpy.frombuffer(pcm, "<i2").astype(float)


def sine(hz, seconds, amplitude=8000):
    t = numpy.arange(round(seconds * RATE)) / RATE
    return (amplitude * numpy.sin(2 * numpy.pi * hz * t)).astype("<i2").tobytes()


def loudest_hz(pcm):
    wave = samples(pcm)
    return (
        numpy.argmax(numpy.abs(numpy.fft.rfft(wave * numpy.hanning(len(wave))))) * RATE / len(wave)
    )


cuts = st.lists(st.one_of(st.integers(0, 9), st.integers(0, 5000)), max_size=20)


@pytest.mark.parametrize("factor", [MIN_TEMPO, 0.4, 0.5, 0.8, 1.25, 2, 3, MAX_TEMPO])
def test_tempo_changes_the_duration_and_not_the_pitch(factor):
    out = run(Tempo(factor, RATE), sine(300, 2))
    assert len(out) / 2 / RATE == pytest.approx(2 / factor, abs=0.08)
    assert loudest_hz(out) == pytest.approx(300, abs=1.5)
    # As loud as before, and nothing beside the tone: no cracks where pieces were joined.
    assert samples(out).std() == pytest.approx(samples(sine(300, 2)).std(), rel=0.05)
    spectrum = numpy.abs(numpy.fft.rfft(samples(out) * numpy.hanning(len(out) // 2))) ** 2
    hz = numpy.arange(len(spectrum)) * RATE / (len(out) // 2)
    assert spectrum[abs(hz - 300) > 50].sum() < 0.02 * spectrum.sum()


def test_a_tempo_of_one_changes_nothing():
    assert run(Tempo(1, RATE), SPEECH, [1, 3000, 7]) == SPEECH


@settings(deadline=None, max_examples=examples(25))
@given(cuts, st.sampled_from([0.3, 0.9, 1.5, 4.0]))
def test_tempo_gives_the_same_bytes_however_its_input_is_cut(cuts, factor):
    assert run(Tempo(factor, RATE), SPEECH, cuts) == run(Tempo(factor, RATE), SPEECH)


def test_tempo_streams():
    """Sound comes out long before all of it went in."""
    tempo = Tempo(1.5, RATE)
    assert len(tempo.push(SPEECH[: RATE // 2])) > 0


@pytest.mark.parametrize("samples_in", [0, 1, 10, 1023, 1025])
def test_tempo_takes_the_shortest_sounds(samples_in):
    out = run(Tempo(2, RATE), bytes(2 * samples_in))
    assert len(out) % 2 == 0 and len(out) <= 2 * samples_in


@pytest.mark.parametrize("factor", [0, 0.2, 4.1, -1, math.nan, math.inf])
def test_a_tempo_out_of_range_is_refused(factor):
    with pytest.raises(ValueError, match="is not between 0.25 and 4.0"):
        Tempo(factor, RATE)
