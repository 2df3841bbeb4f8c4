"""The voices in a folder: what they say of themselves, and those of them that are loaded."""

import logging
import os
import stat
import time
from collections import OrderedDict
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from auto_voice.engines.engine import InMemory, OnLoading, Voice, is_voice_id
from auto_voice.engines.piper import config, memory, runtime
from auto_voice.engines.piper.config import VoiceConfig
from auto_voice.engines.piper.network import Network, Scales
from auto_voice.engines.piper.runtime import short
from auto_voice.errors import EngineFailed, VoiceUnavailable

log = logging.getLogger(__name__)

_GRAPH, _DESCRIPTION = ".onnx", ".onnx.json"
_MEMORY_FACTOR = 1.5
"""A loaded voice's memory, of its file's size: measured at 1.2 to 1.4."""
_WITHOUT_VOICES, _KEPT_FACTOR = 150_000_000, 1.3
"""Bytes that a worker takes at most: so many, and so many times the files of loaded voices."""
_WORTH_GIVING_BACK = 30_000_000
"""Bytes: where less has come since the last time, to give it back costs more than it brings."""

_TRIED_SYMBOLS = 16
"""Of a voice that has just been loaded: enough for half a second of sound."""
_BROKEN_S = 30.0
"""For so long a voice that did not load is not tried again while its files are the same; memory,
say, may be there later."""

_Signature = Tuple[int, int, int]


class Spoken(NamedTuple):
    """A voice that can speak."""

    id: str
    config: VoiceConfig
    network: Network


class _Loaded(NamedTuple):
    signature: Tuple[_Signature, _Signature]
    """Of the graph, and of its description: the two have to fit."""
    network: Network
    size_bytes: int

    @property
    def file_bytes(self) -> int:
        return self.signature[0][1]


class _Broken(NamedTuple):
    signature: Tuple[_Signature, _Signature]
    until: float
    """On time.monotonic()'s clock."""
    message: str


