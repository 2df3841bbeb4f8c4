"""A text that is spoken while it is still being written.

The event loop decides what is said next; a thread of a pool says one sentence.
So a session that is silent takes no thread, nor does one whose client reads
slowly: its next sentence is begun when the one before has nearly been taken.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Deque, List, Optional

from typing_extensions import Protocol

from auto_voice.audio.encoder import Encoder
from auto_voice.audio.encoders import encoder
from auto_voice.audio.pcm import silence
from auto_voice.errors import (
    AutoVoiceError,
    Cancelled,
    Draining,
    InputTooLong,
    Overloaded,
    RateLimited,
)
from auto_voice.synthesis.speech import Speech, outcome_of
from auto_voice.synthesis.stream import PARAGRAPH_PAUSE_S
from auto_voice.synthesis.synthesizer import Synthesizer
from auto_voice.synthesis.timing import TimedWord
from auto_voice.text.plan import MAX_SENTENCE_CHARS
from auto_voice.text.sentences import Segment, Segmenter
from auto_voice.utils.redaction import GrowingTextFacts
from auto_voice.web.link import Link
from auto_voice.web.live_manner import Manner

log = logging.getLogger("auto_voice.websocket")

SETTLE_S = 0.01
"""How long the next word may take where a sentence seems to be over. Language models write their
full stop as a word of its own, or together with what belongs to it (".com"), so what comes in time
to change the meaning comes in the same message; and two halves of one message come within
milliseconds."""
TYPED_SETTLE_S = 0.5
"""The same where single characters come: there "example." may well become "example.com"."""
MAX_UTTERANCES = 64
"""Of one session that may wait."""

_LOW_BYTES = 1 << 16
"""Of audio that waits for its client: with less, the next sentence is begun."""
_HIGH_BYTES = 1 << 22
"""With more, a sentence that is being made waits; no single one gets there, a long document may."""
_PIECES_AHEAD = 4
"""Pieces that a thread may hand over before the loop has taken the first."""
_RETRY_S = 0.05
"""Between two attempts to get a place where the server is full."""
_DRAIN_PAUSE_S = 2.0
"""How long an unfinished text may rest before a server that stops takes it for finished."""


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


class Listener(Protocol):
    """Whoever hears a `LiveText`, in the loop's thread."""

    def began(self, utterance: int, sentence: int, text: str, manner: Manner) -> None:
        """The audio of a sentence begins."""

    def heard(self, audio: bytes, words: List[TimedWord], text_start: int) -> None:
        """Audio, maybe none, and words that are in it or in what came before."""

    def failed(self, error: AutoVoiceError, utterance: int, sentence: int) -> None:
        """A sentence is left out."""

    def ended(self, utterance: int, cancelled: bool, duration_ms: int) -> None:
        """All audio of an utterance has been sent, or no more will be."""


class _Utterance:
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

    def close(self) -> None:
        if self.encoder is not None:
            self.encoder.close()


class _Turn:
    """A sentence while a thread speaks it."""

    __slots__ = (
        *("utterance", "segment", "index", "continues", "pause", "asked", "dropped"),
        *("credit", "owed", "has_begun"),
    )

    def __init__(self, utterance: _Utterance, segment: Segment, continues: bool) -> None:
        self.utterance = utterance
        self.segment = segment
        self.index = utterance.count
        self.continues = continues
        self.pause = utterance.paragraph
        self.asked = time.monotonic()
        self.dropped = False
        self.credit = threading.Semaphore(_PIECES_AHEAD)
        self.owed = 0
        """Credit that is given back when the client has taken more."""
        self.has_begun = False


