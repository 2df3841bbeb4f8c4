"""The folder of installed voices, as whoever changes it sees it: locks, room, records."""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import msgspec

from auto_voice.engines import manifest
from auto_voice.engines.engine import is_voice_id
from auto_voice.errors import (
    InstallCancelled,
    VoiceNotFound,
    VoiceNotManaged,
    VoicesReadOnly,
    VoiceStorageFull,
)
from auto_voice.voices.download import digest
from auto_voice.voices.names import checked_voice_id

ASIDE = ".autovoice"
"""The folder within it that is ours alone. What is in there is no voice."""
SPARE_BYTES = 64 << 20
"""How much of the disk is left to others."""
KEPT_S = 7 * 86400.0
"""How long what has arrived in part waits for somebody to fetch the rest."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_LOOK_S = 0.1


class InstalledFile(msgspec.Struct, frozen=True):
    """A file of a voice, as it was when it was installed."""

    size_bytes: int
    sha256: str


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a voice that was installed from a list."""

    id: str
    engine: str
    files: Dict[str, InstalledFile]
    """By their paths within the folder of voices."""
    installed_at: float
    """Unix time."""
    name: str = ""
    language: str = ""
    languages: Tuple[str, ...] = ()
    quality: Optional[str] = None
    speakers: int = 1
    licence: Optional[str] = None
    card: Optional[str] = None
    """The publisher's description, as it was."""
    homepage: Optional[str] = None
    sample: Optional[str] = None
    source: str = ""
    """Where it came from."""
    pinned: bool = False
    """Whether its SHA-256 were known before; if not, they are those of what arrived first."""

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size_bytes for file in self.files.values())


class Reservation(msgspec.Struct, frozen=True):
    """How much an installation under way is going to take."""

    bytes: int


