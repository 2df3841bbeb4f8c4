"""The folder of installed voices: what is in it now, without a restart.

A voice is either two files beside each other, ``<id>.onnx`` and ``<id>.onnx.json``,
which is how Piper's are published, or a folder ``<id>`` with a ``voice.json`` that
tells its engine. Whoever puts one here writes the JSON last, or renames it into
place; a file that is still being copied is recognised and waited for.

Nothing in here is trusted: names are held to a pattern, links may not lead out,
and a voice that cannot be read costs nobody but itself.
"""

import logging
import os
import stat
import threading
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

from auto_voice.engines import manifest
from auto_voice.engines.engine import Voice, is_voice_id
from auto_voice.voices import manifests
from auto_voice.voices.catalogue import BrokenVoice
from auto_voice.voices.contents import Contents, Seen, seen
from auto_voice.voices.manifests import Unusable

log = logging.getLogger(__name__)

MODEL, CONFIG, MANIFEST = ".onnx", ".onnx.json", manifest.FILE_NAME
LOOK_EVERY_S = 1.0
"""The folder is looked at this often at most, and only when somebody asks."""
COPYING_S = 10.0
"""What changed within these seconds and makes no sense yet is taken for half-copied."""
MAX_VOICES = 5000
"""More are not looked at."""


class Installed(NamedTuple):
    """What is in the folder. The same object for as long as that does not change."""

    voices: Tuple[Voice, ...] = ()
    broken: Tuple[BrokenVoice, ...] = ()
    identities: "Dict[str, str]" = {}
    """A voice's id to what tells its files from others of the same name on this machine."""


