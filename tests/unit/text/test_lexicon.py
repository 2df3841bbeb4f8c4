"""A lexicon says words otherwise, in their places, and leaves everything else alone."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.errors import InvalidLexicon
from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.lexicon import MAX_ENTRIES, MAX_PER_WORD, Lexicon
from auto_voice.text.lexicon_entry import Entry
from tests.examples import examples


def said(text, *entries, language="en-us"):
    """The text as it is said with a lexicon of these entries."""
    return Lexicon(entries).apply(Aligned.verbatim(text), language).text


def changed(text, *entries, language="en-us"):
    """What is written and what is said instead, for each place."""
    pieces = Lexicon(entries).apply(Aligned.verbatim(text), language).pieces
    return [(text[p.start : p.end], p.text, p.ipa) for p in pieces if p.settled]


SQL = Entry("SQL", say="sequel")
YORK = Entry("New York", ipa="nuː ˈjɔːɹk")


@pytest.mark.parametrize(
    "text, result",
    [
        ("SQL", "sequel"),
        ("sql, Sql; (SQL).", "sequel, sequel; (sequel)."),
        ("PostgreSQL MySQL SQLs SQL2 2SQL", "PostgreSQL MySQL SQLs SQL2 2SQL"),
        ("SQL-like SQL/JSON no-SQL", "sequel-like sequel/JSON no-sequel"),
        ("SQL.com and v.SQL but SQL. Com", "SQL.com and v.SQL but sequel. Com"),
        ("SQL’s and SQL's", "sequel’s and sequel's"),
        ("_SQL_ x_SQL", "_sequel_ x_SQL"),
        ("SQ\u00adL", "sequel"),
        ("ＳＱＬ SQLé", "ＳＱＬ SQLé"),
    ],
)
def test_whole_words_are_found_in_whatever_case(text, result):
    assert said(text, SQL) == result


def test_several_words_are_found_across_any_white_space():
    text = "New York, new\n  york, New-York, NewYork, New Yorker, New"
    assert [written for written, _, _ in changed(text, YORK)] == ["New York", "new\n  york"]


def test_the_longest_entry_is_taken():
    entries = [Entry("New", say="1"), YORK, Entry("New York City", say="3"), Entry("York", say="4")]
    assert said("New York City; New York Cit; New; York", *entries) == "3; New York Cit; 1; 4"


def test_a_longer_word_that_does_not_come_leaves_the_shorter_one():
    entries = [Entry("a b c d", say="long"), Entry("a b", say="short"), Entry("b c x", say="other")]
    assert said("a b c x a b c d", *entries) == "short c x long"


def test_words_of_signs_are_words_too():
    entries = [
        Entry("C++", say="see plus plus"),
        Entry(".NET", say="dot net"),
        Entry("&", say="and"),
    ]
    assert said("C++, C, .NET & ASP.NET", *entries) == "see plus plus, C, dot net and ASP.NET"


def test_capitals_matter_where_an_entry_says_so():
    sensitive = Entry("US", say="United States", case_sensitive=True)
    assert said("US us Us", sensitive) == "United States us Us"
    either = Entry("us", say="you and me")
    assert said("US us Us", either, sensitive) == "United States you and me you and me"


@pytest.mark.parametrize(
    "written, entry",
    [
        ("STRASSE", "Straße"),
        ("Straße", "STRASSE"),
        ("cafe\u0301", "café"),
        ("café", "CAFE\u0301"),
        ("ΣΟΦΌΣ", "σοφός"),
        ("Don’t", "don't"),
        ("हिन्दी", "हिन्दी"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("naïve", "NAÏVE"),
    ],
)
def test_other_ways_to_write_a_word_are_that_word(written, entry):
    assert said(f"({written})", Entry(entry, say="this")) == "(this)"


@pytest.mark.parametrize(
    "text, word",
    [("हिन्दी", "हिन"), ("e\u0301tude", "e"), ("don't", "don"), ("3.14", "3"), ("1,000", "1")],
)
def test_a_part_of_a_word_is_not_that_word(text, word):
    assert said(text, Entry(word, say="wrong")) == text


def test_an_apostrophe_parts_words_where_the_language_has_it_so():
    assert said("l'été aujourd'hui", Entry("été", say="ETE"), language="fr") == "l'ETE aujourd'hui"
    assert said("can't", Entry("can", say="wrong"), language="en-gb") == "can't"


def test_scripts_without_spaces_are_read_all_the_same():
    assert said("東京都に行く", Entry("東京", say="Tokyo"), language="ja") == "Tokyo都に行く"
    assert said("สวัสดีครับ", Entry("สวัสดี", say="x"), language="th") == "xครับ"


def test_languages_are_prefixes_of_whole_tags():
    entries = [
        Entry("chat", say="cat", language="fr"),
        Entry("chat", say="canadian", language="fr-CA"),
        Entry("chat", say="talk", language="en"),
    ]
    results = [said("chat", *entries, language=tag) for tag in ("fr", "fr-fr", "fr-ca", "EN-us")]
    assert results == ["cat", "cat", "canadian", "talk"]
    assert said("chat", *entries, language="frr") == "chat"


def test_a_lexicons_language_is_that_of_entries_without_one():
    entries = [Entry("a", say="x"), Entry("b", say="y", language="en")]
    french = Lexicon(entries, "fr")
    assert french.apply(Aligned.verbatim("a b"), "fr").text == "x b"
    assert french.apply(Aligned.verbatim("a b"), "en").text == "a y"


def test_ipa_goes_with_the_written_word():
    assert changed("To New  York", YORK) == [("New  York", "New  York", "nuː ˈjɔːɹk")]


def test_ipa_beside_other_words_has_these_for_engines_without_ipa():
    entry = Entry("gif", say="jif", ipa="dʒɪf")
    assert changed("a GIF", entry) == [("GIF", "jif", "dʒɪf")]


@pytest.mark.parametrize(
    "ipa, ending", [("ˈænə", "z"), ("kæt", "s"), ("mæks", "ɪz"), ("dʒɔːdʒ", "ɪz"), ("sjuː", "z")]
)
def test_a_name_in_ipa_keeps_its_possessive(ipa, ending):
    """Else the s would be spelled: it does not stand with its word any more."""
    name = Entry("Name", ipa=ipa)
    assert changed("Name’s car", name) == [("Name’s", "Name's", ipa + ending)]
    assert changed("Name's", name, language="de") == [("Name", "Name", ipa)]


def test_settled_pieces_are_left_alone_and_not_reached_across():
    pieces = [
        Piece("New ", 0, 4),
        Piece("York", 4, 8, settled=True),
        Piece(" SQL ", 8, 13),
        Piece("SQL", 13, 16, ipa="ɛs"),
        Piece("SQL", 16, 19),
    ]
    result = Lexicon([YORK, SQL]).apply(Aligned(pieces), "en")
    assert [piece for piece in result.pieces if piece in pieces and piece.text != "New "] == [
        pieces[1],
        pieces[3],
        pieces[4],
    ]
    assert result.text == "New York sequel SQLSQL"


def test_a_word_over_several_pieces_is_found():
    pieces = [Piece("a New", 10, 15), Piece(" ", 30, 31), Piece("York b", 40, 46)]
    result = Lexicon([YORK]).apply(Aligned(pieces), "en")
    assert [(p.text, p.start, p.end) for p in result.pieces] == [
        ("a ", 10, 12),
        ("New York", 12, 44),
        (" b", 44, 46),
    ]


def test_without_a_hit_nothing_is_made_anew():
    said_ = Aligned.verbatim("Nothing of this is in it.")
    assert Lexicon([SQL]).apply(said_, "en") is said_
    assert Lexicon().apply(said_, "en") is said_


WORDS = st.lists(st.sampled_from(["a", "B", "c", "été", "don't", "東", "+", "'s"]), max_size=4)
ENTRIES = st.lists(
    st.builds(
        Entry,
        WORDS.map(" ".join).filter(str.strip),
        say=st.just("said"),
        ipa=st.sampled_from([None, "ə"]),
        language=st.sampled_from([None, "en", "en-us", "fr"]),
        case_sensitive=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda entry: entry.key,
)
TEXTS = st.lists(
    st.sampled_from(
        ["a", "A", "b", "c", " ", "  ", ".", "'s", "’", "ÉTÉ", "東", "+", "don't", "\n"]
    )
).map("".join) | st.text(max_size=40)


@settings(max_examples=examples(300), deadline=None)
@given(
    entries=ENTRIES,
    texts=st.lists(st.tuples(TEXTS, st.booleans()), max_size=5),
    language=st.sampled_from(["en", "en-us", "fr", "ja"]),
)
def test_every_place_in_the_text_is_still_stood_for(entries, texts, language):
    """Pieces follow each other without a gap; what is not settled is as it was written."""
    source = "".join(text for text, _ in texts)
    pieces, at = [], 0
    for text, settled in texts:
        pieces.append(Piece(text, at, at + len(text), settled))
        at += len(text)
    before = Aligned(pieces)
    after = Lexicon(entries).apply(before, language)
    at = 0
    for piece in after.pieces:
        assert piece.start == at < piece.end
        at = piece.end
        if not piece.settled:
            assert piece.text == source[piece.start : piece.end]
            assert piece.ipa is None
    assert at == len(source)
    kept = [piece for piece in after.pieces if piece in before.pieces and piece.settled]
    assert kept == [piece for piece in before.pieces if piece.settled]


@settings(deadline=None)
@given(entries=ENTRIES, text=TEXTS, data=st.data())
def test_the_order_of_entries_changes_nothing(entries, text, data):
    one = Lexicon(entries)
    other = Lexicon(data.draw(st.permutations(entries)))
    assert one.digest == other.digest
    assert one.apply(Aligned.verbatim(text), "en-us").pieces == (
        other.apply(Aligned.verbatim(text), "en-us").pieces
    )


@settings(deadline=None)
@given(entries=ENTRIES, text=TEXTS)
def test_applying_it_again_changes_nothing(entries, text):
    lexicon = Lexicon(entries)
    once = lexicon.apply(Aligned.verbatim(text), "en")
    assert [p for p in lexicon.apply(once, "en").pieces if p.settled] == [
        p for p in once.pieces if p.settled
    ]


def test_a_digest_tells_contents_apart():
    digests = {
        Lexicon(entries, language).digest
        for entries in ([], [SQL], [YORK], [SQL, YORK], [Entry("SQL", say="sequels")])
        for language in (None, "en")
    }
    assert len(digests) == 10


@pytest.mark.parametrize(
    "entry, field",
    [
        (Entry("", say="x"), "word"),
        (Entry("   ", say="x"), "word"),
        (Entry("w" * 101, say="x"), "word"),
        (Entry("a\x00b", say="x"), "word"),
        (Entry("a\uffff", say="x"), "word"),
        (Entry("\u00ad\u200d", say="x"), "word"),
        (Entry("a"), "word"),
        (Entry("a", say="  "), "say"),
        (Entry("a", say="x" * 401), "say"),
        (Entry("a", say="x\x1by"), "say"),
        (Entry("a", say="\ud800"), "say"),
        (Entry("a", ipa=""), "ipa"),
        (Entry("a", ipa="ə" * 201), "ipa"),
        (Entry("a", ipa="həˈLoʊ"), "ipa"),
        (Entry("a", ipa="a]]b"), "ipa"),
        (Entry("a", ipa="[[a]]"), "ipa"),
        (Entry("a", ipa="a\x01b"), "ipa"),
        (Entry("a", ipa="漢"), "ipa"),
        (Entry("a", ipa="ˈ ː"), "ipa"),
        (Entry("a", say="x", language="english!"), "language"),
        (Entry("a", say="x", language="x" * 40), "language"),
    ],
)
def test_what_is_no_entry_is_refused_with_its_number(entry, field):
    with pytest.raises(InvalidLexicon, match=r"^Entry 2 \(") as refused:
        Lexicon([SQL, entry])
    assert refused.value.param == field


@pytest.mark.parametrize(
    "ipa, kept", [("/təˈmɑː/", "təˈmɑː"), ("[t͡ʃa]", "t͡ʃa"), (" a  b ", "a b"), ("ma˥˩", "ma˥˩")]
)
def test_ipa_is_taken_as_people_write_it(ipa, kept):
    assert Lexicon([Entry("a", ipa=ipa)]).entries[0].ipa == kept


def test_a_word_may_be_there_once_for_each_language_and_case():
    Lexicon([Entry("a", say="x"), Entry("a", say="x", language="en")])
    with pytest.raises(InvalidLexicon, match="Entry 2 .* twice"):
        Lexicon([Entry("Don't", say="x"), Entry("don’T", say="y")])


def test_there_is_a_limit_to_entries_and_to_those_of_one_word():
    with pytest.raises(InvalidLexicon, match="at most 10000"):
        Lexicon(Entry(f"w{number}", say="x") for number in range(MAX_ENTRIES + 1))
    with pytest.raises(InvalidLexicon, match="more than 50"):
        Lexicon(Entry("w", say="x", language=f"en-{n}") for n in range(MAX_PER_WORD + 1))


def seconds(function):
    """The least of some times: what it takes when nobody is in the way."""
    times = []
    for _ in range(15):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.serial
def test_the_time_does_not_depend_on_how_many_entries_there_are():
    """Nor on what they are: the worst ones for a matcher that goes back are here."""
    sentence = Aligned.verbatim(" ".join(["word", "other", "a"] * 30)[:400])
    few = Lexicon([SQL])
    many = Lexicon(Entry(f"w{number} b", say="x") for number in range(MAX_ENTRIES))
    base = seconds(lambda: few.apply(sentence, "en"))
    assert seconds(lambda: many.apply(sentence, "en")) < 4 * base + 100e-6
    nested = Lexicon(Entry(" ".join(["a"] * n + ["b"]), say="x") for n in range(1, 49))
    repeated = [Aligned.verbatim("a " * n) for n in (500, 4_000)]
    shorter, longer = (seconds(lambda text=text: nested.apply(text, "en")) for text in repeated)
    assert longer < 24 * shorter  # eight times as long; one that goes back would take 64 times
