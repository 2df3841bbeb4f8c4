"""When each word is heard, and where it stands in the client's own text."""

import array
import re
import sys
import threading
from typing import List, Optional, Sequence, Tuple

import msgspec

from auto_voice.engines.engine import Word
from auto_voice.text.plan import Line

_QUIET = 330
"""A sample below this, 1 % of full scale, is silence."""
_LEAST_PAUSE_S = 0.02
"""Shorter silence belongs to the word before it: a stop consonant has some, too."""
_REST_OF_WORD = re.compile(r"[\w'’‑-]*\w")
_PUNCTUATION = " ,.;:!?"
_WORD = re.compile(r"\w(?:[\w'’‑-]*\w)?")
_STEP_S = 0.0025
"""How exactly the end of a word is looked for."""


class TimedWord(msgspec.Struct, frozen=True):
    """A word of the client's text, and when it is heard."""

    word: str
    """As the client wrote it."""
    start_ms: int
    """Milliseconds from the begin of the answer's audio."""
    end_ms: int
    char_start: int
    """Index of its first character in the client's text."""
    char_end: int
    """Index after its last one."""


class TimedMark(msgspec.Struct, frozen=True):
    """A place that the client's markup gave a name, and when it is reached."""

    name: str
    time_ms: int


class Timings:
    """All that is known so far of one answer; grows while it is made.

    Two may make the same answer at once, where one of its readers has fallen behind. Both tell the
    same, so what has been told is not added again.
    """

    def __init__(
        self, words: Optional[List[TimedWord]] = None, marks: Optional[List[TimedMark]] = None
    ) -> None:
        self.words = words or []
        self.marks = marks or []
        self._lock = threading.Lock()

    def add_words(self, words: Sequence[TimedWord]) -> None:
        """Words in the order in which they are heard."""
        with self._lock:
            for word in words:
                last = self.words[-1] if self.words else None
                if last is None or (word.start_ms, word.end_ms) > (last.start_ms, last.end_ms):
                    self.words.append(word)

    def add_mark(self, mark: TimedMark) -> None:
        """A mark that has been reached."""
        with self._lock:
            if mark not in self.marks:
                self.marks.append(mark)


class _Kept(msgspec.Struct, array_like=True):
    words: List[TimedWord]
    marks: List[TimedMark]


def write_timings(timings: Optional[Timings]) -> bytes:
    """As bytes to keep; none for None."""
    if timings is None:
        return b""
    return msgspec.msgpack.encode(_Kept(timings.words, timings.marks))


def read_timings(data: bytes) -> Optional[Timings]:
    """What `write_timings` made."""
    if not data:
        return None
    kept = msgspec.msgpack.decode(data, type=_Kept)
    return Timings(kept.words, kept.marks)


