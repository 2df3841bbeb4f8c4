"""Pronunciation by IPA: what espeak-ng is told is what it would have said itself."""

import ctypes

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_voice.engines.engine import Phonemes
from auto_voice.engines.espeak_library import _read_tables
from auto_voice.engines.espeak_phonemes import MAX_PHONEMES, Phonology, table_of
from auto_voice.engines.espeak_tables import Phoneme, Tables
from auto_voice.engines.espeak_text import LibraryText
from tests.examples import examples
from tests.unit.engines.speaking import loaded, said_by, samples, speak, speech

SENTENCE = "I say tomato now."
TOMATO = (6, 12)
BRITISH = "təˈmɑːtəʊ"

WORDS = {
    "en-us": "hello water bird nurse church judge think this vision ring tomato route squirrel "
    "castle library button Thursday measure vehicle",
    "en-gb": "hello water bird nurse church goat hair near poor lot",
    "de": "Hallo Straße Zwölf Büro Pferd Mädchen Zeit Vogel schön Häuser Kuchen Buch",
    "fr-fr": "bonjour bon vin blanc cœur monsieur parfum fille agneau rue nuit",
    "es": "hola perro pero llave calle gato ciudad México guitarra",
    "it": "ciao gnocchi famiglia zucchero",
    "ru": "Привет хорошо спасибо",
    "pl": "cześć Łódź",
    "nl": "goed huis school",
    "tr": "güzel",
}


@pytest.fixture(scope="module")
def engine():
    return loaded("espeak")


@pytest.fixture(scope="module")
def tables(engine):
    return Tables(engine._espeak.data)


@pytest.fixture(scope="module")
def english(tables):
    return Phonology(tables.phonemes("en-us"))


def own_ipa(engine, word, voice):
    """How the library itself writes a word's pronunciation in IPA."""
    speak(engine, "a", voice)  # selects the voice
    read = engine._library.espeak_TextToPhonemes
    read.restype = ctypes.c_char_p
    buffer = ctypes.create_string_buffer(word.encode())
    rest = ctypes.c_void_p(ctypes.addressof(buffer))
    return read(ctypes.byref(rest), 1, 2).decode()


