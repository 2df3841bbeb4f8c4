"""PLS documents are read as the W3C describes them, and hostile ones do no harm."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.errors import InvalidLexicon
from auto_voice.text import pls
from auto_voice.text.lexicon import Lexicon
from auto_voice.text.lexicon_entry import Entry

HEAD = f'<lexicon version="1.0" xmlns="{pls.NAMESPACE}" alphabet="ipa" xml:lang="en-US">'


def parsed(lexemes, head=HEAD):
    """The entries of a document with these lexemes: word, say, ipa."""
    found = pls.parse(f"{head}\n{lexemes}\n</lexicon>".encode())
    return [(entry.word, entry.say, entry.ipa) for entry in found.entries]


def lexeme(*inside):
    return f"<lexeme>{''.join(inside)}</lexeme>"


def test_the_specifications_first_example():
    """Section 1.1 of the W3C's recommendation, as it stands there."""
    source = """<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0"
      xmlns="http://www.w3.org/2005/01/pronunciation-lexicon"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
      xsi:schemaLocation="http://www.w3.org/2005/01/pronunciation-lexicon
        http://www.w3.org/TR/2007/CR-pronunciation-lexicon-20071212/pls.xsd"
      alphabet="ipa" xml:lang="it">
  <lexeme>
    <grapheme>La vita è bella</grapheme>
    <phoneme>ˈla ˈviːta ˈʔɛ ˈbɛlːa</phoneme>
    <!-- This is the Italian pronunciation of the movie title -->
  </lexeme>
</lexicon>"""
    found = pls.parse(source.encode())
    assert found.language == "it"
    assert found.entries == (Entry("La vita è bella", ipa="ˈla ˈviːta ˈʔɛ ˈbɛlːa"),)


def test_each_grapheme_of_a_lexeme_is_an_entry():
    source = lexeme(
        "<grapheme>theater</grapheme><grapheme>theatre</grapheme><phoneme>ˈθɪətər</phoneme>"
    )
    assert parsed(source) == [("theater", None, "ˈθɪətər"), ("theatre", None, "ˈθɪətər")]


@pytest.mark.parametrize(
    "spoken, say, ipa",
    [
        ("<phoneme>a</phoneme><phoneme>b</phoneme>", None, "a"),
        ("<phoneme>a</phoneme><phoneme prefer='true'>b</phoneme>", None, "b"),
        ("<phoneme prefer='true'>a</phoneme><phoneme prefer='true'>b</phoneme>", None, "a"),
        ("<alias>x y</alias>", "x y", None),
        ("<alias>x</alias><phoneme>a</phoneme>", "x", "a"),
        ("<alias prefer='true'>x</alias><phoneme>a</phoneme>", "x", None),
        ("<phoneme alphabet='x-sampa'>@\"T</phoneme>", None, "əˈθ"),
        ("<example>ignored</example><phoneme> a\n  b </phoneme>", None, "a b"),
    ],
)
def test_the_preferred_pronunciation_is_taken_else_the_first(spoken, say, ipa):
    assert parsed(lexeme("<grapheme>w</grapheme>", spoken)) == [("w", say, ipa)]


def test_the_documents_alphabet_holds_unless_a_phoneme_has_another():
    head = HEAD.replace('"ipa"', '"x-sampa"')
    words = lexeme("<grapheme>a</grapheme><phoneme>T@</phoneme>")
    words += lexeme("<grapheme>b</grapheme><phoneme alphabet='ipa'>θə</phoneme>")
    assert parsed(words, head) == [("a", None, "θə"), ("b", None, "θə")]


def test_of_two_lexemes_for_one_word_the_first_counts():
    words = lexeme("<grapheme>a</grapheme><phoneme>a</phoneme>")
    words += lexeme("<grapheme>a</grapheme><phoneme>b</phoneme>")
    assert parsed(words) == [("a", None, "a")]


def test_words_that_differ_in_capitals_alone_stay_apart():
    words = lexeme("<grapheme>Polish</grapheme><phoneme>ˈpəʊlɪʃ</phoneme>")
    words += lexeme("<grapheme>polish</grapheme><phoneme>ˈpɒlɪʃ</phoneme>")
    found = pls.parse(f"{HEAD}{words}</lexicon>".encode())
    assert {(entry.word, entry.ipa, entry.case_sensitive) for entry in found.entries} == {
        ("Polish", "ˈpəʊlɪʃ", True),
        ("polish", "ˈpɒlɪʃ", True),
    }


