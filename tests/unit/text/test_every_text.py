"""What holds for every text, and where sentences are cut whatever the language is."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auto_voice.text.characters import SPEAKABLE, UNSPEAKABLE
from auto_voice.text.sentences import Segment, Segmenter, segments
from tests.examples import examples
from tests.unit.text.texts import LANGUAGES, any_text


def cut(text, language="en", max_chars=400):
    return [segment.text for segment in segments(text, language, max_chars)]


def blank(text):
    """Whether there is nothing in it but white space and what counts as such."""
    return not UNSPEAKABLE.sub(" ", text).strip()


@settings(max_examples=examples(300))
@given(any_text, st.sampled_from(LANGUAGES), st.one_of(st.integers(1, 12), st.just(400)))
@example("".join(map(chr, range(0x3000))), "en", 400)
def test_every_character_is_in_one_segment(text, language, max_chars):
    """Segments follow each other, cover all but white space, and keep to the limit."""
    at = 0
    for segment in segments(text, language, max_chars):
        assert segment.start >= at
        assert blank(text[at : segment.start])
        assert 0 < segment.end - segment.start <= max_chars
        assert len(segment.text) == segment.end - segment.start
        assert segment.text == segment.text.strip()
        for original, spoken in zip(text[segment.start : segment.end], segment.text):
            assert spoken in (original, " ")
        at = segment.end
    assert blank(text[at:])


def test_all_of_unicode_is_cut():
    """No character, lone surrogates among them, is too much; what speaks is kept."""
    text = "".join(map(chr, range(0x110000)))
    found = list(segments(text))
    kept = "".join("".join(segment.text.split()) for segment in found)
    assert kept == "".join(UNSPEAKABLE.sub(" ", text).split())
    assert kept.encode().decode() == kept


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n\n", "\0", "\ud800 \udfff", "\u2028\ufeff\x1b\u3000"]
)
def test_nothing_to_say_gives_no_segment(text):
    """White space and what cannot be spoken is dropped."""
    assert cut(text) == []


def test_what_cannot_be_spoken_becomes_a_space():
    """Offsets stay exact, so one character stands for one."""
    text = "\ufeffone\0two\ud800 three\u2028four\nfive\tsix. \x1bSeven."
    assert list(segments(text)) == [
        Segment("one two  three four five six.", 1, 30, False),
        Segment("Seven.", 32, 38, True),
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("...", ["..."]),
        ("!!! Watch out.", ["!!! Watch out."]),
        ("Wait. ... Go on.", ["Wait. ...", "Go on."]),
        ("One.\n\n* * *\n\nTwo.", ["One.", "* * *", "Two."]),
        ("He left. (", ["He left. ("]),
        ('He left. "', ['He left. "']),
        ("。。。好。", ["。。。好。"]),
        ("Great. 😀 Thanks.", ["Great.", "😀 Thanks."]),
    ],
)
def test_what_is_silent_goes_with_its_neighbour(text, expected):
    """Marks alone are part of a sentence beside them, or of a paragraph of their own."""
    assert cut(text) == expected


@pytest.mark.parametrize(
    "blank_line", ["\n\n", "\n \t\n", "\r\n\r\n", "\r\r", "\u2029", "\n\x0b", "\0\n\0\n"]
)
def test_a_blank_line_ends_a_sentence(blank_line):
    """Even after an abbreviation, and it is a paragraph's end."""
    text = f"Chapter one{blank_line}It was Dr.{blank_line}Who."
    assert [(s.text, s.paragraph_end) for s in segments(text)] == [
        ("Chapter one", True),
        ("It was Dr.", True),
        ("Who.", True),
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\u2028", "\n\t"])
def test_a_single_line_end_is_a_space(line_end):
    """Texts are wrapped at any width."""
    text = f"It was{line_end}here.{line_end}Then it{line_end}- was - gone."
    found = list(segments(text.replace("- was -", "was")))
    assert [s.paragraph_end for s in found] == [False, True]
    assert [" ".join(s.text.split()) for s in found] == ["It was here.", "Then it was gone."]


def test_items_of_a_list_are_sentences():
    """A line that begins like a list's item begins a sentence."""
    text = "You need:\n- apples\n* pears;\n• figs\n•nuts\n  – plums\n1. eggs\n12) milk\n(a) salt"
    text += "\nand\n-5 C"
    assert cut(text) == [
        "You need:",
        "- apples",
        "* pears;",
        "• figs",
        "•nuts",
        "– plums",
        "1. eggs",
        "12) milk",
        "(a) salt and -5 C",
    ]


def test_columns_of_a_table_are_apart():
    """So much white space within a sentence is a layout's."""
    assert cut("one:" + " " * 64 + "two\n" + " " * 70 + "three") == [
        "one:" + " " * 64 + "two",
        "three",
    ]
    assert cut("He left." + " " * 65 + "and") == ["He left.", "and"]


# Sentences that are too long


def test_a_long_sentence_is_cut_after_a_clause():
    """A semicolon or dash rather than a comma, and not within the first third."""
    assert cut("aa, bb cc; dd ee, ff gg hh", max_chars=20) == ["aa, bb cc;", "dd ee, ff gg hh"]
    assert cut("aa, bb cc dd ee, ff gg hh", max_chars=20) == ["aa, bb cc dd ee,", "ff gg hh"]
    assert cut("aa; bb cc dd ee ff gg hh", max_chars=20) == ["aa; bb cc dd ee ff", "gg hh"]
    assert cut("aa bb cc dd — ee ff gg hh", max_chars=20) == ["aa bb cc dd —", "ee ff gg hh"]
    assert cut("it is 12:30, or 1,500 things", max_chars=20) == ["it is 12:30,", "or 1,500 things"]
    assert cut("一二三四五，六七八九十，一二三", max_chars=12) == [
        "一二三四五，六七八九十，",
        "一二三",
    ]


def test_a_long_sentence_is_cut_where_it_almost_ended():
    """A full stop before a small letter may be an abbreviation's, but is better than a comma."""
    assert cut("I like tea, yes. you do, too", max_chars=24) == ["I like tea, yes.", "you do, too"]


def test_a_long_sentence_without_clauses_is_cut_at_white_space():
    """Words stay whole; a no-break space is no place to cut at."""
    assert cut("one two three four five", max_chars=10) == ["one two", "three four", "five"]
    assert cut("abcdef ghi\xa0jkl mno", max_chars=12) == ["abcdef", "ghi\xa0jkl mno"]


def test_a_sentence_that_fits_is_not_cut():
    """White space after the limit does not count."""
    assert cut("one, two. Three", max_chars=9) == ["one, two.", "Three"]
    assert cut("one, two\n\nThree", max_chars=8) == ["one, two", "Three"]
    assert cut("one, two  ", max_chars=8) == ["one, two"]
    assert cut("one, two\n- three", max_chars=8) == ["one, two", "- three"]
    assert cut("one, two three", max_chars=8) == ["one,", "two", "three"]


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "\u1112\u1161\u11ab", "क्षि", "❤\ufe0f", "ｶﾞ"],
)
@pytest.mark.parametrize("max_chars", [7, 8, 9, 10])
def test_a_word_is_not_cut_within_what_is_seen_as_one_character(cluster, max_chars):
    """Accents, families, flags, skin tones and syllables stay whole."""
    pieces = cut(cluster * 20, max_chars=max_chars)
    assert "".join(pieces) == cluster * 20
    assert all(piece.count(cluster) * len(cluster) == len(piece) for piece in pieces)


