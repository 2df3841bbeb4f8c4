"""Captions for speech: words and their times as SubRip or WebVTT."""

import re
import textwrap
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Iterable, Iterator, List, NamedTuple, Tuple

from auto_voice.synthesis.timing import TimedWord

LINE_CHARS = 42
LINES = 2
MAX_CUE_MS = 7_000
"""A caption's longest line, lines and duration, as broadcasters have them (BBC, Netflix)."""
PAUSE_MS = 600
"""A silence this long ends a caption: nobody should read what is not heard for a while."""

FORMATS = {"srt": "application/x-subrip", "vtt": "text/vtt"}
"""Names and content types."""

_BEFORE = re.compile(r"[\"'“‘’«„(\[¿¡]*\Z")
_AFTER = re.compile(r"[\"'”’»)\].,;:!?…。！？、，；：]*")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*\Z")
_BETWEEN = re.compile(r"\s*[-–—/&+=@]+\s*")


class Cue(NamedTuple):
    """One caption."""

    start_ms: int
    end_ms: int
    text: str
    """With a line feed between its lines."""


def cues(words: Iterable[TimedWord], text: str) -> Iterator[Cue]:
    """Captions of a text in the order of time.

    Args:
        text: the client's, which the words' offsets are about; its punctuation is kept.
    """
    held: List[TimedWord] = []
    shown = ""
    for word in words:
        written = _with_punctuation(word, text)
        joint = _joint(held[-1], word, text) if held else ""
        longer = shown + joint + written
        if held and (
            word.start_ms - held[-1].end_ms >= PAUSE_MS
            or word.end_ms - held[0].start_ms > MAX_CUE_MS
            or len(_wrapped(longer)) > LINES
            or _SENTENCE_END.search(shown)
        ):
            yield _cue(held, shown)
            held, longer = [], written
        held.append(word)
        shown = longer
    if held:
        yield _cue(held, shown)


def as_srt(captions: Iterable[Cue]) -> str:
    """As a SubRip file."""
    return "".join(
        f"{number}\n{_time(cue.start_ms, ',')} --> {_time(cue.end_ms, ',')}\n"
        # An arrow in a text would pass for another caption's times.
        f"{cue.text.replace('-->', '→')}\n\n"
        for number, cue in enumerate(captions, 1)
    )


def as_vtt(captions: Iterable[Cue]) -> str:
    """As a WebVTT file (W3C WebVTT)."""
    return "WEBVTT\n\n" + "".join(
        f"{_time(cue.start_ms, '.')} --> {_time(cue.end_ms, '.')}\n{_escaped(cue.text)}\n\n"
        for cue in captions
    )


def render(format_name: str, words: Iterable[TimedWord], text: str, ssml: bool = False) -> str:
    """A file of captions, in one of `FORMATS`; ``ssml``: whether the text is marked up."""
    if ssml:
        words, text = _without_markup(words, text)
    captions = cues(words, text)
    return as_srt(captions) if format_name == "srt" else as_vtt(captions)


def _without_markup(words: Iterable[TimedWord], source: str) -> Tuple[List[TimedWord], str]:
    """The words of a document, and its text, with their places in that text."""
    # Only here: an XML parser takes 50 ms to load, and most servers never see SSML.
    from auto_voice.text.ssml import shown

    document = shown(source)
    pieces = document.pieces
    starts, ends = [piece.start for piece in pieces], [piece.end for piece in pieces]
    places = [0, *accumulate(len(piece.text) for piece in pieces)]
    placed: List[TimedWord] = []
    for word in words:
        first, after = bisect_right(ends, word.char_start), bisect_left(starts, word.char_end)
        if first >= after:
            continue  # an alias for nothing
        low, high = places[first], places[after]
        if pieces[first].verbatim:
            low += max(0, word.char_start - pieces[first].start)
        if pieces[after - 1].verbatim:
            high -= max(0, pieces[after - 1].end - word.char_end)
        text = document.text[low:high]
        placed.append(TimedWord(text, word.start_ms, word.end_ms, low, high))
    return placed, document.text


def _cue(words: List[TimedWord], shown: str) -> Cue:
    return Cue(words[0].start_ms, words[-1].end_ms, "\n".join(_wrapped(shown)))


def _wrapped(text: str) -> List[str]:
    lines = textwrap.wrap(text, LINE_CHARS, break_on_hyphens=False)
    if len(lines) == LINES:
        # Lines of like length are easier to read than a long one and a word.
        for width in range(len(text) // 2, LINE_CHARS):
            balanced = textwrap.wrap(text, width, break_on_hyphens=False)
            if len(balanced) == LINES:
                return balanced
    return lines


def _with_punctuation(word: TimedWord, text: str) -> str:
    before = _BEFORE.search(text, max(0, word.char_start - 3), word.char_start)
    after = _AFTER.match(text, word.char_end)
    written = (
        (before.group() if before else "")
        + text[word.char_start : word.char_end]
        + (after.group() if after else "")
    )
    return " ".join(written.split())


def _joint(one: TimedWord, other: TimedWord, text: str) -> str:
    """What stands between two words: usually a space, in Chinese nothing."""
    between = text[one.char_end : other.char_start]
    if _BETWEEN.fullmatch(between):
        return re.sub(r"\s+", " ", between)
    return " " if any(char.isspace() or char in "<-–—/" for char in between) else ""


def _time(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