def test_a_word_in_ten_thousand_capitalisations_is_refused_soon():
    forms = [
        "".join(c.upper() if n >> i & 1 else c for i, c in enumerate("abcdefghijklmn"))
        for n in range(9_000)
    ]
    words = "".join(lexeme(f"<grapheme>{form}</grapheme><alias>x</alias>") for form in forms)
    with pytest.raises(InvalidLexicon, match="more than 50"):
        parsed(words)


def test_metadata_and_foreign_elements_are_passed_over():
    foreign = '<metadata><x xmlns="urn:x"><grapheme>no</grapheme></x></metadata><meta name="a"/>'
    foreign += f'<o:lexeme xmlns:o="urn:o">{lexeme("<grapheme>no</grapheme>")}</o:lexeme>'
    inside = '<grapheme>w<b xmlns="urn:b">no</b></grapheme><phoneme>a</phoneme>'
    assert parsed(foreign + lexeme(inside)) == [("w", None, "a")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_document_may_be_in_another_encoding(encoding):
    words = lexeme("<grapheme>été</grapheme><alias>summer</alias>")
    source = f'<?xml version="1.0" encoding="{encoding}"?>{HEAD}{words}</lexicon>'
    assert pls.parse(source.encode(encoding)).entries == (Entry("été", say="summer"),)


@pytest.mark.parametrize(
    "source, told",
    [
        ("", "line 1"),
        ("not xml", "not well-formed XML: line 1, column 1"),
        (f"{HEAD}\n<lexeme>\n</lexicon>", "line 3, column 3: mismatched tag"),
        ("<speak/>", "line 1: the root is <speak>"),
        (f"{HEAD}\n\n{lexeme()}</lexicon>", "line 3: the lexeme has no grapheme"),
        (f"{HEAD}\n{lexeme('<grapheme>a</grapheme>')}</lexicon>", "line 2: .* neither phoneme nor"),
        (
            f"{HEAD}\n{lexeme('<grapheme>a</grapheme><phoneme>Q</phoneme>')}</lexicon>",
            "line 2: `ipa` is wrong: 'Q'",
        ),
        (
            HEAD
            + "\n<lexeme><grapheme>a</grapheme><phoneme alphabet='x-sampa'>é</phoneme></lexeme>",
            "line 2: a phoneme .* no X-SAMPA: 'é'",
        ),
        (HEAD.replace('"ipa"', '"x-foo"') + "</lexicon>", "line 1: the alphabet 'x-foo'"),
        (HEAD.replace("en-US", "!!") + "</lexicon>", "line 1: xml:lang"),
        (HEAD + "<a>" * 100 + "</a>" * 100 + "</lexicon>", "nested too deeply"),
        ('<?xml version="1.0" encoding="nonsense"?><lexicon/>', "encoding"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(source, told):
    with pytest.raises(InvalidLexicon, match=told):
        pls.parse(source.encode())


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE l [<!ENTITY x "y">]>',
        '<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE l SYSTEM "http://127.0.0.1:9/l.dtd">',
        '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>',
    ],
)
def test_entities_and_other_files_are_not_read(doctype):
    with pytest.raises(InvalidLexicon, match="DOCTYPE"):
        pls.parse(f"{doctype}{HEAD}</lexicon>".encode())


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Entry,
            st.text(
                st.characters(exclude_categories=("Cc", "Cs", "Co")), min_size=1, max_size=20
            ).filter(str.strip),
            say=st.sampled_from(["said", "<&>\"'"]),
            ipa=st.sampled_from([None, "ˈə"]),
        ),
        max_size=8,
        unique_by=lambda entry: entry.key[0],
    )
)
def test_what_is_written_is_read_again(entries):
    try:
        lexicon = Lexicon(entries, "en")
    except InvalidLexicon:
        return  # two words that are one once they are in one form
    assert pls.parse(pls.write(lexicon)).digest == lexicon.digest


@settings(deadline=None)
@given(
    st.binary(max_size=60) | st.text("<>/lexiconmgraph eme\"'&;![]=", max_size=60).map(str.encode)
)
def test_any_bytes_are_a_lexicon_or_a_clear_refusal(source):
    try:
        pls.parse(source)
    except InvalidLexicon as error:
        assert error.message
