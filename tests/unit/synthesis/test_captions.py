"""Captions can be read while their words are heard."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.synthesis.captions import (
    LINE_CHARS,
    LINES,
    MAX_CUE_MS,
    as_srt,
    as_vtt,
    cues,
    render,
)
from auto_voice.synthesis.timing import TimedWord

WORD = re.compile(r"\w+")


def timed(text, word_ms=300, pauses=()):
    """Words that sound one after the other; after those in ``pauses`` comes a second of silence."""
    words, at = [], 0
    for number, match in enumerate(WORD.finditer(text)):
        words.append(TimedWord(match.group(), at, at + word_ms, *match.span()))
        at += word_ms + (1000 if number in pauses else 0)
    return words


def shown(text, **options):
    return [cue.text for cue in cues(timed(text, **options), text)]


def test_a_sentence_is_a_caption():
    assert shown("“Good morning”, she said. It is (really) fine!") == [
        "“Good morning”, she said.",
        "It is (really) fine!",
    ]


def test_a_pause_ends_one():
    assert shown("One two three four", pauses={1}) == ["One two", "three four"]


def test_lines_are_of_like_length():
    (text,) = shown("The quick brown fox jumps over the lazy dog today", word_ms=100)
    one, other = text.split("\n")
    assert abs(len(one) - len(other)) <= 8


def captioned(source, *words):
    """The text of the only caption for a document of which these parts are words."""
    timed, at = [], 0
    for number, word in enumerate(words):
        at = source.index(word, at)
        timed.append(TimedWord(word, 100 * number, 100 * number + 90, at, at + len(word)))
        at += len(word)
    return render("srt", timed, source, ssml=True).split("\n", 2)[2].strip()


def test_markup_is_not_shown():
    source = 'Good <break/>day,<p>un<emphasis>believ</emphasis>able</p><!-- a > b -->"yes".'
    words = "Good", "day", "un", "believ", "able", "yes"
    assert captioned(source, *words) == 'Good day, unbelievable "yes".'


def test_entities_are_shown_as_what_they_stand_for():
    source = "&#8217;Tis AT&amp;T &amp; &quot;Tom&quot;. <![CDATA[1 < 2]]>, ok?"
    first = captioned(source.partition(".")[0] + ".", "Tis", "AT", "T", "&amp;", "Tom")
    assert first == '’Tis AT&T & "Tom".'
    assert captioned(source.partition(".")[2], "1", "<", "2", "ok") == "1 < 2, ok?"


def test_what_is_said_for_nothing_written_is_not_shown():
    assert captioned('<sub alias="hello"/> you', '<sub alias="hello"/>', "you") == "you"


def test_signs_between_words_are_kept():
    text = "AT&T — and/or well—yes 1–2"
    assert shown(text) == [text]


def test_what_looks_like_markup_is_shown_in_a_text_without():
    words = [TimedWord("i<j>k", 0, 1, 0, 5)]
    assert [cue.text for cue in cues(words, "i<j>k")] == ["i<j>k"]


@given(
    words=st.lists(st.text(alphabet="abcé1", min_size=1, max_size=60), min_size=1, max_size=40),
    word_ms=st.integers(1, 3000),
)
def test_every_word_is_shown_once_within_the_limits(words, word_ms):
    text = " ".join(words)
    made = list(cues(timed(text, word_ms), text))
    assert re.sub(r"\s", "", "".join(cue.text for cue in made)) == "".join(words)
    for cue in made:
        lines = cue.text.split("\n")
        alone = len(cue.text.split()) == 1 or any(len(word) > LINE_CHARS for word in words)
        assert len(lines) <= LINES or alone
        assert all(len(line) <= LINE_CHARS for line in lines)
        assert cue.end_ms - cue.start_ms <= max(MAX_CUE_MS, word_ms)
    for one, other in zip(made, made[1:]):
        assert one.end_ms <= other.start_ms


def test_srt():
    text = "Hello, world. Bye."
    assert as_srt(cues(timed(text, 1_234_567), text)) == (
        "1\n00:00:00,000 --> 00:20:34,567\nHello,\n\n"
        "2\n00:20:34,567 --> 00:41:09,134\nworld.\n\n"
        "3\n00:41:09,134 --> 01:01:43,701\nBye.\n\n"
    )


def test_vtt_escapes_what_would_be_markup():
    text = "A & B <c> 1 --> 2."
    made = as_vtt([cue._replace(text=text) for cue in cues(timed("x"), "x")])
    assert made == "WEBVTT\n\n00:00:00.000 --> 00:00:00.300\nA &amp; B &lt;c&gt; 1 --&gt; 2.\n\n"


def test_no_text_passes_for_another_captions_times():
    made = as_srt([cue._replace(text="1 --> 2") for cue in cues(timed("x"), "x")])
    assert made.count("-->") == 1


@pytest.mark.parametrize("format_name", ["srt", "vtt"])
def test_a_text_without_words_has_no_captions(format_name):
    assert "-->" not in render(format_name, [], "...")
