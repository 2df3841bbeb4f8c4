"""From an offer to a voice in the folder: fetched, verified, and there all at once."""

import os
import re
import shutil
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import msgspec

from auto_voice.engines import manifest
from auto_voice.errors import (
    AutoVoiceError,
    DownloadDamaged,
    VoiceNotManaged,
)
from auto_voice.voices.archive import unpack
from auto_voice.voices.download import Digest, Download, digest
from auto_voice.voices.names import checked_voice_id, relative_parts, shown_url
from auto_voice.voices.offer import Offer, RemoteFile
from auto_voice.voices.remote import Remote
from auto_voice.voices.store import InstalledFile, Record, VoiceStore

CARD_BYTES = 64 << 10
_LICENCE = re.compile(
    r"^[\s*-]*Licen[sc]e:[ \t]*(\S.{0,199}?)[ \t]*$", re.MULTILINE | re.IGNORECASE
)


class Progress(msgspec.Struct, frozen=True):
    """How far an installation is."""

    stage: str
    """``waiting`` (for another one of the same voice), ``downloading``, ``unpacking``,
    ``installed``."""
    done_bytes: int = 0
    total_bytes: Optional[int] = None
    """None where no list says."""


Told = Callable[[Progress], None]


class Installer:
    """Puts voices into the folder, one process at a time for each voice."""

    def __init__(
        self,
        store: VoiceStore,
        timeout_s: float,
        received: Callable[[int], None] = lambda count: None,
    ) -> None:
        """
        Args:
            timeout_s: how long a download may bring next to nothing.
            received: told how many more bytes have come over the network.
        """
        self.store = store
        self._timeout_s = timeout_s
        self._remote = Remote(timeout_s, received)

    def install(
        self,
        offer: Offer,
        progress: Told = lambda progress: None,
        cancelled: Callable[[], bool] = lambda: False,
        force: bool = False,
    ) -> Record:
        """Install a voice; one that is there already, as it should be, stays as it is.

        Args:
            force: fetch it anew in any case, and in place of one that no list has, too.

        Raises:
            VoiceNotInstalled: why not; the folder is as it was.
            VoiceNotManaged: somebody else has put a voice of this id there.
            VoicesReadOnly
        """
        checked_voice_id(offer.id)
        record = None if force else self._present(offer)
        if record is None:
            with self.store.changing(
                offer.id, lambda: progress(Progress("waiting")), cancelled
            ) as work:
                record = None if force else self._present(offer)  # another one's, by now
                if record is None:
                    self.store.sweep()
                    record = self._install(offer, work, progress, cancelled)
                shutil.rmtree(work, ignore_errors=True)
        progress(Progress("installed", record.size_bytes, record.size_bytes))
        return record

    def _present(self, offer: Offer) -> Optional[Record]:
        store = self.store
        if store.is_as_recorded(offer.id):
            return store.record(offer.id)
        if store.is_there(offer.id) and store.record(offer.id) is None:
            raise VoiceNotManaged(
                f"There is a voice {offer.id} already that was not installed from a list; "
                "replacing it has to be forced.",
                param="voice",
            )
        return None

    def _install(
        self, offer: Offer, work: Path, progress: Told, cancelled: Callable[[], bool]
    ) -> Record:
        room = offer.room_bytes
        if room is None:
            room = 0
        total = offer.size_bytes
        with self.store.room_for(offer.id, room):
            self._recover(offer, work)
            got: Dict[str, Digest] = {}
            done = 0
            for name, file in _files(offer).items():
                before = done

                def arrived(count: int, before: int = before) -> None:
                    progress(Progress("downloading", before + count, total))

                got[name] = self._fetch(file, work / name, arrived, cancelled)
                done += got[name].size_bytes
            card = self._card(offer, work)
            if offer.archive is not None:
                return self._place_folder(offer, work, card, progress, cancelled)
            return self._place_files(offer, work, card, got)

    def _fetch(
        self,
        file: RemoteFile,
        path: Path,
        arrived: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> Digest:
        return Download(
            self._remote,
            file,
            path,
            limit_bytes=max(0, self.store.budget_bytes - self.store.used_bytes()),
            timeout_s=self._timeout_s,
            arrived=arrived,
            cancelled=cancelled,
        ).run()

    def _recover(self, offer: Offer, work: Path) -> None:
        """Take back a model that a killed process had put in its place, but not its config."""
        model = self.store.folder / f"{offer.id}.onnx"
        if offer.model is not None and model.is_file() and not self.store.is_there(offer.id):
            os.replace(model, work / model.name)

    def _card(self, offer: Offer, work: Path) -> Optional[str]:
        """The publisher's description; a voice without one is installed all the same."""
        if not offer.card:
            return None
        try:
            path = work / "card"
            Download(
                self._remote,
                RemoteFile(offer.card),
                path,
                limit_bytes=CARD_BYTES,
                timeout_s=min(self._timeout_s, 10.0),
                arrived=lambda count: None,
                cancelled=lambda: False,
                tries=1,
            ).run()
            return path.read_text(encoding="utf-8", errors="replace")
        except AutoVoiceError:
            return None

    # --- into place -----------------------------------------------------------------------------

    def _place_files(
        self, offer: Offer, work: Path, card: Optional[str], got: Dict[str, Digest]
    ) -> Record:
        _expect_json(work / f"{offer.id}.onnx.json")
        files = {name: InstalledFile(one.size_bytes, one.sha256) for name, one in got.items()}
        record = self._recorded(offer, card, files)
        folder = self.store.folder
        self.store.clear(offer.id)  # what makes the old one a voice goes first
        # Whoever looks into the folder meanwhile sees no voice until its config comes, the last.
        os.replace(work / f"{offer.id}.onnx", folder / f"{offer.id}.onnx")
        self.store.write_record(record)
        os.replace(work / f"{offer.id}.onnx.json", folder / f"{offer.id}.onnx.json")
        _sync(folder)
        return record

    def _place_folder(
        self,
        offer: Offer,
        work: Path,
        card: Optional[str],
        progress: Told,
        cancelled: Callable[[], bool],
    ) -> Record:
        archive = work / _archive_name(offer)
        shutil.rmtree(work / "unpacked", ignore_errors=True)
        limit = offer.unpacked_limit(archive.stat().st_size)
        progress(Progress("unpacking", 0, None))
        try:
            made = unpack(
                archive,
                work / "unpacked",
                limit_bytes=limit,
                cancelled=cancelled,
                unpacked=lambda count: progress(Progress("unpacking", count, None)),
            )
            _write_manifest(offer, made)
        except BaseException:
            shutil.rmtree(work / "unpacked", ignore_errors=True)
            raise
        files = {}
        for path in sorted(made.rglob("*")):
            if path.is_file():
                one = digest(path)
                name = f"{offer.id}/{path.relative_to(made).as_posix()}"
                files[name] = InstalledFile(one.size_bytes, one.sha256)
        record = self._recorded(offer, card, files)
        self.store.clear(offer.id)
        self.store.write_record(record)
        os.rename(made, self.store.folder / offer.id)
        _sync(self.store.folder)
        return record

    def _recorded(
        self, offer: Offer, card: Optional[str], files: Dict[str, InstalledFile]
    ) -> Record:
        found = _LICENCE.search(card or "")
        return Record(
            id=offer.id,
            engine=offer.engine,
            files=files,
            installed_at=time.time(),
            name=offer.name,
            language=offer.language,
            languages=offer.languages,
            quality=offer.quality,
            speakers=offer.speakers,
            licence=offer.licence or (found.group(1) if found else None),
            card=card,
            homepage=offer.homepage,
            sample=offer.sample,
            source=shown_url(offer.files[0].url),
            pinned=all(file.sha256 is not None for file in offer.files),
        )


def _files(offer: Offer) -> Dict[str, RemoteFile]:
    """What to fetch, by its name while unfinished."""
    if offer.archive is not None:
        return {_archive_name(offer): offer.archive}
    # The small one first: what is wrong with a list shows before the long wait.
    named = {f"{offer.id}.onnx.json": offer.config, f"{offer.id}.onnx": offer.model}
    return {name: file for name, file in named.items() if file is not None}


def _archive_name(offer: Offer) -> str:
    return f"{offer.id}.tar"


def _expect_json(path: Path) -> None:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        path.unlink()
        raise DownloadDamaged(f"{path.name} is not a voice's config.")


def _write_manifest(offer: Offer, folder: Path) -> None:
    """Tell the engine what is in the folder.

    Raises:
        DownloadDamaged: a file that it needs is not there.
    """
    for path in _named(offer.manifest.get("files", {})):
        try:
            there = folder.joinpath(*relative_parts(path)).is_file()
        except ValueError:
            there = False
        if not there:
            raise DownloadDamaged(f"The archive of {offer.id} has no file {path[:100]!r}.")
    said: Dict[str, Any] = {
        "name": offer.name,
        "languages": offer.languages or ((offer.language,) if offer.language else ()),
        "licence": offer.licence,
        "quality": offer.quality,
        **offer.manifest,
        "engine": offer.engine,
    }
    try:
        told = msgspec.convert(said, manifest.Manifest)
    except msgspec.ValidationError as error:
        raise DownloadDamaged(f"The manifest of {offer.id} is wrong: {error}.") from None
    manifest.write(folder, told)


def _named(files: Any) -> List[str]:
    if isinstance(files, str):
        return [files]
    if isinstance(files, dict):
        files = list(files.values())
    return [path for one in files for path in _named(one)] if isinstance(files, list) else []


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
