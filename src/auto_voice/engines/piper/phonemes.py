"""A text into phonemes, as Piper's voices have learnt them.

For most voices espeak-ng makes them, clause by clause: its phonemes in IPA, and the punctuation
that ended the clause. Others take the letters of the text themselves. Either way a phoneme is one
character, decomposed (NFD).
"""

import ctypes
import re
import unicodedata
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from auto_voice.engines.engine import Utterance
from auto_voice.engines.espeak_library import (
    CHARS_UTF8,
    COMMANDS,
    IPA,
    LANGUAGE_FLAGS,
    PHONEMES,
    EspeakLibrary,
)
from auto_voice.engines.espeak_text import LibraryText
from auto_voice.engines.piper.words import Place, WordFinder
from auto_voice.errors import VoiceUnavailable

# What espeak-ng ends a clause at, by what Piper makes of it. A sentence ends at the first two.
_ENDS = {
    ".": ".۔።᙮᠃᠉︒﹒｡",
    "!": "!‼❕❗︕﹗",
    "?": "?;؟፧⁇❓❔︖﹖",
    ",": ",،՝፣᠂︐︑﹐﹑､",
    ":": ":፥፦᠄︓﹕",
    ";": ";·؛፤–—⁏⸺⸻︔﹔",
}
_MARKS: Dict[str, str] = {mark: end for end, marks in _ENDS.items() for mark in marks}
# These end a sentence, or a clause, of which nothing is told to the network.
_MARKS.update(dict.fromkeys("։।॥෴。．！？", "\n"))
_MARKS.update(dict.fromkeys("、，：；", ""))
_MARKS.update(dict.fromkeys("…⋯", " "))
_MARK = "[" + re.escape("".join(_MARKS)) + "]"
# espeak-ng has read one character beyond the mark and the white space after it.
_END_OF_CLAUSE = re.compile(f"({_MARK})[^\\w]*\\w?$")
_END_OF_TEXT = re.compile(f"({_MARK})[^\\w]*$")
_PARAGRAPH = re.compile(r"\n\s*\n\s*\S?$")

BEGIN, END, PAD = "^", "$", "_"
"""Symbols for the network around a sentence, and between its phonemes."""


class Sentence(NamedTuple):
    """What is computed at a time."""

    phonemes: str
    """One character each."""
    places: Tuple[Place, ...] = ()
    """Where its words begin, in order, if that was asked for."""
    clauses: Tuple[int, ...] = ()
    """Where its clauses end: indices of the phonemes after them."""
    goes_on: bool = False
    """Whether it goes on with the next one, without a pause."""


def numbers(
    phonemes: str, ids: Mapping[str, Sequence[int]], replaced: Mapping[str, Sequence[str]]
) -> Tuple[List[int], List[int]]:
    """The network's numbers for phonemes, and for each phoneme the index of its first one.

    What the network does not know is left out.
    """
    pad = list(ids.get(PAD, ()))
    found = [*ids.get(BEGIN, ()), *pad]
    starts = []
    for phoneme in phonemes:
        starts.append(len(found))
        for symbol in replaced.get(phoneme, (phoneme,)):
            own = ids.get(symbol)
            if own is not None:
                found.extend(own)
                found.extend(pad)
    found.extend(ids.get(END, ()))
    return found, starts


class TextPhonemes:
    """The letters themselves."""

    def sentences(self, utterance: Utterance) -> List[Sentence]:
        """The text as one sentence; nothing if there is nothing to say."""
        phonemes: List[str] = []
        places: List[Place] = []
        clauses: List[int] = []
        before = " "
        for index, character in enumerate(utterance.text.translate(COMMANDS)):
            if utterance.timestamps and character.isalnum() and not _is_letter(before):
                places.append(Place(len(phonemes), index, _end_of_word(utterance.text, index)))
            before = character
            phonemes.extend(unicodedata.normalize("NFD", character))
            if character in _MARKS:
                clauses.append(len(phonemes))
        if not any(map(_is_letter, phonemes)):
            return []
        return [Sentence("".join(phonemes), tuple(places), tuple(clauses))]


