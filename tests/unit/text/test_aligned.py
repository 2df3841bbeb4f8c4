"""Whatever is said leads back to what was written."""

from hypothesis import given
from hypothesis import strategies as st

from auto_voice.text.aligned import Aligned, Piece


@st.composite
def aligned(draw):
    """A text, and something that is said for it: parts as they are, others, none."""
    text, pieces = "", []
    for _ in range(draw(st.integers(0, 6))):
        written = draw(st.text(alphabet="abc ", min_size=1, max_size=8))
        start, end = len(text), len(text) + len(written)
        text += written
        way = draw(st.sampled_from(["verbatim", "replaced", "dropped"]))
        if way == "verbatim":
            pieces.append(Piece(written, start, end))
        elif way == "replaced":
            said = draw(st.text(alphabet="xyz", min_size=1, max_size=12))
            pieces.append(Piece(said, start, end, True))
    return text, Aligned(pieces)


@given(made=aligned(), ends=st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_a_span_leads_to_all_that_it_stands_for(made, ends):
    text, said = made
    start, end = sorted(min(each, len(said.text)) for each in ends)
    low, high = said.written(start, end)
    assert 0 <= low <= high <= len(text)
    if start < end:
        at = 0
        for piece in said.pieces:
            if at < end and at + len(piece.text) > start and not piece.verbatim:
                assert low <= piece.start and piece.end <= high
            at += len(piece.text)


@given(made=aligned(), ends=st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_a_part_says_its_part_and_knows_its_origin(made, ends):
    text, said = made
    start, end = sorted(min(each, len(said.text)) for each in ends)
    part = said.part(start, end)
    assert part.text == said.text[start:end]
    for piece in part.pieces:
        assert 0 <= piece.start <= piece.end <= len(text)
        if piece.verbatim and not piece.settled:
            assert text[piece.start : piece.end] == piece.text


def test_what_is_verbatim_leads_back_letter_by_letter():
    said = Aligned([Piece("go to ", 4, 10), Piece("Saint", 10, 13, True), Piece(" Paul", 13, 18)])
    assert said.text == "go to Saint Paul"
    assert said.written(3, 5) == (7, 9)
    assert said.written(6, 8) == (10, 13)
    assert said.written(12, 16) == (14, 18)
    assert said.written(0, 16) == (4, 18)


def test_half_a_word_has_no_pronunciation_of_its_own():
    said = Aligned([Piece("tomato", 0, 6, True, "təˈmɑːtəʊ")])
    assert said.part(0, 6).pieces[0].ipa == "təˈmɑːtəʊ"
    assert said.part(0, 3).pieces[0].ipa is None


def test_nothing_leads_nowhere():
    assert Aligned(()).written(0, 0) == (0, 0)
    assert Aligned((Piece("", 3, 3),)).text == ""
