"""The International Phonetic Alphabet as people write it, and X-SAMPA, its form in ASCII."""

import re
import unicodedata

_BRACKETS = {"/": "/", "[": "]", "(": ")"}
_MARKS = " .'’ʼ:|‖‿-~͜͡¡"
"""Beside letters and diacritics: borders of words and syllables, ties, clumsy stress and length."""
_CATEGORIES = frozenset({"Ll", "Lm", "Lo", "Mn", "Sk", "Nd"})
_LETTER_ABOVE_BLOCKS = "βθχⱱꜛꜜꞌ"

_SIBILANTS = "szʃʒɕʑʂʐ"
_VOICELESS = "ptkfθʈcqχxçħ"

# The longest first; a backslash or a quote may follow a letter to make another one of it.
_XSAMPA = {
    "_t": "̤", "_v": "̬", "_h": "ʰ", "_j": "ʲ", "_w": "ʷ", "_d": "̪", "_~": "̃", "_0": "̥",
    "_=": "̩", "_^": "̯", "_}": "̚", "_>": "ʼ", "_n": "ⁿ", "_l": "ˡ", "_G": "ˠ", "_?\\": "ˤ",
    "_k": "̰", "_a": "̺", "_m": "̻", "_N": "̼", "_r": "̝", "_o": "̞", "_A": "̘", "_q": "̙",
    "_+": "̟", "_-": "̠", '_"': "̈", "_x": "̽", "_O": "̹", "_c": "̜", "_e": "̴",
    "_T": "̋", "_H": "́", "_M": "̄", "_L": "̀", "_B": "̏", "_F": "̂", "_R": "̌",
    "d`": "ɖ", "h\\": "ɦ", "j\\": "ʝ", "l\\": "ɺ", "l`": "ɭ", "n`": "ɳ", "p\\": "ɸ", "r\\`": "ɻ",
    "r\\": "ɹ", "r`": "ɽ", "s\\": "ɕ", "s`": "ʂ", "t`": "ʈ", "x\\": "ɧ", "z\\": "ʑ", "z`": "ʐ",
    "b_<": "ɓ", "d_<": "ɗ", "g_<": "ɠ", "G\\_<": "ʛ", "J\\_<": "ʄ",
    "A": "ɑ", "B\\": "ʙ", "B": "β", "C": "ç", "D": "ð", "E": "ɛ", "F": "ɱ", "G\\": "ɢ", "G": "ɣ",
    "H\\": "ʜ", "H": "ɥ", "I\\": "ᵻ", "I": "ɪ", "J\\": "ɟ", "J": "ɲ", "K\\": "ɮ", "K": "ɬ",
    "L\\": "ʟ", "L": "ʎ", "M\\": "ɰ", "M": "ɯ", "N\\": "ɴ", "N": "ŋ", "O\\": "ʘ", "O": "ɔ",
    "P": "ʋ", "v\\": "ʋ", "Q": "ɒ", "R\\": "ʀ", "R": "ʁ", "S": "ʃ", "T": "θ", "U\\": "ᵿ", "U": "ʊ",
    "V": "ʌ", "W": "ʍ", "X\\": "ħ", "X": "χ", "Y": "ʏ", "Z": "ʒ", "g": "ɡ",
    '"': "ˈ", "%": "ˌ", ":\\": "ˑ", ":": "ː", "@\\": "ɘ", "@`": "ɚ", "@": "ə", "{": "æ", "}": "ʉ",
    "1": "ɨ", "2": "ø", "3\\": "ɞ", "3`": "ɝ", "3": "ɜ", "4": "ɾ", "5": "ɫ", "6": "ɐ", "7": "ɤ",
    "8": "ɵ", "9": "œ", "&": "ɶ", "?\\": "ʕ", "?": "ʔ", "<\\": "ʢ", ">\\": "ʡ", "^": "ꜛ",
    "!\\": "ǃ", "!": "ꜜ", "|\\|\\": "ǁ", "|\\": "ǀ", "||": "‖", "|": "|", "=\\": "ǂ", "=": "̩",
    "-\\": "‿", "-": "", "~": "̃", "`": "˞", "'": "ʲ", ".": ".", "#": " ",
}  # fmt: skip
_XSAMPA_TOKEN = re.compile(
    "|".join(map(re.escape, sorted(_XSAMPA, key=len, reverse=True))) + "|.", re.DOTALL
)


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


def from_xsampa(text: str) -> str:
    """X-SAMPA in IPA; what it does not know stays as it is."""
    return _XSAMPA_TOKEN.sub(lambda found: _XSAMPA.get(found.group(), found.group()), text)
