"""What every engine promises by `Capabilities`, held against what it does.

A new engine is tested by its line in `ENGINES`. Whatever could leave an engine
damaged runs in a worker process of its own.
"""

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from auto_voice.engines import ENGINES
from auto_voice.engines.engine import Description, Phonemes, describe
from auto_voice.engines.process import WorkerProcess
from auto_voice.errors import AutoVoiceError
from tests.examples import examples
from tests.unit.engines.speaking import (
    loaded,
    longest_silence_s,
    options_for,
    period_hz,
    said_by,
    samples,
    silence_at_end_s,
    speak,
)

SENTENCE = "The quick brown fox jumps over the lazy dog."

HOSTILE = [
    "x" * 400,
    "€" * 400,
    "\U0001f600" * 100,
    "e\u0301\u0302\u0303" * 100,
    "abc абв 文字 حروف ελλ हिन्दी 한글 \U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\u202e\u200f\u2066 backwards \u2069",
    "((((((((((((((((((((((" * 10,
    "\"'`<>&;|$(){}[]*?!#~\\%",
    "[[h@l'oU]] {{name}} %s %n %x",
    "&lt;&amp;&#0;&#x110000;&nosuch;",
    "<speak><voice xml:lang='de'><prosody rate='x-fast'>unclosed",
    "<break time='9s'/>" * 20,
    "<audio src='/etc/passwd'/><mark name='x'/>",
    "9" * 400,
    "1,234,567.89e-5 $5 1/2 10:30 a.m. 12/11/2020 http://a.b/c?d=e",
    "." * 400,
    "!?" * 200,
    "a" + "\u0000" * 10 + "b",
    "".join(map(chr, range(1, 32))),
    "".join(map(chr, range(127, 160))),
    "\x01 \x019999S\x019999P\x019999A\x01V\x01Y\x01F",
    "\ufeff\ufffe\uffff\ufffd\U0010ffff",
    "\u2028\u2029\u0085",
]

UNCLOSED = [
    "<speak><prosody rate='x-fast'>unclosed",
    "<speak><prosody pitch='high' volume='x-loud' range='x-high'>unclosed",
    "<speak><prosody volume='silent'>a</prosody></speak>",
    "<speak><voice xml:lang='de'>nicht zu",
    "<speak><emphasis level='strong'>unclosed",
    "<speak><say-as interpret-as='characters'>abc",
    "<speak><p><s>unclosed",
]


@pytest.fixture(params=sorted(ENGINES))
def engine(request):
    return loaded(request.param)


@pytest.fixture
def can(engine):
    return engine.capabilities()


@pytest.fixture(scope="module")
def fresh():
    """What a process said that had said nothing before: engine's name to its `REFERENCES`."""
    said = {}
    for name in ENGINES:
        process = WorkerProcess(name, options_for(name))
        try:
            process.wait_until_loaded()
            said[name] = [said_by(process, **options).pcm for options in references(loaded(name))]
        finally:
            process.kill()
            process.close()
    return said


def references(engine):
    """Utterances of different kinds."""
    slowest, fastest = engine.capabilities().speed
    klatt = "en-us+klatt" if "klatt" in engine.variants() else "en-us"
    return [
        {"text": SENTENCE},
        {"text": SENTENCE, "voice": klatt, "continues": True},
        {"text": "One two, three.", "speed": slowest, "pitch": engine.capabilities().pitch[1]},
        {"text": "Une phrase, deux phrases.", "voice": engine.voices()[-1].id, "speed": fastest},
    ]


def voices_of(engine):
    """A sample of voices, and of variants where the engine has some."""
    ids = [voice.id for voice in engine.voices()]
    variants = sorted(engine.variants())
    chosen = {name for name in variants if name.startswith(("klatt", "whisper"))}
    chosen.update(variants[::20])
    return ["en-us", *ids[::12], *(f"en-us+{name}" for name in sorted(chosen))]