class VoiceStore:
    """Finds voices, and keeps those loaded that were used last. Used by one thread at a time."""

    def __init__(self, folder: str, engine: str, memory_mb: int) -> None:
        """``memory_mb``: megabytes that the loaded voices may take; one is loaded in any case."""
        self._folder = Path(folder) if folder else None
        self._engine = engine
        self._budget = memory_mb * 1_000_000
        self._configs: Dict[str, Tuple[_Signature, VoiceConfig]] = {}
        self._loaded: "OrderedDict[str, _Loaded]" = OrderedDict()
        self._broken: Dict[str, _Broken] = {}
        self._unloaded = 0
        self._needed = 0
        """Bytes that were resident when all had been given back that could be."""

    def list(self) -> List[Voice]:
        """The voices that the folder holds now; broken ones are left out, and told of."""
        voices = []
        for voice_id in self._ids():
            try:
                size = _signature(self._path(voice_id, _GRAPH))[1]
                voices.append(self._config(voice_id).voice(voice_id, size))
            except VoiceUnavailable as error:
                log.warning("The voice %s is not offered: %s", voice_id, error)
        return voices

    def get(self, voice_id: str, on_loading: OnLoading = lambda done: None) -> Spoken:
        """A voice by its id, loaded if it was not; ``on_loading`` is told before and after.

        Raises:
            VoiceUnavailable: there is none, or it is broken.
        """
        described, found = self._described(voice_id)
        path = self._path(voice_id, _GRAPH)
        signature = (_signature(path), described)
        loaded = self._loaded.pop(voice_id, None)
        if loaded is None or loaded.signature != signature:
            on_loading(False)
            self._unloaded += loaded is not None
            loaded = None  # frees the old one before there is a new one
            loaded = self._load(voice_id, path, signature, found)
            on_loading(True)
        self._loaded[voice_id] = loaded
        return Spoken(voice_id, found, loaded.network)

    def loaded(self) -> List[str]:
        """Ids of the voices in memory, the one used last at the end."""
        return list(self._loaded)

    def in_memory(self) -> InMemory:
        """How much of it there is."""
        return InMemory(len(self._loaded), self._used(), self._unloaded)

    def tidy(self) -> None:
        """Return what sentences took, where it has become much beside the voices themselves."""
        files = sum(loaded.file_bytes for loaded in self._loaded.values())
        most = _WITHOUT_VOICES + _KEPT_FACTOR * files
        if memory.resident_bytes() > max(most, self._needed + _WORTH_GIVING_BACK):
            self._give_back()

    def close(self) -> None:
        """Forget all that is loaded."""
        self._loaded.clear()

    def _load(
        self,
        voice_id: str,
        path: Path,
        signature: Tuple[_Signature, _Signature],
        description: VoiceConfig,
    ) -> _Loaded:
        broken = self._broken.pop(voice_id, None)
        if broken is not None and broken.signature == signature:
            if time.monotonic() < broken.until:
                self._broken[voice_id] = broken
                raise VoiceUnavailable(broken.message)
        size = int(signature[0][1] * _MEMORY_FACTOR)
        while self._loaded and size + self._used() > self._budget:
            # By its id only: a name for the network would keep it in memory.
            forgotten = self._loaded.popitem(last=False)[0]
            self._unloaded += 1
            log.info("The voice %s makes room for %s", forgotten, voice_id)
        began = time.perf_counter()
        try:
            stage = "load"
            network = Network(path)
            stage = "speak"
            _try(network, description)
        except Exception as error:  # a file from anywhere: onnxruntime has many kinds of errors
            message = f"The voice {voice_id} does not {stage}: {short(error)}"
            self._broken[voice_id] = _Broken(signature, time.monotonic() + _BROKEN_S, message)
            raise VoiceUnavailable(message) from None
        finally:
            self._give_back()
        log.info("The voice %s was loaded in %.1f s", voice_id, time.perf_counter() - began)
        return _Loaded(signature, network, size)

    def _give_back(self) -> None:
        runtime.give_back()
        self._needed = memory.resident_bytes()

    def _used(self) -> int:
        return sum(loaded.size_bytes for loaded in self._loaded.values())

    def _ids(self) -> List[str]:
        if self._folder is None:
            return []
        try:
            names = sorted(os.listdir(self._folder))
        except OSError as error:
            log.warning("The folder of voices cannot be read: %s", error)
            return []
        found = set(names)
        ids = [name[: -len(_GRAPH)] for name in names if name.endswith(_GRAPH)]
        return [
            voice_id
            for voice_id in ids
            if is_voice_id(voice_id) and voice_id + _DESCRIPTION in found
        ]

    def _path(self, voice_id: str, suffix: str) -> Path:
        if self._folder is None or not is_voice_id(voice_id):
            raise VoiceUnavailable(f"Piper has no voice {voice_id[:60]!r}")
        return self._folder / (voice_id + suffix)

    def _config(self, voice_id: str) -> VoiceConfig:
        return self._described(voice_id)[1]

    def _described(self, voice_id: str) -> Tuple[_Signature, VoiceConfig]:
        path = self._path(voice_id, _DESCRIPTION)
        signature = _signature(path)
        known = self._configs.get(voice_id)
        if known is None or known[0] != signature:
            known = self._configs[voice_id] = (signature, config.read(path))
        return known


def _try(network: Network, description: VoiceConfig) -> None:
    """Have a voice speak before anybody waits for its words: a graph that is not made for what its
    description says loads well, and fails at the first sentence that shows it.

    Raises:
        EngineFailed, Exception: it does not speak.
    """
    known = sorted({number for ids in description.phoneme_id_map.values() for number in ids})
    if not known:
        raise EngineFailed("its description has no phonemes")
    # The highest number is the one that tells whether the graph has as many symbols.
    ids = known[-_TRIED_SYMBOLS:]
    scales = Scales(*description.scales)
    speaker = description.last_speaker
    samples = 0
    for piece in network.speak(ids, scales, speaker).pieces:
        samples += len(piece)
    if not samples:
        raise EngineFailed("it is silent")


def _signature(path: Path) -> _Signature:
    """Changes when the file does.

    Raises:
        VoiceUnavailable: it is not there, or something that one would wait for when reading it.
    """
    try:
        status = path.stat()
    except OSError:
        raise VoiceUnavailable(f"Piper has no voice {path.name.split(_GRAPH)[0]!r}") from None
    if not stat.S_ISREG(status.st_mode):
        raise VoiceUnavailable(f"{path.name} is no file")
    return status.st_mtime_ns, status.st_size, status.st_ino
