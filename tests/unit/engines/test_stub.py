"""The stub's output is known: what comes out of a server can be told from it."""

import time

import pytest

from auto_voice.engines.stub import GAP_S, SAMPLE_RATE_HZ, TONE_S, tone_hz
from auto_voice.errors import EngineFailed
from tests.unit.engines.speaking import loaded, loudest_hz, tones

WORD_BYTES = 2 * round(SAMPLE_RATE_HZ * (TONE_S + GAP_S))


@pytest.mark.parametrize("word", ["hello", "world", "Welt", "мир", "1234", "a", "zzzzzzzzzzzzzz"])
def test_each_word_sounds_at_its_frequency(word):
    assert loudest_hz(tones(word), SAMPLE_RATE_HZ) == pytest.approx(tone_hz(word), abs=5)


def test_the_frequency_is_the_documented_one():
    assert tone_hz("a") == 200 + 10 * 97
    assert tone_hz("ab") == 200 + 10 * ((97 + 98) % 150)


def test_words_follow_each_other():
    assert tones("one two") == tones("one") + tones("two") == tones("one, two!")
    assert len(tones("one two three")) == 3 * WORD_BYTES


def test_words_sound_different():
    assert len({tones(word) for word in ("one", "two", "three", "four")}) == 4


def test_what_is_no_word_makes_no_sound():
    assert tones("... - !") == b""


def test_a_word_begins_and_ends_in_silence():
    """So that no click can come from where words meet."""
    pcm = tones("word")
    assert pcm[:2] == b"\0\0"
    assert pcm[-200:] == bytes(200)


def test_it_fails_when_told_to():
    with pytest.raises(EngineFailed):
        tones("please FAIL now")


def test_a_pause_takes_time_and_sounds_like_a_word():
    began = time.monotonic()
    assert len(tones("PAUSE")) == WORD_BYTES
    assert time.monotonic() - began >= 0.05


def test_it_knows_no_variants():
    assert loaded("stub").variants() == {}