class VoiceStore:
    """Files of voices in a folder that processes share."""

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        """
        Args:
            folder: made when the first voice is installed.
            budget_bytes: most that everything in it may take.
        """
        self.folder = folder
        self.budget_bytes = budget_bytes
        self._aside = folder / ASIDE

    # --- records --------------------------------------------------------------------------------

    def record(self, voice: str) -> Optional[Record]:
        """What is remembered of a voice; None of one that nobody installed from a list."""
        if not is_voice_id(voice):
            return None
        try:
            return msgspec.json.decode(self._record(voice).read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def records(self) -> List[Record]:
        """Of all voices that were installed from lists and are still there, by their ids."""
        names = sorted(path.stem for path in self._aside.glob("records/*.json"))
        found = (self.record(name) for name in names if self.is_there(name))
        return [record for record in found if record is not None]

    def write_record(self, record: Record) -> None:
        """Remember a voice; whole or not at all."""
        path = self._record(record.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"
        aside = path.with_name(path.name + ".new")
        aside.write_bytes(data)
        os.replace(aside, path)

    def is_there(self, voice: str) -> bool:
        """Whether a voice is installed: its files are there, in whatever state."""
        if not is_voice_id(voice):
            return False
        config = self.folder / f"{voice}.onnx.json"
        return config.is_file() or (self.folder / voice / manifest.FILE_NAME).is_file()

    def is_as_recorded(self, voice: str) -> bool:
        """Whether a voice is there with all its files, of the sizes that they should have."""
        record = self.record(voice)
        if record is None or not self.is_there(voice):
            return False
        return all(self._size(path) == file.size_bytes for path, file in record.files.items())

    def faults(self, voice: str, read: Callable[[int], None] = lambda count: None) -> List[str]:
        """What is wrong with a voice's files, by reading them; empty if they are as installed.

        Args:
            read: told the bytes of each file that has been read.

        Raises:
            VoiceNotFound: there is no such voice.
            VoiceNotManaged: nobody knows how its files should be.
        """
        record = self.expect_record(voice)
        found = []
        for path, file in sorted(record.files.items()):
            try:
                has = digest(self.folder / path)
            except OSError as error:
                found.append(f"{path}: {error.strerror}")
                continue
            read(has.size_bytes)
            if has.size_bytes != file.size_bytes:
                found.append(f"{path}: it has {has.size_bytes} bytes, and not {file.size_bytes}")
            elif has.sha256 != file.sha256:
                found.append(f"{path}: its SHA-256 is another one")
        return found

    def expect_record(self, voice: str) -> Record:
        """What is remembered of an installed voice.

        Raises:
            VoiceNotFound: there is no such voice.
            VoiceNotManaged: nobody installed it from a list, so nothing is.
        """
        record = self._expect(voice)
        if record is None:
            raise VoiceNotManaged(
                f"The voice {voice} was not installed from a list: nothing tells how its files "
                "should be.",
                param="voice",
            )
        return record

    def remove(self, voice: str, force: bool = False) -> int:
        """Delete a voice; returns how many bytes that frees.

        Args:
            force: also one that no list has: nobody can bring it back.

        Raises:
            VoiceNotFound, VoiceNotManaged, VoicesReadOnly
        """
        checked_voice_id(voice)
        record = self._expect(voice)
        if record is None and not force:
            raise VoiceNotManaged(
                f"The voice {voice} was put there by somebody, not installed from a list: "
                "removing it has to be forced.",
                param="voice",
            )
        with self.changing(voice):
            before = self.used_bytes()
            self.clear(voice)
            with contextlib.suppress(FileNotFoundError):
                self._record(voice).unlink()
            return max(0, before - self.used_bytes())

    def clear(self, voice: str) -> None:
        """Take a voice's files away, what makes it a voice first."""
        for path in (f"{voice}.onnx.json", f"{voice}.onnx"):
            with contextlib.suppress(FileNotFoundError):
                (self.folder / path).unlink()
        folder = self.folder / voice
        if folder.is_symlink():
            folder.unlink()
        elif folder.is_dir():
            self._aside.mkdir(exist_ok=True)
            doomed = self._aside / f"removed-{voice}-{time.time_ns()}"
            os.rename(folder, doomed)  # at once, and not file by file
            shutil.rmtree(doomed, ignore_errors=True)

    def _expect(self, voice: str) -> Optional[Record]:
        if not self.is_there(voice):
            raise VoiceNotFound(f"The voice {voice[:100]!r} is not installed.", param="voice")
        return self.record(voice)

    # --- changes --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def changing(
        self,
        voice: str,
        waiting: Callable[[], None] = lambda: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Path]:
        """Nobody else changes this voice meanwhile, in whatever process.

        Args:
            waiting: called once if somebody else is at it.
            cancelled: ends the wait.

        Returns:
            A folder for what is unfinished. It outlives the process.

        Raises:
            VoicesReadOnly, VoiceStorageFull, InstallCancelled
        """
        checked_voice_id(voice)
        try:
            work = self._aside / "unfinished" / voice
            work.parent.mkdir(parents=True, exist_ok=True)
            with self._locked(self._aside / f"{voice}.lock", waiting, cancelled):
                work.mkdir(exist_ok=True)
                yield work
        except OSError as error:
            raise told(error) from None

    @contextlib.contextmanager
    def room_for(self, voice: str, size_bytes: int) -> Iterator[None]:
        """So many bytes are this voice's to fill, while this lasts.

        Raises:
            VoiceStorageFull: there is no room.
        """
        path = self._aside / "unfinished" / voice / "room.json"
        with self._locked(self._aside / "room.lock"):
            others = self._reserved_by_others(voice)
            left = self.budget_bytes - self.used_bytes(without=voice) - others
            if size_bytes > left:
                raise VoiceStorageFull(
                    f"{voice} takes {size_bytes >> 20} MB, and of the {self.budget_bytes >> 20} MB "
                    f"for voices {max(0, left) >> 20} are free."
                )
            disk = shutil.disk_usage(self.folder).free + self._unfinished(voice) - SPARE_BYTES
            if size_bytes > disk:
                raise VoiceStorageFull(
                    f"{voice} takes {size_bytes >> 20} MB, and the disk has "
                    f"{max(0, disk) >> 20} MB to spare."
                )
            path.write_bytes(msgspec.json.encode(Reservation(size_bytes)))
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def used_bytes(self, without: str = "") -> int:
        """What is in the folder; ``without`` a voice's unfinished files."""
        return _tree_bytes(self.folder) - (self._unfinished(without) if without else 0)

    def sweep(self) -> None:
        """Take away what killed processes left and nobody came back for."""
        for path in self._aside.glob("removed-*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in (self._aside / "unfinished").glob("*"):
            with contextlib.suppress(OSError):
                old = time.time() - max(
                    (one.stat().st_mtime for one in path.rglob("*")), default=path.stat().st_mtime
                )
                if old > KEPT_S and not self._is_busy(path.name):
                    shutil.rmtree(path, ignore_errors=True)

    def _unfinished(self, voice: str) -> int:
        return _tree_bytes(self._aside / "unfinished" / voice)

    def _reserved_by_others(self, voice: str) -> int:
        """What installations under way are still going to write."""
        total = 0
        for path in (self._aside / "unfinished").glob("*/room.json"):
            other = path.parent.name
            if other == voice or not self._is_busy(other):
                continue
            try:
                wanted = msgspec.json.decode(path.read_bytes(), type=Reservation).bytes
            except (OSError, msgspec.DecodeError):
                continue
            total += max(0, wanted - self._unfinished(other))
        return total

    def _is_busy(self, voice: str) -> bool:
        """Whether somebody installs it; one that was killed leaves its files, and no lock."""
        try:
            with open(self._aside / f"{voice}.lock", "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    @contextlib.contextmanager
    def _locked(
        self,
        path: Path,
        waiting: Callable[[], None] = lambda: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[None]:
        told_so = False
        while True:
            with open(path, "ab") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if not told_so:
                        told_so = True
                        waiting()
                    if cancelled():
                        raise InstallCancelled("The installation was cancelled.") from None
                    time.sleep(_LOOK_S)
                    continue
                try:
                    same = os.stat(path).st_ino == os.fstat(file.fileno()).st_ino
                except FileNotFoundError:
                    same = False
                if not same:
                    continue  # whoever had it took it away; there may be another one by now
                try:
                    yield
                finally:
                    with contextlib.suppress(OSError):
                        path.unlink()
                return

    def _record(self, voice: str) -> Path:
        return self._aside / "records" / f"{voice}.json"

    def _size(self, path: str) -> int:
        try:
            return (self.folder / path).stat().st_size
        except OSError:
            return -1


def told(error: OSError) -> Exception:
    """An error of the disk in our words; one that is none of the known as it is."""
    if error.errno in _FORBIDDEN:
        return VoicesReadOnly(f"This server may not write voices: {error.strerror}.")
    if error.errno in _FULL:
        return VoiceStorageFull(f"The disk is full ({error.strerror}).")
    return error


def _tree_bytes(folder: Path) -> int:
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(at, name)).st_size
    return total
