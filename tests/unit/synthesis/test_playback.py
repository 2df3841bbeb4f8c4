"""A listener waits only where making the audio takes longer than hearing it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.synthesis.playback import Playback


def test_the_wait_for_the_first_piece_is_not_a_stall():
    playback = Playback()
    playback.add(asked=1.0, made=9.0, audio_s=1.0)
    assert playback.stalled_s == 0


def test_audio_that_is_made_faster_than_it_plays_never_stalls():
    playback = Playback()
    for number in range(100):
        playback.add(asked=0.5 * number + 1, made=0.5 * number + 1.5, audio_s=0.5)
    assert playback.stalled_s == 0


def test_a_piece_that_comes_too_late_stalls_for_what_is_missing():
    playback = Playback()
    playback.add(asked=1.0, made=1.0, audio_s=2.0)  # plays until 3.0
    playback.add(asked=1.0, made=3.5, audio_s=1.0)  # half a second late, plays until 4.5
    playback.add(asked=3.5, made=4.5, audio_s=1.0)
    assert playback.stalled_s == pytest.approx(0.5)


def test_a_client_that_pauses_does_not_wait_for_us():
    playback = Playback()
    playback.add(asked=1.0, made=1.0, audio_s=1.0)
    playback.add(asked=100.0, made=100.01, audio_s=1.0)
    assert playback.stalled_s == pytest.approx(0.01)


@given(st.lists(st.tuples(*[st.floats(0, 10)] * 3), min_size=1))
def test_nobody_waits_longer_than_making_takes(pieces):
    playback, now, making = Playback(), 1.0, 0.0
    for pause, work, audio_s in pieces:
        playback.add(now + pause, now + pause + work, audio_s)
        now += pause + work
        making += work
    assert 0 <= playback.stalled_s <= making + 1e-9
