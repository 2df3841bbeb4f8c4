"""The only place where objects are wired together."""

import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Tuple

from auto_voice.audio.encoders import available
from auto_voice.audio.pcm import silence
from auto_voice.audio.resample import Resampler
from auto_voice.engines import EMBEDDED, PACKAGES, chosen
from auto_voice.engines.engine import EngineOptions
from auto_voice.engines.pool import Listener, WorkerPool
from auto_voice.errors import AutoVoiceError, MissingDependency, SettingsError
from auto_voice.monitoring.gpu import GpuCollector
from auto_voice.monitoring.health import Health
from auto_voice.monitoring.metrics import Metrics
from auto_voice.monitoring.recent_errors import RecentErrors
from auto_voice.monitoring.status import StatusReader
from auto_voice.settings import PREFIX, Settings, available_cores
from auto_voice.shared.client import SharedRedis
from auto_voice.synthesis.cache import AudioCache, MemoryStore
from auto_voice.synthesis.disk_store import DiskStore
from auto_voice.synthesis.ensemble import Ensemble
from auto_voice.synthesis.levels import Levels
from auto_voice.synthesis.planning import Planner
from auto_voice.synthesis.scheduler import FairScheduler
from auto_voice.synthesis.shared_audio import SharedAudio
from auto_voice.synthesis.shared_flight import SharedFlights
from auto_voice.synthesis.synthesizer import Synthesizer
from auto_voice.text.lexicon_store import LexiconStore
from auto_voice.text.plan import MAX_SENTENCE_CHARS
from auto_voice.text.sentences import segments
from auto_voice.utils import logging_config
from auto_voice.utils.instrument import timed, traced
from auto_voice.voices.folder import VoiceFolder
from auto_voice.voices.index import VoiceIndex, sources
from auto_voice.voices.install import Installer
from auto_voice.voices.installs import Installs
from auto_voice.voices.store import VoiceStore

if TYPE_CHECKING:
    from auto_voice.monitoring.tracing import Tracing


log = logging.getLogger(__name__)


class Service:
    """A running AutoVoice, without any protocol around it."""

    def __init__(
        self,
        settings: Settings,
        synthesizer: Synthesizer,
        metrics: Metrics,
        health: Health,
        lexicons: LexiconStore,
        tracing: "Optional[Tracing]" = None,
        redis: Optional[SharedRedis] = None,
        flights: Optional[SharedFlights] = None,
        installs: Optional[Installs] = None,
    ) -> None:
        self.settings = settings
        self.synthesizer = synthesizer
        self.metrics = metrics
        self.health = health
        self.errors = RecentErrors()
        self.status = StatusReader(metrics, health, self.errors)
        self.lexicons = lexicons
        self.installs = installs or _installs(settings)
        self.tracing = tracing
        """Where spans are sent to; None where tracing is off."""
        self.redis = redis
        """What is shared with other servers; None where there are none."""
        self._flights = flights

    def fetch_voices(self) -> None:
        """Have the voices that the settings want; does not wait for them."""
        self.installs.want(self.settings.wanted_voices)

    @traced("warm-up")
    @timed("warming up")
    def warm_up(self) -> None:
        """Load what the first requests would wait for: codecs, the resampler, sentence rules."""
        language = "en"
        try:
            voice = self.synthesizer.catalogue.find(self.settings.default_voice)
            language = voice.language
            self.synthesizer.levels.gain_db(voice, lambda: False)
        except AutoVoiceError as error:  # requests for that voice will hear it, too
            log.warning("the default voice is not warmed up: %s", error)
        next(segments("Ready. Steady.", language, MAX_SENTENCE_CHARS))
        available()
        Resampler(22_050, 24_000).push(silence(0.1, 22_050))

    def drain(self) -> None:
        """Take no new requests; those begun go on, but for installing voices."""
        self.installs.close()
        self.synthesizer.scheduler.drain()

    def close(self) -> None:
        """Stop at once."""
        self.installs.close()
        self.status.history.close()
        self.synthesizer.scheduler.drain()
        self.synthesizer.ensemble.close()
        if self._flights is not None:
            self._flights.close()
        if self.redis is not None:
            self.redis.close()
        if self.tracing is not None:
            self.tracing.close()


