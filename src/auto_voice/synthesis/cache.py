"""Finished audio, by the content of the request: in memory, and on disk if wanted."""

import threading
from collections import OrderedDict
from typing import Callable, NamedTuple, Optional, Protocol, Tuple


class Entry(NamedTuple):
    """One finished answer."""

    audio: bytes
    """Encoded."""
    audio_s: float
    """Seconds."""
    timings: bytes = b""
    """When its words are heard, where that was asked for; see `timing.write_timings`."""

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return len(self.audio) + len(self.timings)


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
                self.size_bytes -= old.size_bytes
            if entry.size_bytes > self._limit:
                return
            self._entries[key] = entry
            self.size_bytes += entry.size_bytes
            while self.size_bytes > self._limit:
                _, dropped = self._entries.popitem(last=False)
                self.size_bytes -= dropped.size_bytes
                evicted += 1
        if evicted:
            self._on_evict(evicted)


class SlowStore(Protocol):
    """Where entries outlive the process, behind the memory: `disk_store.DiskStore`."""

    @property
    def size_bytes(self) -> int: ...

    def get(self, key: str) -> Optional[Entry]: ...

    def put(self, key: str, entry: Entry) -> None: ...


class AudioCache:
    """Memory before disk. Keys are hexadecimal digests."""

    def __init__(self, memory: MemoryStore, disk: Optional[SlowStore]) -> None:
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

    def found(self, key: str, entry: Entry) -> None:
        """Have an entry at hand that is kept elsewhere."""
        self._memory.put(key, entry)

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry."""
        self._memory.put(key, entry)
        if self._disk is not None:
            self._disk.put(key, entry)
