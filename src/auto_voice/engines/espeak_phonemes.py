"""From the International Phonetic Alphabet to espeak-ng's mnemonics.

The longest name that a voice has a phoneme for is taken, so that tʃ is one
sound where the language has it as one. What the voice lacks becomes the nearest
that it has, in the order of `_NEAREST`; what has nothing near it is left out.
The result consists of the library's own mnemonics and of nothing else, whatever
the IPA holds: it cannot end the phonemes or be a command.
"""

import re
import unicodedata
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Tuple

from auto_voice.engines import espeak_tables
from auto_voice.engines.espeak_tables import Phoneme

MAX_PHONEMES = 100
"""In a word. The library counts to 200, but does not look."""

_PRIMARY, _SECONDARY, _LENGTH, _SYLLABIC = "ˈ", "ˌ", "ː", "\u0329"
_MARKS = {_PRIMARY: "'", _SECONDARY: ",", _LENGTH: ":", _SYLLABIC: "-", "ʲ": ";"}
_UNUSABLE = re.compile(r"^_|^['%,=|*]|[^!-~]|[\]|]|^$|^#.|^@L$")
"""Mnemonics that are marks of their own, switch the language, or would end the phonemes."""

_SAME = str.maketrans(
    {
        "g": "ɡ",
        ":": _LENGTH,
        "'": _PRIMARY,
        "ʹ": _PRIMARY,
        "’": "ʼ",
        "ʦ": "ts",
        "ʣ": "dz",
        "ʧ": "tʃ",
        "ʤ": "dʒ",
        "ʨ": "tɕ",
        "ʥ": "dʑ",
        "ɷ": "ʊ",
        "ɩ": "ɪ",
        "\u030d": _SYLLABIC,  # above the letter, where there is no room below
        "˥": "5",
        "˦": "4",
        "˧": "3",
        "˨": "2",
        "˩": "1",
        # Ties: what they join is found as one anyway, if the voice has it as one.
        "\u0361": None,
        "\u035c": None,
        "\u200d": None,
        "\u0311": None,
    }
)
"""Other ways to write the same."""

