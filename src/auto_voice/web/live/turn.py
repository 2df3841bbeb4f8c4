"""A sentence of a live text while a thread of the pool speaks it.

A thread is taken by nobody who is silent, nor by a client that reads slowly:
its next sentence is begun when the one before has nearly been taken.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Deque, List, Optional

from auto_voice.audio.encoder import Encoder
from auto_voice.audio.encoders import encoder
from auto_voice.audio.pcm import silence
from auto_voice.errors import AutoVoiceError, Cancelled, Overloaded
from auto_voice.synthesis.speech import Speech
from auto_voice.synthesis.stream import PARAGRAPH_PAUSE_S
from auto_voice.synthesis.synthesizer import Synthesizer
from auto_voice.synthesis.timing import TimedWord
from auto_voice.text.plan import MAX_SENTENCE_CHARS
from auto_voice.text.sentences import Segment, Segmenter
from auto_voice.utils.redaction import GrowingTextFacts
from auto_voice.web.live.manner import Manner

log = logging.getLogger(__name__)

_PIECES_AHEAD = 4
"""Pieces that a thread may hand over before the loop has taken the first."""
_RETRY_S = 0.05
"""Between two attempts to get a place where the server is full."""


class Stage:
    """What all sessions share to speak."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        loop: asyncio.AbstractEventLoop,
        max_chars: int,
        start_deadline_s: float,
        threads: int,
    ) -> None:
        """``max_chars``: characters of a session that may wait to be spoken."""
        self.synthesizer = synthesizer
        self.loop = loop
        self.max_chars = max_chars
        self.start_deadline_s = start_deadline_s
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="live")


class Utterance:
    """A text from its first word until the client says that it is done."""

    __slots__ = (
        *("number", "manner", "segmenter", "markup", "sentences", "received", "begun", "ended"),
        *("count", "samples", "encoder", "facts", "began", "first_audio_s", "error", "paragraph"),
        *("last_text", "refused"),
    )

    def __init__(self, number: int, manner: Manner) -> None:
        self.number = number
        self.manner = manner
        self.segmenter = Segmenter(manner.language, MAX_SENTENCE_CHARS)
        self.markup: List[str] = []
        """Pieces of an SSML document, which is spoken as a whole."""
        self.sentences: Deque[Segment] = deque()
        self.received = 0
        """Characters."""
        self.begun = 0
        """Characters up to the end of the last sentence that was begun."""
        self.ended = False
        self.count = 0
        """Sentences begun."""
        self.samples = 0
        """Of audio so far."""
        self.encoder: Optional[Encoder] = None
        self.facts = GrowingTextFacts()
        self.began = self.last_text = time.monotonic()
        self.first_audio_s: Optional[float] = None
        self.error: Optional[AutoVoiceError] = None
        """The last one."""
        self.paragraph = False
        """Whether the last sentence ended a paragraph."""
        self.refused = False
        """Whether its client may not have it spoken at all."""

    @property
    def audio_s(self) -> float:
        """Seconds of audio so far."""
        return self.samples / self.manner.sample_rate

    def close(self) -> None:
        """Free what it holds; no thread may be speaking it."""
        if self.encoder is not None:
            self.encoder.close()


