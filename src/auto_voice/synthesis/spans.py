"""The steps of a speech as spans: each sentence's wait and its speaking, and the encoding."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Optional, Sequence

from auto_voice.audio.encoder import Encoder
from auto_voice.audio.pcm import PCM
from auto_voice.engines.job import Job
from auto_voice.errors import AutoVoiceError, Cancelled
from auto_voice.utils.tracing_context import Span

MAX_SENTENCES = 32
"""Sentences of one request with spans of their own: a book's would crowd out all others."""


class SpeechSpans:
    """Makes the spans of one request's speech, below the request's own."""

    def __init__(self, request: Span) -> None:
        self._request = request
        self._sentences = 0

    def spoken(self, job: Job) -> None:
        """A sentence has come out of its worker whole."""
        self._sentence(job, job.started + job.compute_s, "")

    def left(self, jobs: Sequence[Job], error: Optional[BaseException]) -> None:
        """Sentences under way when the request ended, the one it waited for first."""
        kind = ""
        if isinstance(error, AutoVoiceError):
            kind = "" if isinstance(error, Cancelled) else error.code
        elif isinstance(error, Exception):
            kind = type(error).__name__
        now = time.monotonic()
        for job in jobs:
            self._sentence(job, now, kind)
            kind = ""  # the others were only in the queue behind it

    def timed(self, encoder: Encoder, format_name: str) -> TimedEncoder:
        """The same encoder; its span ends when it is closed."""
        return TimedEncoder(encoder, format_name, self._request)

    def joined(self, maker: SpeechSpans) -> None:
        """The audio is made by another request."""
        if maker is not self:
            self._request.link(maker._request)

    def _sentence(self, job: Job, ended: float, error: str) -> None:
        self._sentences += 1
        if self._sentences > MAX_SENTENCES:
            return
        attributes: Dict[str, Any] = {
            "autovoice.engine": job.engine,
            "autovoice.voice": job.utterance.voice,
            "autovoice.sentence": self._sentences,
            "autovoice.characters": len(job.utterance.text),
        }
        if not job.started:
            self._request.record("queue", job.submitted, ended, attributes, error)
            return
        self._request.record("queue", job.submitted, job.started, attributes)
        attributes["autovoice.attempts"] = job.attempts
        self._request.record("engine", job.started, ended, attributes, error)


class TimedEncoder:
    """An encoder whose work is a span: from its first sample to its last byte.

    It mostly waits for samples in between; ``autovoice.encode_s`` is the time it worked.
    """

    def __init__(self, encoder: Encoder, format_name: str, request: Span) -> None:
        self._encoder = encoder
        self._format = format_name
        self._request: Optional[Span] = request
        self._began = 0.0
        self._ended = 0.0
        self._busy_s = 0.0
        self._bytes = 0
        self._error = ""

    def encode(self, pcm: PCM) -> bytes:
        """As the encoder's own."""
        return self._timed(lambda: self._encoder.encode(pcm))

    def finish(self) -> bytes:
        """As the encoder's own."""
        return self._timed(self._encoder.finish)

    def close(self) -> None:
        """As the encoder's own."""
        self._encoder.close()
        request, self._request = self._request, None
        if request is None or not self._began:
            return
        attributes = {
            "autovoice.format": self._format,
            "autovoice.bytes": self._bytes,
            "autovoice.encode_s": round(self._busy_s, 6),
        }
        request.record("encode", self._began, self._ended, attributes, self._error)

    def _timed(self, work: Callable[[], bytes]) -> bytes:
        began = time.monotonic()
        self._began = self._began or began
        try:
            data = work()
        except Exception as error:
            self._error = type(error).__name__
            raise
        finally:
            self._ended = time.monotonic()
            self._busy_s += self._ended - began
        self._bytes += len(data)
        return data
