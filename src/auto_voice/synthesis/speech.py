"""What is asked for, and what comes of it: the two ends of `Synthesizer.speak`."""

from __future__ import annotations

from typing import Callable, Iterator, List, Optional, Tuple

import msgspec

from auto_voice.audio.encoders import FORMATS
from auto_voice.engines.engine import Voice
from auto_voice.errors import AutoVoiceError
from auto_voice.synthesis.stream import Stats
from auto_voice.synthesis.timing import TimedMark, TimedWord


class SpeechRequest(msgspec.Struct, frozen=True):
    """What to say, and how."""

    text: str
    voice: str
    """A voice id, an alias or a language tag."""
    format: str = "wav"
    """A key of `FORMATS`."""
    speed: float = 1.0
    """Factor; 1.0 is the voice's own pace."""
    sample_rate: Optional[int] = None
    """Hertz; None: what the format and the voice suggest."""
    pitch: float = 1.0
    """Factor; 1.0 is the voice's own pitch."""
    ssml: bool = False
    """Whether the text is marked up."""
    timestamps: bool = False
    """Whether the times of words are wanted."""
    lexicons: Tuple[str, ...] = ()
    """Names of lexicons, the most important one first."""
    normalize: bool = True
    """Whether numbers, addresses, markdown and the like are put into words."""
    continues: bool = False
    """Whether more follows, as another request: then it ends with a reader's pause."""
    engine: str = ""
    """The engine that is to have the voice; empty: whichever has it."""


class Speech:
    """One answer: facts first, then its bytes. Iterate once, then (or instead) `close`."""

    def __init__(
        self,
        *,
        voice: Voice,
        format_name: str,
        sample_rate: int,
        whole: bool,
        cache: str,
        pieces: Iterator[bytes],
        stats: Stats,
        made: Stats,
    ) -> None:
        self.voice = voice
        self.format = FORMATS[format_name]
        self.sample_rate = sample_rate
        """Hertz."""
        self.whole = whole
        """Whether all bytes are there in one piece."""
        self.cache = cache
        """``hit``, ``miss`` or ``off``."""
        self.stats = stats
        """This request's own."""
        self.made = made
        """Of the making of the audio, which may have been another request's."""
        self.outcome = "cancelled"
        """What the metrics say became of it; final after `close`."""
        self._pieces = pieces
        self._on_close: Callable[["Speech"], None] = lambda speech: None
        self._closed = False
        self._told_words = self._told_marks = 0

    def new_words(self) -> List[TimedWord]:
        """Words whose times have become known since the last call.

        Each comes with the piece that has its audio, or with a later one of the same sentence.
        """
        known = self.made.timings.words if self.made.timings else []
        words = known[self._told_words :]
        self._told_words += len(words)
        return words

    def new_marks(self) -> List[TimedMark]:
        """Marks that have been reached since the last call."""
        known = self.made.timings.marks if self.made.timings else []
        marks = known[self._told_marks :]
        self._told_marks += len(marks)
        return marks

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            self.outcome = "success" if self.made.sentences or self.cache == "hit" else "empty"
            raise
        except AutoVoiceError as error:
            self.outcome = outcome_of(error)
            raise
        except Exception:
            self.outcome = "error"
            raise

    def close(self) -> None:
        """Free the answer's place; what was not read is not made."""
        if self._closed:
            return
        self._closed = True
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        self._on_close(self)


def outcome_of(error: AutoVoiceError) -> str:
    """The metrics' word for how a request ended with ``error``."""
    if error.code == "client_closed_request":
        return "cancelled"
    if error.code in ("engine_timeout", "deadline_exceeded"):
        return "timeout"
    if error.code in ("overloaded", "draining", "rate_limit_exceeded"):
        return "rejected"
    return "invalid" if error.status < 500 else "error"