class EspeakPhonemes:
    """espeak-ng's phonemes."""

    def __init__(self, library: EspeakLibrary) -> None:
        self._espeak = library
        self._functions = library.functions
        self._functions.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._words = WordFinder(library)
        # A voice's first tag is its own; the others it only speaks, too.
        self._files: Dict[str, str] = {}
        listed = library.list(None)
        for number in range(max(len(voice.tags) for voice in listed)):
            for voice in listed:
                for _, tag in voice.tags[number : number + 1]:
                    self._files.setdefault(tag, voice.identifier)

    def sentences(self, utterance: Utterance, voice: str) -> List[Sentence]:
        """The sentences of a text; ``voice``: espeak-ng's.

        Raises:
            VoiceUnavailable: espeak-ng has no such voice.
        """
        self._espeak.claim(self)
        if self._functions.espeak_SetVoiceByName(voice.encode()) != 0:
            raise VoiceUnavailable(f"espeak-ng has no voice {voice!r} to make phonemes with")
        text = utterance.text.translate(COMMANDS)
        marked = self._marked(text, utterance, voice)
        read = marked.text if marked else text
        flags = CHARS_UTF8 | (PHONEMES if marked else 0)
        self._words.prepare(flags)
        sentences: List[str] = []
        current = ""
        clauses: List[List[int]] = [[]]
        for clause, end in self._clauses(read, flags):
            phonemes = unicodedata.normalize("NFD", LANGUAGE_FLAGS.sub("", clause))
            if phonemes.strip():
                current += phonemes
                if end in (".", "!", "?"):
                    current += end
                elif end in (",", ":", ";"):
                    current += end + " "
                elif end == " ":
                    current += end
                clauses[-1].append(len(current))
            if end in (".", "!", "?", "\n") and current:
                sentences.append(current)
                current = ""
                clauses.append([])
        if current:
            sentences.append(current)
        places: List[Tuple[Place, ...]] = [() for _ in sentences]
        if utterance.timestamps:
            places = self._words.places(read, flags, sentences, marked, len(text))
        return [Sentence(*parts) for parts in zip(sentences, places, map(tuple, clauses))]

    def _clauses(self, text: str, flags: int) -> List[Tuple[str, str]]:
        """Phonemes of each clause, and how it ended: a symbol, or "\\n" for a sentence's end."""
        data = text.encode("utf-8", "replace")
        # The library reads a little beyond the end.
        buffer = ctypes.create_string_buffer(data + bytes(8))
        base = ctypes.addressof(buffer)
        at = ctypes.c_void_p(base)
        found = []
        before = 0
        while at.value:
            phonemes = self._functions.espeak_TextToPhonemes(ctypes.byref(at), flags, IPA)
            end = at.value - base if at.value else len(data)
            if at.value and end <= before and not phonemes:
                break  # it does not get any further
            span = data[before:end].decode("utf-8", "replace")
            found.append(((phonemes or b"").decode("utf-8", "replace"), _ended(span, not at.value)))
            before = end
        return found

    def _marked(self, text: str, utterance: Utterance, voice: str) -> Any:
        file = self._files.get(voice.lower())
        if not utterance.phonemes or file is None:
            return None
        phonology = self._espeak.phonology(file)
        if phonology is None:
            return None
        marked = LibraryText(text, utterance.phonemes, phonology)
        return marked if marked.has_phonemes else None


def _ended(span: str, last: bool) -> str:
    """How the clause ended that espeak-ng has read ``span`` for."""
    mark = (_END_OF_TEXT if last else _END_OF_CLAUSE).search(span)
    if mark is not None:
        # Dots in a row are an ellipsis, and no sentence ends there.
        if mark.group(1) == "." and span[mark.end(1) : mark.end(1) + 1] == ".":
            return " "
        return _MARKS[mark.group(1)]
    return "\n" if _PARAGRAPH.search(span) else ""


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.combining(character) > 0


def _end_of_word(text: str, index: int) -> int:
    while index < len(text) and (_is_letter(text[index]) or text[index] in "'’"):
        index += 1
    return index
