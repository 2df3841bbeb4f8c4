"""The one call that every protocol translates to: `Synthesizer.speak`."""

from __future__ import annotations

import hashlib
import time
from importlib import metadata
from typing import Callable, Iterator, Mapping, Optional, Tuple

import msgspec

from auto_voice import __version__
from auto_voice.audio.encoders import sample_rate_for
from auto_voice.engines.engine import Description, Utterance, Voice
from auto_voice.engines.job import Job
from auto_voice.errors import (
    AutoVoiceError,
    EmptyInput,
    EngineFailed,
    InputTooLong,
    UnsupportedParameter,
)
from auto_voice.monitoring.metrics import Metrics
from auto_voice.settings import Settings
from auto_voice.synthesis.cache import AudioCache, Entry
from auto_voice.synthesis.ensemble import Ensemble
from auto_voice.synthesis.flight import Flights
from auto_voice.synthesis.levels import Levels
from auto_voice.synthesis.planning import Plan, Planner
from auto_voice.synthesis.scheduler import FairScheduler
from auto_voice.synthesis.shared_flight import SharedFlights
from auto_voice.synthesis.spans import SpeechSpans
from auto_voice.synthesis.speech import Speech, SpeechRequest, outcome_of
from auto_voice.synthesis.stream import Manner, SpeechStream, Stats
from auto_voice.synthesis.timing import Timings, read_timings, write_timings
from auto_voice.utils.tracing_context import current
from auto_voice.voices.catalogue import Catalogue

_SOON_CHARS = 80
"""A sentence that is no longer is sent whole, however long the engine takes for it: a neural one
some tenths of a second."""


