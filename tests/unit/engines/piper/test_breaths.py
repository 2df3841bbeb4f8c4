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


def parts_of(phonemes, places=(), clauses=(), pace=1.0):
    return list(breaths(Sentence(phonemes, tuple(places), tuple(clauses)), pace))


@given(phonemes_, st.floats(0.03, 4.0), st.data())
def test_nothing_is_lost(phonemes, pace, data):
    """No phoneme, and no word, which begins where it began; and no part is too long."""
    starts = data.draw(st.lists(st.integers(0, len(phonemes) - 1), unique=True).map(sorted))
    places = [Place(start, start, start + 1) for start in starts]
    clauses = data.draw(st.lists(st.integers(1, len(phonemes))))
    parts = parts_of(phonemes, places, clauses, pace)
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
    ("phonemes", "clauses", "first"),
    [
        ("ab cd" * 80, [50, 120, 250, 330], 250),
        ("abcd " * 200, [], MOST_PHONEMES // 5 * 5),
        ("abcd " * 200, [5], MOST_PHONEMES // 5 * 5),
        ("abcd " * 72, [], 180),
        ("a\u0303" * 400, [], MOST_PHONEMES // 2 * 2),
        ("x" + "aː" * 400, [], MOST_PHONEMES // 2 * 2 - 1),
        ("x" + "ˈa" * 400, [], MOST_PHONEMES // 2 * 2 - 1),
        ("a˥˩5" * 200, [], MOST_PHONEMES // 4 * 4),
    ],
    ids=[
        "at the clause's end that is nearest the middle",
        "at a word's end",
        "at no clause's end that is far back",
        "in halves",
        "not before an accent",
        "not before a mark of length",
        "not after a mark of stress",
        "not within a tone",
    ],
)
def test_it_is_parted_where_one_would_take_a_breath(phonemes, clauses, first):
    assert len(parts_of(phonemes, clauses=clauses)[0].phonemes) == first


@given(st.integers(MOST_PHONEMES + 1, 5 * MOST_PHONEMES), st.integers(2, 9))
def test_no_part_is_just_a_word_or_two(length, word):
    phonemes = ("a" * (word - 1) + " ") * (length // word + 1)
    assert all(len(part.phonemes) >= MOST_PHONEMES // 4 for part in parts_of(phonemes[:length]))


def test_what_is_spoken_slowly_has_shorter_parts():
    """Its sound is longer, and takes more memory."""
    assert [len(part.phonemes) for part in parts_of("a" * 300, pace=0.5)] == [150, 150]
    assert len(parts_of("a" * 300, pace=2.0)) == 1