def seconds(engine, pcm):
    return len(pcm) / 2 / engine.capabilities().sample_rate


def test_it_describes_itself(engine):
    """The description is what a server needs: complete, and it survives the way there."""
    description = describe(engine)
    assert description.name in ENGINES
    assert ENGINES[description.name].endswith(type(engine).__name__)
    assert description.version
    encoded = msgspec.json.encode(description)
    assert msgspec.json.decode(encoded, type=Description) == description


def test_voices_can_be_told_apart(engine):
    """Each id means one voice, in whatever letter case it is written."""
    ids = [voice.id for voice in engine.voices()]
    assert ids
    assert len({voice_id.lower() for voice_id in ids}) == len(ids)
    assert not any("+" in voice_id for voice_id in ids)
    assert len({name.lower() for name in engine.variants()}) == len(engine.variants())


def test_voices_say_whose_they_are(engine, can):
    """Engine and sample rate of every voice are those of the engine."""
    for voice in engine.voices():
        assert (voice.engine, voice.sample_rate) == (engine.name, can.sample_rate)
        assert voice.name.strip() == voice.name != ""
        assert voice.gender in (None, "female", "male")
        assert voice.variant is None


def test_languages_are_those_of_the_voices(engine, can):
    """Whoever picks a language from the list finds a voice, and the other way round."""
    spoken = set()
    for voice in engine.voices():
        assert voice.language in voice.languages
        spoken.update(voice.languages)
    assert set(can.languages) == spoken
    assert list(can.languages) == sorted(can.languages)


def test_every_language_has_a_preferred_voice_that_speaks_it(engine, can):
    voices = {voice.id: voice for voice in engine.voices()}
    preferred = engine.preferred()
    assert set(preferred) == set(can.languages)
    for tag, voice_id in preferred.items():
        assert tag in voices[voice_id].languages


def test_speed_works_at_both_ends_and_in_between(engine, can):
    """Twice the speed is half the time, within what pauses and rounding make of it."""
    slowest, fastest = can.speed
    assert slowest <= 1.0 <= fastest
    normal = seconds(engine, speak(engine, SENTENCE).pcm)
    between = [(slowest + 1) / 2, 1.25, 1.5, (fastest + 1) / 2]
    for speed in [slowest, *between, fastest]:
        spoken = seconds(engine, speak(engine, SENTENCE, speed=speed).pcm)
        assert spoken * speed == pytest.approx(normal, rel=0.15), speed


def test_pitch_works_at_both_ends_and_in_between(engine, can):
    """The voice is higher by the factor, and as fast as before."""
    lowest, highest = can.pitch
    assert lowest <= 1.0 <= highest
    if lowest == highest:
        pytest.skip("this engine speaks at one pitch")
    text = "aaaoea"  # a vowel for speech, 200 Hz for tones
    normal = speak(engine, text).pcm
    normal_hz = period_hz(normal, can.sample_rate, 60, 250)
    for pitch in (lowest, (lowest + 1) / 2, (highest + 1) / 2, highest):
        pcm = speak(engine, text, pitch=pitch).pcm
        wanted = normal_hz * pitch
        hz = period_hz(pcm, can.sample_rate, 0.7 * wanted, 1.3 * wanted)
        assert hz == pytest.approx(wanted, rel=0.15), pitch
        assert len(pcm) == pytest.approx(len(normal), rel=0.05), pitch