class WordClock:
    """Turns the words of one line, as its engine times them, into words of the client's text.

    A word ends where the next one starts, but for silence in between: it belongs to nobody. Where
    an engine says several words for one ("$5"), they are one again.
    """

    def __init__(
        self, text: str, line: Line, began_s: float, rate_hz: int, factor: float = 1.0
    ) -> None:
        """
        Args:
            text: the client's.
            began_s: when the line's audio begins, in seconds of the answer.
            factor: how much faster it is played than its engine spoke it.
        """
        self._text = text
        self._line = line
        self._began_s = began_s
        self._rate = rate_hz
        self._factor = factor
        self.cut_s = 0.0
        """Seconds of silence at the line's begin that are not played."""
        self._pcm = bytearray()
        self._spans: List[Tuple[float, int, int]] = []
        """Start in seconds of the line's audio, and the span in what is said."""
        self._seen = 0
        self._after_pause = True
        self._kept: List[TimedWord] = []
        """The last word, if the next one is for some of its characters."""

    def heard(self, pcm: bytes) -> None:
        """Samples of the line, as its engine spoke them."""
        self._pcm += pcm

    def told(self, words: Sequence[Word], final: bool) -> List[TimedWord]:
        """The words that have ended, given all that the engine has told of the line so far."""
        for word in words[self._seen :]:
            self._seen += 1
            if word.char_end <= word.char_start:
                # espeak-ng forgets the length of a word in quotation marks.
                found = _WORD.match(self._line.said.text, word.char_start)
                if found is None:
                    continue
                word = Word(word.start_s, *found.span())
            if self._spans and self._goes_on(self._spans[-1], word):
                start_s, start, end = self._spans[-1]
                self._spans[-1] = (start_s, start, max(end, word.char_end))
            else:
                self._spans.append((word.start_s, word.char_start, word.char_end))
        ready, self._kept = self._kept, []
        while len(self._spans) > (0 if final else 1):
            until_s = self._spans[1][0] if len(self._spans) > 1 else None
            if not final and until_s is not None and until_s * self._rate > len(self._pcm) // 2:
                break  # whether it ends in silence is not known yet
            start_s, start, end = self._spans.pop(0)
            limit = self._spans[0][1] if self._spans else len(self._line.said.text)
            for part in self._parts(*self._sound(start_s, until_s), start, end, limit):
                if ready and _overlap(_span(ready[-1]), _span(part)):
                    part = self._as_one(ready.pop(), part)
                ready.append(part)
        if ready and self._spans:
            following = self._line.said.written(*self._spans[0][1:])
            if _overlap(_span(ready[-1]), following):
                self._kept = [ready.pop()]
        return ready

    def _as_one(self, one: TimedWord, other: TimedWord) -> TimedWord:
        """Two that stand for some of the same characters: "the twenty-fourth" for "24th"."""
        start = min(one.char_start, other.char_start)
        end = max(one.char_end, other.char_end)
        return TimedWord(self._text[start:end], one.start_ms, other.end_ms, start, end)

    def _goes_on(self, last: Tuple[float, int, int], word: Word) -> bool:
        """Whether an engine says several words for one that the client wrote, such as "$5"."""
        said = self._line.said
        _, start, end = last
        if word.char_start < end:
            return True
        if said.written(start, end) == said.written(word.char_start, word.char_end):
            return True
        between = said.text[end - 1 : word.char_start + 1]
        # Letters are left alone: there are languages without spaces.
        return not any(map(str.isspace, between)) and not (
            between[0].isalpha() and between[-1].isalpha()
        )

    def _parts(
        self, start_s: float, end_s: float, start: int, end: int, limit: int
    ) -> List[TimedWord]:
        """The word at ``start:end``, and those up to ``limit`` that its engine says in one with it.

        espeak-ng tells "well" for "well-known" and "to" for "to be". How long each takes is not
        known then, and taken to be as its letters are many.
        """
        said = self._line.said
        end = start + len(said.text[start:end].rstrip(_PUNCTUATION)) or end
        rest = _REST_OF_WORD.match(said.text, end, max(end, limit))
        spans = [(start, rest.end() if rest else end)]
        spans += [match.span() for match in _WORD.finditer(said.text, spans[0][1], limit)]
        letters = sum(high - low for low, high in spans) or 1
        parts: List[TimedWord] = []
        at_s = start_s
        for low, high in spans:
            until_s = at_s + (end_s - start_s) * (high - low) / letters
            char_start, char_end = _without_space(self._text, *said.written(low, high))
            if char_start < char_end:
                word = self._text[char_start:char_end]
                times_ms = self._ms(at_s), self._ms(until_s)
                parts.append(TimedWord(word, *times_ms, char_start, char_end))
            at_s = until_s
        return parts

    def _ms(self, seconds: float) -> int:
        return round(1e3 * (self._began_s + max(0.0, seconds - self.cut_s) / self._factor))

    def _sound(self, start_s: float, until_s: Optional[float]) -> Tuple[float, float]:
        """Of the span in which an engine says a word, that in which it is heard.

        After a pause a word begins with its first sound: a stop consonant is silent before that,
        which belongs to the word only where it is felt as one, between sounds.
        """
        samples = array.array("h")
        length = len(self._pcm) // 2
        low = min(length, int(start_s * self._rate))
        high = length if until_s is None else min(length, int(until_s * self._rate))
        samples.frombytes(self._pcm[2 * low : 2 * high])
        if sys.byteorder == "big":
            samples.byteswap()
        step = max(1, int(_STEP_S * self._rate))
        begin, end = 0, len(samples)
        while end > 0 and _is_quiet(samples[max(0, end - step) : end]):
            end -= step
        if end <= 0:
            return low / self._rate, high / self._rate
        if self._after_pause:
            while _is_quiet(samples[begin : begin + step]):
                begin += step
        self._after_pause = (len(samples) - end) / self._rate >= _LEAST_PAUSE_S
        if not self._after_pause:
            end = len(samples)
        return (low + begin) / self._rate, (low + end) / self._rate


def _span(word: TimedWord) -> Tuple[int, int]:
    return word.char_start, word.char_end


def _overlap(one: Tuple[int, int], other: Tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _is_quiet(samples: "array.array[int]") -> bool:
    return max(samples) < _QUIET and min(samples) > -_QUIET


def _without_space(text: str, start: int, end: int) -> Tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
