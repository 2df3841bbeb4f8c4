"""Series of voices that are files: fetched, loaded into memory, and let go of."""

from typing import Callable, Sequence, Tuple

from auto_voice.monitoring.series import Families, Live

INSTALL_OUTCOMES = ("installed", "failed", "cancelled")
LOAD_OUTCOMES = ("loaded", "failed")

_LOAD_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class VoiceMetrics:
    """Of voices that are files. No voice's id is a label: anybody may install another one."""

    def __init__(self, families: Families, engines: Sequence[str]) -> None:
        """``engines``: those whose voices are files."""
        self._families = families
        self._lock = families.lock
        self._engines = tuple(engines)
        installs = families.counter(
            "voice_installs_total", "Installations of voices, by how they ended.", ("outcome",)
        )
        self._installs = {outcome: installs(outcome) for outcome in INSTALL_OUTCOMES}
        self._bytes = families.counter(
            "voice_download_bytes_total", "Bytes of voices fetched over the network."
        )()
        loads = families.counter(
            "voice_loads_total",
            "Voices that a worker loaded, or failed to load.",
            ("engine", "outcome"),
        )
        self._loads = {
            (e, outcome): loads(e, outcome) for e in engines for outcome in LOAD_OUTCOMES
        }
        load_s = families.histogram(
            "voice_load_seconds",
            "Seconds that a worker took to load a voice.",
            _LOAD_SECONDS,
            ("engine",),
        )
        self._load_s = {engine: load_s(engine) for engine in engines}
        unloads = families.counter(
            "voice_unloads_total",
            "Voices that a worker let go of, since others wanted the memory or a file changed.",
            ("engine",),
        )
        self._unloads = {engine: unloads(engine) for engine in engines}

    def watch(
        self,
        *,
        installing: Live,
        in_memory: Callable[[str], Tuple[int, int]],
        limit_bytes: Callable[[str], int],
    ) -> None:
        """Read these at each scrape.

        Args:
            installing: installations under way, or waiting.
            in_memory: an engine's loaded voices in all of its workers, and their bytes.
            limit_bytes: what these may be together.
        """

        def gauges(name: str, about: str, read: Callable[[str], float]) -> None:
            self._families.gauges(
                name, about, ("engine",), lambda: [((e,), read(e)) for e in self._engines]
            )

        self._families.gauge(
            "voice_installs_in_progress", "Installations that run or wait.", installing
        )
        gauges(
            "voices_loaded",
            "Voices in memory, once for each worker that has them.",
            lambda engine: in_memory(engine)[0],
        )
        gauges(
            "voices_memory_bytes",
            "Memory that loaded voices are reckoned to take.",
            lambda engine: in_memory(engine)[1],
        )
        gauges(
            "voices_memory_limit_bytes",
            "Memory that loaded voices may take, in all workers together.",
            limit_bytes,
        )

    def installed(self, outcome: str) -> None:
        """An installation ended: one of `INSTALL_OUTCOMES`."""
        with self._lock:
            self._installs[outcome].value += 1

    def received(self, size_bytes: int) -> None:
        """So much more of a voice has come."""
        with self._lock:
            self._bytes.value += size_bytes

    def loaded(self, engine: str, load_s: float) -> None:
        """A worker has loaded a voice; of other engines' nothing is noted."""
        self._count(engine, "loaded", load_s)

    def not_loaded(self, engine: str) -> None:
        """A worker has failed at that."""
        self._count(engine, "failed")

    def unloaded(self, engine: str, count: int) -> None:
        """A worker has let go of voices."""
        with self._lock:
            if engine in self._unloads:
                self._unloads[engine].value += count

    def _count(self, engine: str, outcome: str, *load_s: float) -> None:
        with self._lock:
            counter = self._loads.get((engine, outcome))
            if counter is None:
                return
            counter.value += 1
            for seconds in load_s:
                self._load_s[engine].observe(seconds)
