"""What holds for every document and for whatever is sent as one."""

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auto_voice.errors import InvalidSSML
from auto_voice.text.aligned import Aligned
from auto_voice.text.script import Boundary, Break, Clip, Mark, Words
from auto_voice.text.ssml import parse
from tests.examples import examples

# Letters that no tag and no attribute below has, so that a tag that is spoken would show.
LETTERS = "ÀÉÎ漢字😀𝒳 ,.'\"\n\r\t>-;#?!"
ENTITIES = {
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&#8217;": "’",
    "&#x1F600;": "😀",
    "&#13;": "\r",
}
TAGS = [
    ("speak", ' xml:lang="en-US" version="1.1"'),
    ("p", ""),
    ("s", ' xml:lang="fr"'),
    ("w", ""),
    ("token", ' role="x:y"'),
    ("emphasis", ' level="strong"'),
    ("emphasis", ""),
    ("prosody", ' rate="x-fast" pitch="+2st" volume="-6dB"'),
    ("prosody", " rate='20%' volume='silent'"),
    ("lang", ' xml:lang="de"'),
    ("voice", ' name="a"\n gender="male"'),
    ("audio", ' src="yes"'),
    ("audio", ' src="no"'),
    ("desc", ""),
    ("metadata", ""),
    ("lookup", ' ref="a"'),
    ("say-as", ' interpret-as="characters"'),
    ("say-as", ' interpret-as="date" format="mdy"'),
    ("phoneme", ' ph="a"'),
    ("phoneme", ' alphabet="unknown" ph="a"'),
    ("sub", ' alias="alias"'),
    ("break", ' time="1s"'),
    ("break", ' strength="none"'),
    ("mark", ' name="a&gt;b"'),
    ("amazon:effect", ' name="whispered"'),
    ("mstts:express-as", ' style="</p>&amp;"'.replace("<", "&lt;")),
    ("ssml:break", ""),
    ("html", ""),
]
SILENT = {"desc", "metadata"}
PUT = {"say-as", "phoneme", "sub"}


text = st.text(st.sampled_from(LETTERS), min_size=1, max_size=8)
leaf = st.one_of(
    text.map(lambda x: ("text", x)),
    st.sampled_from(sorted(ENTITIES)).map(lambda x: ("entity", x)),
    text.map(lambda x: ("cdata", x + "&<")),
    text.map(lambda x: ("comment", x.replace("-", "=") + "<p>&")),
)
tree = st.recursive(
    leaf,
    lambda children: st.tuples(
        st.sampled_from(TAGS), st.lists(children, max_size=4), st.booleans()
    ).map(lambda x: ("element", *x)),
    max_leaves=25,
)
documents = st.lists(tree, max_size=6)


def written(node):
    kind, value = node[:2]
    if kind == "cdata":
        return f"<![CDATA[{value}]]>"
    if kind == "comment":
        return f"<!--{value}-->"
    if kind != "element":
        return value
    (name, attributes), children, empty = node[1:]
    if empty and not children:
        return f"<{name}{attributes}/>"
    return f"<{name}{attributes}>{''.join(map(written, children))}</{name}\n>"


def heard(node):
    """The text that has to be spoken, white space and what is put in its place aside."""
    kind, value = node[:2]
    if kind == "entity":
        return ENTITIES[value]
    if kind != "element":
        return "" if kind == "comment" else value
    (name, attributes), children, _ = node[1:]
    if name in SILENT or "yes" in attributes:
        return ""
    if name in PUT and "unknown" not in attributes:
        return ""
    return "".join(map(heard, children))


def squeezed(text):
    return re.sub(r"\s", "", text)


def resolve(src):
    return "/clips/a" if src == "yes" else None


@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None)
@given(documents, st.sampled_from(["", "\ufeff", '<?xml version="1.0"?>\r\n', "<speak>"]))
def test_every_character_of_the_text_is_spoken_in_its_place_and_nothing_else_is(nodes, before):
    """No tag, no attribute and no comment is heard, and every piece knows where it is from."""
    # Text first: a <speak> there would be the root, with nothing allowed after it.
    nodes = [("text", "x"), *nodes]
    source = before + "".join(map(written, nodes)) + ("</speak>" if before == "<speak>" else "")
    items = parse(source, resolve=resolve)
    plain = []
    for item in items:
        if not isinstance(item, Words):
            continue
        for piece in item.pieces:
            assert 0 <= piece.start <= piece.end <= len(source)
            there = source[piece.start : piece.end]
            if piece.settled:
                continue
            if piece.verbatim:
                assert there == piece.text
            else:
                # A border of words stands for nothing.
                assert ENTITIES.get(there, " ") == piece.text
            plain.append(piece.text)
    without_put = squeezed("".join(plain))
    if "say-as" not in source:
        assert without_put == squeezed("".join(map(heard, nodes)))