_NEAREST = {
    "əʊ": ("oʊ", "əu", "ou", "o"),
    "oʊ": ("əʊ", "ou", "o"),
    "ɪə": ("iə", "ɪɹ"),
    "eə": ("ɛː", "ɛə", "ɛɹ"),
    "eɪ": ("ei", "ɛɪ"),
    "aɪ": ("ai", "aj"),
    "aʊ": ("au", "aw"),
    "ɔɪ": ("ɔi", "ɔø", "oi"),
    "ɔʏ": ("ɔø", "ɔɪ", "ɔi"),
    "ɜː": ("œː", "øː", "ə"),
    "ɝː": ("ɜː", "əɹ"),
    "ɑː": ("aː", "ɑ", "a"),
    "iː": ("i",),
    "uː": ("u",),
    "ɔː": ("oː", "ɔ", "o"),
    "pf": ("pf", "f"),
    "a": ("aː", "ɐ", "æ", "ɑ", "ɑː"),
    "ɑ": ("ɑː", "a", "ɒ", "aː"),
    "ɒ": ("ɔ", "ɑː", "ɑ", "o"),
    "æ": ("a", "ɛ"),
    "ɐ": ("ə", "a", "ɜ"),
    "ɜ": ("ɜː", "ə", "œ", "ɛ"),
    "ɝ": ("ɜː", "əɹ", "œ"),
    "ɚ": ("əɹ", "ɐ", "ə"),
    "ə": ("ɐ", "ɜ", "e", "ɛ", "a"),
    "ɘ": ("ə", "e"),
    "ɞ": ("ɜ", "œ", "ə"),
    "ɵ": ("ø", "ə", "o"),
    "ɤ": ("o", "ʌ", "ɔ"),
    "e": ("eː", "ɛ", "eɪ"),
    "ɛ": ("e", "æ"),
    "ɪ": ("i", "iː", "ɨ"),
    "i": ("iː", "ɪ"),
    "ɨ": ("ɪ", "i", "y"),
    "ᵻ": ("ɪ", "ɨ", "i"),
    "ᵿ": ("ʊ", "u"),
    "ʉ": ("u", "y", "uː"),
    "ɯ": ("ɨ", "u", "ɪ"),
    "ʊ": ("u", "uː", "ɔ"),
    "u": ("uː", "ʊ"),
    "o": ("oː", "ɔ", "oʊ"),
    "ɔ": ("ɔː", "o", "ɒ"),
    "ʌ": ("ɐ", "a", "ə"),
    "y": ("yː", "ʏ", "ju", "i"),
    "ʏ": ("y", "ɪ"),
    "ø": ("øː", "œ", "ɵ", "ɜː", "e"),
    "œ": ("ø", "ɜː", "ɜ", "ɛ"),
    "ɶ": ("œ", "a"),
    "ɹ": ("ɻ", "r", "ɾ", "ʁ", "ʀ"),
    "ɻ": ("ɹ", "r", "ɾ"),
    "r": ("ɾ", "ɹ", "ʁ", "ʀ"),
    "ɾ": ("r", "ɹ", "d"),
    "ʁ": ("ʀ", "ɣ", "r", "ɹ"),
    "ʀ": ("ʁ", "r", "ɹ"),
    "ɽ": ("ɾ", "r", "ɖ"),
    "ɫ": ("l",),
    "l": ("ɫ",),
    "ɭ": ("l",),
    "ʎ": ("lj", "l"),
    "ɬ": ("ʃ", "l"),
    "ɮ": ("ʒ", "l"),
    "ʟ": ("l",),
    "ɲ": ("nj", "n"),
    "ŋ": ("n",),
    "ɱ": ("m",),
    "ɳ": ("n",),
    "ɴ": ("ŋ", "n"),
    "θ": ("s", "t"),
    "ð": ("d", "z"),
    "ɸ": ("f", "Φ", "h"),
    "β": ("v", "b"),
    "ʋ": ("v", "w"),
    "v": ("ʋ", "f"),
    "w": ("ʋ", "v", "u"),
    "ʍ": ("hw", "w"),
    "ɥ": ("j", "y"),
    "ɰ": ("ɣ", "w"),
    "ç": ("ʃ", "x"),
    "ʝ": ("j",),
    "x": ("χ", "h", "k"),
    "ɣ": ("ɡ", "ʁ"),
    "χ": ("x", "h"),
    "ħ": ("h",),
    "ʕ": ("ʔ", "a"),
    "ʜ": ("h",),
    "ɦ": ("h",),
    "h": ("x",),
    "ʃ": ("ʂ", "ɕ", "s"),
    "ʒ": ("ʐ", "ʑ", "z"),
    "ʂ": ("ʃ", "s"),
    "ʐ": ("ʒ", "z"),
    "ɕ": ("ʃ", "s"),
    "ʑ": ("ʒ", "z"),
    "ɧ": ("ʃ", "x"),
    "z": ("s",),
    "tɕ": ("tʃ", "ts"),
    "dʑ": ("dʒ", "dz"),
    "tʂ": ("tʃ",),
    "dʐ": ("dʒ",),
    "ʈ": ("t",),
    "ɖ": ("d",),
    "c": ("kj", "k"),
    "ɟ": ("ɡj", "ɡ"),
    "q": ("k",),
    "ɢ": ("ɡ",),
    "ɡ": ("g", "k"),
    "ɓ": ("b",),
    "ɗ": ("d",),
    "ʄ": ("ɟ", "j"),
    "ɠ": ("ɡ",),
    "ʛ": ("ɡ",),
    "ʙ": ("b",),
    "ʔ": (),
    "ʰ": (),
    "ʲ": (),
    "ʷ": ("w",),
}
"""Sound to those that come nearest, the best first."""


