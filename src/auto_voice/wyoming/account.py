"""What the log, the trace and the status page say of an utterance."""

from __future__ import annotations

import logging
import time
from typing import Any, Dict, Optional, Set

import msgspec

from auto_voice.bootstrap import Service
from auto_voice.errors import AutoVoiceError
from auto_voice.synthesis.speech import Speech, outcome_of
from auto_voice.utils.tracing_context import SAMPLED, Context, received
from auto_voice.wyoming.utterance import Utterance

log = logging.getLogger("auto_voice.wyoming")

_ON_SPANS = ("engine", "voice", "format", "characters", "audio_s", "outcome", "first_audio_ms")


class Account:
    """Of one utterance, from its begin to its end."""

    def __init__(self, service: Service, utterance: Utterance, client: str) -> None:
        self._service = service
        self._utterance = utterance
        self._client = client
        self.context = self._begun()
        """Whom code runs for that speaks it."""
        self.samples = 0
        """Sent."""
        self._sentences = 0
        self._queue_wait_s = 0.0
        self._first_audio_s: Optional[float] = None
        self._caches: Set[str] = set()

    def heard(self, samples: int) -> None:
        """Audio is about to be sent."""
        if self._first_audio_s is None:
            self._first_audio_s = time.monotonic() - self._utterance.began
        self.samples += samples

    def spoke(self, speech: Speech) -> None:
        """A part of it is over."""
        if not self._sentences:
            self._queue_wait_s = speech.stats.queue_wait_s
        self._sentences += speech.stats.sentences
        self._caches.add(speech.cache)

    def close(self, error: Optional[AutoVoiceError]) -> None:
        """It is over; in its context."""
        utterance = self._utterance
        voice = utterance.voice
        outcome = "success" if error is None else outcome_of(error)
        facts: Dict[str, Any] = {
            "client": self._client,
            "streaming": utterance.growing,
            "engine": voice.engine if voice is not None else "",
            "format": "pcm",
            **utterance.facts.facts(),
            "sentences": self._sentences,
            "audio_s": 0.0,
            "cache": "/".join(sorted(self._caches)),
            "outcome": outcome,
            "queue_wait_ms": round(1e3 * self._queue_wait_s, 3),
            "first_audio_ms": round(1e3 * (self._first_audio_s or 0.0), 3),
            "duration_ms": round(1e3 * (time.monotonic() - utterance.began), 3),
        }
        if voice is not None:
            facts.update(voice=voice.id, audio_s=round(self.samples / voice.sample_rate, 3))
        if error is not None:
            facts["error"] = error.code
            self._service.errors.note(
                code=error.code,
                status=error.status,
                method="WYOMING",
                route="synthesize",
                request_id=self.context.request_id,
            )
        log.info("synthesize: %s", outcome, extra={"facts": facts})
        span = self.context.span
        if span is not None:
            said = {f"autovoice.{name}": facts[name] for name in _ON_SPANS if name in facts}
            broken = error is not None and error.status >= 500
            if error is not None:
                said["error.type"] = error.code
            span.update("wyoming synthesize", said)
            span.end(error.code if error is not None and broken else "")

    def _begun(self) -> Context:
        context = received()
        tracing = self._service.tracing
        if tracing is None:
            return context
        span = tracing.begin(
            "wyoming synthesize",
            trace_id=context.trace_id,
            span_id=context.span_id,
            parent_id="",
            flags=context.flags,
            tracestate="",
            attributes={
                "rpc.system": "wyoming",
                "client.address": self._client,
                "autovoice.request_id": context.request_id,
            },
        )
        flags = context.flags & ~SAMPLED if span is None else context.flags | SAMPLED
        changed: Context = msgspec.structs.replace(context, span=span, flags=flags)
        return changed
