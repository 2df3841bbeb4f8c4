"""One text's way to encoded audio, piece by piece."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Callable, Deque, Generator, Iterator, Mapping, Optional, Tuple, Union

import msgspec

from auto_voice.audio import clip
from auto_voice.audio.encoder import Encoder
from auto_voice.audio.encoders import encoder
from auto_voice.audio.pcm import silence
from auto_voice.engines.engine import Capabilities, Phonemes, Utterance, Voice
from auto_voice.engines.job import Job
from auto_voice.errors import DeadlineExceeded
from auto_voice.synthesis.delivery import Delivery
from auto_voice.synthesis.fair_queue import Ticket
from auto_voice.synthesis.playback import Playback
from auto_voice.synthesis.scheduler import FairScheduler
from auto_voice.synthesis.spans import SpeechSpans, TimedEncoder
from auto_voice.synthesis.tape import Tape
from auto_voice.synthesis.timing import TimedMark, Timings, WordClock
from auto_voice.text.aligned import Aligned
from auto_voice.text.plan import Line, Step
from auto_voice.text.script import Break, Clip, Style

LOOKAHEAD = 2
"""Sentences of one request under way at once: one is spoken while another one is sent."""
PARAGRAPH_PAUSE_S = 0.25


class Stats:
    """What became of one request; filled while it is served."""

    __slots__ = (
        "began",
        "engine",
        "queue_wait_s",
        "first_audio_s",
        "compute_s",
        "audio_s",
        "sentences",
        "characters",
        "playback",
        "timings",
        "spans",
        "found",
    )

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.engine = ""
        """Of the voice that the request names, once that is known."""
        self.queue_wait_s = 0.0
        """Seconds until a worker began with the first sentence."""
        self.first_audio_s: Optional[float] = None
        """Seconds until the first encoded bytes."""
        self.compute_s = 0.0
        """Seconds that workers spent."""
        self.audio_s = 0.0
        """Seconds of audio."""
        self.sentences = 0
        """Sentences begun."""
        self.characters = 0
        """Characters of the text that have been spoken."""
        self.playback = Playback()
        self.timings: Optional[Timings] = None
        """Where words' times are wanted; they come with the audio."""
        self.spans: Optional[SpeechSpans] = None
        """Where the request's trace is sent to a collector."""
        self.found: Optional[bool] = None
        """Whether the audio was found finished; None before it was looked for."""


class Manner(msgspec.Struct, frozen=True):
    """How an answer is to be made, whatever its text says."""

    format_name: str
    """A key of `FORMATS`."""
    sample_rate: int
    """Hertz, of the answer."""
    speed: float = 1.0
    pitch: float = 1.0
    continues: bool = False
    """Whether more follows in another answer: then this one ends with a reader's pause."""


