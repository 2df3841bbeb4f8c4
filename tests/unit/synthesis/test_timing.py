"""Words come with the times at which they are heard and their places in the client's text."""

import re

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_voice.engines.engine import Word
from auto_voice.engines.stub import GAP_S, TONE_S
from auto_voice.synthesis.timing import (
    TimedMark,
    TimedWord,
    Timings,
    WordClock,
    read_timings,
    write_timings,
)
from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.plan import Line
from auto_voice.text.script import Style
from tests.examples import examples
from tests.unit.synthesis.service import begin

RATE = 1000
GENTLE = settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def words_of(service, text, **options):
    """All words of an answer and its samples as fractions of full scale."""
    speaking = begin(service, text, timestamps=True, format="pcm", **options)
    pcm = b"".join(speaking)
    words = speaking.new_words()
    speaking.close()
    return words, numpy.frombuffer(pcm, "<i2") / 32768, speaking.sample_rate


def sounds(samples, rate, least_gap_s=0.15):
    """(start, end) in ms of what is heard between silences."""
    loud = numpy.flatnonzero(numpy.abs(samples) > 0.01)
    breaks = numpy.flatnonzero(numpy.diff(loud) > least_gap_s * rate)
    starts = [loud[0], *loud[breaks + 1]]
    ends = [*loud[breaks], loud[-1]]
    return [(1e3 * start / rate, 1e3 * end / rate) for start, end in zip(starts, ends)]


class TestAgainstTheAudio:
    """What is told is what is heard."""

    @pytest.mark.parametrize("speed", [0.5, 0.7, 1.0, 1.8, 3.5])
    def test_words_between_silences_are_where_the_sound_is(self, espeak, speed):
        """Each of these words stands alone: silence before it, silence after it."""
        text = "\n\n".join("One. Two. Three. Seven. Nine. Six. Eight. Hundred.".split())
        words, samples, rate = words_of(espeak, text, speed=speed)
        heard = sounds(samples, rate)
        assert [word.word for word in words] == re.findall(r"\w+", text)
        assert len(heard) == len(words)
        for word, (start, end) in zip(words, heard):
            assert abs(word.start_ms - start) < 30, word
            assert abs(word.end_ms - end) < 30, word

    @pytest.mark.parametrize("sample_rate", [8000, 24000, 48000])
    def test_at_any_sample_rate(self, espeak, sample_rate):
        plain, _, _ = words_of(espeak, "One, two. Three!", sample_rate=22050)
        other, _, _ = words_of(espeak, "One, two. Three!", sample_rate=sample_rate)
        assert plain == other

    def test_they_do_not_drift(self, espeak):
        """Not even after a hundred sentences."""
        words, samples, rate = words_of(espeak, "One.  Two.\n\nThree. " * 40)
        heard = sounds(samples, rate)
        assert len(heard) == len(words) == 120
        off = [abs(word.start_ms - start) for word, (start, _) in zip(words, heard)]
        assert max(off) < 30

    def test_tones_start_and_end_where_the_stub_puts_them(self, stub):
        words, _, _ = words_of(stub, "One two three", sample_rate=16000)
        step = 1e3 * (TONE_S + GAP_S)
        for number, word in enumerate(words):
            assert word.start_ms == pytest.approx(number * step, abs=1)
            assert word.end_ms == pytest.approx(number * step + 1e3 * TONE_S, abs=5)


