"""A user's dictionary: how words are said, by another spelling or by IPA.

A text is looked through once, token by token, in a tree of the entries' tokens,
and the longest entry that fits is taken. There are no patterns, so no entry can
be slow, and the time does not depend on how many entries there are.
"""

import hashlib
import sys
import unicodedata
from itertools import accumulate, groupby
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

import msgspec

from auto_voice.errors import InvalidLexicon
from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.edits import touch
from auto_voice.text.ipa import possessive
from auto_voice.text.lexicon_entry import Entry, checked, checked_language, plain
from auto_voice.text.words import folded, is_border, tokens

MAX_ENTRIES = 10_000
MAX_PER_WORD = 50
"""Entries for one word, in as many languages."""

_Node = Dict[str, "_Place"]


class _Place:
    """A place in the tree: where a sequence of tokens leads to."""

    __slots__ = ("next", "entries")

    def __init__(self) -> None:
        self.next: _Node = {}
        self.entries: List[Entry] = []
        """Those whose word ends here, the most particular first."""


class Lexicon:
    """Entries, ready to be applied. Immutable; safe for threads."""

    def __init__(self, entries: Iterable[Entry] = (), language: Optional[str] = None) -> None:
        """``language``: BCP 47 tag that the entries without one of their own are for.

        Raises:
            InvalidLexicon: an entry is wrong, is there twice, or there are too many.
        """
        self.language = checked_language(language) if language else None
        found: Dict[Tuple[object, ...], Entry] = {}
        per_word: Dict[object, int] = {}
        for number, entry in enumerate(entries, 1):
            if number > MAX_ENTRIES:
                raise InvalidLexicon(f"A lexicon has at most {MAX_ENTRIES} entries.")
            try:
                entry = checked(entry)
            except InvalidLexicon as error:
                raise InvalidLexicon(
                    f"Entry {number} ({entry.word[:40]!r}): {error.message}", param=error.param
                ) from None
            if found.setdefault(entry.key, entry) is not entry:
                raise InvalidLexicon(f"Entry {number} ({entry.word[:40]!r}) is there twice.")
            same = per_word[entry.key[0]] = per_word.get(entry.key[0], 0) + 1
            if same > MAX_PER_WORD:
                raise InvalidLexicon(f"{entry.word!r} has more than {MAX_PER_WORD} entries.")
        self.entries: Tuple[Entry, ...] = tuple(found[key] for key in sorted(found, key=repr))
        """In an order of their own, whatever order they came in."""
        content = msgspec.json.encode((self.language, self.entries))
        self.digest: str = hashlib.sha256(content).hexdigest()
        """The same for the same entries, in whatever order they came."""
        self._tree: Optional[_Node] = None
        """Made when it is first needed: who only looks at a lexicon needs none."""

    def apply(self, said: Aligned, language: str) -> Aligned:
        """What is said by this lexicon instead.

        Settled pieces stay as they are, and no word reaches across one.

        Args:
            language: BCP 47 tag of the text.
        """
        if not self.entries:
            return said
        if self._tree is None:
            self._tree = self._planted()
        changed = False
        pieces: List[Piece] = []
        runs = list(_runs(said.pieces))
        for index, (run, settled) in enumerate(runs):
            if settled:
                pieces += run
                continue
            before = runs[index - 1][0][-1].text[-1] if index else ""
            after = runs[index + 1][0][0].text[0] if index + 1 < len(runs) else ""
            part = Aligned(run)
            replaced = list(self._replaced(self._tree, part, language.lower(), before, after))
            changed = changed or bool(replaced)
            pieces += _with(run, replaced) if replaced else run
        return Aligned(pieces) if changed else said

    def _planted(self) -> _Node:
        root: _Node = {}
        for entry in self.entries:
            node = root
            for token in folded(tokens(entry.word)):
                place = node.setdefault(token, _Place())
                node = place.next
            place.entries.append(entry)
        for place in _places(root):
            place.entries.sort(key=_particularity)
        return root

    def _replaced(
        self, tree: _Node, part: Aligned, language: str, before: str, after: str
    ) -> Iterator[Tuple[int, int, Piece]]:
        """Index in the part's text, index after it, and what is said there instead."""
        text = part.text
        found = tokens(text)
        words = folded(found)
        if tree.keys().isdisjoint(words):
            return
        borders = [0, *accumulate(map(len, found))]
        # The neighbours tell whether a word at an end of the part is whole.
        around = before + text + after
        said_before = (0, before)  # up to which index in the text, and what was said there last
        index = 0
        while index < len(words):
            first = index
            index += 1
            if words[first] not in tree:
                continue
            start = borders[first]
            if not is_border(around, start + len(before), language):
                continue
            best: Optional[Entry] = None
            for last, place in _walk(tree, words, first):
                end = borders[last]
                if place.entries and is_border(around, end + len(before), language):
                    entry = self._fitting(place.entries, text[start:end], language)
                    if entry is not None:
                        best, index = entry, last
            if best is None:
                continue
            end = borders[index]
            said, ipa = best.say or text[start:end], best.ipa
            if ipa is not None and language.startswith("en") and words[index : index + 2] == _S:
                # "Anna's": the ending is part of the sound, and would be spelled after phonemes.
                index += 2
                end = borders[index]
                said, ipa = said + "'s", possessive(ipa)
            # A sign needs no space beside it ("C++17"), but what is said for it does.
            neighbour = said_before[1] if said_before[0] == start else text[start - 1]
            if _is_sign(text[start]) and touch(neighbour, said):
                said = f" {said}"
            if _is_sign(text[end - 1]) and touch(said, around[end + len(before) :][:1]):
                said += " "
            said_before = end, said
            yield start, end, Piece(said, *part.written(start, end), settled=True, ipa=ipa)

    def _fitting(self, entries: List[Entry], written: str, language: str) -> Optional[Entry]:
        for entry in entries:
            wanted = entry.language or self.language
            if wanted is not None and not _speaks(language, wanted):
                continue
            if not entry.case_sensitive or entry.word == plain(written):
                return entry
        return None


