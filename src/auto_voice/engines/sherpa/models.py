"""Loaded models: each once, as many as memory allows, and none that kills the process twice.

sherpa-onnx ends the process where a model is not as it expects. So who loads one leaves a note
until that has gone well; where the note's writer is dead, the model is not tried again for a while.
"""

import fcntl
import hashlib
import os
import tempfile
import time
import wave
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

from auto_voice.engines.engine import InMemory, OnLoading
from auto_voice.engines.sherpa.installed import Installed
from auto_voice.errors import VoiceUnavailable

_TRUST_S = 300.0
"""Seconds for which a death is believed to have been the model's fault."""
_MAX_REFERENCE_S = 60


class Models:
    """Loaded models, the one used last at the end."""

    def __init__(self, sherpa: Any, memory_mb: int) -> None:
        """``sherpa``: the package; it is not imported before it is known to be there."""
        self._sherpa = sherpa
        self._limit = memory_mb << 20
        self._loaded: "OrderedDict[str, Tuple[Installed, Any]]" = OrderedDict()
        self._unloaded = 0

    def get(self, voice: Installed, on_loading: OnLoading = lambda done: None) -> Any:
        """The model of a voice; loads it, and lets go of others for it, where it has to.
        ``on_loading`` is told before that and after.

        Raises:
            VoiceUnavailable: it cannot be loaded.
        """
        known = self._loaded.pop(voice.id, None)
        if known is not None and known[0].signature == voice.signature:
            self._loaded[voice.id] = known
            return known[1]
        on_loading(False)
        self._unloaded += known is not None
        del known  # its memory, before more is taken
        self._make_room(voice.size_bytes)
        model = self._load(voice)
        on_loading(True)
        self._loaded[voice.id] = (voice, model)
        return model

    @property
    def ids(self) -> Tuple[str, ...]:
        """Of the loaded voices, the one used last at the end."""
        return tuple(self._loaded)

    def in_memory(self) -> InMemory:
        """How much of it there is."""
        return InMemory(len(self._loaded), self._taken(), self._unloaded)

    def _taken(self) -> int:
        return sum(voice.size_bytes for voice, _ in self._loaded.values())

    def _make_room(self, size_bytes: int) -> None:
        while self._loaded:
            if self._taken() + size_bytes <= self._limit:
                return
            self._loaded.popitem(last=False)
            self._unloaded += 1

    def _load(self, voice: Installed) -> Any:
        note = _Note(voice)
        config = self._config(voice)
        with note:
            try:
                if not config.validate():
                    raise VoiceUnavailable(f"sherpa-onnx does not accept the voice {voice.id}.")
                model = self._sherpa.OfflineTts(config)
            except (RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0][:200] if str(error) else "no reason given"
                raise VoiceUnavailable(f"The voice {voice.id} cannot be loaded: {reason}") from None
        if model.sample_rate != voice.sample_rate:
            raise VoiceUnavailable(
                f"The voice {voice.id} speaks at {model.sample_rate} Hz; "
                f"its manifest says {voice.sample_rate}."
            )
        return model

    def _config(self, voice: Installed) -> Any:
        """sherpa-onnx's own settings for a voice."""
        kind = voice.manifest.kind
        settings = getattr(self._sherpa, f"OfflineTts{kind.capitalize()}ModelConfig")()
        files: Dict[str, str] = {
            role: ",".join(map(str, paths)) for role, paths in voice.files.items() if paths
        }
        rules = {name: files.pop(name, "") for name in ("rule_fsts", "rule_fars")}
        for role, path in files.items():
            if hasattr(settings, role):
                setattr(settings, role, path)
        model = self._sherpa.OfflineTtsModelConfig()
        setattr(model, kind, settings)
        # One core a sentence: a pool has a worker for each core, and onnxruntime's threads spin.
        model.num_threads = 1
        config = self._sherpa.OfflineTtsConfig()
        config.model = model
        config.max_num_sentences = 1
        config.rule_fsts, config.rule_fars = rules["rule_fsts"], rules["rule_fars"]
        return config


class _Note:
    """Says that a process is loading a voice; outlives it if that is its end."""

    def __init__(self, voice: Installed) -> None:
        # The server's process: that another server was stopped in the middle says nothing.
        identity = f"{os.getppid()} {voice.signature}".encode()
        name = f"autovoice-loading-{hashlib.sha256(identity).hexdigest()[:32]}"
        self._path = Path(tempfile.gettempdir()) / name
        self._voice = voice
        self._file: Optional[BinaryIO] = None

    def __enter__(self) -> None:
        """
        Raises:
            VoiceUnavailable: the last one who tried is dead.
        """
        try:
            # O_NOFOLLOW: everybody may write into this folder.
            flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW
            self._file = open(os.open(self._path, flags, 0o600), "r+b")
        except OSError:
            return  # without notes each try may cost a worker, and that is all
        try:
            # The lock of a dead process is free, whatever became of it.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._close()  # another worker is loading it now
            return
        age_s = time.time() - os.fstat(self._file.fileno()).st_mtime
        if self._file.read(1) and age_s < _TRUST_S:
            self._close()
            raise VoiceUnavailable(
                f"sherpa-onnx crashed while it loaded the voice {self._voice.id}; "
                "its files seem to be broken."
            )
        self._file.write(b"loading")
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            try:
                self._path.unlink()
            except OSError:
                pass
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def read_reference(path: Path) -> Tuple[List[float], int]:
    """The samples of a recording, between -1 and 1, and their rate in hertz.

    Raises:
        VoiceUnavailable: it is no WAV file of 16-bit samples.
    """
    import numpy

    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                raise wave.Error("its samples are not of 16 bit")
            rate, channels = file.getframerate(), file.getnchannels()
            data = file.readframes(_MAX_REFERENCE_S * rate)
    except (OSError, EOFError, wave.Error) as error:
        raise VoiceUnavailable(f"The recording {path.name} cannot be read: {error}") from None
    samples = numpy.frombuffer(data, dtype="<i2").reshape(-1, channels)[:, 0]  # [S]
    if not len(samples):
        raise VoiceUnavailable(f"The recording {path.name} is empty.")
    return (samples / 32768.0).tolist(), rate