def spectrum(pcm):
    """[T × F], logarithms of magnitudes."""
    sound = samples(pcm)
    frames = sound[: len(sound) // 256 * 256].reshape(-1, 256) * numpy.hanning(256)
    return numpy.log1p(numpy.abs(numpy.fft.rfft(frames, axis=1)))


def likeness(one, other):
    """1.0: the same spectra at the same times."""
    count = min(len(one), len(other)) // 512 * 512
    first, second = spectrum(one[:count]).ravel(), spectrum(other[:count]).ravel()
    return float(numpy.corrcoef(first, second)[0, 1])


@pytest.mark.parametrize(
    "voice, word", [(voice, word) for voice, words in WORDS.items() for word in words.split()]
)
def test_a_word_sounds_as_its_own_ipa_does(engine, voice, word):
    """IPA that the library writes for a word, given back to it, is that word again."""
    ipa = own_ipa(engine, word, voice)
    plain = speech(word, voice)
    said = speech("x", voice, phonemes=(Phonemes(0, 1, ipa),))
    assert len(said) == pytest.approx(len(plain), rel=0.08)
    assert likeness(plain, said) > 0.92


def test_every_voice_reads_ipa(engine, tables):
    """No voice's table is missing or empty."""
    for voice in engine.voices():
        table = table_of(engine._espeak.data / "lang" / engine._files[voice.id])
        assert Phonology(tables.phonemes(table)).mnemonics("tomaˈta"), voice.id


def test_the_rest_of_the_sentence_stays_as_it_is(engine):
    """Only the part is said otherwise, and the words around it keep their times in the text."""
    said = speak(engine, SENTENCE, timestamps=True, phonemes=(Phonemes(*TOMATO, BRITISH),))
    found = [SENTENCE[word.char_start : word.char_end] for word in said.words]
    assert found == ["I", "say", "tomato", "now"]
    assert said.pcm != speech(SENTENCE)
    assert len(said.pcm) == pytest.approx(len(speech(SENTENCE)), rel=0.1)


@pytest.mark.parametrize(
    "text", ["({})", "“{}” twice", "a {}, b", "{}. End", "{}-like {}", "[{}] {}", "{}"]
)
def test_punctuation_next_to_phonemes_is_neither_lost_nor_read(engine, text):
    """Pauses are where they are for the written word."""
    written = text.replace("{}", "tomato")
    ranges = []
    at = written.find("tomato")
    while at >= 0:
        ranges.append(Phonemes(at, at + 6, "təmˈeɪɾoʊ"))
        at = written.find("tomato", at + 1)
    said = speech(written, phonemes=tuple(ranges))
    assert len(said) == pytest.approx(len(speech(written)), rel=0.05)


def test_several_words_in_ipa_are_one_place_in_the_text(engine):
    text = "See NYC now"
    said = speak(engine, text, timestamps=True, phonemes=(Phonemes(4, 7, "nuː jɔːɹk ˈsɪɾi"),))
    assert [text[word.char_start : word.char_end] for word in said.words] == ["See", "NYC", "now"]


@pytest.mark.parametrize("ipa", ["ˈɑːnə", "ˌɑːnə", "ɑːnə", "ˈɑːnə ˈbɛl", "nɑːˈnɛt"])
def test_a_word_is_told_wherever_its_stress_is(engine, ipa):
    for text in ("Anna came", "See Anna", "Anna"):
        at = text.index("Anna")
        said = speak(engine, text, timestamps=True, phonemes=(Phonemes(at, at + 4, ipa),))
        assert [text[word.char_start : word.char_end] for word in said.words] == text.split()


def test_stress_may_stand_before_the_syllable_or_the_vowel(engine):
    before = speech("x", phonemes=(Phonemes(0, 1, "həˈloʊ"),))
    assert likeness(before, speech("x", phonemes=(Phonemes(0, 1, "həlˈoʊ"),))) > 0.999


@pytest.mark.parametrize(
    "one, other",
    [
        ("t͡ʃɪp", "tʃɪp"),
        ("ʧɪp", "tʃɪp"),
        ("gɛt", "ɡɛt"),
        ("bi:t", "biːt"),
        ("hə'loʊ", "həˈloʊ"),
        ("rʌn", "ɹʌn"),
        ("bʌtn\u030d", "bʌtn\u0329"),
        ("gəʊ", "ɡoʊ"),
    ],
)
def test_other_ways_to_write_it_sound_the_same(english, one, other):
    assert english.mnemonics(one) == english.mnemonics(other) != ""


@pytest.mark.parametrize(
    "foreign, near",
    [
        ("ya", "jua"),
        ("ʁa", "ɣa"),
        ("χa", "xa"),
        ("kɐ̯", "kə"),
        ("œ", "ɜː"),
        ("qa", "ka"),
        ("ɓa", "ba"),
    ],
)
def test_a_sound_that_the_language_lacks_becomes_one_near_it(tables, foreign, near):
    """A lexicon made for one language does not fall silent in another."""
    few = [p for p in tables.phonemes("en-us") if not set(p.names) & set("yʁʀχɐœøqɓ")]
    voice = Phonology(few)
    assert voice.mnemonics(foreign) == voice.mnemonics(near) != ""


def test_what_no_voice_can_say_is_left_out(english):
    assert english.mnemonics("☃k☃æ☃t☃") == english.mnemonics("kæt")
    assert english.mnemonics("☃ 漢 ˈ ː") == ""


def test_phonemes_of_which_nothing_is_left_leave_the_word(engine):
    """Better the written word than a gap."""
    assert speech(SENTENCE, phonemes=(Phonemes(*TOMATO, "☃☃"),)) == speech(SENTENCE)


@pytest.mark.parametrize("start, end", [(-1, 3), (3, 3), (5, 2), (0, 99), (99, 100)])
def test_parts_that_are_not_in_the_text_are_ignored(engine, start, end):
    said = speech("tomato", phonemes=(Phonemes(start, end, BRITISH),))
    assert said == speech("tomato")


def test_of_two_parts_that_overlap_the_first_is_heard(engine):
    both = (Phonemes(0, 6, BRITISH), Phonemes(3, 6, "aaa"))
    assert speech("tomato", phonemes=both) == speech("tomato", phonemes=both[:1])


def test_double_brackets_of_a_client_are_text_still(engine):
    """What stands in brackets is read, not taken for mnemonics, beside phonemes and without."""
    text = "[[h@l'oU]] tomato"
    at = text.index("tomato")
    beside = speech(text, phonemes=(Phonemes(at, at + 6, "təmˈeɪɾoʊ"),))
    assert len(beside) == pytest.approx(len(speech(text)), rel=0.03)


@settings(max_examples=examples(300), deadline=None)
@given(ipa=st.text(max_size=60) | st.text("təˈmɑːʊ]['|,_^ \x01\t<>%#", max_size=60))
def test_ipa_turns_into_mnemonics_and_nothing_else(english, tables, ipa):
    """No IPA ends the phonemes, switches the language or is a control character."""
    known = {phoneme.mnemonic for phoneme in tables.phonemes("en-us")}
    said = english.mnemonics(ipa)
    assert said.isascii() and (said.isprintable() or not said)
    assert "]" not in said and "||" not in said and "_" not in said
    for word in said.split(" ") if said else []:
        at = 0
        while at < len(word):
            if word[at] == "|":
                at += 1
                continue
            length = max(n for n in range(5) if n == 0 or word[at : at + n] in known)
            assert length, (ipa, said)
            at += length


def test_long_ipa_stays_within_what_the_library_bears(engine, english, start_worker):
    """The library does not look where its buffers end."""
    said = english.mnemonics("ə" * 5000)
    assert len(said) == MAX_PHONEMES
    worker = start_worker("espeak")
    for ipa in ("ə" * 5000, "t͡ʃ" * 2000, "ə " * 3000, "ˈə" * 3000, "ˈ" * 9000 + "ə"):
        said_by(worker, "x tomato", phonemes=(Phonemes(2, 8, ipa),))
        many = " ".join(["tomato"] * 60)
        ranges = tuple(Phonemes(7 * n, 7 * n + 6, ipa[:90]) for n in range(60))
        said_by(worker, many, phonemes=ranges, timestamps=True)
        assert said_by(worker, SENTENCE).pcm == speech(SENTENCE)


@pytest.fixture
def hostage(start_worker):
    """One worker for all examples of a test."""
    return start_worker("espeak")


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.text(st.characters(exclude_categories=("Cs",)), max_size=80),
    ipa=st.text("təˈmɑːʊɹʃʒŋɛ̃ʰ. \x01]|_^5˥", max_size=80),
    start=st.integers(0, 80),
    length=st.integers(0, 40),
)
def test_any_phonemes_in_any_text_harm_nobody(hostage, text, ipa, start, length):
    """The process lives, words stay inside the text, and nothing is left for the next."""
    ranges = (Phonemes(start, start + length, ipa), Phonemes(start + length, len(text), ipa))
    said = said_by(hostage, text, phonemes=ranges, timestamps=True)
    for word in said.words:
        assert 0 <= word.char_start <= word.char_end <= len(text)
    assert said_by(hostage, SENTENCE).pcm == speech(SENTENCE)


