"""Examples as the W3C's recommendation and the vendors' guides have them."""

import math

import pytest

from auto_voice.text.script import Boundary, Break, Clip, Mark, Words
from tests.unit.text.ssml.documents import items, kinds, pieces, spoken, words

SCHEMA = """version="1.1" xmlns="http://www.w3.org/2001/10/synthesis"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.w3.org/2001/10/synthesis
                 http://www.w3.org/TR/speech-synthesis11/synthesis.xsd"
       xml:lang="en-US\""""
ROOT = f'<?xml version="1.0"?>\n<speak {SCHEMA}>'


def said(source, **options):
    """What is said, with white space as one hears it."""
    return " ".join(spoken(source, **options).split())


def aliases(source):
    return [piece.text for piece in pieces(source) if piece.settled]


# --- W3C, Speech Synthesis Markup Language 1.1 ---------------------------------------------------


def test_w3c_paragraphs_and_sentences():
    source = f"""{ROOT}
  <p>
    <s>This is the first sentence of the paragraph.</s>
    <s>Here's another sentence.</s>
  </p>
</speak>"""
    assert kinds(source) == [
        "This is the first sentence of the paragraph.",
        Boundary,
        "Here's another sentence.",
    ]


def test_w3c_lexicon_and_meta():
    source = f"""{ROOT}
  <lexicon uri="http://www.example.com/lexicon.pls" xml:id="pls"/>
  <lexicon uri="http://www.example.com/strange-words.file" xml:id="sw"
           type="media-type"/>
  <meta name="seeAlso" content="http://example.com/my-ssml-metadata.xml"/>
  <meta http-equiv="Cache-Control" content="no-cache"/>
  <lookup ref="pls">
    tokens here are looked up in lexicon.pls
    <lookup ref="sw">
      tokens here are looked up first in strange-words.file and then, if not found, in lexicon.pls
    </lookup>
    tokens here are looked up in lexicon.pls
  </lookup>
  tokens here are not looked up in lexicon documents
</speak>"""
    assert said(source).startswith("tokens here are looked up in lexicon.pls tokens here are")
    assert said(source).endswith("not looked up in lexicon documents")


def test_w3c_metadata():
    source = f"""{ROOT}
  <metadata>
   <rdf:RDF
       xmlns:rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
       xmlns:rdfs = "http://www.w3.org/2000/01/rdf-schema#"
       xmlns:dc = "http://purl.org/dc/elements/1.1/">
   <rdf:Description rdf:about="http://www.example.com/meta.ssml"
       dc:Title="Hamlet-like Soliloquy"
       dc:Language="en-US">
     <dc:Creator><rdf:Seq ID="CreatorsAlphabeticalBySurname">
       <rdf:li>William Shakespeare</rdf:li></rdf:Seq></dc:Creator>
   </rdf:Description>
  </rdf:RDF>
 </metadata>
 <p>To be, or not to be.</p>
</speak>"""
    assert said(source) == "To be, or not to be."


def test_w3c_tokens():
    source = f"""{ROOT.replace("en-US", "zh-CN")}
  <s>这个<w>北京大学</w>很好。</s>
  <token>southwest</token><w role="claws:VVD">read</w>
</speak>"""
    found = [text.strip() for text in kinds(source) if isinstance(text, str)]
    assert found == ["这个 北京大学 很好。", "southwest read"]


def test_w3c_say_as_and_phoneme_and_sub():
    source = f"""{ROOT}
  <phoneme alphabet="ipa" ph="t&#x259;mei&#x325;&#x27E;ou&#x325;"> tomato </phoneme>
  <!-- This is an example of IPA using character entities -->
  <sub alias="World Wide Web Consortium">W3C</sub>
  <!-- World Wide Web Consortium -->
</speak>"""
    assert aliases(source) == ["tomato", "World Wide Web Consortium"]
    assert [piece.ipa for piece in pieces(source) if piece.ipa] == ["təmei̥ɾou̥"]


def test_w3c_lang():
    source = f"""{ROOT}
  The French word for cat is <w xml:lang="fr">chat</w>.
  He prefers to eat pasta that is <lang xml:lang="it">al dente</lang>.
</speak>"""
    found = {"".join(p.text for p in item.pieces): item.style.language for item in words(source)}
    assert found["chat"] == "fr" and found["al dente"] == "it"
    assert {found[text] for text in found if text not in ("chat", "al dente")} == {"en-US"}


def test_w3c_voice():
    source = f"""{ROOT}
  <voice gender="female" languages="en-US" required="languages gender variant">Mary had a little
  lamb,</voice>
  <!-- now request a different female child's voice -->
  <voice gender="female" variant="2">
  Its fleece was white as snow.
  </voice>
  <!-- processor-specific voice selection -->
  <voice name="Mike" required="name">I want to be like Mike.</voice>
</speak>"""
    styles = [item.style for item in words(source) if item.pieces[0].text.strip()]
    assert [(s.gender, s.variant, s.voice) for s in styles] == [
        ("female", None, None),
        ("female", 2, None),
        (None, None, "Mike"),
    ]


