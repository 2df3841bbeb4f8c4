"""A voice that can be installed: what it is, and which files make it."""

from typing import Any, Dict, Optional, Tuple

import msgspec
from typing_extensions import Annotated

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Md5 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Url = Annotated[str, msgspec.Meta(max_length=2000)]


class RemoteFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file to fetch, and what is known of it before."""

    url: Url
    """Absolute, once its list has been read; in a list it may be relative to the list."""
    size_bytes: Optional[Size] = None
    sha256: Optional[Sha256] = None
    md5: Optional[Md5] = None
    """Where a list knows no better; it holds against accidents only."""


class Archive(RemoteFile, frozen=True, omit_defaults=True):
    """A tar archive with one folder in it, which becomes the voice's folder."""

    unpacked_bytes: Optional[Size] = None
    """Most that its files may take; unknown: ten times the archive."""


class Offer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A voice that can be installed: as two files, or as an archive with a folder."""

    id: Short
    engine: Short
    """The engine that speaks it: ``piper`` or ``sherpa``."""
    name: Short = ""
    language: Short = ""
    """BCP 47 tag, in lower case."""
    languages: Tuple[Short, ...] = ()
    """All of them, where there are several."""
    quality: Optional[Short] = None
    speakers: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    """How many people are in it."""
    licence: Optional[Short] = None
    """As the publisher states it; None where no list says."""
    homepage: Optional[Url] = None
    sample: Optional[Url] = None
    """A recording of how it sounds."""
    card: Optional[Url] = None
    """The publisher's description, which names the licence; fetched beside the voice."""
    model: Optional[RemoteFile] = None
    config: Optional[RemoteFile] = None
    archive: Optional[Archive] = None
    manifest: Dict[str, Any] = {}
    """What its engine has to know; goes into an unpacked voice's ``voice.json``."""
    index: Short = ""
    """Where it was found: ``builtin``, or the list's address."""

    @property
    def size_bytes(self) -> Optional[int]:
        """Of the download, where that is known."""
        sizes = [file.size_bytes for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def files(self) -> Tuple[RemoteFile, ...]:
        """What is to be fetched."""
        if self.archive is not None:
            return (self.archive,)
        return tuple(file for file in (self.model, self.config) if file is not None)

    @property
    def room_bytes(self) -> Optional[int]:
        """What the voice takes while it is being installed, where that is known."""
        size = self.size_bytes
        if self.archive is None or size is None:
            return size
        return size + self.unpacked_limit(size)

    def matches(
        self,
        language: Optional[str] = None,
        engine: Optional[str] = None,
        query: Optional[str] = None,
    ) -> bool:
        """Whether it passes every given filter; ``language`` ``en`` also finds ``en-gb``."""
        prefix = (language or "").strip().lower().replace("_", "-")
        tags = (self.language, *self.languages)
        if prefix and not any(tag == prefix or tag.startswith(prefix + "-") for tag in tags):
            return False
        if engine and self.engine != engine:
            return False
        return not query or query.lower() in f"{self.id} {self.name}".lower()

    def unpacked_limit(self, archive_bytes: int) -> int:
        """Most bytes that the files of the archive may take."""
        known = self.archive.unpacked_bytes if self.archive is not None else None
        return known if known is not None else 10 * archive_bytes
