"""Text into phonemes for models that have no lexicon, by espeak-ng.

sherpa-onnx 2 has no phonemizer of its own. espeak-ng leaves out punctuation, which models hear as
intonation and pauses; so a text is given to it clause by clause.
"""

import ctypes
import re
import unicodedata
from typing import FrozenSet, Iterator, List, NamedTuple, Tuple

from auto_voice.engines.espeak_library import (
    CHARS_UTF8,
    COMMANDS,
    IPA,
    LANGUAGE_FLAGS,
    EspeakLibrary,
)
from auto_voice.errors import VoiceUnavailable

MAX_PHONEMES = 150
"""In a piece that a model says in one go: Kokoro and Kitten end the process past some 500."""
_GOOD_PHONEMES = 100
"""From here on a piece ends with its clause: 5 to 8 s, after which one can be interrupted."""

_WIDE = str.maketrans("，。！？；：、؟،", ",.!?;:,?,")
_CLAUSE = re.compile(
    r"([^,;:.!?…—]"
    # Within a number or an abbreviation, but not where a space was forgotten.
    r"|[,;:.!?…](?=[^\s,;:.!?…\"'”’»)\]])(?!(?<=[a-z].)[A-Z])"
    r")+|[,;:.!?…—]+"
)
_SENTENCE_ENDS = ".!?…"


class Phonemizer:
    """espeak-ng, used for nothing but its phonemes."""

    def __init__(self) -> None:
        """
        Raises:
            MissingDependency, EngineFailed
        """
        self._espeak = EspeakLibrary()
        self._library = self._espeak.functions
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._voice = ""

    def clauses(self, text: str, voice: str) -> Iterator[str]:
        """Phonemes in IPA of each clause, with the mark that ends it.

        Raises:
            VoiceUnavailable: espeak-ng has no such voice.
        """
        if not self._espeak.claim(self) or voice != self._voice:
            self._voice = ""
            if self._library.espeak_SetVoiceByName(voice.encode("utf-8", "replace")) != 0:
                raise VoiceUnavailable(f"espeak-ng has no voice {voice[:60]!r} for phonemes.")
            self._voice = voice
        said = ""
        for match in _CLAUSE.finditer(text.translate(COMMANDS).translate(_WIDE)):
            part = match.group()
            if part[0] not in ",;:.!?…—":
                said += self._spoken(part)
            elif said:
                yield said + part[0]
                said = ""
        if said:
            yield said

    def _spoken(self, text: str) -> str:
        pointer = ctypes.c_char_p(text.encode("utf-8", "replace"))
        found = []
        while pointer.value:
            phonemes = self._library.espeak_TextToPhonemes(ctypes.byref(pointer), CHARS_UTF8, IPA)
            found.append(LANGUAGE_FLAGS.sub("", phonemes.decode("utf-8", "replace")).strip())
        return " ".join(filter(None, found))


def read_symbols(tokens: str) -> FrozenSet[str]:
    """The symbols of a model, given its ``tokens.txt``: a symbol and its number a line."""
    symbols = set()
    for line in tokens.splitlines():
        symbol, _, number = line.rpartition(" ")
        if number:
            symbols.add(symbol or " ")
    return frozenset(symbols)


class Piece(NamedTuple):
    """What a model says in one go."""

    codes: List[int]
    """Code points of phonemes."""
    ends_sentence: bool
    """Whether a reader would breathe after it."""


def pieces(clauses: Iterator[str], symbols: FrozenSet[str]) -> Iterator[Piece]:
    """Clauses in pieces of symbols that a model knows, each a sentence where it is not too long."""
    codes: List[int] = []
    for clause in clauses:
        known = _known(clause, symbols)
        if not any(chr(code).isalpha() for code in known):
            continue
        if codes and len(codes) + len(known) > _GOOD_PHONEMES:
            yield Piece(codes, False)
            codes = []
        elif codes and " " in symbols:
            codes.append(ord(" "))
        while len(known) > MAX_PHONEMES:
            head, known = _cut(known)
            yield Piece(head, False)
        codes += known
        if clause[-1] in _SENTENCE_ENDS:
            yield Piece(codes, True)
            codes = []
    if codes:
        yield Piece(codes, False)


def _known(text: str, symbols: FrozenSet[str]) -> List[int]:
    known: List[int] = []
    for char in unicodedata.normalize("NFC", text):
        # Some models know "ç" as one symbol, others as a letter and a mark.
        parts = char if char in symbols else unicodedata.normalize("NFD", char)
        known += [ord(part) for part in parts if part in symbols]
    return known


def _cut(codes: List[int]) -> Tuple[List[int], List[int]]:
    """As much as fits, up to a space if there is one."""
    for at in range(MAX_PHONEMES, MAX_PHONEMES // 2, -1):
        if codes[at] == ord(" "):
            return codes[:at], codes[at + 1 :]
    return codes[:MAX_PHONEMES], codes[MAX_PHONEMES:]
