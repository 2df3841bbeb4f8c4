"""SSML, lexicons and normalisation are heard, by every way that a text comes in."""

import base64
import subprocess
import wave

import numpy
import pytest

from tests.integration.serving import AUTOVOICE, assert_error, environment
from tests.integration.talking import Talker

RATE = 22_050


def wav_file(path, hz, seconds, rate=16_000):
    """A tone in a file, as somebody has recorded it."""
    samples = 12_000 * numpy.sin(2 * numpy.pi * hz * numpy.arange(int(seconds * rate)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.fixture(scope="module")
def speaking(start_for_module, tmp_path_factory):
    """A server with two lexicons and a recording."""
    sounds = tmp_path_factory.mktemp("sounds")
    wav_file(sounds / "bell.wav", 1000, 0.5)
    server = start_for_module(
        ssml_audio_dir=sounds, lexicon_dir=tmp_path_factory.mktemp("lexicons")
    )
    for name, entries in {
        "names": [{"word": "Nguyen", "say": "win"}, {"word": "tomato", "ipa": "təˈmɑːtəʊ"}],
        "other": [{"word": "Nguyen", "say": "noo yen"}],
    }.items():
        answer = server.request(
            "PUT", f"/v1/lexicons/{name}", json={"language": "en", "entries": entries}
        )
        assert answer.status_code == 201, answer.text
    return server


def pcm(server, text, **fields):
    answer = server.speak(text, response_format="pcm", sample_rate=RATE, **fields)
    assert answer.status_code == 200, answer.text
    return numpy.frombuffer(answer.content, "<i2").astype(float)


def timed(server, text, **fields):
    answer = server.speak(
        text, response_format="pcm", sample_rate=RATE, timestamps="word", **fields
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def same(one, other):
    return len(one) == len(other) and bool((one == other).all())


class TestNormalisation:
    @pytest.mark.parametrize(
        "written, said",
        [
            ("It costs $5.", "It costs five dollars."),
            ("**Really** good.", "Really good."),
            ("See [the docs](https://example.com/a/b?c=d).", "See the docs."),
        ],
    )
    def test_what_is_written_is_said_in_words(self, speaking, written, said):
        assert same(pcm(speaking, written), pcm(speaking, said, normalize=False))
        assert not same(pcm(speaking, written, normalize=False), pcm(speaking, said))

    def test_what_was_written_is_what_the_times_are_of(self, speaking):
        text = "On 2026-11-24 it cost $5 million. 😀 Great!"
        words = timed(speaking, text)["words"]
        assert [text[word["char_start"] : word["char_end"]] for word in words] == [
            word["word"] for word in words
        ]
        assert [word["word"] for word in words][:5] == [
            "On",
            "2026-11-24",
            "it",
            "cost",
            "$5 million",
        ]

    def test_the_plan_shows_what_is_changed(self, speaking):
        body = {"input": "It costs $5.", "voice": "en-us"}
        (sentence,) = speaking.request("POST", "/v1/text/plan", json=body).json()["sentences"]
        assert sentence["said"] == "It costs five dollars."
        assert sentence["changes"] == [
            {"written": "$5", "said": "five dollars", "char_start": 9, "char_end": 11, "ipa": None}
        ]


class TestLexicons:
    def test_a_word_is_said_in_other_words(self, speaking):
        asked = pcm(speaking, "Ask Nguyen now.", lexicon="names")
        assert same(asked, pcm(speaking, "Ask win now."))

    def test_the_first_one_counts(self, speaking):
        both = pcm(speaking, "Ask Nguyen now.", lexicon=["other", "names"])
        assert same(both, pcm(speaking, "Ask noo yen now."))

    def test_a_pronunciation_is_heard(self, speaking):
        """And keeps its place."""
        plain, spoken = pcm(speaking, "A tomato."), pcm(speaking, "A tomato.", lexicon="names")
        assert not same(plain, spoken)
        words = timed(speaking, "A tomato.", lexicon="names")["words"]
        assert [word["word"] for word in words] == ["A", "tomato"]

    def test_a_change_of_a_lexicon_is_heard_at_once(self, speaking):
        """The cache knows one version from the other."""
        path = "/v1/lexicons/fresh"
        for say in ("one", "two"):
            entries = {"entries": [{"word": "xyz", "say": say}]}
            assert speaking.request("PUT", path, json=entries).status_code in (200, 201)
            heard = pcm(speaking, "It is xyz.", lexicon="fresh")
            assert same(heard, pcm(speaking, f"It is {say}."))

    def test_one_that_is_not_there_is_an_error(self, speaking):
        assert_error(speaking.speak("Hello.", lexicon="nobody"), 404, "lexicon_not_found")


class TestSSML:
    def ask(self, server, inner, **fields):
        return pcm(server, f"<speak>{inner}</speak>", ssml=True, **fields)

    def test_words_alone_are_said_as_plain_text_is(self, speaking):
        text = "One &amp; two. <!-- not this --> Is it three?"
        assert same(self.ask(speaking, text), pcm(speaking, "One & two. Is it three?"))

    def test_no_tag_is_ever_spoken(self, speaking):
        inner = '<vendor:thing odd="1">Hello <unknown/>there</vendor:thing>.'
        assert same(self.ask(speaking, inner), pcm(speaking, "Hello there."))

    def test_a_break_is_silence_of_that_length(self, speaking):
        for milliseconds in (300, 1500):
            made = self.ask(speaking, f'One <break time="{milliseconds}ms"/>two')
            shorter = self.ask(speaking, 'One <break time="100ms"/>two')
            longer = (milliseconds - 100) / 1000
            assert len(made) - len(shorter) == pytest.approx(RATE * longer, abs=2)

    def test_rate_and_pitch_go_to_the_engine(self, speaking):
        """Which does it better than anything that is done to its sound."""
        prosody = self.ask(speaking, '<prosody rate="150%" pitch="+20%">Hello there.</prosody>')
        assert same(prosody, pcm(speaking, "Hello there.", speed=1.5, pitch=1.2))

    def test_volume_is_a_gain(self, speaking):
        plain = pcm(speaking, "Hello there.")
        quiet = self.ask(speaking, '<prosody volume="-12dB">Hello there.</prosody>')
        ratio = numpy.sqrt((quiet**2).mean() / (plain**2).mean())
        assert ratio == pytest.approx(10 ** (-12 / 20), rel=0.02)

    def test_other_voices_and_languages_speak(self, speaking):
        made = self.ask(speaking, '<voice name="de">Guten Morgen.</voice>')
        assert same(made, pcm(speaking, "Guten Morgen.", voice="de"))
        made = self.ask(speaking, '<lang xml:lang="fr">Bonjour.</lang>')
        assert same(made, pcm(speaking, "Bonjour.", voice="fr-fr"))

    def test_a_voice_that_is_not_there_is_an_error_before_any_audio(self, speaking):
        inner = 'Much to say before that. <voice name="nobody">Hi.</voice>'
        answer = speaking.speak(f"<speak>{inner}</speak>", ssml=True)
        assert assert_error(answer, 404, "voice_not_found")["param"] == "input"

    def test_sub_and_say_as(self, speaking):
        inner = (
            '<sub alias="World Wide Web">WWW</sub> <say-as interpret-as="characters">abc</say-as>.'
        )
        made = timed(speaking, f"<speak>{inner}</speak>", ssml=True)
        assert [word["word"] for word in made["words"]][0] == "WWW"
        assert [word["word"] for word in made["words"]][1:] == ["a", "b", "c"]

    def test_a_recording_is_played(self, speaking):
        made = self.ask(speaking, 'Ding <audio src="bell.wav">nothing</audio>dong.')
        window = int(0.1 * RATE)
        tones = [
            numpy.argmax(numpy.abs(numpy.fft.rfft(made[at : at + window]))) * RATE / window
            for at in range(0, len(made) - window, window)
        ]
        assert sum(abs(hz - 1000) < 15 for hz in tones) >= 4

    @pytest.mark.parametrize(
        "src", ["../secret.wav", "/etc/passwd", "http://localhost/bell.wav", "no.wav"]
    )
    def test_what_may_not_be_played_is_described_instead(self, speaking, src):
        made = self.ask(speaking, f'<audio src="{src}">A bell.</audio>')
        assert same(made, pcm(speaking, "A bell."))

    def test_marks_are_timed(self, speaking):
        document = '<speak>One<mark name="a"/><break time="500ms"/><mark name="b"/>two.</speak>'
        made = timed(speaking, document, ssml=True)
        first, second = made["marks"]
        assert (first["name"], second["name"]) == ("a", "b")
        assert second["time_ms"] - first["time_ms"] == 500
        for word in made["words"]:
            assert document[word["char_start"] : word["char_end"]] == word["word"]

    @pytest.mark.parametrize(
        "document", ["<speak>", "<speak><p></speak>", "<!DOCTYPE x><speak>a</speak>", "a & b"]
    )
    def test_what_is_no_ssml_is_an_error_with_its_place(self, speaking, document):
        error = assert_error(speaking.speak(document, ssml=True), 400, "invalid_ssml")
        assert "line 1" in error["message"]

    @pytest.mark.parametrize("document", ["<speak/>", "<speak> <p/> </speak>"])
    def test_nothing_to_speak_is_an_error(self, speaking, document):
        assert_error(speaking.speak(document, ssml=True), 400, "empty_input")

    def test_silence_has_an_end(self, speaking):
        document = "<speak>" + '<break time="10s"/>' * 50 + "</speak>"
        assert_error(speaking.speak(document, ssml=True), 400, "invalid_ssml")

    def test_plain_text_with_angle_brackets_is_plain_text(self, speaking):
        assert len(pcm(speaking, "Is 3 < 5 > 4?")) > RATE


class TestOtherWays:
    """The same text sounds the same, however it comes."""

    DOCUMENT = '<speak>One <break time="300ms"/><prosody rate="80%">two</prosody>. Three.</speak>'

    def test_over_websocket(self, speaking):
        with Talker(speaking) as talker:
            talker.send("session.config", ssml=True, timestamps="word", sample_rate=RATE)
            talker.send("input.text", text=self.DOCUMENT[:20])
            talker.say(self.DOCUMENT[20:])
            heard = talker.hear()
        rest = timed(speaking, self.DOCUMENT, ssml=True)
        assert heard.audio == base64.b64decode(rest["audio"])
        assert heard.words == rest["words"]

    def test_a_lexicon_over_websocket(self, speaking):
        with Talker(speaking) as talker:
            talker.send("session.config", lexicon="names", sample_rate=RATE)
            talker.say("Ask Nguyen now.")
            heard = talker.hear()
        asked = numpy.frombuffer(heard.audio, "<i2").astype(float)
        assert same(asked, pcm(speaking, "Ask win now."))

    def test_normalising_can_be_switched_off_over_websocket(self, speaking):
        for normalize in (True, False):
            with Talker(speaking) as talker:
                talker.send("session.config", normalize=normalize, sample_rate=RATE)
                talker.say("It costs $5.")
                heard = numpy.frombuffer(talker.hear().audio, "<i2").astype(float)
            assert same(heard, pcm(speaking, "It costs $5.", normalize=normalize))

    def test_wrong_ssml_over_websocket_is_an_error_and_no_end(self, speaking):
        with Talker(speaking) as talker:
            talker.send("session.config", ssml=True)
            talker.say("<speak>")
            assert talker.error()["code"] == "invalid_ssml"
            talker.until("audio.done")
            talker.say("<speak>Good.</speak>")
            assert talker.hear().audio

    def test_on_the_command_line(self, speaking, tmp_path):
        path = tmp_path / "said.pcm"
        captions = tmp_path / "said.srt"
        command = [
            AUTOVOICE,
            "say",
            self.DOCUMENT,
            "--ssml",
            "-f",
            "pcm",
            "--sample-rate",
            str(RATE),
        ]
        done = subprocess.run(
            [*command, "-v", "en-us", "-o", str(path), "--captions", str(captions)],
            env=environment({}),
            stdout=subprocess.PIPE,
            check=True,
        )
        assert b"s of speech" in done.stdout
        rest = timed(speaking, self.DOCUMENT, ssml=True)
        assert path.read_bytes() == base64.b64decode(rest["audio"])
        assert "One" in captions.read_text()
