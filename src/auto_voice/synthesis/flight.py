"""Single flight: identical requests at the same time are synthesized once.

There is no thread of its own: whichever of the requests needs the next piece
first makes it, and the others take it from the shared list. So a request that
is left by its client, or read slowly, holds none of the others up.
"""

from __future__ import annotations

import logging
import threading
from typing import Callable, Dict, Generator, Iterator, List, Optional, Tuple

from auto_voice.errors import AutoVoiceError, Cancelled, EngineFailed
from auto_voice.synthesis.stream import Stats

log = logging.getLogger(__name__)

POLL_S = 0.25

Gone = Callable[[], bool]
Start = Callable[[Gone], Iterator[bytes]]
"""Begins to make the pieces; is told how to find out whether anybody still wants them."""


class Flight:
    """The pieces of one answer, made once for all who want them."""

    def __init__(
        self,
        start: Start,
        stats: Stats,
        limit_bytes: int,
        on_end: Callable[["Flight", bool], None],
    ) -> None:
        """``on_end`` gets the flight and whether all of its pieces are there."""
        self.stats = stats
        """What making the pieces has taken, shared by all who read them."""
        self.pieces: List[bytes] = []
        self.joinable = True
        self._start = start
        self._limit = limit_bytes
        self._on_end = on_end
        self._changed = threading.Condition()
        self._source: Optional[Iterator[bytes]] = None
        self._making: Optional["_Reader"] = None
        self._ended = False
        self._error: Optional[AutoVoiceError] = None
        self._readers: List["_Reader"] = []
        self._dropped = 0
        self._kept_bytes = 0

    def join(self, is_gone: Gone) -> Optional["_Reader"]:
        """Become one of those who want it; None if its first pieces are gone already."""
        with self._changed:
            if not self.joinable:
                return None
            reader = _Reader(is_gone)
            self._readers.append(reader)
            return reader

    def read(self, reader: "_Reader") -> Generator[bytes, None, None]:
        """All pieces, made or waited for."""
        try:
            while True:
                with self._changed:
                    piece = self._next_piece(reader)
                if piece is None:
                    return
                if piece is _BEHIND:
                    break
                yield piece
            yield from self._alone(reader)
        finally:
            self._leave(reader)

    def _next_piece(self, reader: "_Reader") -> Optional[bytes]:
        """With the lock held: the reader's next piece, or None at the end."""
        while True:
            if reader.position < self._dropped:
                return _BEHIND
            if reader.position < self._dropped + len(self.pieces):
                piece = self.pieces[reader.position - self._dropped]
                reader.position += 1
                reader.read_bytes += len(piece)
                self._drop()
                return piece
            if isinstance(self._error, Cancelled) and not reader.is_gone():
                return _BEHIND  # joined just when the last reader before had gone
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            if self._making is None:
                self._making = reader
                self._changed.release()
                try:
                    self._make()
                finally:
                    self._changed.acquire()
                    self._making = None
                    self._changed.notify_all()
            elif not self._changed.wait(POLL_S) and reader.is_gone():
                raise Cancelled("the client went away")

    def _make(self) -> None:
        """Without the lock, but for one reader at a time: make the next piece."""
        piece: Optional[bytes] = None
        error: Optional[AutoVoiceError] = None
        try:
            if self._source is None:
                self._source = self._start(self._nobody_wants_it)
            piece = next(self._source, None)
        except AutoVoiceError as raised:
            error = raised
        except Exception as raised:
            # The readers of this flight all have to hear of it, in their own threads.
            log.exception("making an answer failed")
            error = EngineFailed(f"internal error: {type(raised).__name__}")
        with self._changed:
            if piece is not None:
                self.pieces.append(piece)
                self._kept_bytes += len(piece)
                over = self.joinable and self._kept_bytes > self._limit
            else:
                self._ended, self._error = error is None, error
                over = self.joinable and error is not None
            if over:
                self.joinable = False
            complete = self._ended and self.joinable
        # Without the lock, since it takes locks of its own. A complete flight can be joined until
        # its answer is kept, so that nobody finds neither.
        if over or complete:
            self._on_end(self, complete)

    def _nobody_wants_it(self) -> bool:
        making = self._making
        return len(self._readers) <= 1 and making is not None and making.is_gone()

    def _drop(self) -> None:
        """With the lock held: forget pieces once they can be neither shared nor kept."""
        if self.joinable:
            return
        needed = min(reader.position for reader in self._readers)
        while self.pieces and (self._dropped < needed or self._kept_bytes > 2 * self._limit):
            self._kept_bytes -= len(self.pieces.pop(0))
            self._dropped += 1

    def _alone(self, reader: "_Reader") -> Iterator[bytes]:
        """For a reader that fell too far behind: make the rest again, for it alone."""
        skip = reader.read_bytes
        for piece in self._start(reader.is_gone):
            if skip >= len(piece):
                skip -= len(piece)
            else:
                yield piece[skip:]
                skip = 0

    def _leave(self, reader: "_Reader") -> None:
        with self._changed:
            self._readers.remove(reader)
            if self._readers or self._ended or self._error is not None:
                return
            abandoned, self.joinable = self.joinable, False
            source, self._source = self._source, None
            self._ended = True
        if abandoned:
            self._on_end(self, False)
        close = getattr(source, "close", None)
        if close is not None:
            close()


class _Reader:
    """How far one request is."""

    __slots__ = ("is_gone", "position", "read_bytes")

    def __init__(self, is_gone: Gone) -> None:
        self.is_gone = is_gone
        self.position = 0
        self.read_bytes = 0


_BEHIND = b"behind"
"""Marks (by identity) that a reader's next piece was dropped."""


class Flights:
    """All flights that can still be joined, by key."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._flights: Dict[str, Flight] = {}
        self._lock = threading.Lock()

    def board(
        self,
        key: str,
        start: Start,
        stats: Stats,
        is_gone: Gone,
        keep: Callable[[bytes], None],
        drop: Callable[[], None] = lambda: None,
    ) -> Tuple[Generator[bytes, None, None], Stats, bool]:
        """The pieces for ``key``, their statistics, and whether somebody else had begun them.

        ``keep`` gets the whole answer once, if it is not larger than the limit; else ``drop`` is
        called, as soon as that is known.
        """

        def on_end(flight: Flight, complete: bool) -> None:
            if complete:
                keep(b"".join(flight.pieces))
            else:
                drop()
            with self._lock:
                if self._flights.get(key) is flight:
                    del self._flights[key]

        with self._lock:
            flight = self._flights.get(key)
            reader = flight.join(is_gone) if flight is not None else None
            joined = reader is not None
            if flight is None or reader is None:
                flight = self._flights[key] = Flight(start, stats, self._limit, on_end)
                reader = flight.join(is_gone)
                assert reader is not None  # nosec B101: a new flight can be joined
        return flight.read(reader), flight.stats, joined