class VoiceFolder:
    """Looks at the folder, once a second at most. Safe for threads."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds that pass."""
        self.folder = folder
        self._clock = clock
        self._looked: Optional[float] = None
        self._found = Installed()
        self._read: Dict[str, Tuple[Seen, object]] = {}
        """Each voice's files when they were read, and what came of it: a `Voice` or a reason."""
        self._contents = Contents()
        self._told: Dict[str, str] = {}
        """What has been logged of broken voices."""
        self._looking = threading.Lock()

    def look(self) -> Installed:
        """What is installed now; a second old at most."""
        now = self._clock()
        if self._looked is not None and now - self._looked < LOOK_EVERY_S:
            return self._found
        # Who comes while another one looks does not wait, but for the first time.
        if self._looking.acquire(blocking=self._looked is None):
            try:
                if self._looked is None or self._clock() - self._looked >= LOOK_EVERY_S:
                    self._look()
                    self._looked = self._clock()
            finally:
                self._looking.release()
        return self._found

    def digest(self, voice_id: str) -> str:
        """What is in a voice's files, wherever they are; empty of one that has none. Reads them
        the first time."""
        read = self._read.get(voice_id)
        if read is None:
            return ""
        now = read[0]
        try:
            return self._contents.digest(
                voice_id, now, lambda: self._files(voice_id, _names(voice_id, now))
            )
        except (OSError, Unusable):
            return ""  # it goes at this moment

    def seen(self, voice_id: str) -> Seen:
        """How a voice's files were when the folder was last looked at; empty of one without."""
        read = self._read.get(voice_id)
        return read[0] if read is not None else ()

    def is_as(self, voice_id: str, before: Seen) -> bool:
        """Whether a voice's files are at this very moment as they were ``before``."""
        if not before:
            return voice_id not in self._read
        try:
            return before == seen(self._files(voice_id, _names(voice_id, before)))
        except (OSError, Unusable):
            return False

    def _look(self) -> None:
        voices: List[Voice] = []
        broken: List[BrokenVoice] = []
        identities: Dict[str, str] = {}
        read: Dict[str, Tuple[Seen, object]] = {}
        folded: Dict[str, str] = {}
        for voice_id, names in sorted(self._candidates().items()):
            now, result = self._voice(voice_id, names)
            if result is None:
                continue  # half-copied: another look will tell
            twin = folded.setdefault(voice_id.lower().replace("_", "-"), voice_id)
            if twin != voice_id:
                result = f"it passes for {twin}, since letter case and _ do not matter"
            if isinstance(result, Voice):
                read[voice_id] = (now, result)
                identities[voice_id] = " ".join(f"{n} {i} {m} {s}" for n, i, m, s in now)
                voices.append(result)
            else:
                engine = "" if MANIFEST in names else "piper"
                broken.append(BrokenVoice(_shown(voice_id), engine, _shown(str(result))))
        found = Installed(tuple(voices), tuple(broken), identities)
        self._read = read
        self._contents.keep(identities)
        if found != self._found:
            self._tell(found)
            self._found = found

    def _tell(self, found: Installed) -> None:
        """Log each change once."""
        before = {voice.id for voice in self._found.voices}
        now = {voice.id for voice in found.voices}
        for voice_id in sorted(now - before):
            log.info("voice %s is there", voice_id, extra={"voice": voice_id})
        for voice_id in sorted(before - now):
            log.info("voice %s is gone", voice_id, extra={"voice": voice_id})
        told = {each.id: each.reason for each in found.broken}
        for voice_id, reason in told.items():
            if self._told.get(voice_id) != reason:
                extra = {"voice": voice_id, "reason": reason}
                log.warning("voice %s cannot be used: %s", voice_id, reason, extra=extra)
        self._told = told

    def _candidates(self) -> Dict[str, Tuple[str, ...]]:
        """Each voice's id, and its files by their paths below the folder."""
        found: Dict[str, Tuple[str, ...]] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(MODEL) and not entry.name.startswith("."):
                        voice_id = entry.name[: -len(MODEL)]
                        found[voice_id] = (entry.name, voice_id + CONFIG)
                    elif os.path.exists(os.path.join(entry.path, MANIFEST)):
                        if not entry.name.startswith("."):
                            found.setdefault(entry.name, (MANIFEST,))
                    if len(found) >= MAX_VOICES:
                        break
        except OSError:
            pass  # there is none yet
        return found

    def _voice(self, voice_id: str, names: Tuple[str, ...]) -> Tuple[Seen, object]:
        """A voice's files, and what they come to: a `Voice`, a reason, or None for not yet."""
        if not is_voice_id(voice_id):
            return (), "its name may have letters, digits, dots, - and _ only"
        now: Seen = ()
        try:
            paths = self._files(voice_id, names)
            now = seen(paths)
            known = self._read.get(voice_id)
            if known is not None and known[0] == now:
                return known
            size = sum(each[3] for each in now)
            if MANIFEST in names:
                return now, manifests.voice_of_manifest(voice_id, paths[0], size)
            manifests.check_model(paths[0])
            return now, manifests.voice_of_piper(voice_id, paths[1], size)
        except Unusable as error:
            reason = str(error)
        except FileNotFoundError as error:
            reason = f"{os.path.basename(error.filename or '')} is missing"
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
        return now, None if self._is_new(voice_id, names) else reason

    def _files(self, voice_id: str, names: Tuple[str, ...]) -> List[str]:
        """Paths of a voice's files, the first ones as in ``names``.

        Raises:
            Unusable: one leads out of the folder, or is no file.
            OSError
        """
        base = os.path.join(self.folder, voice_id) if MANIFEST in names else str(self.folder)
        paths = [os.path.join(base, name) for name in names]
        if MANIFEST in names:
            paths += sorted(
                os.path.join(where, name)
                for where, _, files in os.walk(base)
                for name in files
                if name != MANIFEST
            )
        root = os.path.realpath(self.folder)
        for path in paths:
            if os.path.commonpath((root, os.path.realpath(path))) != root:
                raise Unusable(f"{os.path.basename(path)} leads out of the folder")
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise Unusable(f"{os.path.basename(path)} is no file")
        return paths

    def _is_new(self, voice_id: str, names: Tuple[str, ...]) -> bool:
        """Whether somebody may still be copying it."""
        base = os.path.join(self.folder, voice_id) if MANIFEST in names else str(self.folder)
        changed = []
        for name in names:
            try:
                changed.append(os.lstat(os.path.join(base, name)).st_mtime)
            except OSError:
                continue
        return bool(changed) and 0 <= time.time() - max(changed) < COPYING_S


def _shown(text: str) -> str:
    """A name that somebody gave to a file, or a text with one: it may hold what is no character."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)[:500]


def _names(voice_id: str, now: Seen) -> Tuple[str, ...]:
    """A voice's files as `_files` wants them."""
    return (MANIFEST,) if now[0][0] == MANIFEST else (voice_id + MODEL, voice_id + CONFIG)
