"""One text's way to encoded audio, piece by piece."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Callable, Deque, Generator, Iterator, Optional, Tuple, Union

from auto_voice.audio.encoder import Encoder
from auto_voice.audio.encoders import encoder
from auto_voice.audio.pcm import silence
from auto_voice.audio.resample import Resampler
from auto_voice.engines.engine import Utterance, Voice
from auto_voice.engines.job import Job
from auto_voice.errors import DeadlineExceeded
from auto_voice.synthesis.playback import Playback
from auto_voice.synthesis.scheduler import FairScheduler, Ticket
from auto_voice.synthesis.spans import SpeechSpans, TimedEncoder
from auto_voice.text.sentences import Segment

LOOKAHEAD = 2
"""Sentences of one request under way at once: one is spoken while another one is sent."""
PARAGRAPH_PAUSE_S = 0.25
SILENT_ANSWER_S = 0.1
"""Seconds an answer has at least; for a text without anything speakable, of silence."""


class Stats:
    """What became of one request; filled while it is served."""

    __slots__ = (
        "began",
        "queue_wait_s",
        "first_audio_s",
        "compute_s",
        "audio_s",
        "sentences",
        "characters",
        "playback",
        "spans",
    )

    def __init__(self) -> None:
        self.began = time.monotonic()
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
        self.spans: Optional[SpeechSpans] = None
        """Where the request's trace is sent to a collector."""


class SpeechStream:
    """Speaks a text. Iterate once; memory does not grow with the text."""

    def __init__(
        self,
        *,
        scheduler: FairScheduler,
        segments: Iterator[Segment],
        voice: Voice,
        speed: float,
        format_name: str,
        sample_rate: int,
        start_deadline_s: float,
        request_deadline_s: float,
        stats: Stats,
        is_gone: Callable[[], bool],
    ) -> None:
        self._scheduler = scheduler
        self._segments = segments
        self._voice = voice
        self._speed = speed
        self._format = format_name
        self._rate = sample_rate
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
        out = encoder(self._format, self._rate, total_samples=total_samples)
        spans = self._stats.spans
        return out if spans is None else spans.timed(out, self._format)

    def _samples(self, direct: bool = False) -> Generator[bytes, None, None]:
        """PCM at the answer's sample rate."""
        resampler = Resampler(self._voice.sample_rate, self._rate)
        ticket = self._scheduler.admit()
        pending: Deque[Tuple[Job, Segment]] = deque()
        stats, total = self._stats, 0
        try:
            upcoming = next(self._segments, None)
            while True:
                while upcoming is not None and len(pending) < LOOKAHEAD:
                    segment, upcoming = upcoming, next(self._segments, None)
                    job = self._submit(ticket, segment.text, upcoming is not None, direct)
                    pending.append((job, segment))
                if not pending:
                    break
                if time.monotonic() > self._end_by:
                    raise DeadlineExceeded("The request took longer than its deadline allows.")
                job, segment = pending[0]
                for pcm in job.results(self._is_gone):
                    pcm = resampler.push(pcm)
                    total += len(pcm)
                    if pcm:
                        yield pcm
                pending.popleft()
                self._count(job)
                stats.characters = segment.end
                if segment.paragraph_end and job.utterance.continues:
                    pcm = resampler.push(silence(PARAGRAPH_PAUSE_S, self._voice.sample_rate))
                    total += len(pcm)
                    yield pcm
            pcm = resampler.flush()
            pcm += bytes(max(0, len(silence(SILENT_ANSWER_S, self._rate)) - total - len(pcm)))
            total += len(pcm)
            if pcm:
                yield pcm
        finally:
            stats.audio_s = total / 2 / self._rate
            for job, _ in pending:
                job.cancel()
            if stats.spans is not None:
                stats.spans.left([job for job, _ in pending], sys.exc_info()[1])
            self._scheduler.leave()

    def _submit(self, ticket: Ticket, text: str, continues: bool, direct: bool) -> Job:
        utterance = Utterance(text, self._voice.id, self._speed, continues=continues)
        first = self._stats.sentences == 0
        job = Job(utterance, self._start_by if first else self._end_by, self._end_by, direct)
        self._stats.sentences += 1
        self._scheduler.submit(ticket, job)
        return job

    def _count(self, job: Job) -> None:
        if not self._stats.compute_s:
            self._stats.queue_wait_s = job.started - job.submitted
        self._stats.compute_s += job.compute_s
        if self._stats.spans is not None:
            self._stats.spans.spoken(job)