def test_a_clause_too_long_for_the_library_keeps_its_words(english):
    """Where phonemes might be cut in two they are not used; after a pause they are again."""
    text = "word " * 140 + "tomato, tomato"
    first, second = text.index("tomato"), text.rindex("tomato")
    ranges = [Phonemes(first, first + 6, BRITISH), Phonemes(second, second + 6, BRITISH)]
    given_ = LibraryText(text, ranges, english)
    assert given_.text.count("[[") == 1
    assert given_.text.index("[[") > first
    assert given_.own(given_.text.index("[[") + 2, 3) == (second, second + 6)


def test_a_bar_keeps_sounds_apart_that_together_are_another():
    sounds = [("t", "t"), ("S", "ʃ"), ("tS", "tʃ"), ("a", "a")]
    phonology = Phonology(
        Phoneme(mnemonic, 4, code, 0, (name,)) for code, (mnemonic, name) in enumerate(sounds)
    )
    assert phonology.mnemonics("tʃa") == "tSa"
    assert phonology.mnemonics("t.ʃa") == "t|Sa"


def test_tables_that_are_not_as_we_know_them_switch_ipa_off(engine, tmp_path, caplog):
    assert _read_tables(tmp_path) is None
    (tmp_path / "phontab").write_bytes(b"\x09garbage")
    (tmp_path / "phonindex").write_bytes(b"\0\0")
    assert _read_tables(tmp_path) is None
    assert "IPA is not spoken" in caplog.text
