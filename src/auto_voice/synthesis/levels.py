"""How loud each voice is by nature, and what makes it as loud as the others.

A voice gets one gain for all it says, so that sentences keep their own loudness, streaming needs no
look into the future, and the same request has the same bytes. The gain comes of a text of its own,
spoken once in that voice and then remembered, on disk where there is a folder.
"""

import hashlib
import logging
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple

import msgspec

from auto_voice.audio.loudness import integrated_lufs
from auto_voice.engines.engine import Utterance, Voice
from auto_voice.engines.job import Job
from auto_voice.errors import EngineCrashed, EngineFailed, EngineTimeout, VoiceUnavailable
from auto_voice.synthesis.ensemble import Ensemble
from auto_voice.synthesis.scheduler import FairScheduler

log = logging.getLogger(__name__)

IN_DB = 1.0
"""A voice that is so close to the target is left alone: nobody hears it, and it costs nothing."""
STEP_DB = 0.5
"""Gains are multiples of it: models that draw noise are never twice exactly as loud."""
MOST_DB, LEAST_DB = 12.0, -20.0
"""Whatever is measured, no gain is more than that: it would be noise that is made loud."""

_PROBES = {
    "en": "The old town opens its gates, and the travellers walk its quiet streets until evening.",
    "zh": "古老的城市打开了大门，旅人们在安静的街道上走到傍晚。",
}
_PROBE = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12."
"""For all other languages: most engines read figures in each of theirs."""
_MEASURE = 1
"""Goes up when probes or the measure change; what was measured before does not count then."""
_MOST_KNOWN = 20_000

Identity = Tuple[str, ...]
"""All that decides how a voice sounds, as the ensemble tells it."""


class Levels:
    """The gain of each voice. Safe for threads."""

    def __init__(
        self,
        scheduler: FairScheduler,
        ensemble: Ensemble,
        target_lufs: float,
        folder: Optional[Path],
        patience_s: float,
    ) -> None:
        """
        Args:
            target_lufs: 0 leaves every voice as it is.
            folder: where what was measured is kept; None: in memory only.
            patience_s: how long measuring a voice may take.
        """
        self._scheduler = scheduler
        self._ensemble = ensemble
        self._target = target_lufs
        self._folder = folder
        self._patience_s = patience_s
        self._gains: Dict[Identity, float] = {}
        self._measuring: Dict[Identity, threading.Lock] = {}
        self._lock = threading.Lock()

    def gain_db(self, voice: Voice, is_gone: Callable[[], bool], begun: bool = False) -> float:
        """What makes a voice as loud as the target; the first time, it has to speak for that.

        Args:
            is_gone: whether the client has left.
            begun: as for `FairScheduler.admit`.

        Raises:
            AutoVoiceError: the voice cannot speak now, or ``is_gone`` said so.
        """
        if not self._target or self._ensemble.capabilities(voice).levelled:
            return 0.0
        unchanged = self._ensemble.unchanged([voice])
        identity = self._ensemble.identity(voice)
        gain = self._gains.get(identity)
        if gain is not None:
            return gain
        with self._lock:
            measuring = self._measuring.setdefault(identity, threading.Lock())
        with measuring:
            gain = self._gains.get(identity)
            if gain is None:
                gain = gain_for(
                    self._find(identity, voice, is_gone, begun, unchanged), self._target
                )
                if len(self._gains) >= _MOST_KNOWN:
                    self._gains.clear()
                self._gains[identity] = gain
        with self._lock:
            self._measuring.pop(identity, None)
        return gain

    def _find(
        self,
        identity: Identity,
        voice: Voice,
        is_gone: Callable[[], bool],
        begun: bool,
        unchanged: Callable[[], bool],
    ) -> Optional[float]:
        key = hashlib.sha256(msgspec.msgpack.encode((_MEASURE, *identity))).hexdigest()
        path = self._folder / key if self._folder is not None else None
        kept = _read(path)
        if kept is not None:
            return kept
        try:
            pcm = self._spoken(voice, is_gone, begun)
        except VoiceUnavailable:
            raise
        except (EngineFailed, EngineCrashed, EngineTimeout) as error:
            # It may still say what it is asked for; as loud as it is, then.
            log.warning("the loudness of %s cannot be measured: %s", voice.id, error)
            return None
        lufs = integrated_lufs(pcm, voice.sample_rate)
        if not unchanged():
            path = None  # it may have been another voice that spoke
        # Another process may have been faster; then its measure is everyone's.
        return lufs if lufs is None or path is None else _keep(path, lufs)

    def _spoken(self, voice: Voice, is_gone: Callable[[], bool], begun: bool) -> bytes:
        """The probe's samples; it waits in line like any other sentence."""
        language = voice.language.split("-")[0]
        utterance = Utterance(_PROBES.get(language, _PROBE), voice.own_id)
        end_by = time.monotonic() + self._patience_s
        ticket = self._scheduler.admit(begun)
        job = Job(utterance, end_by, end_by, engine=voice.engine)
        try:
            self._scheduler.submit(ticket, job)
            return b"".join(job.results(is_gone))
        finally:
            job.cancel()
            self._scheduler.leave(ticket)


def gain_for(lufs: Optional[float], target_lufs: float) -> float:
    """Decibels from a voice's loudness to the target, in steps; 0 for one that is silent."""
    if lufs is None:
        return 0.0
    gain = round((target_lufs - lufs) / STEP_DB) * STEP_DB
    return 0.0 if abs(gain) < IN_DB else min(max(gain, LEAST_DB), MOST_DB)


def _read(path: Optional[Path]) -> Optional[float]:
    if path is None:
        return None
    try:
        lufs = float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return lufs if -70 <= lufs <= 10 else None


def _keep(path: Path, lufs: float) -> float:
    """Write it down; what counts is what the first one wrote."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=str(path.parent), encoding="ascii") as file:
            file.write(f"{lufs:.2f}\n")
            file.flush()
            try:
                os.link(file.name, path)
            except FileExistsError:
                if _read(path) is None:  # broken: a whole one replaces it
                    os.unlink(path)
                    os.link(file.name, path)
    except OSError as error:
        log.debug("loudness is not kept: %s", error)
    kept = _read(path)
    return round(lufs, 2) if kept is None else kept