class _EngineListener(Listener):
    ensemble: Ensemble

    def __init__(self, engine: str, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics

    def worker_died(self, reason: str) -> None:
        self._metrics.engine.worker_died(self._engine, reason)

    def worker_ready(self, load_s: float) -> None:
        self._metrics.engine.worker_ready(self._engine, load_s)

    def voice_loaded(self, load_s: Optional[float]) -> None:
        if load_s is None:
            self._metrics.voices.not_loaded(self._engine)
        else:
            self._metrics.voices.loaded(self._engine, load_s)

    def voices_unloaded(self, count: int) -> None:
        self._metrics.voices.unloaded(self._engine, count)

    def voice_spoke(self, voice: str) -> None:
        self.ensemble.spoke(voice)

    def voice_failed(self, voice: str, error: AutoVoiceError) -> AutoVoiceError:
        return self.ensemble.failed(voice, error)


def check(settings: Settings) -> None:
    """Find out, before anything is started, what `build` would refuse.

    Raises:
        SettingsError: there is no such engine, the cache's folder cannot be used, Redis or tracing
            without its packages, a list of voices that is none.
    """
    _installs(settings)
    _cache(settings, Metrics(*chosen(settings.engine)))
    _redis(settings)
    if settings.tracing != "off":
        tracing_module().check()


def build(settings: Settings) -> Service:
    """Wire a service and start its engines' workers; does not wait for them.

    Raises:
        SettingsError: as `check`.
    """
    engines = chosen(settings.engine)
    primary = EMBEDDED if EMBEDDED in engines else engines[0]
    metrics = Metrics(
        *sorted(engines, key=primary.__ne__),
        revision=settings.revision,
        deployment_slot=settings.deployment_slot,
        of_files=[name for name in engines if name in PACKAGES],
    )
    scheduler = FairScheduler(settings.max_requests)
    ensemble = _ensemble(settings, engines, primary, scheduler, metrics)
    pools = ensemble.pools
    cache = _cache(settings, metrics)
    lexicons = LexiconStore(settings.lexicon_folder)
    planner = Planner(lexicons, settings.ssml_audio_dir)
    levels = Levels(
        scheduler,
        ensemble,
        settings.loudness_lufs,
        settings.loudness_folder,
        settings.start_deadline_s,
    )
    redis = _redis(settings)
    flights = _flights(settings, metrics, redis) if redis is not None else None
    synthesizer = Synthesizer(
        settings, ensemble, scheduler, cache, metrics, planner, levels, flights
    )
    installs = _installs(settings, metrics)
    health = Health(
        engine=primary,
        probe=synthesizer.probe,
        last_success=lambda: pools[primary].last_success,
        ready_workers=lambda: pools[primary].ready_workers,
        load_error=lambda: pools[primary].load_error,
        is_draining=lambda: scheduler.draining,
        is_full=lambda: scheduler.requests >= scheduler.max_requests,
        backends={"redis": redis.fault} if redis is not None else {},
        others={name: partial(ensemble.fault, name) for name in engines if name != primary},
        voices=(
            partial(_voices_fault, settings, installs, ensemble) if settings.wanted_voices else None
        ),
    )
    metrics.synthesis.watch(
        waiting=lambda engine: scheduler.queue(engine).waiting,
        in_progress=lambda: scheduler.requests,
        capacity=settings.max_requests,
    )
    metrics.engine.watch(
        workers=lambda engine: pools[engine].workers,
        ready_workers=lambda engine: pools[engine].ready_workers,
        last_success=lambda engine: pools[engine].last_success,
        voices=ensemble.counts,
    )
    budget = settings.voices_memory_mb * 1_000_000
    metrics.voices.watch(
        installing=lambda: installs.in_progress,
        in_memory=lambda engine: pools[engine].in_memory,
        limit_bytes=lambda engine: pools[engine].workers * budget,
    )
    metrics.cache.watch(
        lambda: (
            *(cache.size_bytes if cache else (0, 0)),
            flights.audio.size_bytes if flights else 0,
        )
    )
    metrics.server.watch(
        draining=lambda: float(scheduler.draining),
        health_checks=health.last,
        log_records=logging_config.record_counts,
        redactions=logging_config.redactions,
    )
    if settings.gpu_metrics != "off":
        wanted = settings.gpu_metrics == "on"
        metrics.registry.register(GpuCollector(wanted, lambda: [os.getpid(), *ensemble.pids]))
    tracing = tracing_module().Tracing() if settings.tracing != "off" else None
    ensemble.start()
    if redis is not None:
        redis.start()
    service = Service(
        settings, synthesizer, metrics, health, lexicons, tracing, redis, flights, installs
    )
    service.status.history.start()
    return service


def _ensemble(
    settings: Settings,
    engines: Tuple[str, ...],
    primary: str,
    scheduler: FairScheduler,
    metrics: Metrics,
) -> Ensemble:
    listeners = {name: _EngineListener(name, metrics) for name in engines}
    options = EngineOptions(
        voice_dir=str(settings.voice_folder),
        memory_mb=settings.voices_memory_mb,
        cores=available_cores(),
    )
    pools = {
        name: WorkerPool(
            name,
            scheduler.queue(name),
            settings.engine_worker_count,
            settings.engine_timeout_s,
            listeners[name],
            options,
            voices_are_files=name in PACKAGES,
        )
        for name in engines
    }
    folder = VoiceFolder(settings.voice_folder)
    ensemble = Ensemble(pools, folder, settings.aliases, primary)
    for listener in listeners.values():
        listener.ensemble = ensemble
    return ensemble


def _voices_fault(settings: Settings, installs: Installs, ensemble: Ensemble) -> Optional[str]:
    """Why not all voices that the settings want can be used; None if they can."""
    faults = [installs.fault()]
    for voice in settings.wanted_voices:
        reason = ensemble.why_broken(voice)
        faults.append(reason and f"{voice} cannot be used: {reason}")
    return "; ".join(filter(None, faults)) or None


def tracing_module() -> Any:
    """The module that sends spans.

    Raises:
        SettingsError: its packages are not installed.
    """
    # Only here, and only where it is switched on: its packages are an extra, and not small.
    try:
        from auto_voice.monitoring import tracing
    except ImportError as error:
        raise SettingsError(
            f"{PREFIX}TRACING=otlp needs packages that are not installed ({error}): "
            "pip install 'autovoice[tracing]'"
        ) from None
    return tracing


def voice_index(settings: Settings) -> VoiceIndex:
    """The lists of voices that can be installed.

    Raises:
        SettingsError: one of them is none.
    """
    try:
        lists = sources(settings.voice_index)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}VOICE_INDEX: {error}") from None
    return VoiceIndex(lists, settings.download_timeout_s)


