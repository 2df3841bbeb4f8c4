from hypothesis import given
from hypothesis import strategies as st

from auto_voice.audio.pcm import Blocks, duration_s, silence


def test_silence_lasts_as_long_as_asked_for():
    assert silence(0.5, 24000) == bytes(24000)
    assert duration_s(len(silence(0.5, 24000)), 24000) == 0.5


def test_a_fraction_of_a_sample_is_rounded_to_whole_samples():
    assert len(silence(0.00003, 22050)) == 2


@given(st.lists(st.binary(max_size=50)), st.sampled_from([2, 6, 14]))
def test_blocks_hand_out_all_whole_samples_once_and_in_order(pieces, size):
    blocks = Blocks(size)
    pushed = [blocks.push(piece) for piece in pieces]
    assert all(len(block) % size == 0 for block in pushed)
    everything = b"".join(pieces)
    assert b"".join(pushed) + blocks.rest() == everything[: len(everything) // 2 * 2]
    assert blocks.rest() == b""


def test_blocks_count_bytes_of_a_memoryview_of_samples():
    blocks = Blocks(4)
    assert blocks.push(memoryview(b"abcdef").cast("h")) == b"abcd"
    assert blocks.push(bytearray(b"gh")) == b"efgh"
