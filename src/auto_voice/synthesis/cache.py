"""Finished audio, by the content of the request: in memory, and on disk if wanted."""

import logging
import os
import struct
import tempfile
import threading
import time
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One finished answer."""

    audio: bytes
    """Encoded."""
    audio_s: float
    """Seconds."""


class MemoryStore:
    """The most recently used entries, up to a number of bytes. Safe for threads."""

    def __init__(self, limit_bytes: int, on_evict: Callable[[int], None]) -> None:
        self.size_bytes = 0
        self._limit = limit_bytes
        self._on_evict = on_evict
        self._entries: "OrderedDict[str, Entry]" = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Optional[Entry]:
        """The entry, which becomes the most recently used one."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, dropping the least recently used ones for it."""
        evicted = 0
        with self._lock:
            old = self._entries.pop(key, None)
            if old is not None:
                self.size_bytes -= len(old.audio)
            if len(entry.audio) > self._limit:
                return
            self._entries[key] = entry
            self.size_bytes += len(entry.audio)
            while self.size_bytes > self._limit:
                _, dropped = self._entries.popitem(last=False)
                self.size_bytes -= len(dropped.audio)
                evicted += 1
        if evicted:
            self._on_evict(evicted)


class DiskStore:
    """Entries as files, up to a number of bytes. Safe for threads and processes.

    A file appears whole or not at all (written aside, then renamed) and carries
    a checksum; a file that does not match it is deleted and counts as absent.
    What was used least recently, by modification time, is deleted first. A disk
    that fails or is full costs the cache, never the request.
    """

    _HEADER = struct.Struct("<8sdI")
    _MAGIC = b"AVCACHE1"
    _SUFFIX = ".audio"
    _STALE_S = 3600

    def __init__(self, folder: Path, limit_bytes: int, on_evict: Callable[[int], None]) -> None:
        """
        Raises:
            OSError: the folder cannot be made or written.
        """
        self._folder = folder
        self._limit = limit_bytes
        self._on_evict = on_evict
        self._lock = threading.Lock()
        self._complained = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(folder)):
            pass
        self.size_bytes = sum(size for _, size, _ in self._files())

    def get(self, key: str) -> Optional[Entry]:
        """The entry, which becomes the most recently used one."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            magic, audio_s, checksum = self._HEADER.unpack_from(data)
            audio = data[self._HEADER.size :]
            if magic != self._MAGIC or self._checksum(audio, audio_s) != checksum:
                raise ValueError
        except FileNotFoundError:
            return None
        except (ValueError, struct.error):
            log.warning("a damaged cache file was deleted")
            _unlink(path)
            return None
        except OSError as error:
            self._complain(error)
            return None
        try:
            os.utime(str(path))
        except OSError:
            pass  # deleted by another process meanwhile, or a read-only disk
        return Entry(audio, audio_s)

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, deleting the least recently used ones for it."""
        header = self._HEADER.pack(
            self._MAGIC, entry.audio_s, self._checksum(entry.audio, entry.audio_s)
        )
        size = len(header) + len(entry.audio)
        if size > self._limit:
            return
        path = self._path(key)
        temporary: Optional[str] = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=str(path.parent), suffix=".tmp")
            with os.fdopen(descriptor, "wb") as file:
                file.write(header)
                file.write(entry.audio)
            os.replace(temporary, str(path))
            temporary = None
        except OSError as error:
            self._complain(error)
            return
        finally:
            if temporary is not None:
                _unlink(Path(temporary))
        with self._lock:
            self.size_bytes += size
            if self.size_bytes > self._limit:
                self._shrink()

    def _shrink(self) -> None:
        """Delete the oldest files down to nine tenths of the limit."""
        # Other processes write here too: the folder knows the true size, the counter is a hint.
        files = []
        total = evicted = 0
        for file in sorted(self._files()):
            modified, size, path = file
            if path.suffix != self._SUFFIX and time.time() - modified > self._STALE_S:
                _unlink(path)  # left by a process that was killed while it wrote
                continue
            total += size
            if path.suffix == self._SUFFIX:
                files.append(file)
        for _, size, path in files:
            if total <= self._limit * 0.9:
                break
            _unlink(path)
            total -= size
            evicted += 1
        self.size_bytes = total
        if evicted:
            self._on_evict(evicted)

    def _files(self) -> List[Tuple[float, int, Path]]:
        """(modification time, bytes, path) of everything in the folder."""
        found = []
        for path in self._folder.glob("??/*"):
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((stat.st_mtime, stat.st_size, path))
        return found

    @staticmethod
    def _checksum(audio: bytes, audio_s: float) -> int:
        return zlib.crc32(audio, zlib.crc32(struct.pack("<d", audio_s)))

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / (key + self._SUFFIX)

    def _complain(self, error: OSError) -> None:
        if time.monotonic() - self._complained > 60 or not self._complained:
            self._complained = time.monotonic()
            log.warning("the audio cache's disk does not work: %s", error)


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        pass  # another process was first


class AudioCache:
    """Memory before disk. Keys are hexadecimal digests."""

    def __init__(self, memory: MemoryStore, disk: Optional[DiskStore]) -> None:
        self._memory = memory
        self._disk = disk

    @property
    def size_bytes(self) -> Tuple[int, int]:
        """In memory and on disk."""
        return self._memory.size_bytes, self._disk.size_bytes if self._disk else 0

    def get(self, key: str) -> Optional[Entry]:
        """The entry, if there is one."""
        entry = self._memory.get(key)
        if entry is None and self._disk is not None:
            entry = self._disk.get(key)
            if entry is not None:
                self._memory.put(key, entry)
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry."""
        self._memory.put(key, entry)
        if self._disk is not None:
            self._disk.put(key, entry)
