"""A sentence that is too long to be computed at once is spoken in parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.engines.piper.breaths import MOST_PHONEMES, breaths
from auto_voice.engines.piper.phonemes import Sentence
from auto_voice.engines.piper.words import Place

phonemes_ = st.lists(
    st.sampled_from("aˈː\u0303ɹ ,.") | st.characters(), min_size=1, max_size=2000
).map("".join)


def parts_of(phonemes, places=()):
    return list(breaths(Sentence(phonemes, tuple(places))))


@given(phonemes_, st.data())
def test_nothing_is_lost(phonemes, data):
    """No phoneme, and no word, which begins where it began; and no part is too long."""
    starts = data.draw(st.lists(st.integers(0, len(phonemes) - 1), unique=True).map(sorted))
    places = [Place(start, start, start + 1) for start in starts]
    parts = parts_of(phonemes, places)
    assert "".join(part.phonemes for part in parts) == phonemes
    assert all(len(part.phonemes) <= MOST_PHONEMES for part in parts)
    found, before = [], 0
    for part in parts:
        found += [place._replace(phoneme=place.phoneme + before) for place in part.places]
        before += len(part.phonemes)
    assert found == places
    assert [part.goes_on for part in parts] == [True] * (len(parts) - 1) + [False]


def test_a_sentence_of_usual_length_stays_whole():
    sentence = Sentence("a" * MOST_PHONEMES, (Place(0, 0, 1),))
    assert list(breaths(sentence)) == [sentence]


@pytest.mark.parametrize(
    ("phonemes", "first"),
    [
        ("ab cd " * 50 + "ef, " + "ab cd " * 50, "ab cd " * 50 + "ef, "),
        ("abcd " * 200, "abcd " * (MOST_PHONEMES // 5)),
        ("ab, " + "cd " * 200, ("ab, " + "cd " * 200)[: (MOST_PHONEMES - 4) // 3 * 3 + 4]),
        ("a\u0303" * 400, "a\u0303" * (MOST_PHONEMES // 2)),
        ("x" + "aː" * 400, "x" + "aː" * ((MOST_PHONEMES - 1) // 2)),
    ],
    ids=["at a pause", "at a word's end", "at no pause that is far back", "accent", "length"],
)
def test_it_is_parted_where_one_would_take_a_breath(phonemes, first):
    assert parts_of(phonemes)[0].phonemes == first