class Turn:
    """One sentence. `speak` is for a thread, all else for the loop's."""

    __slots__ = (
        *("utterance", "segment", "index", "asked", "dropped", "has_begun", "_stage"),
        *("_continues", "_pause", "_credit", "_owed", "_on_audio", "_on_end"),
    )

    def __init__(
        self,
        stage: Stage,
        utterance: Utterance,
        segment: Segment,
        on_audio: OnAudio,
        on_end: OnEnd,
    ) -> None:
        """``on_audio`` and ``on_end`` are called in the loop's thread."""
        self.utterance = utterance
        self.segment = segment
        self.index = utterance.count
        self.asked = time.monotonic()
        self.dropped = False
        """Whether nobody wants to hear it any more."""
        self.has_begun = False
        """Whether some of its audio has come."""
        self._stage = stage
        self._continues = bool(utterance.sentences) or not utterance.ended
        self._pause = utterance.paragraph
        self._credit = threading.Semaphore(_PIECES_AHEAD)
        self._owed = 0
        self._on_audio = on_audio
        self._on_end = on_end

    def drop(self) -> None:
        """Say no more of it."""
        self.dropped = True
        self._credit.release()

    def taken(self, is_crowded: bool) -> None:
        """A piece has arrived; its place is free once it is not ``is_crowded`` where it went."""
        self._owed += 1
        if not is_crowded:
            for _ in range(self._owed):
                self._credit.release()
            self._owed = 0

    def relieved(self) -> None:
        """It is not crowded any more."""
        if self._owed:
            self._owed -= 1
            self.taken(is_crowded=False)

    def speak(self, permit: Callable[[], None]) -> None:
        """Speak the sentence, and report how it ended.

        Args:
            permit: counts an utterance; raises where it is one too many.
        """
        error: Optional[AutoVoiceError] = None
        try:
            if self.index == 0:
                permit()
            speech = self._begin()
            try:
                self._hand_over(speech)
            finally:
                speech.close()
        except Cancelled:
            pass
        except AutoVoiceError as known:
            error = known
        except Exception:
            log.exception("a sentence was not spoken")
            error = AutoVoiceError("An internal error occurred; the log has the details.")
        self._stage.loop.call_soon_threadsafe(self._on_end, self, error)

    def _begin(self) -> Speech:
        """The sentence's speech, once the server has a place for it."""
        request = self.utterance.manner.request(self.segment.text, self._continues)
        give_up = time.monotonic() + self._stage.start_deadline_s
        while True:
            self._check()
            try:
                return self._stage.synthesizer.speak(
                    request, is_gone=lambda: self.dropped, transport="websocket", begun=True
                )
            except Overloaded:
                if time.monotonic() + _RETRY_S > give_up:
                    raise
                time.sleep(_RETRY_S)

    def _hand_over(self, speech: Speech) -> None:
        rate = self.utterance.manner.sample_rate
        before = self.utterance.samples
        if self._pause:
            self._give(silence(PARAGRAPH_PAUSE_S, rate), [])
            before += round(PARAGRAPH_PAUSE_S * rate)
        offset_ms = round(1e3 * before / rate)
        for pcm in speech:
            self._give(pcm, _shifted(speech.new_words(), offset_ms, self.segment.start))
        words = _shifted(speech.new_words(), offset_ms, self.segment.start)
        if words:
            self._give(b"", words)

    def _give(self, pcm: bytes, words: List[TimedWord]) -> None:
        while not self._credit.acquire(timeout=0.25):
            self._check()
        self._check()
        utterance = self.utterance
        manner = utterance.manner
        audio = pcm
        if manner.format != "pcm":
            if utterance.encoder is None:
                utterance.encoder = encoder(manner.format, manner.sample_rate)
            audio = utterance.encoder.encode(pcm)
        samples = len(pcm) // 2
        self._stage.loop.call_soon_threadsafe(self._on_audio, self, audio, samples, words)

    def _check(self) -> None:
        if self.dropped:
            raise Cancelled("the utterance was cancelled")


OnAudio = Callable[[Turn, bytes, int, List[TimedWord]], None]
"""Takes a piece of audio, how many samples that is, and the words whose times are known now."""
OnEnd = Callable[[Turn, Optional[AutoVoiceError]], None]
"""Takes what went wrong, if something did."""


def _shifted(words: List[TimedWord], by_ms: int, by_chars: int) -> List[TimedWord]:
    """Words of a sentence as words of its utterance."""
    return [
        TimedWord(
            word.word,
            word.start_ms + by_ms,
            word.end_ms + by_ms,
            word.char_start + by_chars,
            word.char_end + by_chars,
        )
        for word in words
    ]
