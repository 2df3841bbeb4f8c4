"""All engines of a server, and the voices that they have together.

Which voices there are changes while the server runs: files come and go, a file
proves to be broken, an engine fails and comes back. The catalogue is made anew
whenever that has happened, and whoever has the old one may go on with it.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from auto_voice.engines import PACKAGES, lacking
from auto_voice.engines.engine import Capabilities, Description, Voice
from auto_voice.engines.pool import WorkerPool
from auto_voice.errors import (
    AutoVoiceError,
    EngineCrashed,
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    VoiceUnavailable,
)
from auto_voice.voices.catalogue import BrokenVoice, Catalogue, Roster
from auto_voice.voices.folder import Installed, VoiceFolder

log = logging.getLogger(__name__)

LOAD_WAIT_S = 30.0
LACKING_S = 10.0
"""Seconds after which a package that was missing is looked for again."""
FAILURES = 3
"""So many texts in a row, the one for its loudness among them, that a voice fails at before it was
ever heard are no accident."""
BROKEN_S = 60.0
"""Seconds after which a voice that did not speak is tried again, though its files are the
same: what it lacked, memory say, may be there now."""

_QUALITIES = {"x_low": 0, "low": 1, "medium": 2, "high": 3}


class _Failed(NamedTuple):
    """A voice that an engine could not load, or that failed before it was ever heard."""

    identity: str
    until: float
    """On time.monotonic()'s clock."""
    reason: str