def test_accents_without_end_are_cut_all_the_same():
    """The limit holds where there is no good place."""
    assert {len(piece) for piece in cut("a" + "\u0301" * 999, max_chars=100)} == {100}


# Time and memory


def test_the_first_sentence_comes_before_the_text_is_read():
    """Lazily: a string's end is not even looked at."""

    class Slices(str):
        seen = 0

        def __getitem__(self, index):
            Slices.seen = max(Slices.seen, index.stop)
            return str.__getitem__(self, index)

    text = Slices("Hello world. " * 10_000)
    assert next(segments(text)).text == "Hello world."
    assert Slices.seen < 5_000


HOSTILE = [
    "a.",
    ".",
    "a",
    " ",
    "\n",
    "\nx",
    "\r\nx",
    '"("',
    "! ( ",
    ". ",
    "a. ",
    "Z. B. ",
    "1. ",
    'x. "',
    "x.[1",
    "x?) ",
    "a, ",
    "\u0301",
    "\u200d",
    "🇩",
    "\ud800",
    "。",
    '。"',
    "好",
    "፡",
    "\n- ",
]


def seconds(action):
    """The least CPU time of three tries: the machine is shared."""
    times = []
    for _ in range(3):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return min(times)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_takes_linear_time(hostile):
    """Eight times the text takes about eight times as long, never 64 times."""
    text = hostile * (3_000 // len(hostile))
    once = seconds(lambda: list(segments("x" + text)))
    assert seconds(lambda: list(segments("x" + text * 8))) < 25 * once + 0.005


@pytest.mark.parametrize("hostile", ["a. ", " ", '"("', ". ", "好", "x.[1"])
def test_a_text_that_comes_in_characters_takes_linear_time(hostile):
    """Nothing is searched again and again while more is waited for."""

    def push(text):
        segmenter = Segmenter()
        for char in text:
            segmenter.push(char)

    text = "x" + hostile * (1_500 // len(hostile))
    once = seconds(lambda: push(text))
    assert seconds(lambda: push(text * 8)) < 25 * once + 0.005


def test_silent_characters_are_known():
    """Letters, digits and symbols speak; marks do not."""
    for char in map(chr, range(0x110000)):
        category = unicodedata.category(char)
        if category in ("Lu", "Ll", "Lt", "Lo", "Nd", "Sc", "So"):
            assert SPEAKABLE.match(char), char
        elif category in ("Zs", "Zl", "Zp"):
            assert not SPEAKABLE.match(char), char
    assert not SPEAKABLE.search(".!?…,;:'\"()[]{}-–—_*/\\¿¡«»“”。！？、「」।؟")
