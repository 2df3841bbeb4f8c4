"""The likeliest way through a text, against all ways there are."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.errors import MissingDependency
from auto_voice.kernels import native
from auto_voice.kernels.alignment import maximum_path
from tests.examples import examples


def best_starts(values):
    """In which frame each token begins, found by trying all ways. values: [T_text, T_mel]."""
    text, mel = values.shape
    ways = [(0, *starts) for starts in itertools.combinations(range(1, mel), text - 1)]

    def score(starts):
        ends = (*starts[1:], mel)
        return sum(values[token, a:b].sum() for token, (a, b) in enumerate(zip(starts, ends)))

    # Of the best, the one whose last token begins earliest, then the last but one, …
    return min(ways, key=lambda starts: (-score(starts), starts[::-1]))


def starts_of(path):
    """The same, read from a path [T_text, T_mel]."""
    assert (path.sum(axis=0) == 1).all(), "a frame belongs to one token"
    return tuple(path.argmax(axis=1).tolist())


@st.composite
def batches(draw):
    """Ragged rows of small integers: sums are exact, and ties frequent."""
    lengths = []
    for _ in range(draw(st.integers(1, 3))):
        tokens = draw(st.integers(1, 4))
        lengths.append((tokens, draw(st.integers(tokens, 8))))
    text = max(tokens for tokens, _ in lengths) + draw(st.integers(0, 2))
    mel = max(frames for _, frames in lengths) + draw(st.integers(0, 2))
    cells = draw(st.binary(min_size=text * mel * len(lengths), max_size=text * mel * len(lengths)))
    values = np.frombuffer(cells, dtype=np.uint8).reshape(-1, text, mel) % 4 - np.float32(2)
    return values, lengths


@settings(max_examples=examples(200), deadline=None)
@given(batches())
def test_no_way_is_likelier(batch):
    """And of those as likely it is the one that the docstring tells."""
    values, lengths = batch
    paths = maximum_path(values, *np.array(lengths).T, way="numpy")
    assert paths.shape == values.shape
    for path, row, (tokens, frames) in zip(paths, values, lengths):
        assert starts_of(path[:tokens, :frames]) == best_starts(row[:tokens, :frames])
        assert path.sum() == frames, "nothing past the row's lengths"


def test_an_alignment_that_can_be_seen_is_found():
    """Noise beside a clear staircase does not lead astray."""
    durations = [3, 1, 7, 2, 12, 5]
    tokens = np.repeat(np.arange(6), durations)
    values = np.random.default_rng(3).normal(-10, 1, (1, 6, 30)).astype(np.float32)
    values[0, tokens, np.arange(30)] += 8
    path = maximum_path(values, [6], [30], way="numpy")
    assert path[0].sum(axis=1).tolist() == durations


def test_what_lies_past_a_rows_lengths_makes_no_difference():
    """Not even NaN, which padding may hold."""
    values = np.random.default_rng(5).normal(size=(2, 5, 9)).astype(np.float32)
    clean = maximum_path(values, [3, 5], [7, 9], way="numpy")
    values[0, 3:], values[0, :, 7:] = np.nan, np.inf
    assert (maximum_path(values, [3, 5], [7, 9], way="numpy") == clean).all()


def test_an_impossible_token_is_passed_as_fast_as_can_be():
    """Minus infinity on the only way is no error: one frame is what it has to get."""
    values = np.zeros((1, 3, 9), dtype=np.float32)
    values[0, 1] = -np.inf
    path = maximum_path(values, [3], [9], way="numpy")
    assert starts_of(path[0])[0] == 0 and path[0].sum(axis=1).min() >= 1


def test_as_many_tokens_as_frames_leave_one_way():
    """Whatever the values say."""
    values = np.tril(np.ones((1, 6, 6), dtype=np.float32)) * -1e30
    assert (maximum_path(values, [6], [6], way="numpy")[0] == np.eye(6, dtype=bool)).all()


def test_no_rows_are_no_error():
    assert maximum_path(np.zeros((0, 4, 5), np.float32), [], [], way="numpy").shape == (0, 4, 5)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_other_floats_are_taken_for_float32(dtype):
    values = np.random.default_rng(7).normal(size=(2, 4, 9)).astype("float16")
    expected = maximum_path(values.astype(np.float32), [4, 2], [9, 8], way="numpy")
    assert (maximum_path(values.astype(dtype), [4, 2], [9, 8], way="numpy") == expected).all()


@pytest.mark.parametrize(
    ("texts", "mels"), [([5, 4], [9, 3]), ([5, 0], [9, 9]), ([5, 6], [9, 9]), ([5, 5], [9, 10])]
)
def test_lengths_that_cannot_be_are_refused(texts, mels):
    """More tokens than frames, none, or more than the array has: the message names the row."""
    with pytest.raises(ValueError, match=r"row 1 has \d+ tokens and \d+ frames"):
        maximum_path(np.zeros((2, 5, 9), np.float32), texts, mels, way="numpy")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_cannot_be_compared_are_refused(value):
    """A training that has diverged is not aligned somehow."""
    values = np.zeros((3, 4, 9), dtype=np.float32)
    values[2, 2, 4] = value
    with pytest.raises(ValueError, match="row 2 is NaN or infinite"):
        maximum_path(values, [4] * 3, [9] * 3, way="numpy")


@pytest.mark.parametrize(
    ("values", "lengths", "error"),
    [
        (np.zeros((2, 3)), [1, 1], ValueError),
        (np.zeros((2, 3, 4)), [1, 1, 1], ValueError),
        (np.zeros((2, 3, 4), dtype=int), [1, 1], TypeError),
        (np.zeros((2, 3, 4)), [1.0, 1.0], TypeError),
    ],
)
def test_arrays_of_another_kind_are_refused(values, lengths, error):
    with pytest.raises(error):
        maximum_path(values, lengths, lengths, way="numpy")


# --- the library, where there is none -------------------------------------------------------------


@pytest.fixture
def nothing_built(monkeypatch, tmp_path):
    monkeypatch.delenv(native.SETTING, raising=False)
    monkeypatch.setattr(native, "BUILT", tmp_path / "libautovoice.so")


@pytest.mark.usefixtures("nothing_built")
def test_without_a_library_it_works():
    """numpy steps in; only who insists on the library is told how to get it."""
    values = np.zeros((1, 2, 3), dtype=np.float32)
    assert maximum_path(values, [2], [3]).sum() == 3
    for way in ("native", "cuda"):
        with pytest.raises(MissingDependency, match="make native"):
            maximum_path(values, [2], [3], way=way)


@pytest.mark.parametrize("content", [None, b"not a library"])
def test_a_named_library_that_cannot_be_loaded_is_told(monkeypatch, tmp_path, content):
    """A slip in the setting does not silently cost a factor of twenty."""
    path = tmp_path / "libautovoice.so"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(native.SETTING, str(path))
    with pytest.raises(MissingDependency, match="cannot be loaded"):
        maximum_path(np.zeros((1, 2, 3), dtype=np.float32), [2], [3])