@settings(max_examples=examples(200), deadline=None)
@given(documents)
def test_items_come_in_the_order_in_which_they_are_written(nodes):
    source = "x" + "".join(map(written, nodes))
    at = 0
    for item in parse(source, resolve=resolve):
        if isinstance(item, Words):
            style = item.style
            assert 0.25 <= style.rate <= 4 and 0.5 <= style.pitch <= 2
            assert style.volume_db == -math.inf or -60 <= style.volume_db <= 20
            assert Aligned(item.pieces).text
            start, end = item.pieces[0].start, item.pieces[-1].end
        elif isinstance(item, Clip):
            start, end = item.start, item.end
            assert source[start:end].startswith("<audio") and source[start:end].endswith(">")
        else:
            assert isinstance(item, (Boundary, Break, Mark))
            # A mark or break within replaced text comes before it.
            start = end = at if re.search("<(say-as|phoneme|sub)", source) else item.at
        assert at <= start <= end <= len(source) or re.search("<(say-as|phoneme|sub)", source)
        at = end


fragments = st.lists(
    st.one_of(
        st.text(max_size=4),
        st.text(st.characters(), max_size=4),  # surrogates, too
        st.sampled_from(
            "< > </ /> & ; ' \" = &amp; &#0; &#x110000; &x; <![CDATA[ ]]> <!-- --> <? ?> <!DOCTYPE "
            "<!ENTITY % [ ] <speak> </speak> <p <p> </p> <break time= <prosody rate='%' <sub <w> "
            "<say-as interpret-as='date'> </say-as> <phoneme alphabet='x-sampa' ph='_' /> xml: "
            "xmlns:ssml='' <audio src='yes' <audio/> <voice name= \0 \ud800 \ufeff \uffff \r".split(
                " "
            )
        ),
        st.sampled_from(TAGS).map(lambda tag: f"<{tag[0]}{tag[1]}>"),
        st.sampled_from(TAGS).map(lambda tag: f"</{tag[0]}>"),
    ),
    max_size=20,
).map("".join)


@pytest.mark.slow
@settings(max_examples=examples(1500), deadline=None)
@given(fragments)
@example("<?xml version='1.0' encoding='utf-16'?><speak>x</speak>")
@example("<?xml version='9'?><speak>x</speak>")
@example("<speak>x")
@example("x<speak>")
@example("<![CDATA[")
@example("\ufeff\ufeff<speak/>")
def test_whatever_is_sent_is_read_or_refused_with_its_place(source):
    try:
        items = parse(source, resolve=resolve)
    except InvalidSSML as error:
        place = re.search(r"at line (\d+), column (\d+): .", error.message)
        lines = re.split("\r\n|\r|\n", source)
        assert 1 <= int(place[1]) <= len(lines)
        assert 1 <= int(place[2]) <= len(lines[int(place[1]) - 1]) + 2
        error.message.encode("utf-8")
    else:
        assert all(isinstance(item, (Words, Break, Mark, Clip, Boundary)) for item in items)


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(TAGS), st.text(max_size=20))
def test_whatever_an_attribute_says_is_understood_or_refused(tag, value):
    name, attributes = tag
    escaped = re.sub(r"[<&'\"\x00-\x1f\ud800-\udfff\ufffe\uffff]", "", value)
    source = f"<{name}{attributes.split('=')[0]}='{escaped}'>x</{name}>" if attributes else ""
    try:
        parse(source, resolve=resolve)
    except InvalidSSML as error:
        assert f"<{name}>" in error.message


@pytest.mark.parametrize("length", [1000, 1001])
def test_offsets_hold_past_the_buffers_of_the_reader(length):
    """Long runs of text of several bytes a character come in one piece, in their place."""
    run = "é漢😀" * length * 40
    source = f"<speak>{run}&amp;{run}</speak>"
    (words,) = parse(source, resolve=resolve)
    assert [source[p.start : p.end] for p in words.pieces] == [run, "&amp;", run]
    assert [p.text for p in words.pieces] == [run, "&", run]
