"""A text with some of its parts in phonemes, as espeak-ng reads it, and the way back."""

import re
from bisect import bisect_right
from typing import Iterable, List, NamedTuple, Optional, Tuple

from auto_voice.engines.engine import Phonemes
from auto_voice.engines.espeak_phonemes import Phonology

_CLAUSE_BYTES = 700
"""Beyond 725 bytes without a pause the library cuts the text anywhere, in phonemes, too."""
_PAUSE = re.compile(r"[.!?,;:…][\s]")


class _Part(NamedTuple):
    start: int
    """Index in `LibraryText.text`."""
    end: int
    own_start: int
    """Index in the utterance's text."""
    own_end: int
    phonemes: bool


class LibraryText:
    """What the library is given for a text.

    Phonemes stand in double brackets, with a space on either side: next to some
    punctuation the library overlooks them otherwise, and the punctuation after
    them. The text's own double brackets are taken apart.
    """

    def __init__(self, text: str, phonemes: Iterable[Phonemes], phonology: Phonology) -> None:
        """Phonemes that lie outside the text or in others, or of which nothing is left in this
        language, and those too far into a clause, are left out: then the text is read."""
        self._parts: List[_Part] = []
        self._written: List[str] = []
        self._length = self._clause_bytes = at = 0
        for part in phonemes:
            if not at <= part.start < part.end <= len(text):
                continue
            mnemonics = phonology.mnemonics(part.ipa)
            self._plain(text, at, part.start)
            at = part.start
            if mnemonics and self._clause_bytes + len(mnemonics) + 8 < _CLAUSE_BYTES:
                self._add(f" [[{mnemonics}]] ", part.start, part.end, True)
                at = part.end
        self._plain(text, at, len(text))
        self._starts = [part.start for part in self._parts]
        self.text = "".join(self._written)
        self.has_phonemes = any(part.phonemes for part in self._parts)

    def own(self, start: int, length: int) -> Optional[Tuple[int, int]]:
        """Where in the utterance's text a word is that the library says is at ``start``.

        None where it is not the first word of its phonemes.
        """
        number = max(bisect_right(self._starts, start) - 1, 0)
        if not self._parts:
            return 0, 0
        part = self._parts[number]
        if not part.phonemes:
            low = min(part.own_start + start - part.start, part.own_end)
            return low, min(low + length, part.own_end)
        # The mnemonics begin after a space and two brackets, and their first word after its
        # stress, which the library takes for a mark before it.
        is_first = " " not in self.text[part.start + 3 : start]
        return (part.own_start, part.own_end) if is_first else None

    def _plain(self, text: str, start: int, end: int) -> None:
        plain = text[start:end].replace("[[", "[ ").replace("]]", "] ")
        if plain:
            self._add(plain, start, end, False)

    def _add(self, written: str, own_start: int, own_end: int, phonemes: bool) -> None:
        end = self._length + len(written)
        self._parts.append(_Part(self._length, end, own_start, own_end, phonemes))
        self._written.append(written)
        self._length = end
        pauses = [] if phonemes else list(_PAUSE.finditer(written))
        if pauses:
            self._clause_bytes = len(written[pauses[-1].end() :].encode("utf-8", "replace"))
        else:
            self._clause_bytes += len(written.encode("utf-8", "replace"))
