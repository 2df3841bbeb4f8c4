"""Texts become the phonemes and numbers that published voices have learnt."""

import pytest

from auto_voice.engines.engine import Phonemes, Utterance
from auto_voice.engines.piper.phonemes import TextPhonemes, numbers
from tests.unit.engines.speaking import loaded

# Held against piper-tts 1.8 by benchmarks/neural.py, which has more of them.
SENTENCES = [
    ("Hello, world! How are you (today)?", ["həlˈoʊ, wˈɜːld!", "hˌaʊ ɑːɹ juː tədˈeɪ?"]),
    ("Fine; see: it. well – a", ["fˈaɪn; sˈiː: ɪt wˈɛl; ˈeɪ"]),
    ("Wait -- what?! no", ["wˈeɪt wˈʌt?", "nˈoʊ"]),
    ("version 1.5", ["vˈɜːʒən wˈʌn pɔɪnt fˈaɪv"]),
    ("hello 'world'.\" Yes", ["həlˈoʊ wˈɜːld.", "jˈɛs"]),
    ("done... yes", ["dˈʌn jˈɛs"]),
    ("…", []),
]


def phonemes_of(text, voice="en-us", **options):
    sentences = loaded("piper")._phonemes.sentences(Utterance(text, "en-us", **options), voice)
    return [sentence.phonemes for sentence in sentences]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_punctuation_stays_and_sentences_end(text, expected):
    assert phonemes_of(text) == expected


@pytest.mark.parametrize(
    ("text", "voice"),
    [("One, two; three: four.", "en-us"), ("一二三，四五、六七；八。", "cmn")],
    ids=["marks that the voice hears", "marks that it does not"],
)
def test_clauses_end_at_their_marks(text, voice):
    (sentence,) = loaded("piper")._phonemes.sentences(Utterance(text, "x"), voice)
    assert len(sentence.clauses) == 4
    assert sentence.clauses[-1] == len(sentence.phonemes)
    alone = phonemes_of(text[:3] if voice == "cmn" else text[:3] + ",", voice)[0]
    assert sentence.phonemes[: sentence.clauses[0]].strip() == alone.strip()


def test_phonemes_are_decomposed():
    (french,) = phonemes_of("un bon vin", "fr")
    assert "\u0303" in french
    assert "ɔ̃" in french


def test_words_taken_for_another_language_leave_no_flags():
    assert not any("(" in sentence for sentence in phonemes_of("Das ist ein Computer.", "de"))


def test_wanted_phonemes_are_heard_in_place_of_the_letters():
    (said,) = phonemes_of("The fox.", phonemes=(Phonemes(4, 7, "ˈbædʒɚ"),))
    assert said == "ðə bˈædʒɚ."


def test_numbers_stand_between_pads_in_a_sentence():
    ids = {"_": [0], "^": [1], "$": [2], "a": [5], "b": [6, 7]}
    found, starts = numbers("ab☃a", ids, {})
    assert found == [1, 0, 5, 0, 6, 7, 0, 5, 0, 2]
    assert starts == [2, 4, 7, 7]


def test_replaced_phonemes_are_told_by_their_replacements():
    ids = {"_": [0], "^": [1], "$": [2], "k": [5]}
    assert numbers("c", ids, {"c": ["k", "k"]})[0] == [1, 0, 5, 0, 5, 0, 2]


def test_words_are_found_where_phonemes_run_together():
    """What is "of the" in writing is one word in phonemes, and a number is several."""
    text = "All of the 21 words, isn't it?"
    (sentence,) = loaded("piper")._phonemes.sentences(
        Utterance(text, "en-us", timestamps=True), "en-us"
    )
    found = {
        text[place.char_start : place.char_end]: sentence.phonemes[place.phoneme :]
        for place in sentence.places
    }
    assert found["All"].startswith("ˈɔːl")
    assert found["of"].startswith("ʌv")
    assert found["words"].startswith("wˈɜːdz")
    assert found["isn"].startswith("ˈɪ")


def test_letters_are_phonemes_where_a_voice_says_so():
    letters = TextPhonemes()
    (sentence,) = letters.sentences(Utterance("Äh, é.", "x", timestamps=True))
    assert sentence.phonemes == "A\u0308h, e\u0301."
    assert sentence.clauses == (4, 8)
    assert [(place.phoneme, place.char_start, place.char_end) for place in sentence.places] == [
        (0, 0, 2),
        (5, 4, 5),
    ]
    assert letters.sentences(Utterance(" … ", "x")) == []