class TestPlaces:
    """Offsets are into the text that the client sent."""

    @GENTLE
    @given(text=st.text(alphabet="ab é.,!?'\n-1$€😀", min_size=1, max_size=80))
    def test_of_any_text(self, espeak, text):
        """In order, within the text, each with its own characters; times never go back."""
        if not text.strip():
            return
        words, samples, rate = words_of(espeak, text, normalize=False)
        at = 0
        before_ms = 0
        for word in words:
            assert text[word.char_start : word.char_end] == word.word != ""
            assert word.char_start >= at
            assert before_ms <= word.start_ms <= word.end_ms <= 1e3 * len(samples) / rate + 1
            at, before_ms = word.char_end, word.start_ms

    @pytest.mark.parametrize(
        "text, expected",
        [
            ("It has to be well-known, isn't it?", "It has to be well-known isn't it"),
            ("From 1,234 to $5.50.", "From 1,234 to $5.50"),
            ("“Quoted” (and bracketed).", "Quoted and bracketed"),
            ("Zoë's naïve café.", "Zoë's naïve café"),
            ("😀 Write a\tmail.", "😀 Write a mail"),
        ],
    )
    def test_a_word_is_what_a_reader_takes_for_one(self, espeak, text, expected):
        """However the engine counts."""
        words, _, _ = words_of(espeak, text, normalize=False)
        assert [word.word for word in words] == expected.split()

    @pytest.mark.parametrize(
        "voice, text, expected",
        [
            ("de", "Am 24.11.2026 kostet es 1.234,56 €.", "Am 24.11.2026 kostet es 1.234,56 €"),
            ("fr", "L'homme qu'il voit aujourd'hui.", "L'homme qu'il voit aujourd'hui"),
            ("ru", "Привет, мир!", "Привет мир"),
            ("cmn", "世界。", "世 界"),
        ],
    )
    def test_in_other_languages(self, espeak, voice, text, expected):
        words, _, _ = words_of(espeak, text, voice=voice)
        assert [word.word for word in words] == expected.split()


def line(*pieces):
    said = Aligned(pieces)
    return Line(said, Style(), *said.written(0, len(said.text)))


def clock(text, spoken, began_s=0.0):
    return WordClock(text, spoken, began_s, RATE)


def tone(ms):
    return b"\x00\x40" * ms


class TestClock:
    """From an engine's words to the client's."""

    def test_words_said_in_one_with_the_word_before_belong_to_what_they_are_said_for(self):
        """espeak-ng tells "on" for "on the", where "the" is the date's."""
        text = "on 24 Nov now"
        date = Piece("the twenty-fourth of November", 3, 9, True)
        timed = clock(text, line(Piece("on ", 0, 3), date, Piece(" now", 9, 13)))
        timed.heard(tone(500))
        starts = [Word(0.0, 0, 2), Word(0.1, 7, 20), Word(0.3, 21, 23), Word(0.35, 24, 32)]
        told = timed.told([*starts, Word(0.4, 33, 36)], True)
        assert [(word.word, word.start_ms, word.end_ms) for word in told] == [
            ("on", 0, 40),
            ("24 Nov", 40, 400),
            ("now", 400, 500),
        ]

    def test_no_character_is_in_two_words(self):
        """Here an engine says a number in one word with what stands before it."""
        text = "the mid-1990s"
        pieces = Piece("the mid-", 0, 8), Piece("nineteen nineties", 8, 13, True)
        timed = clock(text, line(*pieces))
        timed.heard(tone(500))
        told = timed.told([Word(0.0, 0, 3), Word(0.1, 4, 16), Word(0.3, 17, 25)], True)
        assert [word.word for word in told] == ["the", "mid-1990s"]

    def test_what_is_said_in_several_words_is_the_one_that_was_written(self):
        text = "It costs $5 now"
        spoken = line(
            Piece("It costs ", 0, 9), Piece("five dollars", 9, 11, True), Piece(" now", 11, 15)
        )
        timed = clock(text, spoken, 1.0)
        timed.heard(tone(500))
        starts = [Word(0.0, 0, 2), Word(0.1, 3, 8), Word(0.2, 9, 13), Word(0.3, 14, 21)]
        told = timed.told([*starts, Word(0.4, 22, 25)], True)
        assert [(word.word, word.start_ms, word.end_ms) for word in told] == [
            ("It", 1000, 1100),
            ("costs", 1100, 1200),
            ("$5", 1200, 1400),
            ("now", 1400, 1500),
        ]

    def test_a_word_waits_until_its_end_is_heard(self):
        timed = clock("one two", line(Piece("one two", 0, 7)))
        words = [Word(0.0, 0, 3), Word(0.1, 4, 7)]
        timed.heard(tone(50))
        assert timed.told(words, False) == []
        timed.heard(tone(100))
        assert [word.word for word in timed.told(words, False)] == ["one"]
        assert [word.word for word in timed.told(words, True)] == ["two"]

    def test_silence_belongs_to_no_word(self):
        timed = clock("one two", line(Piece("one two", 0, 7)))
        timed.heard(tone(60) + bytes(2 * 40) + tone(50) + bytes(2 * 100))
        told = timed.told([Word(0.0, 0, 3), Word(0.1, 4, 7)], True)
        assert [(word.start_ms, word.end_ms) for word in told] == [(0, 60), (100, 150)]

    def test_nonsense_from_an_engine_harms_nobody(self):
        """Words past the end, backwards, empty, later than the audio."""
        timed = clock("one two", line(Piece("one two", 0, 7)))
        timed.heard(tone(10))
        told = timed.told(
            [Word(0.0, 5, 99), Word(9.0, 3, 3), Word(0.5, 4, 2), Word(0.2, 0, 3)], True
        )
        for word in told:
            assert 0 <= word.char_start < word.char_end <= 7
            assert word.start_ms <= word.end_ms


