"""Every spoken character knows its place in what the client sent."""

import pytest

from auto_voice.text.aligned import Aligned
from tests.unit.text.ssml.documents import items, pieces, spoken, words


def written(source):
    """(what is said, what is written there) of each piece."""
    return [(piece.text, source[piece.start : piece.end]) for piece in pieces(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<speak>Hello.</speak>", [("Hello.", "Hello.")]),
        ("<speak>AT&amp;T</speak>", [("AT", "AT"), ("&", "&amp;"), ("T", "T")]),
        ("<speak>it&#8217;s</speak>", [("it", "it"), ("’", "&#8217;"), ("s", "s")]),
        ("<speak>&#x1F600;x</speak>", [("😀", "&#x1F600;"), ("x", "x")]),
        ("<speak>😀&lt;é</speak>", [("😀", "😀"), ("<", "&lt;"), ("é", "é")]),
        (
            "<speak>a<![CDATA[b & &amp; <c>]]>d</speak>",
            [("a", "a"), ("b & &amp; <c>",) * 2, ("d",) * 2],
        ),
        ("<speak><![CDATA[&]]>;</speak>", [("&", "&"), (";", ";")]),
        ("<speak>a<![CDATA[]]]]>]</speak>", [("a", "a"), ("]]", "]]"), ("]", "]")]),
        ("<speak>one\r\ntwo\rthree\nfour</speak>", [("one\r\ntwo\rthree\nfour",) * 2]),
        (
            "<speak>one&#13;&#10;two</speak>",
            [("one", "one"), ("\r", "&#13;"), ("\n", "&#10;"), ("two", "two")],
        ),
        ("<speak>a<!-- & --><?pi x?>b</speak>", [("a", "a"), ("b", "b")]),
        ("<speak>a > b ]] \"c\" 'd'</speak>", [("a > b ]] \"c\" 'd'",) * 2]),
        ("<speak\n a='1>'\n>x</speak\n>", [("x", "x")]),
    ],
)
def test_text_is_verbatim_or_stands_for_its_entity(source, expected):
    assert written(source) == expected


@pytest.mark.parametrize(
    "before",
    [
        "",
        "\ufeff",
        "\n  ",
        '<?xml version="1.0"?>',
        '\ufeff \n<?xml version="1.0" encoding="ISO-8859-1" standalone="yes" ?>\r\n',
        "<!-- é 😀 -->\n<?app some?>",
    ],
)
@pytest.mark.parametrize("body", ["<speak>é 😀 x</speak>", "é 😀 x", "<s>é 😀 x</s>"])
def test_what_comes_first_does_not_move_the_rest(before, body):
    """A byte order mark, an XML declaration (whatever encoding it tells), comments."""
    source = before + body
    found = [(said.strip(), place.strip()) for said, place in written(source) if said.strip()]
    assert found == [("é 😀 x", "é 😀 x")]


def test_a_document_without_a_root_is_read_as_one_with_it():
    source = 'Just text, <emphasis>or</emphasis> a <break time="1s"/>part.'
    whole = f"<speak>{source}</speak>"
    assert spoken(source) == spoken(whole) == "Just text, or a part."
    starts = [piece.start for piece in pieces(source)]
    assert [piece.start - len("<speak>") for piece in pieces(whole)] == starts


def test_plain_text_is_spoken_as_it_is():
    text = 'Nothing marked: 2 > 1, "quoted", it\'s fine.\n\nReally.'
    assert written(text) == [(text, text)]


def test_what_is_put_for_text_stands_for_that_text():
    source = 'x <sub alias="World Wide Web Consortium">W<b>3</b>C</sub> y'
    assert written(source) == [
        ("x ", "x "),
        ("World Wide Web Consortium", "W<b>3</b>C"),
        (" y", " y"),
    ]


def test_white_space_around_replaced_text_stays():
    source = 'a<sub alias="b"> x&#32;</sub>c<phoneme ph="d">\n y</phoneme>e<sub alias="f"> </sub>g'
    assert "".join(said for said, _ in written(source)) == "a b c\n yefg"
    assert [said for said in written(source) if said[0] in "bfy"] == [
        ("b", "x"),
        ("y", "y"),
        ("f", '<sub alias="f"> </sub>'),
    ]


@pytest.mark.parametrize("tag", ['<sub alias="etcetera"/>', '<sub alias="etcetera"></sub>'])
def test_what_is_put_for_nothing_stands_for_its_element(tag):
    assert written(f"a {tag} b") == [("a ", "a "), ("etcetera", tag), (" b", " b")]


def test_spelt_letters_keep_their_places():
    source = '<say-as interpret-as="characters">a&lt;b</say-as>'
    (said,) = words(source)
    aligned = Aligned(said.pieces)
    found = [
        source[slice(*aligned.written(i, i + 1))] for i, c in enumerate(aligned.text) if c != " "
    ]
    assert found[0] == "a" and found[-1] == "b" and "&lt;" in found


def test_places_of_items_are_where_their_tags_are():
    source = 'é😀 <mark name="m"/>x<break time="1s"/><audio src="a"><desc>no</desc></audio>y'
    found = items(source, resolve=lambda src: f"/clips/{src}")
    _, mark, _, pause, clip, _ = found
    assert source[mark.at :].startswith("<mark")
    assert source[pause.at :].startswith("<break")
    assert source[clip.start : clip.end] == '<audio src="a"><desc>no</desc></audio>'


@pytest.mark.parametrize("audio", ['<audio src="a"/>', "<audio src='a'></audio >"])
def test_a_clip_covers_its_element(audio):
    source = f"<speak>{audio}</speak>"
    (clip,) = items(source, resolve=str)
    assert source[clip.start : clip.end] == audio