def test_w3c_emphasis_and_break():
    source = f"""{ROOT}
  That is a <emphasis> big </emphasis> car!
  That is a <emphasis level="strong"> huge </emphasis>
  bank account!
  Take a deep breath <break/> then continue.
  Press 1 or wait for the tone. <break time="3s"/>
  I didn't hear you! <break strength="weak"/> Please repeat.
</speak>"""
    assert said(source) == (
        "That is a big car! That is a huge bank account! Take a deep breath then continue. "
        "Press 1 or wait for the tone. I didn't hear you! Please repeat."
    )
    found = [item.duration_s for item in items(source) if isinstance(item, Break)]
    assert found == [0.75, 3, 0.5]


def test_w3c_prosody():
    source = f"""{ROOT}
  The price of XYZ is <prosody rate="90%">$45</prosody>
  <prosody contour="(0%,+20Hz) (10%,+30%) (40%,+10Hz)">
     good morning
  </prosody>
  <prosody rate="-10%" pitch="+1st" range="x-high" volume="+6dB">and bye</prosody>
</speak>"""
    rates = {"".join(p.text for p in item.pieces).strip(): item.style for item in words(source)}
    assert rates["$45"].rate == pytest.approx(0.9)
    assert rates["and bye"].rate == pytest.approx(0.9)
    assert rates["and bye"].volume_db == 6
    assert rates["good morning"].rate == 1


def test_w3c_audio_and_mark():
    source = f"""{ROOT}
  <!-- Empty element -->
  Please say your name after the tone.  <audio src="beep.wav"/>
  <!-- Container element with alternative text -->
  <audio src="prompt.au">What city do you want to fly from?</audio>
  <audio src="welcome.wav">
    <emphasis>Welcome</emphasis> to the Voice Portal.
  </audio>
  Go from <mark name="here"/> here, to <mark name="there"/> there!
</speak>"""
    found = items(source, resolve={"welcome.wav": "/clips/welcome.wav"}.get)
    assert [item.name for item in found if isinstance(item, Mark)] == ["here", "there"]
    assert [item.path for item in found if isinstance(item, Clip)] == ["/clips/welcome.wav"]
    heard = "".join(p.text for item in found if isinstance(item, Words) for p in item.pieces)
    assert "What city" in heard and "Welcome" not in heard


def test_w3c_an_email_reader():
    source = f"""{ROOT}
  <p>
    <s>You have 4 new messages.</s>
    <s>The first is from Stephanie Williams and arrived at <break/> 3:45pm.
    </s>
    <s>
      The subject is <prosody rate="-20%">ski trip</prosody>
    </s>
  </p>
</speak>"""
    assert said(source) == (
        "You have 4 new messages.The first is from Stephanie Williams and arrived at 3:45pm. "
        "The subject is ski trip"
    )
    assert [item.style.rate for item in words(source)][-1] == pytest.approx(0.8)


def test_w3c_an_artist_in_other_languages():
    source = f"""{ROOT}
  <p>
    <voice gender="male">
      <s>Today we preview the latest romantic music from Example.</s>
      <s>Hear what the Software Reviews said about Example's newest hit.</s>
    </voice>
  </p>
  <p>
    <voice gender="female">
      He sings about issues that touch us all.
    </voice>
  </p>
  <p>
    <voice gender="male">
      Here's a sample.  <audio src="http://www.example.com/music.wav"/>
      Would you like to buy it?
    </voice>
  </p>
</speak>"""
    genders = [item.style.gender for item in items(source) if isinstance(item, Words)]
    assert genders[:2] == ["male", "male"] and "female" in genders and genders[-1] == "male"
    assert [b.paragraph for b in items(source) if isinstance(b, Boundary)] == [False, True, True]


# --- Amazon Polly ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "heard"),
    [
        (
            "<speak>Mary had a little lamb <break time='3s'/>Whose fleece was white as snow."
            "</speak>",
            "Mary had a little lamb Whose fleece was white as snow.",
        ),
        (
            '<speak>I want to tell you a secret. <amazon:effect name="whispered">I am not a real '
            "human.</amazon:effect>. Can you believe it?</speak>",
            "I want to tell you a secret. I am not a real human.. Can you believe it?",
        ),
        (
            '<speak><amazon:auto-breaths volume="x-soft" frequency="x-low">Breathe.'
            '</amazon:auto-breaths> <amazon:breath duration="medium" volume="x-loud"/>Out.</speak>',
            "Breathe. Out.",
        ),
        (
            '<speak><amazon:domain name="news">Officials said <w role="amazon:VB">read</w> it.'
            "</amazon:domain></speak>",
            "Officials said read it.",
        ),
        (
            '<speak><amazon:effect vocal-tract-length="+15%">Longer</amazon:effect> '
            '<amazon:effect phonation="soft">softer</amazon:effect> '
            '<prosody amazon:max-duration="2s">shorter</prosody></speak>',
            "Longer softer shorter",
        ),
        (
            '<speak>He said, <say-as interpret-as="expletive">darn</say-as> '
            '<phoneme alphabet="x-sampa" ph=\'pI"kA:n\'>pecan</phoneme>.</speak>',
            "He said, bleep pecan.",
        ),
    ],
)
def test_amazon(source, heard):
    assert said(source) == heard