class Synthesizer:
    """Turns requests into speech. Safe for threads."""

    def __init__(
        self,
        settings: Settings,
        ensemble: Ensemble,
        scheduler: FairScheduler,
        cache: Optional[AudioCache],
        metrics: Metrics,
        planner: Planner,
        levels: Levels,
        shared: Optional[SharedFlights] = None,
    ) -> None:
        """``shared``: what other servers have made or are making; for servers with a cache."""
        self.settings = settings
        self.ensemble = ensemble
        self.scheduler = scheduler
        self._cache = cache
        self._flights = Flights(settings.cache_entry_mb << 20)
        self._shared = shared
        self._metrics = metrics
        self._planner = planner
        self.levels = levels
        # A cache on disk outlives upgrades; what an upgrade may change has to be in its keys.
        self._versions = (__version__, metadata.version("av"), metadata.version("soxr"))

    @property
    def engine(self) -> Description:
        """The description of the engine that this server cannot do without; waits while it loads.

        Raises:
            AutoVoiceError: it does not load.
        """
        return self.ensemble.description(self.ensemble.primary)

    @property
    def catalogue(self) -> Catalogue:
        """All voices there are now; waits while engines load.

        Raises:
            AutoVoiceError: no engine loads.
        """
        return self.ensemble.catalogue

    def speak(
        self,
        request: SpeechRequest,
        *,
        is_gone: Callable[[], bool] = lambda: False,
        transport: str = "http",
        begun: bool = False,
    ) -> Speech:
        """Begin to speak; returns with the first bytes made, or raises.

        Args:
            is_gone: tells whether the client has left; polled while waiting.
            transport: a label for the metrics.
            begun: whether this goes on with what began earlier, which a server that is about to
                stop still finishes.

        Raises:
            AutoVoiceError: whatever is wrong, before anything is sent.
        """
        # Whoever was here before the server was told to stop is answered.
        begun = begun or not self.scheduler.draining
        stats = Stats()
        served = current.get()
        if served is not None and served.span is not None:
            stats.spans = SpeechSpans(served.span)
        try:
            speech = self._begin(request, stats, is_gone, begun)
            first = next(speech, b"")
        except AutoVoiceError as error:
            self._metrics.synthesis.refused(outcome_of(error), stats.engine)
            raise
        except Exception:
            self._metrics.synthesis.refused("error", stats.engine)
            raise
        if speech.made.found:
            speech.cache = "hit"
        if stats.spans is not None and speech.made.spans is not None:
            stats.spans.joined(speech.made.spans)
        speech._pieces = _Primed(first, speech._pieces)
        speech._on_close = lambda done: self._account(done, request, transport)
        return speech

    def probe(self, timeout_s: float, voice: Optional[Voice] = None) -> None:
        """Have a worker really speak, past the cache but through the queue.

        Args:
            voice: None: one of the engine that this server cannot do without.

        Raises:
            AutoVoiceError: that fails, or takes longer than ``timeout_s`` seconds.
        """
        began = time.monotonic()
        ticket = self.scheduler.admit()
        try:
            voice = voice or self.ensemble.voice_of(self.ensemble.primary)
            utterance = Utterance("ready", voice.own_id)
            job = Job(utterance, began + timeout_s, began + timeout_s, engine=voice.engine)
            self.scheduler.submit(ticket, job)
            if not any(job.results(lambda: False)):
                raise EngineFailed("the engine is silent")
        finally:
            self.scheduler.leave(ticket)

    def plan(self, request: SpeechRequest) -> Plan:
        """How a request would be spoken, without speaking it.

        Raises:
            AutoVoiceError: whatever is wrong with it.
        """
        self._check_text(request.text)
        return self._planner.plan(request, self.catalogue)

    def _begin(
        self, request: SpeechRequest, stats: Stats, is_gone: Callable[[], bool], begun: bool
    ) -> Speech:
        plan = self.plan(request)
        stats.engine = plan.voice.engine
        instant = True
        for voice in plan.voices:  # what does not work is told before anything is sent
            can = self.ensemble.capabilities(voice)
            instant = instant and can.instant
            if request.timestamps and not can.timestamps:
                raise UnsupportedParameter(
                    f"The engine {voice.engine} does not tell when words are heard.",
                    param="timestamps",
                )
        gains_db = {voice.id: self.levels.gain_db(voice, is_gone, begun) for voice in plan.voices}
        rate = sample_rate_for(request.format, plan.voice.sample_rate, request.sample_rate)
        manner = Manner(request.format, rate, request.speed, request.pitch, request.continues)
        if request.timestamps:
            stats.timings = Timings()

        # By the request alone, so that equal requests get equal bytes.
        whole = plan.is_short and (len(request.text) <= _SOON_CHARS or instant)

        def is_cheap() -> bool:
            # Handing such an answer to other servers takes a sixth of the time of making it, and
            # time is what is short while sentences wait for a worker.
            return instant and bool(self.scheduler.queue(plan.voice.engine).waiting)

        def start(gone: Callable[[], bool]) -> Iterator[bytes]:
            stream = SpeechStream(
                scheduler=self.scheduler,
                text=request.text,
                steps=plan.steps(),
                manner=manner,
                voice_for=plan.voice_for,
                capabilities=self.ensemble.capabilities,
                gains_db=gains_db,
                start_deadline_s=self.settings.start_deadline_s,
                request_deadline_s=self.settings.request_deadline_s,
                stats=stats,
                is_gone=gone,
                begun=begun,
            )
            return stream.whole() if whole else stream.pieces()

        pieces: Iterator[bytes]
        if self._cache is None:
            pieces, made, cached = start(is_gone), stats, "off"
        else:
            unchanged = self.ensemble.unchanged(plan.voices)
            key = self._key(request, plan, manner, gains_db)
            pieces, made, cached = self._from_cache(
                key, start, is_gone, stats, whole, is_cheap, unchanged
            )
        return Speech(
            voice=plan.voice,
            format_name=request.format,
            sample_rate=rate,
            whole=whole,
            cache=cached,
            pieces=pieces,
            stats=stats,
            made=made,
        )

    def _from_cache(
        self,
        key: str,
        start: Callable[[Callable[[], bool]], Iterator[bytes]],
        is_gone: Callable[[], bool],
        stats: Stats,
        whole: bool,
        is_cheap: Callable[[], bool],
        unchanged: Callable[[], bool],
    ) -> Tuple[Iterator[bytes], Stats, str]:
        assert self._cache is not None  # nosec B101: the caller has looked
        cache = self._cache
        entry = cache.get(key)
        if entry is not None:
            stats.audio_s, stats.timings = entry.audio_s, read_timings(entry.timings)
            stats.first_audio_s = time.monotonic() - stats.began
            self._metrics.cache.asked("hit")
            return iter((entry.audio,)), stats, "hit"

        shared = self._shared
        claim = shared.claim(key) if shared is not None else None

        def begin(gone: Callable[[], bool]) -> Iterator[bytes]:
            nonlocal claim
            # It may have been finished between the look above and now.
            entry = cache.get(key)
            if entry is None and shared is not None and claim is not None and stats.found is None:
                if is_cheap():
                    claim, entry = None, shared.look(key)
                else:
                    entry = shared.find(claim, whole, gone)
                if entry is not None:
                    cache.found(key, entry)
            if stats.found is None:
                stats.found = entry is not None
                self._metrics.cache.asked("hit" if stats.found else "miss")
            if entry is None:
                return start(gone)
            stats.audio_s, stats.timings = entry.audio_s, read_timings(entry.timings)
            stats.first_audio_s = time.monotonic() - stats.began
            return iter((entry.audio,))

        def keep(audio: bytes) -> None:
            entry = Entry(audio, stats.audio_s, write_timings(stats.timings))
            if not stats.found and not unchanged():
                drop()  # a voice was replaced meanwhile, and this is not what the key says
            elif not stats.found:
                cache.put(key, entry)
                if shared is not None and claim is not None:
                    shared.finish(claim, entry, stats.compute_s)

        def drop() -> None:
            if shared is not None and claim is not None:
                shared.finish(claim, None)

        pieces, made, joined = self._flights.board(key, begin, stats, is_gone, keep, drop)
        if joined:
            self._metrics.cache.asked("joined")
        return pieces, made, "hit" if joined else "miss"

    def _key(
        self, request: SpeechRequest, plan: Plan, manner: Manner, gains_db: Mapping[str, float]
    ) -> str:
        identity = (
            self._versions,
            [(*self.ensemble.identity(voice), gains_db[voice.id]) for voice in plan.voices],
            plan.digests,
            request.text.encode("utf-8", "surrogatepass"),
            request.ssml,
            request.normalize,
            request.timestamps,
            msgspec.structs.astuple(manner),
        )
        return hashlib.sha256(msgspec.msgpack.encode(identity)).hexdigest()

    def _check_text(self, text: str) -> None:
        limit = self.settings.max_input_chars
        if len(text) > limit:
            raise InputTooLong(
                f"The text has {len(text)} characters; this server accepts {limit}.",
                param="input",
            )
        if not text or text.isspace():
            raise EmptyInput("There is no text to speak.", param="input")

    def _account(self, speech: Speech, request: SpeechRequest, transport: str) -> None:
        stats = speech.stats
        self._metrics.synthesis.done(
            engine=speech.voice.engine,
            mode="whole" if speech.whole else "stream",
            outcome=speech.outcome,
            transport=transport,
            characters=len(request.text),
            duration_s=time.monotonic() - stats.began,
            first_audio_s=stats.first_audio_s,
            queue_wait_s=stats.queue_wait_s,
            compute_s=stats.compute_s,
            made_s=stats.audio_s if speech.cache != "hit" else 0.0,
            audio_s=speech.made.audio_s,
            sentences=stats.sentences,
            underrun_s=stats.playback.stalled_s,
        )


class _Primed:
    """An iterator whose first item is there already. Closes what it iterates over."""

    def __init__(self, first: bytes, rest: Iterator[bytes]) -> None:
        self._first: Optional[bytes] = first
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return first if first else next(self._rest)

    def close(self) -> None:
        close = getattr(self._rest, "close", None)
        if close is not None:
            close()
