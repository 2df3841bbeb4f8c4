"""A text that is spoken while it is still being written.

The event loop decides what is said next; a thread of a pool says one sentence (turn.py).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any, Callable, Deque, List, Optional

from typing_extensions import Protocol

from auto_voice.errors import AutoVoiceError, Draining, InputTooLong, Overloaded, RateLimited
from auto_voice.synthesis.speech import outcome_of
from auto_voice.synthesis.timing import TimedWord
from auto_voice.text.sentences import Segment
from auto_voice.web.live.manner import Manner
from auto_voice.web.live.turn import Stage, Turn, Utterance
from auto_voice.web.websocket.link import Link

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
_DRAIN_PAUSE_S = 2.0
"""How long an unfinished text may rest before a server that stops takes it for finished."""


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
        self._utterances: Deque[Utterance] = deque()
        """The one being spoken first, the one being written last."""
        self._turn: Optional[Turn] = None
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
        utterance.ended = True
        self._finish_text(utterance)
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
        if turn is not None and self._link.backlog < _HIGH_BYTES // 2:
            turn.relieved()
        if turn is None:
            self._advance()

    # --- what is next ---------------------------------------------------------------------------

    def _written(self, manner: Manner) -> Utterance:
        """The utterance that is being written, maybe a new one."""
        if not self.is_being_written:
            if self._draining:
                raise Draining("The server is stopping.", retry_after_s=5)
            if len(self._utterances) >= MAX_UTTERANCES:
                raise Overloaded(f"{MAX_UTTERANCES} texts wait to be spoken already.")
            self._utterances.append(Utterance(self._number, manner))
            self._number += 1
            self._was_single = False
        return self._utterances[-1]

    def _finish_text(self, utterance: Utterance) -> None:
        if not utterance.manner.ssml:
            self._take(utterance, utterance.segmenter.finish())
            return
        document, utterance.markup = "".join(utterance.markup), []
        if document.strip():
            start = utterance.received - len(document)
            self._take(utterance, [Segment(document, start, utterance.received, True)])

    def _settle(self, utterance: Utterance) -> None:
        self._settling = None
        if self._utterances and self._utterances[-1] is utterance:
            self._take(utterance, utterance.segmenter.settle())

    def _take(self, utterance: Utterance, sentences: List[Segment]) -> None:
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
    def _is_finished(utterance: Utterance) -> bool:
        """Whether its last audio has been made."""
        return utterance.begun < 0

    def _begin(self, utterance: Utterance) -> None:
        segment = utterance.sentences.popleft()
        self._waiting_chars -= segment.end - utterance.begun
        utterance.begun = segment.end
        turn = Turn(self._stage, utterance, segment, self._on_audio, self._on_end)
        self._turn = turn
        utterance.count += 1
        utterance.paragraph = segment.paragraph_end
        self._stage.threads.submit(self._run, turn.speak, self._permit)

    def _finish(self, utterance: Utterance) -> None:
        """All of an utterance has been spoken: send the file's last bytes, then say so."""
        self._waiting_chars -= utterance.received - utterance.begun
        utterance.begun = -1
        if utterance.encoder is not None:
            rest = utterance.encoder.finish()
            if rest:
                self._listener.heard(rest, [], 0)
        self._link.queue_call(lambda: self._all_sent(utterance))

    def _all_sent(self, utterance: Utterance) -> None:
        if utterance in self._utterances:
            self._utterances.remove(utterance)
            self._ended(utterance, cancelled=False)

    def _ended(self, utterance: Utterance, cancelled: bool) -> None:
        self._listener.ended(utterance.number, cancelled, round(1e3 * utterance.audio_s))
        self._account(utterance, cancelled)

    def _drop_all(self) -> List[Utterance]:
        """Forget all utterances; which those were."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.drop()
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

    def _account(self, utterance: Utterance, cancelled: bool) -> None:
        """One line in the log for each utterance."""
        self.audio_s += utterance.audio_s
        error = utterance.error
        outcome = "cancelled" if cancelled else outcome_of(error) if error else "success"
        line = {
            "utterance": utterance.number,
            "voice": utterance.manner.voice,
            "format": utterance.manner.format,
            **utterance.facts.facts(),
            "sentences": utterance.count,
            "audio_s": round(utterance.audio_s, 3),
            "first_audio_ms": round(1e3 * (utterance.first_audio_s or 0.0), 3),
            "duration_ms": round(1e3 * (time.monotonic() - utterance.began), 3),
            "outcome": outcome,
        }
        if error is not None:
            line["error"] = error.code
        self._run(log.info, "utterance %d: %s", utterance.number, outcome, extra={"facts": line})

    # --- what a thread has made -----------------------------------------------------------------

    def _on_audio(self, turn: Turn, audio: bytes, samples: int, words: List[TimedWord]) -> None:
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
        turn.taken(is_crowded=self._link.backlog > _HIGH_BYTES)

    def _on_end(self, turn: Turn, error: Optional[AutoVoiceError]) -> None:
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
