"""What is wrong is told with its place, and what is dangerous is not read."""

import time

import pytest

from auto_voice.errors import InvalidSSML
from auto_voice.text.ssml import reader
from tests.unit.text.ssml.documents import items, spoken

BOMB = """<?xml version="1.0"?>
<!DOCTYPE speak [
 <!ENTITY a "ha">
 <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
 <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
]>
<speak>&c;</speak>"""


def problem(source):
    with pytest.raises(InvalidSSML) as caught:
        items(source)
    error = caught.value
    assert (error.status, error.code, error.param) == (400, "invalid_ssml", "input")
    return error.message


@pytest.mark.parametrize(
    ("source", "place", "what"),
    [
        ("<speak>a</b></speak>", "line 1, column 11", "mismatched tag"),
        ("<speak>\n  é 😀 <p>x</speak>", "line 2, column 13", "within <p>"),
        ("<speak>one\r\ntwo\rthree & four</speak>", "line 3, column 8", "not well-formed"),
        ("Tom & Jerry", "line 1, column 6", "not well-formed"),
        ("open <b>end", "line 1, column 12", "within <b>"),
        ("<speak>&nbsp;</speak>", "line 1, column 8", "undefined entity"),
        ("<speak>&#0;</speak>", "line 1, column 8", "reference to invalid character number"),
        ("<speak>&#xD800;</speak>", "line 1, column 8", "reference to invalid character number"),
        ("a\0b", "line 1, column 2", "not well-formed"),
        ("<speak>\x1b</speak>", "line 1, column 8", "not well-formed"),
        ("\ufeff\n\ud83d", "line 2, column 1", "surrogate"),
        ("a</speak><speak>b", "line 1, column 10", "junk after document element"),
        ("<speak>a</speak>b", "line 1, column 17", "junk after document element"),
        ("<speak", "line 1, column", ""),
        ("<speak x='1' x='2'/>", "line 1, column", "duplicate attribute"),
        (" <?xml?><speak/>", "line 1, column", ""),
    ],
)
def test_what_is_not_xml_is_told_with_its_place(source, place, what):
    message = problem(source)
    assert place in message and what in message


@pytest.mark.parametrize(
    "source",
    [
        BOMB,
        '<!DOCTYPE speak SYSTEM "http://localhost:1/speak.dtd"><speak>x</speak>',
        '<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>',
        '<!-- c --><!DOCTYPE s [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><speak/>',
        "<!DOCTYPE speak><speak>x</speak>",
    ],
)
def test_a_document_type_is_refused(source):
    """So no entity is ever declared, neither inside nor outside."""
    assert "<!DOCTYPE …>" in problem(source)


def test_depth_is_limited():
    deep = reader.MAX_DEPTH
    assert spoken("<b>" * deep + "x" + "</b>" * deep) == "x"
    assert "nested more than" in problem("<b>" * (deep + 1) + "x" + "</b>" * (deep + 1))
    assert "nested more than" in problem("<b>" * 1_000_000)


def test_attributes_are_limited():
    longest = "x" * reader.MAX_ATTRIBUTE_CHARACTERS
    assert spoken(f'<sub alias="{longest}">x</sub>') == longest
    assert "an attribute has more" in problem(f'<sub alias="{longest}x">x</sub>')
    many = " ".join(f'a{i}="1"' for i in range(reader.MAX_ATTRIBUTES + 1))
    assert "more than 32 attributes" in problem(f"<b {many}>x</b>")


def test_elements_are_limited():
    assert "elements" in problem("<b/>" * (reader.MAX_ELEMENTS + 1))


def test_size_is_limited():
    assert "5,000,000 characters" in problem("x" * (reader.MAX_CHARACTERS + 1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [
        "x",
        "x\n",
        "&amp;",
        "<b/>",
        "<p>x</p>\n",
        "<w>x</w>",
        '<prosody rate="fast">é</prosody> ',
        "<!-- x -->",
        "<![CDATA[]]]]>",
        '<break strength="none"/>',
        " \t",
        "]",
    ],
)
def test_time_grows_with_the_length_only(part):
    """Eight times as much takes about eight times as long, not sixty-four."""

    def seconds(times):
        source = part * times
        best = 1e9
        for _ in range(3):
            start = time.process_time()
            items(source)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(16_000) < 0.02 + 24 * seconds(2000)


@pytest.mark.parametrize(
    "source", ["<!--" * 20_000, "<?x" * 20_000, "\ufeff" + "<?xml " * 20_000, "<speak " * 20_000]
)
def test_what_never_closes_is_refused_soon(source):
    start = time.process_time()
    problem(source)
    assert time.process_time() - start < 1
