"""A voice in parts and pieces sounds as it does whole."""

import gzip
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.engines.piper import onnx_schema, pieces
from auto_voice.engines.piper.graph import CannotSplit, Graph
from auto_voice.engines.piper.network import Network, Scales
from auto_voice.engines.piper.reach import Reach, reach
from auto_voice.errors import EngineFailed
from tests.unit.engines.piper.networks import SCALES, Whole, ids_of, split
from tests.voices import HERE, folder

VOICES = [("en-us", None), ("fine", None), ("people", 0), ("people", 2)]


def whole_of(speech):
    return np.concatenate(list(speech.pieces))


@pytest.mark.slow
@pytest.mark.parametrize(("voice", "speaker"), VOICES)
def test_pieces_equal_the_unsplit_graph(voice, speaker):
    """To 1e-5 of the peak, at lengths with one piece, two and many."""
    whole = Whole(voice)
    for count in (1, 12, 30, 90):
        ids = ids_of(count)
        speech = split(voice).speak(ids, SCALES, speaker)
        sound = whole_of(speech)
        expected, frames = whole.speak(ids, speech.frames, speaker, SCALES)
        assert frames == speech.frames
        assert sound.shape == expected.shape
        assert np.abs(sound - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_long_sentence_comes_in_pieces_of_which_the_first_is_small():
    speech = split("en-us").speak(ids_of(300), SCALES)
    lengths = [len(piece) / speech.hop for piece in speech.pieces]
    assert lengths[0] == pytest.approx(pieces.FIRST_FRAMES, abs=1)
    assert lengths[1] == pytest.approx(pieces.MOST_FRAMES, abs=1)
    assert max(lengths) <= 1.5 * pieces.MOST_FRAMES + 64
    assert sum(lengths) == sum(speech.frames)


@settings(max_examples=8, deadline=None)
@given(sizes=st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_wherever_it_is_cut_it_sounds_the_same(sizes):
    """Pieces of any sizes, down to a single frame, are the whole."""
    network = split("people")
    ids = ids_of(25)
    expected = whole_of(network.speak(ids, SCALES, 1))

    def borders(frames, ahead):
        ends = [end for end in np.cumsum(sizes).tolist() if end < frames]
        return [0, *ends, frames]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "_borders", borders)
        sound = whole_of(network.speak(ids, SCALES, 1))
    assert np.abs(sound - expected).max() <= 1e-5 * np.abs(expected).max()


def test_several_threads_make_the_same_bytes():
    ids = ids_of(200)
    alone = whole_of(split("en-us").speak(ids, SCALES))
    for threads in (2, 4):
        assert np.array_equal(whole_of(split("en-us").speak(ids, SCALES, threads=threads)), alone)


def test_several_threads_stop_when_nobody_wants_the_rest():
    speech = split("en-us").speak(ids_of(300), SCALES, threads=2)
    next(speech.pieces)
    speech.pieces.close()
    assert whole_of(split("en-us").speak(ids_of(20), SCALES)).any()


def test_the_same_request_gives_the_same_sound_and_another_one_another():
    ids = ids_of(20)
    first = whole_of(split("people").speak(ids, SCALES, 0))
    assert np.array_equal(first, whole_of(split("people").speak(ids, SCALES, 0)))
    for other in (
        split("people").speak(ids, SCALES, 1),
        split("people").speak(ids, Scales(0.5, 1.0, 0.8), 0),
        split("people").speak(ids_of(20)[:-2] + [5, 2], SCALES, 0),
    ):
        sound = whole_of(other)
        assert len(sound) != len(first) or not np.array_equal(sound, first)


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.3, 2.0])
def test_a_pace_is_met_exactly(speed):
    """Rounding up to whole frames does not make fast speech slower than was asked for."""
    ids = ids_of(120)
    normal = sum(split("en-us").speak(ids, SCALES).frames)
    frames = sum(split("en-us").speak(ids, SCALES, speed=speed).frames)
    assert frames == pytest.approx(normal / speed, rel=0.02)


