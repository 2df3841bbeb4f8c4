"""The only place where objects are wired together."""

from pathlib import Path
from typing import Optional

from auto_voice.audio.encoders import available
from auto_voice.audio.pcm import silence
from auto_voice.audio.resample import Resampler
from auto_voice.engines.pool import Listener, WorkerPool
from auto_voice.errors import SettingsError
from auto_voice.monitoring.health import Health
from auto_voice.monitoring.metrics import Metrics
from auto_voice.settings import PREFIX, Settings
from auto_voice.synthesis.cache import AudioCache, DiskStore, MemoryStore
from auto_voice.synthesis.scheduler import FairScheduler
from auto_voice.synthesis.synthesizer import Synthesizer


class Service:
    """A running AutoVoice, without any protocol around it."""

    def __init__(
        self, settings: Settings, synthesizer: Synthesizer, metrics: Metrics, health: Health
    ) -> None:
        self.settings = settings
        self.synthesizer = synthesizer
        self.metrics = metrics
        self.health = health

    def warm_up(self) -> None:
        """Load what the first requests would otherwise wait for: codecs and the resampler."""
        available()
        Resampler(22_050, 24_000).push(silence(0.1, 22_050))

    def drain(self) -> None:
        """Take no new requests; those begun go on."""
        self.synthesizer.scheduler.drain()

    def close(self) -> None:
        """Stop at once."""
        self.synthesizer.scheduler.drain()
        self.synthesizer.pool.close()


class _MetricsListener(Listener):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def worker_died(self, reason: str) -> None:
        self._metrics.worker_died(reason)

    def worker_ready(self, load_s: float) -> None:
        self._metrics.worker_ready(load_s)


def check(settings: Settings) -> None:
    """Find out, before anything is started, what `build` would refuse.

    Raises:
        SettingsError: the cache's folder cannot be used.
    """
    _cache(settings, Metrics(settings.engine))


def build(settings: Settings) -> Service:
    """Wire a service and start its engine's workers; does not wait for them.

    Raises:
        SettingsError: the cache's folder cannot be used.
    """
    metrics = Metrics(settings.engine)
    scheduler = FairScheduler(settings.max_requests)
    pool = WorkerPool(
        settings.engine,
        scheduler,
        settings.engine_worker_count,
        settings.engine_timeout_s,
        _MetricsListener(metrics),
    )
    cache = _cache(settings, metrics)
    synthesizer = Synthesizer(settings, pool, scheduler, cache, metrics)
    health = Health(
        engine=settings.engine,
        probe=synthesizer.probe,
        last_success=lambda: pool.last_success,
        ready_workers=lambda: pool.ready_workers,
        load_error=lambda: pool.load_error,
        is_draining=lambda: scheduler.draining,
        is_full=lambda: scheduler.requests >= scheduler.max_requests,
    )
    metrics.watch(
        waiting=lambda: scheduler.waiting,
        in_progress=lambda: scheduler.requests,
        capacity=settings.max_requests,
        ready=lambda: float(pool.ready_workers > 0),
        last_success=lambda: pool.last_success,
        draining=lambda: float(scheduler.draining),
        cache_bytes=lambda: cache.size_bytes if cache else (0, 0),
    )
    pool.start()
    return Service(settings, synthesizer, metrics, health)


def _cache(settings: Settings, metrics: Metrics) -> Optional[AudioCache]:
    if settings.cache == "off":
        return None
    memory = MemoryStore(
        settings.cache_memory_mb << 20, lambda count: metrics.evicted("memory", count)
    )
    disk = None
    if settings.cache_dir:
        try:
            disk = DiskStore(
                Path(settings.cache_dir).expanduser(),
                settings.cache_disk_mb << 20,
                lambda count: metrics.evicted("disk", count),
            )
        except OSError as error:
            raise SettingsError(f"{PREFIX}CACHE_DIR cannot be written: {error}") from None
    return AudioCache(memory, disk)