@pytest.mark.parametrize("pace", ["slowest", "normal", "fastest"])
@pytest.mark.parametrize(
    "text",
    [
        "One two, three. Four five!",
        "  Spaces\n\nand   lines\taround  ",
        "We paid $2,345.60 on 12/11/2020 at 10:30 (U.S.A.).",
        "Zwölf Boxkämpfer Привет мир 今日は 你好 مرحبا end",
        "Smile \U0001f600 twice \U0001f469\u200d\U0001f467 please",
        "Žluťoučký kůň 日本語 test \U0001f600 emoji end",
    ],
)
def test_words_come_in_order_within_text_and_audio(engine, can, text, pace):
    """Each word's place in the text and time in the audio are inside, and none goes back."""
    if not can.timestamps:
        pytest.skip("this engine tells no times")
    speed = {"slowest": can.speed[0], "normal": 1.0, "fastest": can.speed[1]}[pace]
    recorder = speak(engine, text, speed=speed, timestamps=True)
    assert recorder.words
    starts = [word.start_s for word in recorder.words]
    places = [word.char_start for word in recorder.words]
    assert starts == sorted(starts)
    assert places == sorted(places)
    assert 0 <= starts[0] and starts[-1] < seconds(engine, recorder.pcm)
    for word in recorder.words:
        assert 0 <= word.char_start < word.char_end <= len(text)


def test_words_are_the_words_of_the_text(engine, can):
    text = "One two, three. Four Über straße."
    recorder = speak(engine, text, timestamps=True)
    found = [text[word.char_start : word.char_end] for word in recorder.words]
    assert found == (["One", "two", "three", "Four", "Über", "straße"] if can.timestamps else [])


def test_a_word_begins_when_the_text_before_it_has_been_heard(engine, can):
    """A word's time is where it is in the audio, at every pace."""
    if not can.timestamps:
        pytest.skip("this engine tells no times")
    for speed in (can.speed[0], 0.5, 1.0, 2.0, 3.0, can.speed[1]):
        recorder = speak(engine, "no " * 40, speed=speed, timestamps=True)
        total = seconds(engine, recorder.pcm)
        assert len(recorder.words) == 40
        for index, word in enumerate(recorder.words):
            assert word.start_s / total == pytest.approx(index / 40, abs=0.05), speed


def test_no_words_are_told_unless_asked_for(engine):
    assert speak(engine, SENTENCE).words == []


def test_times_do_not_change_the_audio(engine):
    assert speak(engine, SENTENCE, timestamps=True).pcm == speak(engine, SENTENCE).pcm


def test_audio_comes_before_the_utterance_is_finished(engine, can):
    pieces = speak(engine, SENTENCE * 4).pieces
    assert (len(pieces) > 1) == can.streaming


@pytest.mark.parametrize("pace", ["slowest", "normal", "fastest"])
def test_an_emitter_that_has_enough_is_not_called_again(engine, can, pace):
    speed = {"slowest": can.speed[0], "normal": 1.0, "fastest": can.speed[1]}[pace]
    recorder = speak(engine, SENTENCE * 8, speed=speed, stop_after=1)
    assert recorder.calls_after_no == 0
    assert len(recorder.pieces) == 1


def test_what_came_before_the_stop_is_the_beginning(engine):
    whole = speak(engine, SENTENCE * 4).pcm
    for stop_after in (1, 2, 3):
        assert whole.startswith(speak(engine, SENTENCE * 4, stop_after=stop_after).pcm)


@st.composite
def conversations(draw, engine):
    """Utterances of all kinds, some of them broken off."""
    slowest, fastest = engine.capabilities().speed
    lowest, highest = engine.capabilities().pitch
    # Control characters and SSML have tests of their own.
    wild = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
    return draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "text": st.one_of(st.sampled_from([SENTENCE * 2, "Yes.", "1,2 (3"]), wild),
                    "voice": st.one_of(st.just("en-us"), st.sampled_from(voices_of(engine))),
                    "speed": st.one_of(st.just(1.0), st.floats(slowest, fastest)),
                    "pitch": st.one_of(st.just(1.0), st.floats(lowest, highest)),
                    "continues": st.booleans(),
                    "timestamps": st.booleans(),
                    "phonemes": st.sampled_from([(), (), (Phonemes(0, 3, "ˈæpl̩"),)]),
                    "stop_after": st.sampled_from([None, None, 1, 2]),
                }
            ),
            max_size=5,
        )
    )


