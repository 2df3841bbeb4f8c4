"""Named lexicons, as files in a folder that processes share."""

import contextlib
import errno
import fcntl
import logging
import os
import re
import threading
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import msgspec

from auto_voice.errors import (
    InvalidLexicon,
    LexiconChanged,
    LexiconNotFound,
    LexiconNotSaved,
    LexiconsReadOnly,
)
from auto_voice.text.lexicon import Lexicon
from auto_voice.text.lexicon_entry import Entry

log = logging.getLogger(__name__)

MAX_LEXICONS = 100
MAX_BYTES = 16 << 20
"""Of all lexicons' files together: in memory they take some ten times as much."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SUFFIX = ".json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)

_Stamp = Tuple[int, int, int]


class Content(msgspec.Struct, omit_defaults=True):
    """A lexicon as it is stored, sent and received."""

    entries: List[Entry]
    language: Optional[str] = None


_DECODER = msgspec.json.Decoder(Content)


class _Read(NamedTuple):
    stamp: _Stamp
    lexicon: Lexicon


class LexiconStore:
    """Lexicons by name. Safe for threads and processes.

    Reading takes no lock: a file appears whole or not at all. What was read is
    kept, and read anew when the file is another one, whichever process wrote it.
    Changes take a lock that all processes share, and are on the disk when they
    return; one that fails leaves the lexicon as it was.
    """

    def __init__(self, folder: Path) -> None:
        """``folder``: made when the first lexicon is saved."""
        self._folder = folder
        self._known: Dict[str, _Read] = {}
        self._writing = threading.Lock()

    def get(self, name: str) -> Lexicon:
        """The lexicon of this name.

        Raises:
            LexiconNotFound: there is none.
            InvalidLexicon: somebody else has written something else into its file.
        """
        if _NAME.fullmatch(name) is None:
            raise _missing(name)
        path = self._path(name)
        try:
            stamp = _stamp(os.stat(path))
            known = self._known.get(name)
            if known is not None and known.stamp == stamp:
                return known.lexicon
            with open(path, "rb") as file:
                stamp = _stamp(os.fstat(file.fileno()))
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            self._known.pop(name, None)
            raise _missing(name) from None
        except OSError as error:
            raise InvalidLexicon(
                f"The lexicon {name!r} cannot be read: {error.strerror}."
            ) from None
        try:
            lexicon = decoded(data)
        except InvalidLexicon as error:
            raise InvalidLexicon(
                f"The file of the lexicon {name!r} is damaged: {error.message}"
            ) from None
        self._known[name] = _Read(stamp, lexicon)
        return lexicon

    def list(self) -> List[Tuple[str, Lexicon]]:
        """All lexicons, by their names; one whose file is damaged is left out, and logged."""
        found = []
        for name in self._names():
            try:
                found.append((name, self.get(name)))
            except LexiconNotFound:
                pass  # deleted meanwhile
            except InvalidLexicon as error:
                log.warning("%s", error.message)
        return found

    def put(self, name: str, lexicon: Lexicon, expected: Optional[str] = None) -> bool:
        """Save a lexicon; returns whether it is a new one.

        Args:
            expected: digest that the present one must have; ``*``: any; empty: there must be none.

        Raises:
            InvalidLexicon: the name is not allowed, or there are too many lexicons.
            LexiconChanged: it is not as expected.
            LexiconsReadOnly, LexiconNotSaved: the disk does not take it.
        """
        with self._changing(name):
            if expected is not None:
                _expect(expected, self._present(name))
            return self._save(name, lexicon)

    def update(
        self, name: str, change: Callable[[Lexicon], Lexicon], expected: Optional[str] = None
    ) -> Lexicon:
        """Save what ``change`` makes of the present lexicon (an empty one if there is none).

        Raises:
            As `put`, and whatever ``change`` raises.
        """
        with self._changing(name):
            present = self._present(name)
            if expected is not None:
                _expect(expected, present)
            lexicon = change(present or Lexicon())
            self._save(name, lexicon)
        return lexicon

    def delete(self, name: str, expected: Optional[str] = None) -> None:
        """Remove a lexicon.

        Raises:
            LexiconNotFound, LexiconChanged, LexiconsReadOnly, LexiconNotSaved
        """
        if _NAME.fullmatch(name) is None or not self._path(name).is_file():
            raise _missing(name)
        with self._changing(name):
            if expected is not None:
                _expect(expected, self._present(name))
            try:
                self._path(name).unlink()
            except FileNotFoundError:
                raise _missing(name) from None
            _sync_folder(self._folder)
        self._known.pop(name, None)

    def _save(self, name: str, lexicon: Lexicon) -> bool:
        names = self._names()
        if name not in names and len(names) >= MAX_LEXICONS:
            raise InvalidLexicon(f"There are {MAX_LEXICONS} lexicons already; delete one.")
        data = encoded(lexicon)
        if len(data) + sum(map(self._size, names)) - self._size(name) > MAX_BYTES:
            raise InvalidLexicon(f"All lexicons together may have {MAX_BYTES >> 20} MiB.")
        self._write(name, data)
        return name not in names

    def _size(self, name: str) -> int:
        try:
            return os.stat(self._path(name)).st_size
        except FileNotFoundError:
            return 0

    def _present(self, name: str) -> Optional[Lexicon]:
        try:
            return self.get(name)
        except LexiconNotFound:
            return None

    def _write(self, name: str, data: bytes) -> None:
        # Only who has the lock writes it: what a killed process leaves is the next one's to use.
        aside = self._folder / ".unfinished"
        try:
            with open(aside, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # A file that is another one looks like another one, however fast they follow.
            time_ns = max(time.time_ns(), self._modified_ns(name) + 1)
            os.utime(aside, ns=(time_ns, time_ns))
            os.replace(aside, self._path(name))
        except OSError:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
        _sync_folder(self._folder)

    @contextlib.contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        """Nobody else changes anything meanwhile; the disk's errors are told in our words."""
        if _NAME.fullmatch(name) is None:
            raise InvalidLexicon(
                "A lexicon's name has 1 to 64 of a-z, 0-9, '.', '_' and '-', the first of them "
                "a letter or a digit.",
                param="name",
            )
        try:
            with self._writing:
                self._folder.mkdir(parents=True, exist_ok=True)
                with open(self._folder / ".lock", "ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    yield
        except OSError as error:
            if error.errno in _FORBIDDEN:
                raise LexiconsReadOnly(
                    f"This server may not write its lexicons: {error.strerror}."
                ) from None
            full = " The disk is full." if error.errno in _FULL else ""
            raise LexiconNotSaved(
                f"The lexicon {name!r} was not saved and is as it was.{full} ({error.strerror})"
            ) from None

    def _modified_ns(self, name: str) -> int:
        try:
            return os.stat(self._path(name)).st_mtime_ns
        except FileNotFoundError:
            return 0

    def _names(self) -> List[str]:
        try:
            files = os.listdir(self._folder)
        except OSError:
            return []
        names = (file[: -len(_SUFFIX)] for file in files if file.endswith(_SUFFIX))
        return sorted(name for name in names if _NAME.fullmatch(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def encoded(lexicon: Lexicon) -> bytes:
    """A lexicon as JSON, as its file has it."""
    content = Content(list(lexicon.entries), lexicon.language)
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def decoded(data: bytes) -> Lexicon:
    """The lexicon that the JSON describes.

    Raises:
        InvalidLexicon: it describes none.
    """
    try:
        content = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLexicon(f"{error}.") from None
    return Lexicon(content.entries, content.language)


def with_entry(lexicon: Lexicon, entry: Entry) -> Lexicon:
    """The lexicon with an entry in the place of the one for the same word, if there is one."""
    kept = [other for other in lexicon.entries if other.key != entry.key]
    return Lexicon([*kept, entry], lexicon.language)


def without_word(lexicon: Lexicon, word: str, language: Optional[str] = None) -> Lexicon:
    """The lexicon without the entries for a word, in whatever case; in one language or in all.

    Raises:
        LexiconNotFound: there are none.
    """
    words = Entry(word).key[0]
    kept = [
        entry
        for entry in lexicon.entries
        if entry.key[0] != words or language not in (None, entry.language)
    ]
    if len(kept) == len(lexicon.entries):
        raise LexiconNotFound(f"There is no entry for {word[:100]!r}.", param="word")
    return Lexicon(kept, lexicon.language)


def _expect(expected: str, present: Optional[Lexicon]) -> None:
    if expected == "*":
        if present is None:
            raise LexiconChanged("There is no such lexicon yet.")
    elif expected != (present.digest if present else ""):
        raise LexiconChanged("The lexicon is another one than expected; get it again.")


def _missing(name: str) -> LexiconNotFound:
    return LexiconNotFound(f"There is no lexicon {name[:64]!r}.", param="lexicon")


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