class TestKeeping:
    """Times come from the cache as they came the first time."""

    def test_an_answer_from_the_cache_has_its_words(self, stub_cached):
        first, _, _ = words_of(stub_cached, "One two. Three.")
        speaking = begin(stub_cached, "One two. Three.", timestamps=True, format="pcm")
        list(speaking)
        assert speaking.cache == "hit"
        assert speaking.new_words() == first
        speaking.close()

    def test_an_answer_without_times_does_not_stand_in_for_one_with(self, stub_cached):
        speaking = begin(stub_cached, "Four five.", format="pcm")
        list(speaking)
        assert speaking.new_words() == []
        speaking.close()
        assert len(words_of(stub_cached, "Four five.")[0]) == 2

    def test_as_bytes(self):
        timings = Timings([TimedWord("a", 0, 1, 2, 3)], [TimedMark("here", 7)])
        kept = read_timings(write_timings(timings))
        assert (kept.words, kept.marks) == (timings.words, timings.marks)
        assert read_timings(write_timings(None)) is None

    def test_what_two_tell_is_there_once(self):
        """A reader who fell behind has the answer made again."""
        timings = Timings()
        words = [TimedWord("a", 0, 5, 0, 1), TimedWord("b", 5, 9, 2, 3)]
        timings.add_words(words)
        timings.add_words(words)
        timings.add_mark(TimedMark("here", 5))
        timings.add_mark(TimedMark("here", 5))
        assert timings.words == words
        assert timings.marks == [TimedMark("here", 5)]


def test_times_count_from_what_is_played_where_silence_was_cut_off():
    """A word's place in the audio that is heard, not in what its engine made."""
    text = "one two"
    line = Line(Aligned.verbatim(text, 0), Style(), 0, len(text))
    sound = (numpy.sin(numpy.arange(300)) * 9000).astype("<i2").tobytes()
    pcm = bytes(2 * 500) + sound + bytes(2 * 100) + sound
    found = []
    for cut_s in (0.0, 0.4):
        clock = WordClock(text, line, 2.0, RATE)
        clock.heard(pcm)
        clock.cut_s = cut_s
        spans = [Word(0.1, 0, 3), Word(0.9, 4, 7)]
        found.append([(word.start_ms, word.end_ms) for word in clock.told(spans, True)])
    whole, cut = found
    assert [(start - 400, end - 400) for start, end in whole] == cut
    assert cut[0][0] == pytest.approx(2100, abs=5)