class SpeechStream:
    """Speaks a text. Iterate once; memory does not grow with the text."""

    def __init__(
        self,
        *,
        scheduler: FairScheduler,
        text: str,
        steps: Iterator[Step],
        manner: Manner,
        voice_for: Callable[[Style], Voice],
        capabilities: Callable[[Voice], Capabilities],
        gains_db: Mapping[str, float],
        start_deadline_s: float,
        request_deadline_s: float,
        stats: Stats,
        is_gone: Callable[[], bool],
        begun: bool = False,
    ) -> None:
        """
        Args:
            gains_db: a voice's id to what makes it as loud as the others, in decibels.
            begun: as for `FairScheduler.admit`.
        """
        self._begun = begun
        self._scheduler = scheduler
        self._text = text
        self._steps = steps
        self._manner = manner
        self._rate = manner.sample_rate
        self._voice_for = voice_for
        self._capabilities = capabilities
        self._gains_db = gains_db
        self._start_by = stats.began + start_deadline_s
        self._end_by = stats.began + request_deadline_s
        self._stats = stats
        self._is_gone = is_gone

    def whole(self) -> Iterator[bytes]:
        """All encoded audio in one piece; for a text of one sentence.

        Raises:
            AutoVoiceError: instead of the piece.
        """
        pcm = b"".join(self._samples(direct=True))
        out = self._encoder(total_samples=len(pcm) // 2)
        try:
            data = out.encode(pcm) + out.finish()
        finally:
            out.close()
        self._stats.first_audio_s = time.monotonic() - self._stats.began
        yield data

    def pieces(self) -> Iterator[bytes]:
        """Encoded audio as it comes, never an empty piece.

        Raises:
            AutoVoiceError: before the first piece or in the middle.
        """
        out = self._encoder()
        samples = self._samples()
        try:
            asked = self._stats.began
            for pcm in samples:
                data = out.encode(pcm)
                made = time.monotonic()
                self._stats.playback.add(asked, made, len(pcm) / 2 / self._rate)
                if data:
                    if self._stats.first_audio_s is None:
                        self._stats.first_audio_s = made - self._stats.began
                    yield data
                    made = time.monotonic()
                asked = made
            data = out.finish()
            if data:
                yield data
        finally:
            samples.close()
            out.close()

    def _encoder(self, total_samples: Optional[int] = None) -> Union[Encoder, TimedEncoder]:
        name = self._manner.format_name
        out = encoder(name, self._rate, total_samples=total_samples)
        spans = self._stats.spans
        return out if spans is None else spans.timed(out, name)

    def _samples(self, direct: bool = False) -> Generator[bytes, None, None]:
        """PCM at the answer's sample rate."""
        tape = Tape(self._rate)
        ticket = self._scheduler.admit(self._begun)
        pending: Deque[Tuple[Optional[Job], Step]] = deque()
        stats = self._stats
        try:
            upcoming = next(self._steps, None)
            while True:
                while upcoming is not None and len(pending) < LOOKAHEAD:
                    step, upcoming = upcoming, next(self._steps, None)
                    job = None
                    if isinstance(step, Line):
                        job = self._submit(ticket, step, upcoming, direct)
                    pending.append((job, step))
                if not pending:
                    break
                if time.monotonic() > self._end_by:
                    raise DeadlineExceeded("The request took longer than its deadline allows.")
                job, step = pending[0]
                is_last = upcoming is None and len(pending) == 1
                for pcm in self._performed(job, step, tape, is_last):
                    if pcm:
                        yield pcm
                pending.popleft()
            pcm = tape.finish()
            if pcm:
                yield pcm
        finally:
            stats.audio_s = tape.taken / 2 / self._rate
            left = [job for job, _ in pending if job is not None]
            for job in left:
                job.cancel()
            if stats.spans is not None:
                stats.spans.left(left, sys.exc_info()[1])
            self._scheduler.leave(ticket)

    def _performed(
        self, job: Optional[Job], step: Step, tape: Tape, is_last: bool
    ) -> Iterator[bytes]:
        """One step's samples; maybe empty ones."""
        if isinstance(step, Line):
            assert job is not None  # nosec B101: a line has one
            yield from self._spoken(job, step, tape, is_last)
        elif isinstance(step, Break):
            yield tape.put(silence(step.duration_s, self._rate), self._rate)
        elif isinstance(step, Clip):
            for pcm in clip.decode(step.path, self._rate):
                yield tape.put(pcm, self._rate)
        elif self._stats.timings is not None:
            self._stats.timings.add_mark(TimedMark(step.name, round(1e3 * tape.position_s)))

    def _spoken(self, job: Job, line: Line, tape: Tape, is_last: bool) -> Iterator[bytes]:
        stats = self._stats
        voice = self._voice_for(line.style)
        rate = voice.sample_rate
        delivery = self._delivery(line.style, voice)
        sound = delivery.sound(rate)
        clock = None
        if stats.timings is not None:
            clock = WordClock(self._text, line, tape.position_s, rate, delivery.stretch)
        for pcm in job.results(self._is_gone):
            ready = sound.push(pcm)
            if clock is not None and stats.timings is not None:
                clock.heard(pcm)
                if sound.ends is None or sound.ends.begun:
                    clock.cut_s = 0.0 if sound.ends is None else sound.ends.cut_s
                    stats.timings.add_words(clock.told(job.words, False))
            yield tape.put(ready, sound.rate_hz)
        yield tape.put(sound.flush(), sound.rate_hz)
        if clock is not None and stats.timings is not None:
            stats.timings.add_words(clock.told(job.words, True))
        self._count(job)
        stats.characters = line.end
        # Whether a paragraph ends where the text does, its next part will show.
        if line.paragraph_end and not is_last and job.utterance.continues:
            yield tape.put(silence(PARAGRAPH_PAUSE_S, rate), rate)

    def _submit(self, ticket: Ticket, line: Line, upcoming: Optional[Step], direct: bool) -> Job:
        manner, style = self._manner, line.style
        if upcoming is None:
            continues = manner.continues
        else:
            # Where a pause is asked for, it is not to be longer than that.
            continues = line.sentence_end and not isinstance(upcoming, (Break, Clip))
        voice = self._voice_for(style)
        delivery = self._delivery(style, voice)
        utterance = Utterance(
            line.said.text,
            voice.own_id,
            delivery.speed,
            delivery.pitch,
            timestamps=self._stats.timings is not None,
            continues=continues,
            phonemes=_phonemes(line.said),
        )
        first = self._stats.sentences == 0
        start_by = self._start_by if first else self._end_by
        job = Job(utterance, start_by, self._end_by, direct, voice.engine)
        self._stats.sentences += 1
        self._scheduler.submit(ticket, job)
        return job

    def _delivery(self, style: Style, voice: Voice) -> Delivery:
        return Delivery(
            self._manner.speed * style.rate,
            self._manner.pitch * style.pitch,
            style.volume_db + self._gains_db.get(voice.id, 0.0),
            self._capabilities(voice),
        )

    def _count(self, job: Job) -> None:
        if not self._stats.compute_s:
            self._stats.queue_wait_s = job.started - job.submitted
        self._stats.compute_s += job.compute_s
        if self._stats.spans is not None:
            self._stats.spans.spoken(job)


def _phonemes(said: Aligned) -> Tuple[Phonemes, ...]:
    """The parts of what is said that are pronounced in a way of their own."""
    found, at = [], 0
    for piece in said.pieces:
        if piece.ipa is not None:
            found.append(Phonemes(at, at + len(piece.text), piece.ipa))
        at += len(piece.text)
    return tuple(found)