def test_amazon_volume():
    source = (
        '<speak>Sometimes it can be useful to <prosody volume="loud">increase the volume'
        '</prosody> or <prosody volume="-6dB">lower it</prosody>.</speak>'
    )
    assert [item.style.volume_db for item in words(source)] == [0, 4, 0, -6, 0]


# --- Google ---------------------------------------------------------------------------------------


def test_google_what_its_guide_begins_with():
    source = """<speak>
  Here are <say-as interpret-as="characters">SSML</say-as> samples.
  I can pause <break time="3s"/>.
  I can play a sound
  <audio src="https://www.example.com/MY_MP3_FILE.mp3">didn't get your MP3 audio file</audio>.
  I can speak in cardinals. Your number is <say-as interpret-as="cardinal">10</say-as>.
  I can also substitute phrases, like the <sub alias="World Wide Web Consortium">W3C</sub>.
  Finally, I can speak a paragraph with two sentences.
  <p><s>This is sentence one.</s><s>This is sentence two.</s></p>
</speak>"""
    heard = said(source)
    assert "I can pause ." in heard
    assert "didn't get your MP3 audio file" in heard
    assert "like the World Wide Web Consortium." in heard
    assert heard.endswith("This is sentence one.This is sentence two.")


def test_google_tracks_of_sound():
    source = """<speak>
  <par>
    <media xml:id="question" begin="0.5s">
      <speak>Who invented the Internet?</speak>
    </media>
    <media xml:id="answer" begin="question.end+2.0s">
      <speak>The Internet was invented by cats.</speak>
    </media>
    <media begin="answer.end-0.2s" soundLevel="-6dB">
      <audio src="https://actions.google.com/.../cartoon_boing.ogg"/>
    </media>
  </par>
</speak>"""
    assert kinds(source) == [
        "Who invented the Internet?",
        Boundary,
        "The Internet was invented by cats.",
    ]


def test_google_styles_and_voices():
    source = (
        '<speak><google:style name="lively">Hello I\'m so happy today!</google:style>'
        '<voice language="fr-FR" gender="female">Bonjour</voice>'
        '<prosody rate="slow" pitch="-2st">Can you hear me now?</prosody></speak>'
    )
    plain, french, slow = words(source)
    assert (french.style.language, french.style.gender) == ("fr-FR", "female")
    assert slow.style.pitch == pytest.approx(2 ** (-1 / 6))


# --- Azure ----------------------------------------------------------------------------------------


def test_azure_express_as_and_silence():
    source = """<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis"
       xmlns:mstts="https://www.w3.org/2001/mstts" xml:lang="zh-CN">
    <mstts:backgroundaudio src="https://contoso.com/sample.wav" volume="0.7" fadein="3000"/>
    <voice name="en-US-AvaMultilingualNeural">
        <mstts:silence type="Sentenceboundary" value="200ms"/>
        <mstts:express-as style="sad" styledegree="2">
            You're always<bookmark mark='flower_1'/> busy.
        </mstts:express-as>
        <lang xml:lang="es-MX">¡Hola!</lang>
    </voice>
</speak>"""
    assert said(source) == "You're always busy. ¡Hola!"
    first, *_, last = [item.style for item in words(source)]
    # The voice is the one named, in its own language, not in the document's.
    assert (first.voice, first.language) == ("en-US-AvaMultilingualNeural", None)
    assert (last.voice, last.language) == ("en-US-AvaMultilingualNeural", "es-MX")
    assert [item.name for item in items(source) if isinstance(item, Mark)] == ["flower_1"]


def test_azure_prosody_as_its_tools_write_it():
    source = (
        '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'
        '<voice name="en-US-AvaNeural"><prosody rate="0%" pitch="0%" volume="+20.00%">Louder'
        '</prosody><prosody rate="+30.00%" contour="(60%,-60%) (100%,+80%)">faster</prosody>'
        "</voice></speak>"
    )
    louder, faster = (item.style for item in words(source))
    assert (louder.rate, louder.pitch) == (1, 1)
    assert louder.volume_db == pytest.approx(20 * math.log10(1.2))
    assert faster.rate == pytest.approx(1.3)


def test_azure_breaks():
    source = (
        "<speak>Welcome <break /> to text <break time='3000ms'/> to <break strength='x-weak'/> "
        "speech.</speak>"
    )
    found = [item.duration_s for item in items(source) if isinstance(item, Break)]
    assert found == [0.75, 3, 0.25]