@pytest.mark.slow
@settings(
    max_examples=examples(30),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_nothing_that_was_said_before_can_be_heard(engine, can, fresh, data):
    """The same utterance gives the same bytes, in this process and in others."""
    if not can.reproducible:
        pytest.skip("this engine draws noise")
    for utterance in data.draw(conversations(engine)):
        speak(engine, **utterance)
    wanted = references(engine)
    for index in data.draw(st.permutations(range(len(wanted)))):
        assert speak(engine, **wanted[index]).pcm == fresh[engine.name][index]


def test_pace_and_pitch_end_with_their_utterance(engine, can):
    """What is set for one is set back for the next, whether the voice changes between or not."""
    other = engine.voices()[0].id
    for options in ({"speed": can.speed[0]}, {"speed": can.speed[1]}, {"pitch": can.pitch[1]}):
        for between in ("en-us", other):
            plain = speak(engine, SENTENCE).pcm
            changed = speak(engine, SENTENCE, **options).pcm
            speak(engine, "Yes.", between)
            assert speak(engine, SENTENCE, **options).pcm == changed, (options, between)
            assert speak(engine, SENTENCE).pcm == plain, (options, between)


def test_what_was_broken_off_cannot_be_heard_in_the_next(engine, fresh):
    """A client that leaves in the middle leaves nothing behind, in whatever kind of voice."""
    for voice in voices_of(engine):
        for stop_after, speed in ((1, 1.0), (2, 1.0), (1, engine.capabilities().speed[0])):
            for text in (SENTENCE * 2, "hello"):
                speak(engine, text, voice, stop_after=stop_after, speed=speed)
                klatt = references(engine)[1]
                assert speak(engine, **klatt).pcm == fresh[engine.name][1], (voice, stop_after)


@pytest.mark.parametrize(
    "text",
    [
        "\x01+50P hi",
        "\x01450S hi",
        "\x015H hi",
        "\x0120T hi",
        "\x0150A hi",
        "".join(map(chr, range(32))),
    ],
    ids=["pitch", "speed", "reverberation", "voice", "loudness", "all"],
)
def test_control_characters_are_no_commands_to_the_engine(engine, can, fresh, start_worker, text):
    """One request's text cannot change how the next one sounds."""
    worker = start_worker(engine.name)
    said_by(worker, text)
    assert said_by(worker, SENTENCE).pcm == fresh[engine.name][0]


def test_markup_ends_with_its_utterance(engine, can, fresh, start_worker):
    """SSML that is never closed cannot change how the next utterance sounds."""
    if not can.ssml:
        pytest.skip("this engine reads no SSML")
    for text in UNCLOSED:
        worker = start_worker(engine.name)
        said_by(worker, text, ssml=True)
        assert said_by(worker, SENTENCE).pcm == fresh[engine.name][0], text


def test_phonemes_are_heard_where_the_engine_can_say_them(engine, can):
    """Otherwise the text is read as it is written."""
    plain = speak(engine, SENTENCE).pcm
    start = SENTENCE.index("fox")
    said = speak(engine, SENTENCE, phonemes=(Phonemes(start, start + 3, "ˈbædʒɚ"),)).pcm
    assert (said != plain) == can.ipa
    assert speak(engine, SENTENCE).pcm == plain


def test_words_said_by_phonemes_keep_their_places(engine, can):
    if not can.timestamps:
        pytest.skip("this engine tells no times")
    start = SENTENCE.index("brown")
    phonemes = (Phonemes(start, start + 5, "ɡɹiːn"),)
    said = speak(engine, SENTENCE, timestamps=True, phonemes=phonemes)
    found = [SENTENCE[word.char_start : word.char_end] for word in said.words]
    assert found == SENTENCE.strip(".").split()


def test_markup_is_text_unless_asked_for(engine, can):
    """Without ``ssml`` a client's angle brackets do nothing: no pause, no other voice, no file."""
    text = "before <break time='3s'/> after"
    plain = speak(engine, text).pcm
    assert longest_silence_s(plain, can.sample_rate) < 1
    if can.ssml:
        assert longest_silence_s(speak(engine, text, ssml=True).pcm, can.sample_rate) > 2.5


def test_markup_that_names_a_file_harms_nobody(engine, can, start_worker):
    if not can.ssml:
        pytest.skip("this engine reads no SSML")
    text = "<audio src='/etc/passwd'>x</audio>"
    for _ in range(4):  # where it crashes, it does so in every other process
        worker = start_worker(engine.name)
        for _ in range(5):
            said_by(worker, text, ssml=True)
            assert said_by(worker, SENTENCE).pcm


def test_a_sentence_that_goes_on_ends_with_a_pause(engine, can):
    """The audio is the same, and then there is time to breathe."""
    alone = speak(engine, SENTENCE).pcm
    within = speak(engine, SENTENCE, continues=True).pcm
    assert within.startswith(alone)
    assert silence_at_end_s(within, can.sample_rate) >= 0.02


def test_sentences_one_by_one_take_the_time_of_the_whole(engine):
    """Cutting a text into sentences does not make a reader faster or slower."""
    sentences = ["This is one.", "And this is two!", "Is it three?", "Yes, it is."]
    for speed in (0.5, 1.0, 1.5):
        whole = speak(engine, " ".join(sentences), speed=speed).pcm
        parts = [speak(engine, text, speed=speed, continues=True).pcm for text in sentences[:-1]]
        parts.append(speak(engine, sentences[-1], speed=speed).pcm)
        assert seconds(engine, b"".join(parts)) == pytest.approx(seconds(engine, whole), abs=0.03)


@pytest.mark.parametrize("text", ["", " ", "...", "\n\n", "\u200b", "—", "“”", ")"])
def test_what_cannot_be_spoken_is_no_sound_and_no_error(engine, text):
    assert not samples(speak(engine, text).pcm).any()


@pytest.mark.parametrize("text", ["", "...", "\n\n"])
def test_what_cannot_be_spoken_emits_nothing(engine, text):
    """As the contract says, so that a server knows and sends silence of its own."""
    assert speak(engine, text).pcm == b""


def test_pieces_are_whole_samples(engine):
    assert all(len(piece) % 2 == 0 for piece in speak(engine, SENTENCE * 3).pieces)


@pytest.mark.slow
def test_hostile_text_harms_nobody(engine, start_worker):
    """Whatever comes in, the engine goes on speaking in the same process."""
    worker = start_worker(engine.name)
    for text in HOSTILE:
        said_by(worker, text, timestamps=True)
        said_by(worker, text, continues=True)
        assert said_by(worker, "still here").pcm, text


@pytest.fixture
def hostage(engine, start_worker):
    """One worker for all examples of a test."""
    return start_worker(engine.name)


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.text(st.characters(exclude_categories=("Cs",)), max_size=200),
    voice=st.integers(min_value=0),
    timestamps=st.booleans(),
)
@example(text="\x00", voice=0, timestamps=True)
def test_any_text_harms_nobody(engine, hostage, text, voice, timestamps):
    """No text ends the process or makes it fail, and words stay within the text."""
    ids = voices_of(engine)
    recorder = said_by(hostage, text, ids[voice % len(ids)], timestamps=timestamps)
    for word in recorder.words:
        assert 0 <= word.char_start <= word.char_end <= len(text)
        assert word.start_s >= 0


def test_a_voice_that_is_not_there_is_an_error_or_the_only_one(engine, start_worker):
    """Nobody is answered in a voice that was not asked for, unless there is just one."""
    worker = start_worker(engine.name)
    before = said_by(worker, SENTENCE).pcm
    for voice in ("xx-nowhere", "en-us+nobody", "", "../../etc/passwd", "en-us\x00de"):
        if len(engine.voices()) > 1:
            with pytest.raises(AutoVoiceError):
                said_by(worker, SENTENCE, voice)
        assert said_by(worker, SENTENCE).pcm == before
