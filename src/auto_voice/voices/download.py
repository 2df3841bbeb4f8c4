"""One file, fetched into the folder of unfinished downloads: resumed, bounded, verified."""

import errno
import hashlib
import os
import time
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import msgspec

from auto_voice.errors import (
    DownloadDamaged,
    DownloadFailed,
    InstallCancelled,
    VoiceStorageFull,
)
from auto_voice.voices.names import shown_url
from auto_voice.voices.offer import RemoteFile
from auto_voice.voices.remote import Answer, Remote

PAUSE_S = 0.5
"""Before the second try in vain; doubled before each further one."""
TRIES = 5
"""In a row, without a byte more; one that got further starts the count anew."""
MAX_TRIES = 50
"""In all: a connection that breaks after every few bytes ends, too."""
LEAST_BYTES_PER_S = 1024
"""Less than that over the whole time limit counts as nothing."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Digest(NamedTuple):
    """What arrived."""

    size_bytes: int
    sha256: str
    md5: str


class _Begun(msgspec.Struct):
    """What is known of a file that has arrived in part."""

    url: str
    validator: Optional[str] = None
    """Its strong ETag, or its date: what tells whether it is still the same file."""


class Download:
    """Fetches one file. Whoever holds the voice's lock uses it; nobody else writes there."""

    def __init__(
        self,
        remote: Remote,
        wanted: RemoteFile,
        path: Path,
        *,
        limit_bytes: int,
        timeout_s: float,
        arrived: Callable[[int], None],
        cancelled: Callable[[], bool],
        tries: int = TRIES,
    ) -> None:
        """
        Args:
            path: the unfinished file; beside it is a note about where it comes from.
            limit_bytes: most that it may have, where its size is not known before.
            timeout_s: how long next to nothing may arrive.
            arrived: told how many bytes there are now.
            cancelled: asked again and again.
            tries: how many in a row may come no further.
        """
        self._remote = remote
        self._wanted = wanted
        self._path = path
        self._note = path.with_name(path.name + ".note")
        self._limit = wanted.size_bytes if wanted.size_bytes is not None else limit_bytes
        self._timeout_s = timeout_s
        self._arrived = arrived
        self._cancelled = cancelled
        self._tries = tries
        self._validator: Optional[str] = None
        self._joined = False
        """Whether it was made of several answers' parts."""

    def run(self) -> Digest:
        """Fetch what is missing, and check the whole.

        Raises:
            DownloadFailed: it could not be had now; what has arrived is kept.
            DownloadRefused: it is not there.
            DownloadDamaged: it is not what was promised; nothing is kept.
            VoiceStorageFull: the disk is full; nothing is kept.
            InstallCancelled: it was not wanted any more; what has arrived is kept.
        """
        vain = 0
        for attempt in range(MAX_TRIES):
            had = self._size()
            try:
                if self._wanted.size_bytes is None or had < self._wanted.size_bytes:
                    self._fetch()
                else:
                    self._joined = True  # of an earlier time: nobody knows of what
                return self._checked()
            except DownloadFailed:
                vain = 1 if self._size() > had else vain + 1
                if vain >= self._tries or attempt + 1 == MAX_TRIES:
                    raise
                self._wait(PAUSE_S * 2**vain)
            except DownloadDamaged:
                # Parts of two files make none; from its start, it may be one.
                if not self._joined or attempt + 1 == MAX_TRIES:
                    raise
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._discard()
                raise VoiceStorageFull(f"The disk is full ({error.strerror}).") from None
        raise AssertionError("unreachable")

    def _fetch(self) -> None:
        have = self._resumable()
        with self._remote.get(self._wanted.url, have, self._validator) as answer:
            if answer.status == 416 or (have and not self._continues(answer, have)):
                if answer.status != 200:
                    self._discard()
                    raise DownloadFailed(f"{self._shown} has changed; it is fetched anew.")
                have = 0
            self._expect_size(answer, have)
            self._remember(answer)
            self._write(answer, have)

    def _write(self, answer: Answer, have: int) -> None:
        self._arrived(have)
        self._joined = have > 0
        mark, mark_at = have, time.monotonic()
        with open(self._path, "r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            for chunk in answer.chunks:
                if self._cancelled():
                    raise InstallCancelled("The installation was cancelled.")
                have += len(chunk)
                if have > self._limit:
                    break
                file.write(chunk)
                self._arrived(have)
                now = time.monotonic()
                if now - mark_at > self._timeout_s:
                    if have - mark < LEAST_BYTES_PER_S * self._timeout_s:
                        raise DownloadFailed(f"{self._shown} comes too slowly.")
                    mark, mark_at = have, now
            file.flush()
            os.fsync(file.fileno())
        if have > self._limit:
            self._discard()
            raise DownloadDamaged(f"{self._shown} has more than {self._limit} bytes.")
        if self._wanted.size_bytes is not None and have < self._wanted.size_bytes:
            raise DownloadFailed(f"{self._shown} ended too early.")

    def _checked(self) -> Digest:
        found = digest(self._path)
        wanted = self._wanted
        for what, expected, has in (
            ("bytes", wanted.size_bytes, found.size_bytes),
            ("SHA-256", wanted.sha256, found.sha256),
            ("MD5", wanted.md5, found.md5),
        ):
            if expected is not None and expected != has:
                self._discard()
                raise DownloadDamaged(f"{self._shown}: {what} {has}, and not {expected}.")
        return found

    # --- resuming -------------------------------------------------------------------------------

    def _resumable(self) -> int:
        """How many of its bytes are here already, and worth keeping."""
        try:
            begun = msgspec.json.decode(self._note.read_bytes(), type=_Begun)
        except (OSError, msgspec.DecodeError):
            begun = _Begun("")
        self._validator = begun.validator
        verifiable = self._wanted.sha256 is not None or self._wanted.md5 is not None
        if begun.url == self._wanted.url and (begun.validator or verifiable):
            return self._size()
        self._validator = None
        return 0

    def _continues(self, answer: Answer, have: int) -> bool:
        """Whether the answer goes on where our bytes end, in the same file."""
        place = answer.headers.get("Content-Range", "")
        return answer.status == 206 and place.replace(" ", "").startswith(f"bytes{have}-")

    def _expect_size(self, answer: Answer, have: int) -> None:
        """Refuse a file at once that says to be another size than it should be."""
        length = answer.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 18):
            return
        total = have + int(length)
        known = self._wanted.size_bytes
        if (known is not None and total != known) or total > self._limit:
            self._discard()
            raise DownloadDamaged(f"{self._shown} has {total} bytes, and not {self._limit}.")

    def _remember(self, answer: Answer) -> None:
        etag = answer.headers.get("ETag", "")
        strong = etag if etag.startswith('"') else None
        validator = strong or answer.headers.get("Last-Modified")
        self._note.write_bytes(msgspec.json.encode(_Begun(self._wanted.url, validator)))

    # --- the rest -------------------------------------------------------------------------------

    @property
    def _shown(self) -> str:
        return shown_url(self._wanted.url)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _discard(self) -> None:
        for path in (self._path, self._note):
            try:
                path.unlink()
            except FileNotFoundError:
                pass

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + min(seconds, 10.0)
        while time.monotonic() < until:
            if self._cancelled():
                raise InstallCancelled("The installation was cancelled.")
            time.sleep(0.05)


def digest(path: Path) -> Digest:
    """What a file holds.

    Raises:
        OSError: it cannot be read.
    """
    sha256, md5, size = hashlib.sha256(), _md5(), 0
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
    return Digest(size, sha256.hexdigest(), md5.hexdigest())


def _md5() -> Any:
    try:
        # Against accidents, where a list knows nothing better; a system may have no MD5 for more.
        return hashlib.md5(usedforsecurity=False)  # novm: Python 3.8 raises TypeError
    except TypeError:  # Python 3.8
        return hashlib.md5()  # nosec B324: as above