def _installs(settings: Settings, metrics: Optional[Metrics] = None) -> Installs:
    store = VoiceStore(settings.voice_folder, settings.voices_disk_mb << 20)
    index, timeout_s = voice_index(settings), settings.download_timeout_s
    if metrics is None:
        return Installs(index, Installer(store, timeout_s))
    installer = Installer(store, timeout_s, metrics.voices.received)
    return Installs(index, installer, metrics.voices.installed)


def _redis(settings: Settings) -> Optional[SharedRedis]:
    if not settings.redis_url:
        return None
    try:
        return SharedRedis(settings.redis_url, settings.redis_wait_ms / 1000)
    except (MissingDependency, ValueError) as error:
        raise SettingsError(f"{PREFIX}REDIS_URL: {error}") from None


def _flights(settings: Settings, metrics: Metrics, redis: SharedRedis) -> Optional[SharedFlights]:
    if settings.cache == "off" or not settings.cache_redis_mb:
        return None
    audio = SharedAudio(
        redis,
        settings.cache_redis_mb << 20,
        settings.cache_redis_ttl_s,
        lambda count: metrics.cache.evicted("redis", count),
    )
    # Half of the threads for requests: who waits for another server has no place in the queue.
    return SharedFlights(redis, audio, metrics.cache, settings.max_requests // 2)


def _cache(settings: Settings, metrics: Metrics) -> Optional[AudioCache]:
    if settings.cache == "off":
        return None
    memory = MemoryStore(
        settings.cache_memory_mb << 20, lambda count: metrics.cache.evicted("memory", count)
    )
    disk = None
    if settings.cache_dir:
        try:
            disk = DiskStore(
                Path(settings.cache_dir).expanduser(),
                settings.cache_disk_mb << 20,
                lambda count: metrics.cache.evicted("disk", count),
            )
        except OSError as error:
            raise SettingsError(f"{PREFIX}CACHE_DIR cannot be written: {error}") from None
    return AudioCache(memory, disk)