_S = ["'", "s"]


def _walk(tree: _Node, words: List[str], index: int) -> Iterator[Tuple[int, _Place]]:
    """The places that the words from ``index`` on lead to, each with the index after its word."""
    while index < len(words):
        place = tree.get(words[index])
        if place is None:
            return
        index += 1
        yield index, place
        tree = place.next


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "SP"


def _speaks(language: str, wanted: str) -> bool:
    """Whether ``wanted`` is ``language`` or a prefix of whole subtags."""
    return language == wanted or language.startswith(wanted + "-")


def _particularity(entry: Entry) -> Tuple[int, bool]:
    return -len(entry.language or ""), not entry.case_sensitive


def _places(node: _Node) -> Iterator[_Place]:
    waiting = [node]
    while waiting:
        for place in waiting.pop().values():
            yield place
            waiting.append(place.next)


def _runs(pieces: Tuple[Piece, ...]) -> Iterator[Tuple[List[Piece], bool]]:
    """Neighbouring pieces that are all settled, or all not."""
    for settled, run in groupby(pieces, lambda piece: piece.settled or piece.ipa is not None):
        yield list(run), settled


def _with(run: List[Piece], replaced: List[Tuple[int, int, Piece]]) -> Iterator[Piece]:
    """The run with what is said in place of some of its parts."""
    waiting = iter([*replaced, (sys.maxsize, sys.maxsize, None)])
    start, end, instead = next(waiting)
    at = 0
    for piece in run:
        low, high = 0, len(piece.text)
        while low < high:
            if at + low < start:
                stop = min(high, start - at)
                yield piece.part(low, stop) if stop - low < len(piece.text) else piece
                low = stop
            else:
                if instead is not None and at + low == start:
                    yield instead
                low = min(high, end - at)
                if at + low == end:
                    start, end, instead = next(waiting)
        at += high
