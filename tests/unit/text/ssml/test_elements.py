"""Each element does what docs/ssml.md says."""

import pytest

from auto_voice.errors import InvalidSSML
from auto_voice.text.script import Boundary, Break, Clip, Mark, Style, Words
from tests.unit.text.ssml.documents import items, kinds, pieces, spoken, style, words


def refused(source):
    with pytest.raises(InvalidSSML) as caught:
        items(source)
    return caught.value.message


def test_paragraphs_and_sentences_keep_sentences_apart():
    source = "<p><s>One</s> <s>two</s></p>\n<p>three</p> four"
    found = [item for item in items(source) if isinstance(item, Boundary)]
    assert kinds(source) == ["One", Boundary, "two", Boundary, "three", Boundary, " four"]
    assert [item.paragraph for item in found] == [False, True, True]


def test_white_space_between_elements_is_no_words():
    source = '<speak>\n  <p>\n  One.\n </p>\n <break time="1s"/>\n <mark name="m"/>\n</speak>'
    assert kinds(source) == ["\n  One.\n ", Boundary, Break, Mark]


def test_white_space_between_words_is_kept_where_the_style_changes():
    source = '<emphasis>one</emphasis> <prosody rate="fast">two</prosody>'
    assert [piece.text for piece in pieces(source)] == ["one", " ", "two"]


def test_words_of_one_style_are_one_item():
    (only,) = words('a <b>b</b><x:y>c</x:y> <prosody rate="100%">d</prosody>&amp;')
    assert "".join(piece.text for piece in only.pieces) == "a bc d&"


@pytest.mark.parametrize(
    ("attributes", "seconds"),
    [
        ("", 0.75),
        ('strength="x-weak"', 0.25),
        ('strength="weak"', 0.5),
        ('strength="medium"', 0.75),
        ('strength="strong"', 1),
        ('strength="x-strong"', 1.25),
        ('time="500ms"', 0.5),
        ('time="1.5s"', 1.5),
        ('time=" +3s "', 3),
        ('time=".25s"', 0.25),
        ('time="1s" strength="weak"', 1),
        ('time="1s" strength="none"', 1),
        ('time="10000ms"', 10),
        ('time="1h"', None),
        ('time="86400s"', 10),
        ('time="5"', None),
        ('time="-1s"', None),
        ('time="1,5s"', None),
        ('time="٣s"', None),
        ('time=""', None),
        ('strength="huge"', None),
        ('time="1s" strength="huge"', None),
    ],
)
def test_a_break_is_as_long_as_it_says(attributes, seconds):
    source = f"<speak>a<break {attributes}/>b</speak>"
    if seconds is None:
        assert "of <break>" in refused(source)
    else:
        (pause,) = [item for item in items(source) if isinstance(item, Break)]
        assert pause == Break(seconds, source.index("<break"))


@pytest.mark.parametrize("attributes", ['strength="none"', 'time="0s"', 'time="0ms"'])
def test_a_break_of_no_time_is_none(attributes):
    assert kinds(f"a<break {attributes}/>b") == ["ab"]


def test_marks_are_where_they_stand():
    source = 'a<mark name="one"/>b<bookmark mark="two"/>'
    assert [item.name for item in items(source) if isinstance(item, Mark)] == ["one", "two"]
    assert kinds(source) == ["a", Mark, "b", Mark]
    assert "needs the attribute name" in refused("<mark/>")


def test_an_alias_is_spoken_for_its_text():
    (alias,) = pieces('<sub alias="World Wide Web">WWW</sub>')
    assert (alias.text, alias.settled, alias.ipa) == ("World Wide Web", True, None)
    assert "needs the attribute alias" in refused("<sub>WWW</sub>")


