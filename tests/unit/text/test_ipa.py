"""The phonetic alphabet, as it is written and in ASCII."""

import pytest

from auto_voice.text.ipa import checked_ipa
from auto_voice.text.xsampa import to_ipa


@pytest.mark.parametrize(
    "xsampa, ipa",
    [
        ('"dZVdZ.m@nt', "ˈdʒʌdʒ.mənt"),
        ('"Ti:@tr\\', "ˈθiːətɹ"),
        ("p_hIn", "pʰɪn"),
        ("bO~Zu:R", "bɔ̃ʒuːʁ"),
        ("St@:R", "ʃtəːʁ"),
        ("n`E5%Q", "ɳɛɫˌɒ"),
        ('"t_ha_"n=', "ˈtʰän̩"),
        ("s\\s`x\\xX", "ɕʂɧxχ"),
        ("3`@`3", "ɝɚɜ"),
    ],
)
def test_x_sampa_becomes_ipa(xsampa, ipa):
    assert checked_ipa(to_ipa(xsampa)) == checked_ipa(ipa)


@pytest.mark.parametrize("text", ["é", "a$b", "ʃ"])
def test_what_is_no_x_sampa_is_refused(text):
    with pytest.raises(ValueError, match="no X-SAMPA"):
        to_ipa(text)


@pytest.mark.parametrize(
    "ipa",
    [
        "ˈsɛn.təns",
        "t͡ʃ d͜ʒ",
        "kʰæˀ",
        "ŋǃoː",
        "ma˨˩˦",
        "ˈøːɐ̯",
        "ʁɑ̃‿ami",
        "βθχ",
        "ɓaⱱ",
        "əⁿ",
        "ti1 ti4",
    ],
)
def test_what_belongs_to_the_alphabet_is_accepted(ipa):
    checked_ipa(ipa)


@pytest.mark.parametrize(
    "ipa", ["Aa", "a]b", "a\nb\x00", "<a>", "a|]]", "да", "a%", "a_^", "", "ˈː."]
)
def test_what_does_not_is_refused(ipa):
    with pytest.raises(ValueError, match="Alphabet|sound"):
        checked_ipa(ipa)