def test_margins_follow_from_the_graph():
    """What is known of Piper's decoders: 11 frames to either side, 13 for high ones."""
    for voice, margin in (("en-us", 11), ("fine", 13)):
        graph = Graph((folder() / f"{voice}.onnx").read_bytes())
        first = graph.of_type("ConvTranspose")[0]
        before = graph.nodes[graph.producer[graph.nodes[first].input[0]]]
        conv = graph.nodes[graph.producer[before.input[0]]]
        assert reach(graph, [conv.input[0]], graph.outputs[0]) == Reach(margin, margin, 256)


@pytest.mark.slow
def test_a_graph_that_cannot_be_split_runs_whole(tmp_path, caplog):
    """A model of another make is spoken all the same, in one piece."""
    model = onnx_schema.Model()
    model.ParseFromString(gzip.decompress((HERE / "en-us.onnx.gz").read_bytes()))
    for node in model.graph.node:
        if node.op_type == "Ceil":  # as good as the same, and not what is looked for
            node.op_type = "Round"
    path = tmp_path / "other.onnx"
    path.write_bytes(model.SerializeToString())
    with caplog.at_level(logging.WARNING):
        network = Network(path)
    assert not network.is_split
    assert "without pieces" in caplog.text
    speech = network.speak(ids_of(30), SCALES)
    assert speech.frames is None
    (piece,) = speech.pieces
    assert np.abs(piece).max() > 0.01


def other_make(path, changes):
    """A model with other types of nodes."""
    model = onnx_schema.Model()
    model.ParseFromString(gzip.decompress((HERE / "en-us.onnx.gz").read_bytes()))
    for node in model.graph.node:
        node.op_type = changes.get(node.op_type, node.op_type)
    path.write_bytes(model.SerializeToString())
    return Network(path)


@pytest.mark.slow
def test_what_runs_whole_says_the_same_again_too(tmp_path):
    """Whatever was said before, in another process as well, and yet there is noise in it."""
    path = tmp_path / "other.onnx"
    first, second = (other_make(path, {"Ceil": "Round"}) for _ in range(2))
    ids = ids_of(30)
    sound = whole_of(first.speak(ids, SCALES))
    whole_of(first.speak(ids_of(7), SCALES))
    assert np.array_equal(whole_of(first.speak(ids, SCALES)), sound)
    assert np.array_equal(whole_of(second.speak(ids, SCALES)), sound)
    calm = whole_of(first.speak(ids, Scales(0.0, 1.0, 0.8)))
    assert len(calm) != len(sound) or not np.allclose(calm, sound)


def test_noise_that_cannot_be_drawn_again_is_refused(tmp_path):
    with pytest.raises(CannotSplit, match="RandomUniformLike"):
        other_make(tmp_path / "other.onnx", {"RandomNormalLike": "RandomUniformLike"})


def test_what_looks_along_time_without_bounds_is_not_cut():
    graph = Graph((folder() / "en-us.onnx").read_bytes())
    with pytest.raises(CannotSplit):
        reach(graph, ["input"], graph.outputs[0])


def test_durations_out_of_all_bounds_are_an_error_and_no_endless_sound():
    with pytest.raises(EngineFailed):
        split("en-us").speak(ids_of(20), Scales(0.667, 1000.0, 0.8))
    with pytest.raises(EngineFailed):
        split("en-us").speak(ids_of(20), Scales(0.667, float("nan"), 0.8))


@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_a_broken_file_is_an_error(tmp_path, damage):
    data = (folder() / "en-us.onnx").read_bytes()
    broken = {"empty": b"", "cut": data[: len(data) // 2], "text": b"<html>404</html>"}[damage]
    path = tmp_path / "broken.onnx"
    path.write_bytes(broken)
    with pytest.raises(Exception, match="."):
        Network(path)
