"""What is written for the eye is put into words for the ear, and every word knows its place."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.normalise import normalise
from tests.unit.text.written import AMERICAN, ENGLISH, MARKDOWN


def said(text, language="en-GB"):
    return normalise(Aligned.verbatim(text), language).text


@pytest.mark.parametrize("written, expected", ENGLISH)
def test_english_is_read_as_a_reader_would(written, expected):
    assert said(written) == expected
    assert said(f"Well, {written}, then.") == f"Well, {expected}, then."


@pytest.mark.parametrize("written, expected", AMERICAN)
def test_americans_leave_out_and_and_begin_dates_with_the_month(written, expected):
    assert said(written, "en-US") == expected


@pytest.mark.parametrize("written, expected", MARKDOWN)
@pytest.mark.parametrize("language", ["de", "pt-BR"])
def test_markdown_is_not_spoken_in_any_language(written, expected, language):
    assert said(written, language) == expected


@pytest.mark.parametrize("language", ["de", "fr-FR", "ja", "enm", ""])
def test_other_languages_leave_numbers_to_the_engine(language):
    for written, _ in ENGLISH:
        if not any(mark in written for mark in "*_#[|~>-•"):
            assert said(written, language) == written


@pytest.mark.parametrize(
    "language, written, expected",
    [
        ("en", "I ❤️ it", "I red heart it"),
        ("en", "Wow 😀😀😀!", "Wow grinning face!"),
        ("en", "Wow 😀 😀!", "Wow grinning face!"),
        ("en", "Wow 😀🎉", "Wow grinning face, party popper"),
        ("en", "ok👍🏽then", "ok thumbs up then"),
        ("en", "she is a 👩🏽‍💻", "she is a woman technologist"),
        ("en", "from 🇩🇪", "from flag of Germany"),
        ("en", "press 1️⃣", "press one"),
        ("de", "Toll 😀!", "Toll grinsendes gesicht!"),
        ("sv", "Bra 😀!", "Bra  !"),
        ("en", "Fine :-) really", "Fine really"),
        ("en", "Fine :)", "Fine"),
        ("de", "Gut ;-)", "Gut"),
        ("en", "a note: (this)", "a note: (this)"),
    ],
)
def test_emoji_are_named_once_and_emoticons_are_silent(language, written, expected):
    pytest.importorskip("emoji")
    assert said(written, language) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog.",
        "“Really?” she asked; yes, he said - no: I am!",
        "Das Äpfelchen fällt nicht weit.",
        "Ελληνικά και 日本語 (и русский)…",
    ],
)
def test_a_sentence_of_words_is_returned_as_it_is(text):
    whole = Aligned.verbatim(text.replace(" - ", ", "))
    assert normalise(whole, "en") is whole


def test_a_changed_part_stands_for_its_span_and_the_rest_for_itself():
    whole = normalise(Aligned.verbatim("Pay **$5 million** now.", 100), "en")
    assert [(p.text, p.start, p.end, p.settled) for p in whole.pieces] == [
        ("Pay ", 100, 104, False),
        ("five million dollars", 106, 116, True),
        (" now.", 118, 123, False),
    ]


def test_what_is_settled_stays():
    pieces = (Piece("5 ", 0, 2), Piece("$5", 2, 20, settled=True), Piece(" 5", 20, 22))
    whole = normalise(Aligned(pieces), "en")
    assert whole.text == "five $5 five"
    assert pieces[1] in whole.pieces


def test_neighbouring_pieces_are_read_as_one_text():
    """As where a character was written as an XML entity."""
    pieces = (Piece("for ", 0, 4), Piece("$", 4, 9), Piece("5 &", 9, 12), Piece(" x", 12, 14))
    whole = normalise(Aligned(pieces), "en")
    assert whole.text == "for five dollars and x"
    assert whole.pieces[1] == Piece("five dollars", 4, 10, settled=True)


def test_words_that_happen_to_be_as_long_as_what_was_written_stand_for_all_of_it():
    text = "https://a.io/bcdefg/hi"
    whole = normalise(Aligned.verbatim(text), "en")
    start = whole.text.index("slash")
    assert whole.written(start, start + 5) == (0, len(text))


PARTS = st.sampled_from(
    [written for written, _ in ENGLISH + MARKDOWN]
    + list("0123456789.,:;-–+*_`[](){}<>|#@&%$€£/\\'\"~=^°²½ \n\t!?aIVxZé中😀\u200d\ufe0f\u20e3")
    + ["1st", "://", "www.", "](", "Jan. ", "Dr. ", "**", "12", "https://"]
)


@given(st.lists(PARTS, max_size=30).map("".join), st.sampled_from(["en-US", "en", "de"]))
@example("[![a](b)](c)", "en")
@example("*a `*` b*", "en")
def test_every_piece_knows_where_it_comes_from(text, language):
    """Spans are in order and within the text, and what is not settled is the text itself."""
    pytest.importorskip("emoji")
    at = 7
    for piece in normalise(Aligned.verbatim(text, 7), language).pieces:
        assert at <= piece.start <= piece.end <= 7 + len(text)
        at = piece.end
        if not piece.settled:
            assert piece.text == text[piece.start - 7 : piece.end - 7]


@given(st.text(max_size=60))
def test_any_text_is_taken(text):
    pytest.importorskip("emoji")
    normalise(Aligned.verbatim(text), "en")


HOSTILE = (
    "1|1,|1-|1/|1:|1 |1.|*|_|[|(|[a](|](|`|a*|**a|$|#|@|@a|a@|a.|.|http://a|www.|-|+1|(555)|Jan |"
    "Jan. 1 |No. |e.g. |V |Henry I|1–|½|&|&a|<|~|5'|= |1e5|:)|[^|- |\n- |\n|\n>|> |'9|St. |a & b|"
    "1x|1 000 |😀|👩\u200d|\u20e3|-- |  |\t|1,000|$1-|a/|\\"
).split("|") + ["|", "--|"]


@pytest.mark.slow
@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_texts_take_linear_time(part):
    """Quadratic time would be half a minute; linear is a quarter of a second on a slow core."""
    pytest.importorskip("emoji")
    size = 15_000
    for text in ((part * size)[:size], (f"5{part}" * size)[:size]):
        began = time.process_time()
        normalise(Aligned.verbatim(text), "en")
        assert time.process_time() - began < 2


def test_numbers_of_any_length_are_read():
    assert said("9" * 36).count("nine") == 36
    assert said("1," * 3 + "000").endswith("thousand")
    assert said("1" + ",000" * 11) == "one decillion"


def test_emoji_are_loaded_at_the_first_one():
    code = (
        "import sys; from auto_voice.text.normalise import normalise;"
        "from auto_voice.text.aligned import Aligned;"
        "normalise(Aligned.verbatim('It is 5.'), 'en'); assert 'emoji' not in sys.modules;"
        "normalise(Aligned.verbatim('It is 😀.'), 'en'); assert 'emoji' in sys.modules"
    )
    pytest.importorskip("emoji")
    subprocess.run([sys.executable, "-c", code], check=True)


def rows():
    """What docs/text.md says is said."""
    guide = (Path(__file__).parents[3] / "docs" / "text.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (`+)(.+?)\1 \| (.+?) \|", guide, re.MULTILINE)
    return [(written, expected) for _, written, expected in found]


@pytest.mark.parametrize("written, expected", rows())
def test_the_guide_tells_what_is_said(written, expected):
    pytest.importorskip("emoji")
    assert said(written) == expected


def test_the_guide_has_examples_of_both_kinds():
    assert len(rows()) > 40
