"""Which voices can be installed: the lists that the settings name, read when somebody asks."""

import pkgutil
import threading
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from auto_voice.engines.engine import is_voice_id
from auto_voice.errors import (
    AutoVoiceError,
    DownloadFailed,
    DownloadRefused,
    InvalidVoiceIndex,
    VoiceNotFound,
)
from auto_voice.voices import listing
from auto_voice.voices.names import relative_parts, shown_url
from auto_voice.voices.offer import Offer, RemoteFile
from auto_voice.voices.remote import Remote, file_path

BUILTIN = "builtin"
MAX_BYTES = 32 << 20
"""Most that a list may have; Piper's has 0.3 MB."""
LIST_S = 60.0
"""How long one may take to arrive."""
FRESH_S = 3600.0
"""How long a list counts as new."""
RETRY_S = 5.0
"""How long one that could not be read is left alone."""


class Found(NamedTuple):
    """What the lists hold, and which of them could not be read."""

    offers: Tuple[Offer, ...]
    faults: Tuple[str, ...]


class _Read(NamedTuple):
    offers: Tuple[Offer, ...]
    fault: Optional[AutoVoiceError]
    until: float


class VoiceIndex:
    """All lists, the first one first: an id in two of them is the first one's. Safe for threads."""

    def __init__(
        self,
        sources: Sequence[str],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``sources``: ``builtin``, folders, and URLs of lists or of folders."""
        self._sources = tuple(sources)
        self._remote = Remote(timeout_s)
        self._clock = clock
        self._read: Dict[str, _Read] = {}
        self._reading = threading.Lock()

    def all(self) -> Found:
        """Every voice of every list that can be read."""
        found: Dict[str, Offer] = {}
        faults = []
        for source in self._sources:
            read = self._look(source)
            for offer in read.offers:
                found.setdefault(offer.id, offer)
            if read.fault is not None:
                faults.append(read.fault.message)
        offers = sorted(found.values(), key=lambda offer: (offer.language, offer.id))
        return Found(tuple(offers), tuple(faults))

    def find(self, voice: str) -> Offer:
        """The first list's voice of this id; lists after it are not even asked.

        Raises:
            VoiceNotFound: every list could be read, and none has it.
            VoiceNotInstalled: none has it, and of those that cannot be read, one may.
        """
        fault: Optional[AutoVoiceError] = None
        for source in self._sources:
            read = self._look(source)
            for offer in read.offers:
                if offer.id == voice:
                    return offer
            fault = fault or read.fault
        if fault is not None:
            raise fault
        raise VoiceNotFound(
            f"No list has a voice {voice[:100]!r}; `autovoice voices search` shows what there is.",
            param="voice",
        )

    def _look(self, source: str) -> _Read:
        known = self._read.get(source)
        if known is not None and self._clock() < known.until:
            return known
        # Whoever comes while another one reads takes what is known: a list that does not answer
        # holds up one at a time.
        if not self._reading.acquire(blocking=known is None) and known is not None:
            return known
        try:
            known = self._read.get(source)
            if known is not None and self._clock() < known.until:
                return known
            try:
                offers = tuple(self._offers(source))
                read = _Read(offers, None, self._clock() + FRESH_S)
            except AutoVoiceError as error:
                # What was known is better than nothing.
                offers = known.offers if known is not None else ()
                read = _Read(offers, error, self._clock() + RETRY_S)
            if not _is_folder(source):  # a folder costs nothing, and changes without notice
                self._read[source] = read
            return read
        finally:
            self._reading.release()

    def _offers(self, source: str) -> List[Offer]:
        if source == BUILTIN:
            data = pkgutil.get_data("auto_voice.voices", "shipped.json")
            return listing.parse(data or b"", listing.beside("https://invalid/"), BUILTIN)
        if _is_folder(source):
            return _folder(file_path(source) if source.startswith("file:") else Path(source))
        names = [""]
        if source.endswith("/"):
            names = [listing.OWN_FILE, listing.PIPER_FILE]
        for name in names:
            try:
                data = self._fetch(source + name)
            except DownloadRefused:
                if name == names[-1]:
                    raise
                continue
            return listing.parse(data, listing.beside(source + name), shown_url(source))
        raise AssertionError("unreachable")

    def _fetch(self, url: str) -> bytes:
        data, until = b"", time.monotonic() + LIST_S
        with self._remote.get(url) as answer:
            for chunk in answer.chunks:
                data += chunk
                if time.monotonic() > until:
                    raise DownloadFailed(f"{shown_url(url)} comes too slowly.")
                if len(data) > MAX_BYTES:
                    raise InvalidVoiceIndex(f"{shown_url(url)} has more than {MAX_BYTES} bytes.")
        return data


def sources(setting: str) -> List[str]:
    """The lists that a setting names.

    Raises:
        ValueError: one is neither ``builtin``, an absolute path nor a URL.
    """
    found = [part.strip() for part in setting.split(",") if part.strip()]
    for source in found:
        scheme = urlsplit(source).scheme
        if source != BUILTIN and scheme not in ("http", "https", "file"):
            if scheme or not Path(source).expanduser().is_absolute():
                raise ValueError(f"{shown_url(source)!r} is no list of voices")
        if "@" in urlsplit(source).netloc:
            raise ValueError("a name and password belong into the file that NETRC names")
    return [str(Path(part).expanduser()) if part.startswith("~") else part for part in found]


def _is_folder(source: str) -> bool:
    return source.startswith(("/", "file:"))


def _folder(path: Path) -> List[Offer]:
    """The voices of a folder: those of a list in it, or its voices as they lie there."""
    if path.is_file():
        return _listed(path)
    for name in (listing.OWN_FILE, listing.PIPER_FILE):
        if (path / name).is_file():
            return _listed(path / name)
    if not path.is_dir():
        raise InvalidVoiceIndex(f"There is no folder {path}.")
    return [
        _lying(path, config)
        for config in sorted(path.glob("*.onnx.json"))
        if is_voice_id(config.name[: -len(".onnx.json")]) and config.with_suffix("").is_file()
    ]


def _listed(path: Path) -> List[Offer]:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidVoiceIndex(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise InvalidVoiceIndex(f"{path} has more than {MAX_BYTES} bytes.")
    root = path.parent.resolve()

    def resolve(place: str) -> str:
        if "://" in place:
            if place.startswith(("https://", "http://")):
                return place
            raise ValueError(f"{place[:80]!r} is neither http nor https")
        target = root.joinpath(*relative_parts(place))
        return target.as_uri()

    return listing.parse(data, resolve, str(path))


def _lying(folder: Path, config: Path) -> Offer:
    """A voice that a folder has, without any list; what language it is, its name tells."""
    voice = config.name[: -len(".onnx.json")]
    locale, _, rest = voice.partition("-")
    tag = locale.replace("_", "-").lower()
    model = config.with_suffix("")

    def remote(path: Path) -> RemoteFile:
        return RemoteFile(path.resolve().as_uri(), path.stat().st_size)

    return Offer(
        id=voice,
        engine="piper",
        name=rest.rpartition("-")[0] or rest,
        language=tag,
        languages=(tag,),
        quality=rest.rpartition("-")[2] or None,
        model=remote(model),
        config=remote(config),
        index=str(folder),
    )