class LiveText:
    """What one session writes, and has spoken. Used in the loop's thread."""

    def __init__(
        self,
        stage: Stage,
        link: Link,
        listener: Listener,
        run: Callable[..., Any],
        permit: Callable[[], None],
    ) -> None:
        """
        Args:
            run: calls a function in the context of the request that the session began as.
            permit: counts an utterance, in a thread of the pool; raises where it is one too many.
        """
        self._stage = stage
        self._link = link
        self._listener = listener
        self._run = run
        self._permit = permit
        self._utterances: Deque[_Utterance] = deque()
        """The one being spoken first, the one being written last."""
        self._turn: Optional[_Turn] = None
        self._number = 0
        self._waiting_chars = 0
        self._settling: Optional[asyncio.TimerHandle] = None
        self._was_single = False
        self._advancing = False
        self._draining = False
        self.characters = 0
        """Of all that was written."""
        self.audio_s = 0.0
        """Of all that was spoken."""

    @property
    def utterances(self) -> int:
        """How many have begun."""
        return self._number

    @property
    def is_being_written(self) -> bool:
        """Whether an utterance has begun and is not done."""
        return bool(self._utterances) and not self._utterances[-1].ended

    @property
    def is_busy(self) -> bool:
        """Whether anything is being said or waits for its turn."""
        if self._turn is not None or len(self._utterances) > 1:
            return True
        if not self._utterances:
            return False
        last = self._utterances[-1]
        if last.ended or last.sentences:
            return True
        resting_s = time.monotonic() - last.last_text
        return self._draining and resting_s < _DRAIN_PAUSE_S

    def write(self, text: str, manner: Manner) -> None:
        """The next piece of the text; the first one begins an utterance in this manner.

        Raises:
            InputTooLong: more than `Stage.max_chars` wait to be spoken.
            Overloaded: more than `MAX_UTTERANCES` do.
            Draining: it would begin an utterance, and the server is stopping.
        """
        if self._waiting_chars + len(text) > self._stage.max_chars:
            error = InputTooLong(
                f"More than {self._stage.max_chars} characters would wait to be spoken."
            )
            error.retryable = len(text) <= self._stage.max_chars
            raise error
        utterance = self._written(manner)
        utterance.facts.add(text)
        utterance.received += len(text)
        utterance.last_text = time.monotonic()
        self._waiting_chars += len(text)
        self.characters += len(text)
        if utterance.manner.ssml:
            utterance.markup.append(text)
            return
        self._take(utterance, utterance.segmenter.push(text))
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        if utterance.segmenter.ends_clearly:
            typed = len(text) == 1 and self._was_single
            delay_s = TYPED_SETTLE_S if typed else SETTLE_S
            self._settling = self._link.loop.call_later(delay_s, self._settle, utterance)
        self._was_single = len(text) == 1

    def flush(self) -> None:
        """Speak what is there; the text goes on all the same."""
        if self.is_being_written:
            self._finish_text(self._utterances[-1])

    def done(self, manner: Manner) -> None:
        """The utterance ends here; without any text it is an empty one."""
        utterance = self._written(manner)
        self._finish_text(utterance)
        utterance.ended = True
        self._advance()

    def cancel(self) -> None:
        """Say no more of all that has been written."""
        self._link.drop_queued()
        for utterance in self._drop_all():
            self._ended(utterance, cancelled=True)

    def stop(self) -> None:
        """Nobody listens any more."""
        for utterance in self._drop_all():
            self._account(utterance, cancelled=True)

    def drain(self) -> None:
        """What is being said may be finished."""
        self._draining = True

    def sent(self) -> None:
        """The client has taken some audio."""
        turn = self._turn
        if turn is not None and turn.owed and self._link.backlog < _HIGH_BYTES // 2:
            for _ in range(turn.owed):
                turn.credit.release()
            turn.owed = 0
        if turn is None:
            self._advance()

    # --- what is next ---------------------------------------------------------------------------

    def _written(self, manner: Manner) -> _Utterance:
        """The utterance that is being written, maybe a new one."""
        if not self.is_being_written:
            if self._draining:
                raise Draining("The server is stopping.", retry_after_s=5)
            if len(self._utterances) >= MAX_UTTERANCES:
                raise Overloaded(f"{MAX_UTTERANCES} texts wait to be spoken already.")
            self._utterances.append(_Utterance(self._number, manner))
            self._number += 1
            self._was_single = False
        return self._utterances[-1]

    def _finish_text(self, utterance: _Utterance) -> None:
        if not utterance.manner.ssml:
            self._take(utterance, utterance.segmenter.finish())
            return
        document, utterance.markup = "".join(utterance.markup), []
        if document.strip():
            start = utterance.received - len(document)
            self._take(utterance, [Segment(document, start, utterance.received, True)])

    def _settle(self, utterance: _Utterance) -> None:
        self._settling = None
        if self._utterances and self._utterances[-1] is utterance:
            self._take(utterance, utterance.segmenter.settle())

    def _take(self, utterance: _Utterance, sentences: List[Segment]) -> None:
        if sentences and not utterance.refused:
            utterance.sentences.extend(sentences)
            self._advance()

    def _advance(self) -> None:
        """Begin with what is next, if it is time."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._turn is None and self._link.is_open and self._link.backlog < _LOW_BYTES:
                waiting = [each for each in self._utterances if not self._is_finished(each)]
                if not waiting:
                    return
                utterance = waiting[0]
                if utterance.sentences:
                    self._begin(utterance)
                elif utterance.ended:
                    self._finish(utterance)
                else:
                    return
        finally:
            self._advancing = False

    @staticmethod
    def _is_finished(utterance: _Utterance) -> bool:
        """Whether its last audio has been made."""
        return utterance.begun < 0

    def _begin(self, utterance: _Utterance) -> None:
        segment = utterance.sentences.popleft()
        self._waiting_chars -= segment.end - utterance.begun
        utterance.begun = segment.end
        continues = bool(utterance.sentences) or not utterance.ended
        turn = self._turn = _Turn(utterance, segment, continues)
        utterance.count += 1
        utterance.paragraph = segment.paragraph_end
        self._stage.threads.submit(self._run, self._speak, turn)

    def _finish(self, utterance: _Utterance) -> None:
        """All of an utterance has been spoken: send the file's last bytes, then say so."""
        self._waiting_chars -= utterance.received - utterance.begun
        utterance.begun = -1
        if utterance.encoder is not None:
            rest = utterance.encoder.finish()
            if rest:
                self._listener.heard(rest, [], 0)
        self._link.queue_call(lambda: self._all_sent(utterance))

    def _all_sent(self, utterance: _Utterance) -> None:
        if utterance in self._utterances:
            self._utterances.remove(utterance)
            self._ended(utterance, cancelled=False)

    def _ended(self, utterance: _Utterance, cancelled: bool) -> None:
        duration_s = utterance.samples / utterance.manner.sample_rate
        self._listener.ended(utterance.number, cancelled, round(1e3 * duration_s))
        self._account(utterance, cancelled)

    def _drop_all(self) -> List[_Utterance]:
        """Forget all utterances; which those were."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.dropped = True
            turn.credit.release()
        dropped = list(self._utterances)
        for utterance in dropped:
            if turn is None or utterance is not turn.utterance:
                utterance.close()  # else its thread may be using the encoder
        self._utterances.clear()
        self._waiting_chars = 0
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        return dropped

    def _account(self, utterance: _Utterance, cancelled: bool) -> None:
        """One line in the log for each utterance."""
        audio_s = utterance.samples / utterance.manner.sample_rate
        self.audio_s += audio_s
        error = utterance.error
        outcome = "cancelled" if cancelled else outcome_of(error) if error else "success"
        line = {
            "utterance": utterance.number,
            "voice": utterance.manner.voice,
            "format": utterance.manner.format,
            **utterance.facts.facts(),
            "sentences": utterance.count,
            "audio_s": round(audio_s, 3),
            "first_audio_ms": round(1e3 * (utterance.first_audio_s or 0.0), 3),
            "duration_ms": round(1e3 * (time.monotonic() - utterance.began), 3),
            "outcome": outcome,
        }
        if error is not None:
            line["error"] = error.code
        self._run(log.info, "utterance %d: %s", utterance.number, outcome, extra={"facts": line})

    # --- what a thread has made -----------------------------------------------------------------

    def _on_audio(self, turn: _Turn, audio: bytes, samples: int, words: List[TimedWord]) -> None:
        if turn.dropped:
            return
        utterance = turn.utterance
        if not turn.has_begun:
            turn.has_begun = True
            if utterance.first_audio_s is None:
                utterance.first_audio_s = time.monotonic() - turn.asked
            self._listener.began(utterance.number, turn.index, turn.segment.text, utterance.manner)
        utterance.samples += samples
        self._listener.heard(audio, words, turn.segment.start)
        if self._link.backlog > _HIGH_BYTES:
            turn.owed += 1
        else:
            turn.credit.release()

    def _on_end(self, turn: _Turn, error: Optional[AutoVoiceError]) -> None:
        utterance = turn.utterance
        if turn.dropped:
            utterance.close()
            return
        self._turn = None
        if error is not None:
            utterance.error = error
            self._listener.failed(error, utterance.number, turn.index)
            if isinstance(error, RateLimited):
                utterance.refused = True
                utterance.sentences.clear()
        self._advance()

    # --- in a thread of the pool ----------------------------------------------------------------

    def _speak(self, turn: _Turn) -> None:
        error: Optional[AutoVoiceError] = None
        try:
            if turn.index == 0:
                self._permit()
            speech = self._begun(turn)
            try:
                self._hand_over(turn, speech)
            finally:
                speech.close()
        except Cancelled:
            pass
        except AutoVoiceError as known:
            error = known
        except Exception:
            log.exception("a sentence was not spoken")
            error = AutoVoiceError("An internal error occurred; the log has the details.")
        self._stage.loop.call_soon_threadsafe(self._on_end, turn, error)

    def _begun(self, turn: _Turn) -> Speech:
        """The sentence's speech, once the server has a place for it."""
        request = turn.utterance.manner.request(turn.segment.text, turn.continues)
        give_up = time.monotonic() + self._stage.start_deadline_s
        while True:
            if turn.dropped:
                raise Cancelled("the utterance was cancelled")
            try:
                return self._stage.synthesizer.speak(
                    request, is_gone=lambda: turn.dropped, transport="websocket", begun=True
                )
            except Overloaded:
                if time.monotonic() + _RETRY_S > give_up:
                    raise
                time.sleep(_RETRY_S)

    def _hand_over(self, turn: _Turn, speech: Speech) -> None:
        utterance = turn.utterance
        manner = utterance.manner
        before = utterance.samples
        if turn.pause:
            self._give(turn, silence(PARAGRAPH_PAUSE_S, manner.sample_rate), [])
            before += round(PARAGRAPH_PAUSE_S * manner.sample_rate)
        offset_ms = round(1e3 * before / manner.sample_rate)
        for pcm in speech:
            words = _shifted(speech.new_words(), offset_ms, turn.segment.start)
            self._give(turn, pcm, words)
        words = _shifted(speech.new_words(), offset_ms, turn.segment.start)
        if words:
            self._give(turn, b"", words)

    def _give(self, turn: _Turn, pcm: bytes, words: List[TimedWord]) -> None:
        while not turn.credit.acquire(timeout=0.25):
            if turn.dropped:
                raise Cancelled("the utterance was cancelled")
        if turn.dropped:
            raise Cancelled("the utterance was cancelled")
        utterance = turn.utterance
        audio = pcm
        if utterance.manner.format != "pcm":
            if utterance.encoder is None:
                utterance.encoder = encoder(utterance.manner.format, utterance.manner.sample_rate)
            audio = utterance.encoder.encode(pcm)
        self._stage.loop.call_soon_threadsafe(self._on_audio, turn, audio, len(pcm) // 2, words)


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
