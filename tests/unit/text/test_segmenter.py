"""A text that grows gives the same segments as the whole text, and as soon as possible."""

import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auto_voice.text.sentences import Segmenter, segments
from tests.examples import examples
from tests.unit.text.texts import LANGUAGES, any_text

any_limit = st.one_of(st.integers(1, 12), st.just(40), st.just(400))


def in_pieces(pieces, language, max_chars):
    segmenter = Segmenter(language, max_chars)
    found = [segment for piece in pieces for segment in segmenter.push(piece)]
    return found + segmenter.finish()


@settings(max_examples=examples(300))
@given(any_text, st.sampled_from(LANGUAGES), any_limit, st.data())
def test_any_pieces_give_what_the_whole_gives(text, language, max_chars, data):
    """However a text is divided, its segments are the same."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]
    whole = list(segments(text, language, max_chars))
    assert in_pieces(pieces, language, max_chars) == whole


@settings(max_examples=examples(300))
@given(any_text, st.sampled_from(LANGUAGES), any_limit)
@example("x\r\n y", "en", 400)
@example("x\r\n\r\ny", "en", 400)
@example("xx.[1] Y", "en", 400)
@example("xx" + " " * 70 + "\r\n y", "en", 400)
@example("xx\n1. y", "en", 400)
def test_single_characters_give_what_the_whole_gives(text, language, max_chars):
    """A text that comes one character at a time is cut like the whole."""
    assert in_pieces(text, language, max_chars) == list(segments(text, language, max_chars))
    assert in_pieces([text], language, max_chars) == list(segments(text, language, max_chars))


@pytest.mark.parametrize(
    "text, needed",
    [
        ("Hello world. How are you", "Hello world. H"),
        ("Hello world.\n\nHow", "Hello world.\n\n"),
        ("Hello world\n\nHow", "Hello world\n\n"),
        ("She said “no!” Then", "She said “no!” T"),
        ("He left the U.S. The end", "He left the U.S. The "),
        ("你好。再见", "你好。再"),
    ],
)
def test_a_sentence_comes_out_as_soon_as_it_is_certain(text, needed):
    """The first character that settles it releases the sentence."""
    segmenter = Segmenter()
    released = next(index for index, char in enumerate(text) if segmenter.push(char))
    assert text[: released + 1] == needed


def test_a_pause_in_the_text_loses_nothing():
    """finish() may be followed by more text; offsets go on."""
    segmenter = Segmenter()
    assert segmenter.push("Hello wor") == []
    first = segmenter.finish()
    assert [(s.text, s.start, s.paragraph_end) for s in first] == [("Hello wor", 0, True)]
    assert segmenter.finish() == []
    assert segmenter.push(" ld. ") == []
    assert [(s.text, s.start, s.end) for s in segmenter.finish()] == [("ld.", 10, 13)]


@pytest.mark.parametrize("piece", ["word ", "word. ", " ", "\n", ".", "x", '"(', "。", "\u0301"])
def test_state_stays_small_however_long_the_text(piece):
    """What is remembered is bounded by max_chars, not by the text."""
    segmenter = Segmenter(max_chars=100)
    sizes = []
    for _ in range(2000):
        segmenter.push(piece)
        sizes.append(
            sum(sys.getsizeof(value) for value in vars(segmenter).values() if value is not None)
        )
    assert max(sizes) < 5000


def test_limit_has_to_be_positive():
    """A limit that no segment could keep is refused at once."""
    with pytest.raises(ValueError, match="at least 1"):
        Segmenter(max_chars=0)
    with pytest.raises(ValueError, match="at least 1"):
        segments("text", max_chars=-1)


@pytest.mark.parametrize(
    "text, language",
    [
        ("Hello there.", "en"),
        ("Hello there. ", "en"),
        ("Is it? Yes, it is!", "en"),
        ("(All of it.) Yes.", "en"),
        ("你好。", "zh"),
        ("यह एक वाक्य है।", "hi"),
        ("Τι κάνεις;", "el"),
    ],
)
def test_what_ends_clearly_needs_no_next_word(text, language):
    """Where no more comes for a moment, a sentence with a clear end can be taken."""
    whole = list(segments(text, language))
    segmenter = Segmenter(language)
    found = segmenter.push(text)
    found += segmenter.settle()
    assert [segment[:3] for segment in found] == [segment[:3] for segment in whole]
    assert segmenter.finish() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Hello there",
        "Hello there,",
        "I met Dr.",
        "It costs 3.",
        "They left the U.S.",
        "J.",
        "Well...",
        "...",
        "He said “no.”",
        "“Why not?",
        '"Why not?',
        '"Why not?"',
        "He (!",
        "Some (or all.",
    ],
)
def test_what_may_go_on_is_not_taken(text):
    """An abbreviation, a number or an open quotation waits for what follows."""
    segmenter = Segmenter()
    segmenter.push(text)
    assert not segmenter.ends_clearly
    assert segmenter.settle() == []


def test_a_text_goes_on_after_a_sentence_was_taken():
    """Offsets count on, and nothing is lost or said twice."""
    segmenter = Segmenter()
    assert segmenter.push("One two.") == []
    assert segmenter.settle() == [("One two.", 0, 8, False)]
    assert segmenter.settle() == []
    assert segmenter.push(" Three four. F") == [("Three four.", 9, 20, False)]
    assert segmenter.finish() == [("F", 21, 22, True)]


@settings(max_examples=examples(200))
@given(any_text, st.sampled_from(LANGUAGES), any_limit, st.data())
def test_every_character_is_in_one_segment_wherever_it_is_settled(text, language, limit, data):
    """Taking sentences early moves borders; it loses nothing and repeats nothing."""
    segmenter, found, at = Segmenter(language, limit), [], 0
    while at < len(text):
        step = data.draw(st.integers(1, 9))
        found += segmenter.push(text[at : at + step])
        at += step
        found += segmenter.settle()
    found += segmenter.finish()
    assert all(a.end <= b.start for a, b in zip(found, found[1:]))
    spoken = "".join(segment.text for segment in found)
    whole = "".join(segment.text for segment in segments(text, language, limit))
    assert "".join(spoken.split()) == "".join(whole.split())