class Phonology:
    """The sounds of one of the library's phoneme tables."""

    def __init__(self, phonemes: Iterable[Phoneme]) -> None:
        phonemes = list(phonemes)
        self._mnemonics = frozenset(phoneme.mnemonic for phoneme in phonemes)
        """All there are: what the library takes a sequence of characters for."""
        self._by_name: Dict[str, str] = {}
        best: Dict[str, Tuple[int, ...]] = {}
        for phoneme in phonemes:
            if phoneme.type in (0, 14, 15) or _UNUSABLE.search(phoneme.mnemonic):
                continue
            for rank, name in enumerate(phoneme.names):
                name = _normal(name)
                merit = _merit(phoneme, rank)
                if name and (name not in best or merit < best[name]):
                    best[name] = merit
                    self._by_name[name] = phoneme.mnemonic
        own_r = next((phoneme for phoneme in phonemes if phoneme.mnemonic == "r"), None)
        if own_r is not None and "r" not in own_r.names:
            # Who writes r for English or French means theirs, not a trill.
            self._by_name["r"] = "r"
        self._by_name.update((mark, own) for mark, own in _MARKS.items())
        self._longest = max(map(len, self._by_name))

    def mnemonics(self, ipa: str) -> str:
        """``ipa`` in mnemonics, words apart by a space; empty where nothing of it is left."""
        words = (self._word(_normal(word)) for word in ipa.split())
        return " ".join(word for word in words if word.strip("',:-"))

    def _word(self, ipa: str) -> str:
        found: List[str] = []
        at = 0
        while at < len(ipa) and len(found) < MAX_PHONEMES:
            mnemonics, length = self._longest_at(ipa, at)
            found += mnemonics
            at += length
        return self._joined(found[:MAX_PHONEMES])

    def _longest_at(self, ipa: str, at: int) -> Tuple[List[str], int]:
        """The mnemonics of as much as can be taken at once, and how much that is."""
        for length in range(min(self._longest, len(ipa) - at), 0, -1):
            part = ipa[at : at + length]
            own = self._by_name.get(part)
            if own is not None:
                return [own], length
            for near in _NEAREST.get(part, ()):
                replaced = self._exactly(_normal(near))
                if replaced is not None:
                    return replaced, length
        return [], 1

    def _exactly(self, ipa: str) -> Optional[List[str]]:
        """The mnemonics of a sequence whose every sound is there, or None."""
        whole = self._by_name.get(ipa)
        if whole is not None:
            return [whole]
        each = [self._by_name.get(symbol) for symbol in ipa]
        return [own for own in each if own] if all(each) else None

    def _joined(self, mnemonics: List[str]) -> str:
        """One after the other, with a bar where the library would see a longer one."""
        text = ""
        for own in reversed(mnemonics):
            bar = "|" if text and self._read(own + text) != own else ""
            text = own + bar + text
        return text

    def _read(self, text: str) -> str:
        """The mnemonic that the library finds at the start of ``text``."""
        for length in (4, 3, 2):
            if text[:length] in self._mnemonics:
                return text[:length]
        return text[:1]


def table_of(voice_file: Path) -> str:
    """The name of the table that the voice which the file describes takes its phonemes from."""
    table = language = ""
    for line in voice_file.read_text(encoding="utf-8", errors="replace").splitlines():
        key, *values = line.split() or [""]
        if key == "phonemes" and values:
            table = values[0]
        elif key == "language" and values and not language:
            language = values[0].split("-")[0]
    return table or language


def _normal(ipa: str) -> str:
    decomposed = unicodedata.normalize("NFD", ipa).translate(_SAME)
    return decomposed.translate(_SAME)  # ʧ and the like have become two


def _merit(phoneme: Phoneme, rank: int) -> Tuple[int, ...]:
    """Of several phonemes with one name the least is taken: the plainest."""
    variant = any(character in "/-0123456789" for character in phoneme.mnemonic[1:])
    virtual = phoneme.type == espeak_tables.VIRTUAL
    return (virtual, rank, variant, phoneme.inherited, len(phoneme.mnemonic), phoneme.code)
