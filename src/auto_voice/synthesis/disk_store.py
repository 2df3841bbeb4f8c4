"""Finished audio in a folder, which several processes share and other things may happen to."""

import contextlib
import fcntl
import logging
import os
import re
import struct
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

from auto_voice.synthesis.cache import Entry

log = logging.getLogger(__name__)


class DiskStore:
    """Entries as files, up to a number of bytes. Safe for threads and processes.

    Reading takes no lock: a file appears whole or not at all (written aside, then
    renamed) and carries a checksum; one that does not match it is deleted and
    counts as absent. Writing takes the lock of the `Ledger`, so that all processes
    together keep to the limit. What was used least recently, by modification time,
    is deleted first. A disk that fails or is full costs the cache, never the
    request; files of others stay and do not count.
    """

    _HEADER = struct.Struct("<8sdII")
    _MAGIC = b"AVCACHE3"
    _SUFFIX = ".audio"
    _FOLDER = re.compile(r"[0-9a-f]{2}")
    _FILE = re.compile(r"[0-9a-f]{64}\.audio")
    _COMPLAIN_EVERY_S = 60.0

    def __init__(self, folder: Path, limit_bytes: int, on_evict: Callable[[int], None]) -> None:
        """
        Raises:
            OSError: the folder cannot be made or written.
        """
        self._folder = folder
        self._limit = limit_bytes
        self._on_evict = on_evict
        self._ledger = Ledger(folder / ".ledger")
        # Only who has the lock writes it: what a killed process leaves is the next one's to use.
        self._aside = folder / ".unfinished"
        self._complained: Optional[float] = None
        self._complaining = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)):
            pass
        try:
            with self._ledger.locked() as ledger:
                self._delete(self._aside)
                ledger.write(sum(size for _, size, _ in self._entries()))
        except OSError as error:  # a full disk, or somebody is busy: no reason not to serve
            self._complain(error)

    @property
    def size_bytes(self) -> int:
        """What all entries take, whichever process wrote them."""
        return self._ledger.look() or 0

    def get(self, key: str) -> Optional[Entry]:
        """The entry, which becomes the most recently used one."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            magic, audio_s, audio_bytes, checksum = self._HEADER.unpack_from(data)
            audio_end = self._HEADER.size + audio_bytes
            entry = Entry(data[self._HEADER.size : audio_end], audio_s, data[audio_end:])
            if magic != self._MAGIC or audio_bytes != len(entry.audio):
                raise ValueError
            if self._checksum(key, entry) != checksum:
                raise ValueError
        except FileNotFoundError:
            return None
        except (ValueError, struct.error):
            if self._delete(path):
                log.warning("a damaged cache file was deleted")
            return None
        except OSError as error:
            self._complain(error)
            return None
        try:
            os.utime(str(path))
        except OSError:
            pass  # deleted by another process meanwhile, or a read-only disk
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, deleting the least recently used ones for it."""
        checksum = self._checksum(key, entry)
        header = self._HEADER.pack(self._MAGIC, entry.audio_s, len(entry.audio), checksum)
        size = len(header) + entry.size_bytes
        if size > self._limit:
            return
        path = self._path(key)
        try:
            # Each time: somebody may have tidied the folder away.
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._ledger.locked() as ledger:
                total = ledger.read()
                if total is None or total + size > self._limit:
                    total = self._make_room(size)
                # Before the file is there: a process that is killed in between leaves the
                # ledger too high, and it is put right when the folder next seems full.
                ledger.write(total + size)
                try:
                    self._write(path, header, entry)
                except OSError:
                    ledger.write(total)
                    raise
        except OSError as error:
            self._complain(error)

    def _write(self, path: Path, header: bytes, entry: Entry) -> None:
        try:
            with open(str(self._aside), "wb", opener=_open_privately) as file:
                file.write(header)
                file.write(entry.audio)
                file.write(entry.timings)
            os.replace(str(self._aside), str(path))
        except OSError:
            self._delete(self._aside)
            raise

    def _make_room(self, size: int) -> int:
        """Delete the oldest files; returns the bytes of those that stay.

        Down to nine tenths of the limit, so that the walk over the folder is rare.

        Raises:
            OSError: there is no room for ``size`` bytes, and none can be made.
        """
        entries = sorted(self._entries())
        total = sum(entry[1] for entry in entries)
        evicted = 0
        if total + size > self._limit:
            enough = min(self._limit - size, self._limit * 9 // 10)
            for _, freed, path in entries:
                if total <= enough:
                    break
                if self._delete(path):
                    total -= freed
                    evicted += 1
        if evicted:
            self._on_evict(evicted)
        if total + size > self._limit:
            raise OSError("its files cannot be deleted")
        return total

    def _entries(self) -> Iterator[Tuple[int, int, Path]]:
        """(modification time in ns, bytes, path) of every entry."""
        for folder in _scan(self._folder):
            if not self._FOLDER.fullmatch(folder.name):
                continue
            for file in _scan(Path(folder.path)):
                if self._FILE.fullmatch(file.name):
                    with contextlib.suppress(FileNotFoundError):
                        stat = file.stat(follow_symlinks=False)
                        if file.is_file(follow_symlinks=False):
                            yield stat.st_mtime_ns, stat.st_size, Path(file.path)

    @staticmethod
    def _checksum(key: str, entry: Entry) -> int:
        # With the key: a file under another one's name is wrong, however whole it is.
        facts = struct.pack("<dI", entry.audio_s, len(entry.audio))
        checksum = zlib.crc32(facts, zlib.crc32(key.encode()))
        return zlib.crc32(entry.timings, zlib.crc32(entry.audio, checksum))

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / (key + self._SUFFIX)

    def _delete(self, path: Path) -> bool:
        """Whether the file is gone now."""
        try:
            path.unlink()
        except FileNotFoundError:
            pass  # another process was first
        except OSError as error:
            self._complain(error)
            return False
        return True

    def _complain(self, error: OSError) -> None:
        now = time.monotonic()
        with self._complaining:
            last = self._complained
            if last is not None and now - last < self._COMPLAIN_EVERY_S:
                return
            self._complained = now
        log.warning("the audio cache's disk does not work: %s", error)


def _open_privately(path: str, flags: int) -> int:
    """What people had spoken is nobody else's."""
    return os.open(path, flags, 0o600)


def _scan(folder: Path) -> List["os.DirEntry[str]"]:
    try:
        with os.scandir(str(folder)) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


class Ledger:
    """A file that says what all entries take, and whose lock one needs to change them.

    It is opened for each use, so that threads exclude each other, too, and so that one
    that was deleted is made anew. The kernel takes the lock from a process that dies.
    """

    PATIENCE_S = 0.5
    """How long the lock is waited for: a request waits, too."""

    _PAUSE_S = 0.001

    def __init__(self, path: Path) -> None:
        self._path = path
        self._patience_s = self.PATIENCE_S

    def look(self) -> Optional[int]:
        """What it says, without the lock; None if it says nothing."""
        try:
            return _bytes(self._path.read_bytes())
        except OSError:
            return None

    @contextlib.contextmanager
    def locked(self) -> Iterator["LockedLedger"]:
        """The ledger, for oneself alone.

        Raises:
            OSError: it cannot be had; a `TimeoutError` if somebody else keeps it.
        """
        descriptor = _open_privately(str(self._path), os.O_RDWR | os.O_CREAT)
        try:
            self._lock(descriptor)
            yield LockedLedger(descriptor)
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        give_up = time.monotonic() + self._patience_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    # Stopped or hung, with the lock: wait no more, until it can be had.
                    self._patience_s = 0.0
                    raise TimeoutError("another process keeps the folder locked") from None
                time.sleep(self._PAUSE_S)
            else:
                self._patience_s = self.PATIENCE_S
                return


class LockedLedger:
    """A ledger that nobody else reads or writes at present."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> Optional[int]:
        """Bytes; None if it says nothing, being new or damaged."""
        return _bytes(os.pread(self._descriptor, 2 * _LEDGER_BYTES, 0))

    def write(self, size_bytes: int) -> None:
        """Say it."""
        os.pwrite(self._descriptor, b"%020d\n" % size_bytes, 0)
        os.ftruncate(self._descriptor, _LEDGER_BYTES)


_LEDGER_BYTES = 21


def _bytes(text: bytes) -> Optional[int]:
    return int(text) if re.fullmatch(rb"[0-9]{20}\n", text) else None