@pytest.mark.parametrize(
    ("attributes", "ipa"),
    [
        ('alphabet="ipa" ph="təˈmeɪtoʊ"', "təˈmeɪtoʊ"),
        ('ph=" t&#x259;mei&#x325;&#x27E;ou "', "təmei̥ɾou"),
        ('alphabet="x-sampa" ph="t@&quot;meItoU"', "təˈmeɪtoʊ"),
        ("alphabet='x-sampa' ph='pI\"kA:n'", "pɪˈkɑːn"),
        ("alphabet='X-SAMPA' ph='d_~z r\\` b_&lt; t_h 3` n=.'", "d̃z ɻ ɓ tʰ ɝ n̩."),
        ("alphabet='x-sampa' ph='t_S'", "t͡ʃ"),
    ],
)
def test_a_pronunciation_goes_along_with_its_text(attributes, ipa):
    (said,) = pieces(f"<phoneme {attributes}>tomato</phoneme>")
    assert (said.text, said.settled, said.ipa) == ("tomato", True, ipa)


def test_a_pronunciation_without_text_is_spoken_too():
    (said,) = pieces('<phoneme ph="həˈləʊ"/>')
    assert (said.text, said.ipa) == ("həˈləʊ",) * 2


def test_an_unknown_alphabet_leaves_the_text():
    (said,) = pieces('<phoneme alphabet="x-amazon-pinyin" ph="bo2">bo</phoneme>')
    assert (said.text, said.settled, said.ipa) == ("bo", False, None)


def test_a_pronunciation_that_is_none_is_refused():
    assert "needs the attribute ph" in refused("<phoneme>x</phoneme>")
    assert "no X-SAMPA: 'ə'" in refused('<phoneme alphabet="x-sampa" ph="tə">x</phoneme>')


def test_say_as_is_asked_how_its_text_is_read():
    found = pieces('x <say-as interpret-as="characters">a&amp;b</say-as>')
    assert all(piece.settled for piece in found[1:])
    assert "".join(piece.text for piece in found[1:]).strip().startswith("a")
    assert "needs the attribute interpret-as" in refused("<say-as>x</say-as>")


def test_say_as_that_means_nothing_leaves_the_text():
    source = '<say-as interpret-as="interjection">w&lt;w</say-as>'
    assert [source[p.start : p.end] for p in pieces(source)] == ["w", "&lt;", "w"]
    assert spoken(source) == "w<w"


def test_markup_in_replaced_text_does_not_get_out():
    source = (
        '<sub alias="one">a<say-as interpret-as="characters">b</say-as>'
        '<phoneme ph="x">c</phoneme><sub alias="two">d</sub><desc>no</desc></sub>'
    )
    assert spoken(source) == "one"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<voice name="Joanna">x</voice>', {"voice": "Joanna"}),
        ('<voice name="  a \n b ">x</voice>', {"voice": "a b"}),
        ('<voice gender="female">x</voice>', {"gender": "female"}),
        ('<voice gender="Neutral">x</voice>', {"gender": None}),
        ('<voice gender="male" variant="2">x</voice>', {"gender": "male", "variant": 2}),
        ('<voice languages="fr-FR:fr en" required="x">x</voice>', {"language": "fr-FR"}),
        ('<voice language="de-DE">x</voice>', {"language": "de-DE"}),
        ('<voice xml:lang="pt_BR" age="30">x</voice>', {"language": "pt-BR"}),
        ('<lang xml:lang="fr-FR">x</lang>', {"language": "fr-FR"}),
        ('<speak xml:lang="it">x</speak>', {"language": "it"}),
        ('<p xml:lang="it">x</p>', {"language": "it"}),
        ('<s xml:lang="it">x</s>', {"language": "it"}),
        ('<w xml:lang="it">x</w>', {"language": "it"}),
        ('<foreign xml:lang="it">x</foreign>', {"language": "it"}),
        ('<lang xml:lang="fr"><lang xml:lang="de">x</lang></lang>', {"language": "de"}),
        ('<lang xml:lang="fr"><s xml:lang="">x</s></lang>', {"language": None}),
        # A named voice speaks its own language, unless it is told one.
        ('<speak xml:lang="en"><voice name="V">x</voice></speak>', {"language": None}),
        ('<voice name="V"><lang xml:lang="de">x</lang></voice>', {"voice": "V", "language": "de"}),
        ('<voice name="V" xml:lang="de">x</voice>', {"voice": "V", "language": "de"}),
        ('<voice name="V"><voice gender="male">x</voice></voice>', {"voice": "V"}),
        ('<prosody rate="2"><voice name="V">x</voice></prosody>', {"voice": "V", "rate": 2}),
    ],
)
def test_voices_and_languages_are_in_effect_within_their_elements(source, expected):
    found = style(source)._asdict()
    assert {key: found[key] for key in expected} == expected
    assert words(f"<x>{source} after</x>")[-1].style == Style()