class Ensemble:
    """The engines, by name, the preferred one first. Safe for threads."""

    def __init__(
        self,
        pools: Mapping[str, WorkerPool],
        folder: VoiceFolder,
        aliases: Mapping[str, str],
        primary: str,
    ) -> None:
        """``primary``: the engine that a server cannot do without."""
        self.pools = dict(pools)
        self.primary = primary
        self.folder = folder
        self._aliases = dict(aliases)
        # Without its package an engine need not be tried; what a server cannot do without is.
        self._lacking = {
            name: (time.monotonic() + LACKING_S, lacking(name))
            for name in self.pools
            if name in PACKAGES and name != primary
        }
        """Engines, with what they lack, and when to look again on time.monotonic()'s clock."""
        self._failed: Dict[str, _Failed] = {}
        """By a voice's id."""
        self._heard: Set[str] = set()
        """Voices that have spoken, by what is in their files."""
        self._failures: Dict[str, int] = {}
        """How often a voice has failed that has not been heard, by what is in its files."""
        self._told: Dict[str, Tuple[Optional[str], str]] = {}
        """What has been logged of each voice that failed: its files, and why."""
        self._making = threading.Lock()
        self._made_of: Optional[Tuple[Any, ...]] = None
        self._catalogue: Optional[Catalogue] = None

    @property
    def names(self) -> Tuple[str, ...]:
        """The engines' names."""
        return tuple(self.pools)

    @property
    def versions(self) -> Dict[str, str]:
        """Of the engines that have been loaded."""
        return {
            name: pool.description(0).version for name, pool in self.pools.items() if pool.is_known
        }

    def start(self) -> None:
        """Start the workers of engines that have voices, without waiting for them."""
        wanted = {voice.engine for voice in self.folder.look().voices}
        for name, pool in self.pools.items():
            if name not in PACKAGES or (name in wanted and not self._lacks(name)):
                pool.start()

    def close(self) -> None:
        """Stop at once."""
        for pool in self.pools.values():
            pool.close()

    @property
    def pids(self) -> List[int]:
        """The process ids of all workers."""
        return [pid for pool in self.pools.values() for pid in pool.pids]

    @property
    def catalogue(self) -> Catalogue:
        """All voices there are now; waits while engines load that have voices of their own.

        Raises:
            AutoVoiceError: none of them loads, and there is no other voice.
        """
        made_of = self._state(self.folder.look())
        if self._catalogue is None or made_of != self._made_of:
            with self._making:
                catalogue, self._made_of = self._make()
                self._catalogue = catalogue
                return catalogue
        return self._catalogue

    def description(self, engine: str) -> Description:
        """What an engine can do; starts it, and waits for it, where that has not happened.

        Raises:
            AutoVoiceError: it does not load.
        """
        pool = self.pools[engine]
        if not pool.is_started:
            pool.start()
        return pool.description(LOAD_WAIT_S)

    def capabilities(self, voice: Voice) -> Capabilities:
        """What the engine of a voice can do.

        Raises:
            AutoVoiceError: it does not load.
        """
        return self.description(voice.engine).capabilities

    def identity(self, voice: Voice) -> Tuple[str, ...]:
        """All that decides how a voice sounds: its engine, its name there, what is in its files.
        The same on every server that has the same; the first time, files are read for it.

        Raises:
            AutoVoiceError: its engine does not load.
        """
        engine = self.description(voice.engine)
        own_id = voice.own_id
        self.folder.look()
        return engine.name, engine.version, own_id, self.folder.digest(own_id.partition("+")[0])

    def unchanged(self, voices: Iterable[Voice]) -> Callable[[], bool]:
        """Tells whether nobody has touched the files of these voices since. If so, what was spoken
        in between is what their `identity`, asked for from now on, says."""
        ids = [voice.own_id.partition("+")[0] for voice in voices]
        before = [self.folder.seen(voice_id) for voice_id in ids]
        return lambda: all(map(self.folder.is_as, ids, before))

    def voice_of(self, engine: str) -> Voice:
        """Some voice of an engine, to try it with.

        Raises:
            AutoVoiceError: it has none.
        """
        for voice in self.folder.look().voices:
            if voice.engine == engine and voice.id not in self._failed:
                return voice
        if engine not in PACKAGES:
            return self.description(engine).voices[0]
        raise EngineUnavailable(f"No voice is installed for the engine {engine}.")

    def fault(self, engine: str) -> Optional[str]:
        """Why an engine that should speak cannot; None also where nobody needs it."""
        pool = self.pools[engine]
        lacks = self._lacks(engine)
        if lacks and any(voice.engine == engine for voice in self.folder.look().voices):
            return lacks
        if not pool.is_started or pool.ready_workers:
            return None
        error = pool.load_error
        return f"no worker is ready: {error}" if error else "no worker is ready"

    def spoke(self, voice: str) -> None:
        """A voice, by its engine's own id, has been heard."""
        digest = self.folder.digest(voice.partition("+")[0])
        self._heard.add(digest)
        self._failures.pop(digest, None)

    def failed(self, voice: str, error: AutoVoiceError) -> AutoVoiceError:
        """A voice, by its engine's own id, was not heard; returns what to tell its client.

        A voice from a file that fails `FAILURES` times and was never heard is broken. Before, and
        once it has spoken, it may be the text: no reason to take the voice from others.
        """
        voice_id = voice.partition("+")[0]
        identity = self.folder.look().identities.get(voice_id)
        if not isinstance(error, VoiceUnavailable):
            fails = isinstance(error, (EngineFailed, EngineCrashed, EngineTimeout))
            if identity is None or not fails:
                return error
            digest = self.folder.digest(voice_id)
            if digest in self._heard:
                return error
            self._failures[digest] = self._failures.get(digest, 0) + 1
            if self._failures[digest] < FAILURES:
                return error
            error = VoiceUnavailable(f"The voice {voice_id} does not speak: {error.message}")
        reason = error.message.rstrip(".")
        self._tell(voice_id, reason)
        failed = _Failed(identity or "", time.monotonic() + BROKEN_S, reason)
        self._failed = {**self._failed, voice_id: failed}
        return error

    def _tell(self, voice_id: str, reason: str) -> None:
        """Log once why a voice cannot be used, for as long as its files are the same."""
        told = (self.folder.look().identities.get(voice_id), reason)
        if self._told.get(voice_id) != told:
            self._told[voice_id] = told
            extra = {"voice": voice_id, "reason": reason}
            log.warning("voice %s cannot be used: %s", voice_id, reason, extra=extra)

    def why_broken(self, voice: str) -> Optional[str]:
        """Why an installed voice cannot be used, as far as it is known now; waits for nothing."""
        installed = self.folder.look()
        for broken in installed.broken:
            if broken.id == voice:
                return broken.reason
        found = (self._reason(each) for each in installed.voices if each.id == voice)
        return next(found, None)

    def counts(self) -> Iterator[Tuple[Tuple[str, str], int]]:
        """How many voices each engine has, by their state, for the metrics."""
        catalogue = self._catalogue
        try:
            # Not before somebody has waited for it; but then as it is now.
            catalogue = self.catalogue if catalogue else None
        except AutoVoiceError:
            catalogue = None
        usable = [voice.engine for voice in catalogue.list()] if catalogue else []
        broken = [voice.engine for voice in catalogue.broken] if catalogue else []
        for engine in self.pools:
            yield (engine, "usable"), usable.count(engine)
            yield (engine, "broken"), broken.count(engine)

    def _state(self, installed: Installed) -> Tuple[Any, ...]:
        """What a catalogue is made of; another one is due when this changes."""
        if self._failed:
            now = time.monotonic()
            self._failed = {
                voice_id: failed
                for voice_id, failed in self._failed.items()
                if now < failed.until and installed.identities.get(voice_id, "") == failed.identity
            }
        engines = [
            (pool.is_known, pool.load_error, self._lacks(name)) for name, pool in self.pools.items()
        ]
        return (installed, self._failed, *engines)

    def _make(self) -> Tuple[Catalogue, Tuple[Any, ...]]:
        installed = self.folder.look()
        usable: Dict[str, List[Voice]] = {name: [] for name in self.pools}
        broken = list(installed.broken)
        for voice in installed.voices:
            reason = self._reason(voice)
            if reason is None:
                usable[voice.engine].append(voice)
                self.pools[voice.engine].start()
            else:
                broken.append(BrokenVoice(voice.id, voice.engine, reason))
                self._tell(voice.id, reason)
        rosters: List[Roster] = []
        fault: Optional[AutoVoiceError] = None
        for name in self.pools:
            known: Optional[Description] = None
            if name not in PACKAGES:
                try:
                    known = self.description(name)
                except AutoVoiceError as error:
                    fault = fault or error
            rosters.append(_roster(name, known, usable[name]))
        if fault is not None and not any(roster.voices for roster in rosters):
            raise fault
        # Looked at after what was waited for.
        made_of = self._state(installed)
        return Catalogue(rosters, self._aliases, sorted(broken, key=_id)), made_of

    def _lacks(self, engine: str) -> str:
        """Which package an engine misses; empty if none, or if it is tried in any case."""
        look_at, lacks = self._lacking.get(engine, (0.0, ""))
        if lacks and time.monotonic() > look_at:  # somebody may have installed it
            lacks = lacking(engine)
            self._lacking[engine] = (time.monotonic() + LACKING_S, lacks)
        return lacks

    def _reason(self, voice: Voice) -> Optional[str]:
        """Why a voice of the folder cannot be used now."""
        failed = self._failed.get(voice.id)
        if failed is not None:
            return failed.reason
        pool = self.pools.get(voice.engine)
        if pool is None:
            switched_off = f"the engine {voice.engine} is switched off in the settings"
            return lacking(voice.engine) or switched_off
        lacks = self._lacks(voice.engine)
        if lacks:
            return lacks
        return str(pool.load_error).rstrip(".") if pool.load_error is not None else None


def _id(voice: BrokenVoice) -> str:
    return voice.id


def _roster(name: str, known: Optional[Description], files: List[Voice]) -> Roster:
    """An engine's voices. For a language, files are better than what the engine brings."""
    preferred = {} if known is None else dict(known.preferred)
    for voice in sorted(files, key=_quality):
        preferred.update(dict.fromkeys(voice.languages, voice.id))
    own = () if known is None else known.voices
    return Roster(name, (*files, *own), {} if known is None else known.variants, preferred)


def _quality(voice: Voice) -> Tuple[float, ...]:
    """For sorting; the best last, of equally good ones that whose id comes first."""
    return (_QUALITIES.get(voice.quality or "", 1.5), *(-ord(char) for char in voice.id))
