"""Unpacks a voice's archive, which comes from the network: files and folders, within bounds."""

import bz2
import gzip
import lzma
import os
import tarfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Set, Tuple, cast

from auto_voice.errors import InstallCancelled, InvalidArchive
from auto_voice.voices.names import relative_parts

MAX_FILES = 5000
_HEADER_BYTES = 16 << 20
"""Most that an archive may have beside its files' contents: names, however they are written."""
_CHUNK_BYTES = 1 << 20
_OPEN: Dict[bytes, Callable[..., Any]] = {
    b"BZh": bz2.open,
    b"\x1f\x8b\x08": gzip.open,
    b"\xfd7z": lzma.open,
}


class _Metered:
    """A stream of which only so much is read as was granted: an archive may say anything."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._granted = _HEADER_BYTES

    def grant(self, count: int) -> None:
        self._granted += count

    def read(self, count: int) -> bytes:
        data = self._file.read(count)
        self._granted -= len(data)
        if self._granted < 0:
            raise InvalidArchive("The archive has more in it than files.")
        return data


def unpack(
    path: Path,
    folder: Path,
    *,
    limit_bytes: int,
    cancelled: Callable[[], bool] = lambda: False,
    unpacked: Callable[[int], None] = lambda count: None,
) -> Path:
    """Unpack a tar archive (plain, or packed with gzip, bzip2 or xz) into a new folder.

    Args:
        folder: made here; must not exist.
        limit_bytes: most that all files may have together.
        unpacked: told how many bytes have been written.

    Returns:
        The one folder that the archive has at its top.

    Raises:
        InvalidArchive: it is no such archive, has a link, a device or a path that leads out of
            it, or has too much in it.
        OSError: the disk does not take it.
    """
    folder.mkdir()
    written, count = 0, 0
    tops: Set[str] = set()
    try:
        with open(path, "rb") as raw, _decompressed(raw) as file:
            metered = _Metered(file)
            with tarfile.open(fileobj=cast(BinaryIO, metered), mode="r|") as archive:
                while True:
                    archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                    member = archive.next()
                    if member is None:
                        break
                    if cancelled():
                        raise InstallCancelled("The installation was cancelled.")
                    count += 1
                    if count > MAX_FILES:
                        raise InvalidArchive(f"The archive has more than {MAX_FILES} files.")
                    target = folder.joinpath(*_parts(member))
                    tops.add(target.relative_to(folder).parts[0])
                    if member.isdir():
                        target.mkdir(parents=True, exist_ok=True)
                        continue
                    written += member.size
                    if written > limit_bytes:
                        raise InvalidArchive(f"The archive's files have over {limit_bytes} bytes.")
                    metered.grant(member.size)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _write(archive, member, target)
                    unpacked(written)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, UnicodeError) as error:
        raise InvalidArchive(f"The archive cannot be read: {str(error)[:100]}.") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InvalidArchive("The archive has two things of one name.") from None
    except OSError as error:
        if error.errno is None:  # bz2's and gzip's way to say that it is none of theirs
            raise InvalidArchive(f"The archive cannot be read: {str(error)[:100]}.") from None
        raise
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        raise InvalidArchive(f"The archive cannot be read: {str(error)[:100]}.") from None
    top = folder / min(tops, default="?")
    if len(tops) != 1 or not top.is_dir():
        raise InvalidArchive("The archive has not exactly one folder at its top.")
    return top


def _decompressed(raw: BinaryIO) -> BinaryIO:
    start = raw.read(3)
    raw.seek(0)
    opener = _OPEN.get(start)
    return cast(BinaryIO, opener(raw, "rb")) if opener is not None else raw


def _parts(member: tarfile.TarInfo) -> Tuple[str, ...]:
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        raise InvalidArchive(f"The archive has something that is no file: {member.name[:80]!r}.")
    try:
        return relative_parts(member.name)
    except ValueError as error:
        raise InvalidArchive(f"The archive has a path that leads elsewhere: {error}.") from None


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = archive.extractfile(member)
    if source is None:
        raise InvalidArchive(f"The archive has something that is no file: {member.name[:80]!r}.")
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    left = member.size
    with open(descriptor, "wb") as file:
        while left:
            data = source.read(min(left, _CHUNK_BYTES))
            if not data:
                raise InvalidArchive("The archive is cut off.")
            file.write(data)
            left -= len(data)