@pytest.mark.parametrize(
    "source",
    [
        "<lang>x</lang>",
        '<lang xml:lang="english language">x</lang>',
        '<speak xml:lang="en--US">x</speak>',
        '<voice gender="robot">x</voice>',
        '<voice variant="first">x</voice>',
        '<voice variant="0">x</voice>',
        '<voice languages="f!">x</voice>',
    ],
)
def test_voices_and_languages_that_mean_nothing_are_refused(source):
    assert "at line 1, column 1:" in refused(source)


def test_allowed_audio_is_played_instead_of_its_content():
    source = 'a<audio src=" bell.wav "><desc>A bell.</desc>Ding <mark name="no"/>dong</audio>b'
    found = items(source, resolve={"bell.wav": "/clips/bell.wav"}.get)
    assert [type(item) for item in found] == [Words, Clip, Words]
    assert found[1].path == "/clips/bell.wav"


@pytest.mark.parametrize("attributes", ['src="https://localhost/bell.wav"', "", 'src=""'])
def test_audio_that_is_not_allowed_is_its_content(attributes):
    source = f"a<audio {attributes}><desc>A bell.</desc> ding <break time='1s'/></audio>b"
    assert kinds(source) == ["a ding ", Break, "b"]


def test_what_describes_is_not_spoken():
    source = (
        '<meta name="x" content="y"/><metadata><rdf:RDF>no<p>no</p></rdf:RDF></metadata>'
        '<lexicon uri="http://localhost/l.pls" xml:id="l">no</lexicon>'
        '<lookup ref="l">yes</lookup><desc>no</desc>'
    )
    assert kinds(source) == ["yes"]


@pytest.mark.parametrize("tag", ["w", "token"])
def test_words_that_are_marked_as_such_are_kept_apart(tag):
    assert spoken(f"<{tag}>ice</{tag}><{tag}>cream</{tag}>!") == "ice cream!"
    assert spoken(f"an<{tag}>ice</{tag}> <{tag}>cream</{tag}>s") == "an ice cream s"
    styled = f'<emphasis>ice</emphasis><{tag} xml:lang="fr">crème</{tag}>'
    assert spoken(styled) == "ice crème"


@pytest.mark.parametrize(
    "source",
    [
        "<b>x</b>",
        '<amazon:effect name="whispered">x</amazon:effect>',
        '<mstts:express-as style="cheerful" styledegree="2">x</mstts:express-as>',
        '<google:style name="lively">x</google:style>',
        '<mstts:silence type="Sentenceboundary" value="200ms"/>x',
        '<other:break time="?"/>x',
        '<other:prosody rate="?">x</other:prosody>',
        '<speak xmlns:o="http://example.org/other"><o:sub alias="no">x</o:sub></speak>',
        '<speak xmlns:ssml="http://example.org/other"><ssml:sub alias="no">x</ssml:sub></speak>',
        "<ünïcode-tag.1>x</ünïcode-tag.1>",
    ],
)
def test_tags_of_others_are_skipped_and_their_text_is_spoken(source):
    assert kinds(source) == ["x"]
    assert style(source) == Style()


@pytest.mark.parametrize(
    "source",
    [
        '<ssml:speak xmlns:ssml="http://www.w3.org/2001/10/synthesis"><ssml:break/></ssml:speak>',
        '<x:speak xmlns:x="http://www.w3.org/2001/10/synthesis"><x:break/></x:speak>',
        '<speak xmlns="http://www.w3.org/2001/10/synthesis"><break/></speak>',
        '<speak><break xmlns="http://www.w3.org/2001/10/synthesis"/></speak>',
        "<ssml:break/>",
        "<break/>",
    ],
)
def test_elements_may_have_a_namespace_or_none(source):
    assert kinds(source) == [Break]


@pytest.mark.parametrize("source", ["", " \n", "<speak/>", "<speak> <p> </p> </speak>", "<!-- -->"])
def test_nothing_to_say_is_nothing(source):
    assert items(source) == ()
