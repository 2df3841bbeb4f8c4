"""What the phonemes of an espeak-ng voice are called, read from the library's own data.

The library knows each phoneme by a mnemonic of up to four ASCII characters,
and can write it in the International Phonetic Alphabet, but not read it. Both
names are in its compiled data: ``phontab`` has a table of phonemes for each
language, which includes another language's or the base table, and
``phonindex`` has each phoneme's program, of which one instruction is its name
in IPA. Where there is none, the characters of the mnemonic stand for IPA each.
"""

import struct
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Set, Tuple

STRESS, VOWEL, NASAL, VIRTUAL = 1, 2, 8, 9
"""Types of phonemes; those between vowel and nasal are consonants."""

# The layout of the files, from espeak-ng's phoneme.h and synthdata.c.
_PHONEME = struct.Struct("<4s4xHBB4x")
_NAME_BYTES = 32
_RETURN, _CONTINUE = 0x0001, 0x0002
_IPA_NAME, _CALL, _SWITCH_VOWEL, _ADD_WAV = 0x0D00, 0x9100, (5, 6), 0xF
_WORDS = (0, 1, 0, 0, 1, 1, 0, 1, 1, 2, 4, 0, 0, 0, 0, 0)
"""Length of an instruction by its first four bits; 0: it depends."""
_MAX_WORDS = 400
"""Of a program; the longest has about 120."""

_ASCII_IPA = dict(
    zip(
        map(chr, range(32, 128)),
        ' !"ʰ$%æˈ()ɾ+ˌ-./ɒ12ɜ4567ɵ9ːʲ<=>ʔəɑβçðɛFɢħɪɟKɫɱŋɔ'
        "Φɣʀʃθʊʌœχøʒ̪\\]^_`abcdefɡhijklmnopqrstuvwxyz{|}̃\x7f",
    )
)
"""What a character of a mnemonic stands for where its phoneme has no name in IPA."""


class Phoneme(NamedTuple):
    """A phoneme of a table."""

    mnemonic: str
    type: int
    code: int
    inherited: int
    """How many tables away it is defined; 0: in the language's own."""
    names: Tuple[str, ...]
    """In IPA, the usual one first; none: it is never written."""


class _Entry(NamedTuple):
    mnemonic: bytes
    program: int
    """Index of its first word in ``phonindex``."""
    code: int
    type: int


class _Table(NamedTuple):
    included: int
    """Number of the table that this one includes, from 1; 0: none."""
    entries: List[_Entry]


class Tables:
    """All the library's tables of phonemes."""

    def __init__(self, data: Path) -> None:
        """``data``: the library's folder.

        Raises:
            OSError: the files cannot be read.
            LookupError, ValueError, struct.error: they are not as we know them.
        """
        self._tables = dict(_tables((data / "phontab").read_bytes()))
        self._numbered = list(self._tables)
        index = (data / "phonindex").read_bytes()
        self._words = struct.unpack(f"<{len(index) // 2}H", index[: len(index) // 2 * 2])

    def phonemes(self, table: str) -> List[Phoneme]:
        """The phonemes of the table of this name, with those it includes.

        Raises:
            LookupError, ValueError: there is no such table, or it is not as we know it.
        """
        by_code: Dict[int, Tuple[_Entry, int]] = {}
        for depth, name in reversed(list(enumerate(self._with_included(table)))):
            for entry in self._tables[name].entries:
                by_code[entry.code] = entry, depth
        return [self._phoneme(*by_code[code]) for code in sorted(by_code)]

    def _with_included(self, name: str) -> List[str]:
        """``name``, the table it includes, the one which that includes, …"""
        chain = [name]
        while self._tables[chain[-1]].included:
            chain.append(self._numbered[self._tables[chain[-1]].included - 1])
            if len(chain) > len(self._numbered):
                raise ValueError("tables include each other")
        return chain

    def _phoneme(self, entry: "_Entry", depth: int) -> Phoneme:
        mnemonic = entry.mnemonic.rstrip(b"\0").decode("ascii", "replace")
        names = _names(self._words, entry.program) if entry.program else []
        names = names or [_spelled(mnemonic, entry.type)]
        named = tuple(name for name in dict.fromkeys(names) if name)
        return Phoneme(mnemonic, entry.type, entry.code, depth, named)


def _tables(content: bytes) -> Iterator[Tuple[str, _Table]]:
    at = 4
    for _ in range(content[0]):
        count, included = content[at], content[at + 1]
        at += 4
        name = content[at : at + _NAME_BYTES].split(b"\0")[0].decode("ascii")
        at += _NAME_BYTES
        end = at + count * _PHONEME.size
        yield name, _Table(
            included, [_Entry(*fields) for fields in _PHONEME.iter_unpack(content[at:end])]
        )
        at = end


def _names(words: Tuple[int, ...], start: int) -> List[str]:
    """The names that a program gives its phoneme, in whatever surroundings.

    Conditions are not looked at: all branches are read, one after the other.
    """
    found: List[str] = []
    seen: Set[int] = set()
    calls = [start]
    while calls:
        at = calls.pop()
        if at in seen:
            continue
        seen.add(at)
        furthest, end = at, min(at + _MAX_WORDS, len(words))
        while at < end:
            word = words[at]
            length = _length(words, at)
            if word == _RETURN:
                if at >= furthest:
                    break
            elif word & 0xFF00 == _IPA_NAME:
                found.append(_unpacked(words[at + 1 : at + length], word & 0xFF))
            elif word & 0xFF00 == _CALL:
                calls.append(((word & 0xF) << 16) + words[at + 1])
            elif word >> 12 == 6 and length == 1:
                furthest = max(furthest, at + (word & 0xFF))
            elif word >> 12 in (11, 12) and words[at + 2] != _CONTINUE and at >= furthest:
                break  # a sound that nothing follows ends the program
            at += length
    return found


def _length(words: Tuple[int, ...], at: int) -> int:
    word = words[at]
    kind = word >> 12
    if _WORDS[kind]:
        return _WORDS[kind]
    if kind == 0:
        return 1 + ((word & 0xFF) + 1) // 2 if word & 0xFF00 == _IPA_NAME else 1
    if kind == 6:
        return 12 if (word & 0xF00) >> 9 in _SWITCH_VOWEL else 1
    if kind in (2, 3):
        return 2 if word & 0x0F00 in (0x600, 0xD00) else 1
    following = words[at + 2]
    if following >> 12 == _ADD_WAV:
        return 4
    return 3 if following == _CONTINUE else 2


def _unpacked(words: Tuple[int, ...], length: int) -> str:
    data = b"".join(struct.pack(">H", word) for word in words)[:length].rstrip(b"\0")
    # A first byte below a space says where a tie goes; a space, that there is no name.
    text = data.decode("utf-8", "replace").lstrip("".join(map(chr, range(32))))
    return "" if text.startswith(" ") else text


def _spelled(mnemonic: str, type_: int) -> str:
    if type_ == STRESS and mnemonic.isdigit():
        return mnemonic  # a tone, by its pitches
    ipa = ""
    for index, character in enumerate(mnemonic):
        if character == "/" or (character == "_" and index == 0):
            break
        if character == "#" and type_ == VOWEL:
            break
        if index and character.isdigit():
            continue
        ipa += _ASCII_IPA.get(character, "")
    return ipa
