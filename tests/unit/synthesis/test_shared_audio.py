"""Audio as it is kept in Redis: smaller where that pays, and never anything else than it was."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.synthesis.cache import Entry
from auto_voice.synthesis.shared_audio import decode, encode

KEY = "a" * 64


def speech(seconds=2.0):
    """Something as smooth as speech is, with a little noise."""
    at = np.arange(int(24_000 * seconds)) / 24_000
    wave = 9000 * np.sin(2 * math.pi * 180 * at) * np.sin(2 * math.pi * 3 * at)
    return (wave + np.random.default_rng(1).normal(0, 20, at.size)).astype("<i2").tobytes()


@given(
    st.one_of(st.binary(max_size=2000), st.integers(0, 9000).map(lambda n: speech(0.2)[:n])),
    st.floats(0, 1e6),
    st.binary(max_size=50),
)
def test_what_is_kept_comes_back(audio, audio_s, timings):
    """Of any length, and whether it can be packed or not."""
    entry = Entry(audio, audio_s, timings)
    assert decode(KEY, encode(KEY, entry)) == entry


@given(st.binary(max_size=200))
def test_what_somebody_else_has_written_is_nothing(value):
    assert decode(KEY, value) is None
    assert decode(KEY, encode(KEY, Entry(b"x", 1.0))[:4] + value) is None


@given(st.integers(min_value=0), st.integers(0, 255))
def test_what_is_damaged_is_nothing(place, byte):
    value = bytearray(encode(KEY, Entry(speech(0.05), 0.05, b"timings")))
    place %= len(value)
    changed = value[place] != byte
    value[place] = byte
    assert (decode(KEY, bytes(value)) is None) == changed


def test_an_entry_of_another_request_is_nothing():
    assert decode("b" * 64, encode(KEY, Entry(speech(), 2.0))) is None


def test_samples_become_smaller_where_that_pays():
    """Not where they were made in less than twenty times as long, nor where they cannot."""
    entry = Entry(speech(), 2.0)
    assert len(encode(KEY, entry)) < 0.7 * len(entry.audio)
    assert len(encode(KEY, entry, compute_s=0.5)) < 0.7 * len(entry.audio)
    assert len(encode(KEY, entry, compute_s=0.005)) > len(entry.audio)
    noise = np.random.default_rng(2).bytes(50_000)
    assert len(encode(KEY, Entry(noise, 2.0))) < len(noise) + 100
