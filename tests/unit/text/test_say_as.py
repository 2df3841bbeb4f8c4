"""What an author says a text is, it is read as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.text.aligned import Piece
from auto_voice.text.say_as import say_as

CASES = [
    ("HTML", "characters", "", "H T M L"),
    ("HTML", "spell-out", "", "H T M L"),
    ("b-2", "verbatim", "", "b dash two"),
    ("an", "characters", "", "a, n"),
    ("12,345", "cardinal", "", "twelve thousand three hundred and forty-five"),
    ("-5.5", "cardinal", "", "minus five point five"),
    ("XIV", "cardinal", "", "fourteen"),
    ("2", "number", "ordinal", "second"),
    ("1999", "number", "", "one thousand nine hundred and ninety-nine"),
    ("1", "ordinal", "", "first"),
    ("3rd", "ordinal", "", "third"),
    ("XIV", "ordinal", "", "fourteenth"),
    ("555 1234", "digits", "", "five five five, one two three four"),
    ("3/20", "fraction", "", "three twentieths"),
    ("2 1/2", "fraction", "", "two and a half"),
    ("2+1/2", "fraction", "", "two and a half"),
    ("5kg", "unit", "", "five kilograms"),
    ("9/10/2026", "date", "mdy", "the tenth of September twenty twenty-six"),
    ("9/10/2026", "date", "dmy", "the ninth of October twenty twenty-six"),
    ("2026-9-10", "date", "ymd", "the tenth of September twenty twenty-six"),
    ("2026-09-10", "date", "yyyy-mm-dd", "the tenth of September twenty twenty-six"),
    ("20260910", "date", "yyyymmdd", "the tenth of September twenty twenty-six"),
    ("20260910", "date", "", "the tenth of September twenty twenty-six"),
    ("9-10", "date", "md", "the tenth of September"),
    ("9-10", "date", "dm", "the ninth of October"),
    ("9/2026", "date", "my", "September twenty twenty-six"),
    ("2026/9", "date", "ym", "September twenty twenty-six"),
    ("10 Sep 2026", "date", "dmy", "the tenth of September twenty twenty-six"),
    ("2026", "date", "y", "twenty twenty-six"),
    ("9", "date", "m", "September"),
    ("9", "date", "d", "the ninth"),
    ("2:30pm", "time", "hms12", "two thirty pm"),
    ("14:30", "time", "hms12", "two thirty pm"),
    ("0:05", "time", "hms12", "twelve oh five am"),
    ("14:30:10", "time", "hms24", "fourteen thirty and ten seconds"),
    ("2:30pm", "time", "hms24", "fourteen thirty"),
    ("1'21\"", "time", "", "one minute and twenty-one seconds"),
    ("1:02:03", "duration", "", "one hour two minutes and three seconds"),
    (
        "+1 (555) 123-4567",
        "telephone",
        "",
        "plus one, five five five, one two three, four five six seven",
    ),
    ("150 Main St.", "address", "", "one fifty Main Street."),
    ("$42.01", "currency", "", "forty-two dollars and one cent"),
    ("USD45", "currency", "USD", "forty-five US dollars"),
    ("42", "currency", "eur", "forty-two euros"),
    ("damn", "expletive", "", "bleep"),
    ("damn", "bleep", "", "bleep"),
]


def said(pieces):
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize("text, kind, form, expected", CASES)
def test_text_is_read_as_its_author_says(text, kind, form, expected):
    pieces = say_as(text, 10, kind, form)
    assert said(pieces) == expected
    assert all(piece.settled for piece in pieces)
    assert (pieces[0].start, pieces[-1].end) == (10, 10 + len(text))
    assert said(say_as(f"{text}", 10, kind.upper(), "", form)) == expected


def test_americans_begin_dates_with_the_month():
    pieces = say_as("10/9/2026", 0, "date", "dmy", language="en-US")
    assert said(pieces) == "September tenth, twenty twenty-six"


def test_characters_and_digits_know_each_their_place():
    assert say_as("U2", 5, "characters") == (
        Piece("U", 5, 6, settled=True),
        Piece(" two", 6, 7, settled=True),
    )


@pytest.mark.parametrize(
    "text, kind, form",
    [
        ("Ed", "name", ""),
        ("5", "wished-for", ""),
        ("five", "cardinal", ""),
        ("31/31/2026", "date", "dmy"),
        ("9/10", "date", "ymd"),
        ("99:99", "time", "hms24"),
        ("someday", "date", ""),
        ("none", "telephone", ""),
        ("5 zorkmids", "currency", ""),
        ("9" * 5000, "cardinal", ""),
    ],
)
def test_what_is_not_what_it_is_said_to_be_is_left_to_later_rules(text, kind, form):
    assert say_as(text, 3, kind, form) == (Piece(text, 3, 3 + len(text)),)


def test_other_languages_set_characters_and_digits_apart_only():
    assert said(say_as("AB1", 0, "characters", language="de")) == "A B 1"
    assert said(say_as("12 34", 0, "digits", language="fr")) == "1 2, 3 4"
    assert say_as("12", 0, "ordinal", language="de") == (Piece("12", 0, 2),)


def test_an_element_of_nothing_says_nothing():
    assert not said(say_as("", 0, "characters"))
    assert not said(say_as("", 0, "expletive"))


KINDS = sorted({kind for _, kind, _, _ in CASES}) + ["name"]
FORMS = sorted({form for _, _, form, _ in CASES}) + ["yy", "dddd", "?"]


@given(
    st.one_of(st.text(max_size=20), st.text("0123456789/:.,-+'\" $€apmIVX", max_size=20)),
    st.sampled_from(KINDS),
    st.sampled_from(FORMS),
    st.sampled_from(["en", "en-US", "de"]),
)
def test_every_piece_is_in_order_and_within_the_element(text, kind, form, language):
    at = 9
    for piece in say_as(text, 9, kind, form, "", language):
        assert at <= piece.start <= piece.end <= 9 + len(text)
        at = piece.end
        if not piece.settled:
            assert piece.text == text[piece.start - 9 : piece.end - 9]
