"""The International Phonetic Alphabet as people write it."""

import unicodedata

_BRACKETS = {"/": "/", "[": "]", "(": ")"}
_MARKS = " .'’ʼ:|‖‿-~͜͡¡"
"""Beside letters and diacritics: borders of words and syllables, ties, clumsy stress and length."""
_CATEGORIES = frozenset({"Ll", "Lm", "Lo", "Mn", "Sk", "Nd"})
_LETTER_ABOVE_BLOCKS = "βθχⱱꜛꜜꞌ"

_SIBILANTS = "szʃʒɕʑʂʐ"
_VOICELESS = "ptkfθʈcqχxçħ"


def checked_ipa(text: str) -> str:
    """``text`` in one form: composed, without the slashes or brackets around it.

    Raises:
        ValueError: it has none of the alphabet's letters, or a character that is not in it.
    """
    ipa = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(ipa) > 1 and _BRACKETS.get(ipa[0]) == ipa[-1]:
        ipa = ipa[1:-1].strip()
    for character in unicodedata.normalize("NFD", ipa):
        if not _is_ipa(character):
            raise ValueError(f"{character!r} is not in the International Phonetic Alphabet")
    if not any(unicodedata.category(character) in ("Ll", "Lo") for character in ipa):
        raise ValueError("there is no sound in it")
    return ipa


def _is_ipa(character: str) -> bool:
    if character in _MARKS:
        return True
    if unicodedata.category(character) not in _CATEGORIES:
        return False
    code = ord(character)
    return (
        code < 0x180  # Latin letters; capitals have another category
        or 0x1C0 <= code < 0x1C4  # clicks
        or 0x250 <= code < 0x370  # IPA, modifiers, diacritics
        or 0x1D00 <= code < 0x1E00  # more of both
        or 0x2070 <= code < 0x20A0  # raised and lowered letters
        or character in _LETTER_ABOVE_BLOCKS
    )


def possessive(ipa: str) -> str:
    """English ``ipa`` with the sound of "'s"."""
    letters = [character for character in ipa if character.isalpha() and character not in "ːˈˌʰ"]
    last = letters[-1] if letters else ""
    if last and last in _SIBILANTS:
        return ipa + "ɪz"
    return ipa + ("s" if last and last in _VOICELESS else "z")
