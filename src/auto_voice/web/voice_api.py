"""REST: voices that can be installed, and what an administrator does about them."""

from typing import Any, Dict, Iterator, List, Optional, Tuple

import msgspec
from typing_extensions import Annotated

from auto_voice.bootstrap import Service
from auto_voice.voices.index import BUILTIN
from auto_voice.voices.installs import Install
from auto_voice.voices.offer import Offer
from auto_voice.voices.store import Record
from auto_voice.web.endpoint import Endpoint
from auto_voice.web.incoming import (
    Environ,
    nested_within_reason,
    query_decoder,
    query_string,
    read_body,
    validated,
)
from auto_voice.web.reply import Reply, encode_json, json_reply
from auto_voice.web.schemas import ErrorBody

BODY_LIMIT_BYTES = 16 << 10
EVENTS = "text/event-stream"

_ADMIN: Dict[int, Any] = {status: ErrorBody for status in (400, 401, 403, 404)}


class OffersQuery(msgspec.Struct):
    """Filters of the voices that can be installed; all of them have to match."""

    language: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=50)]],
        msgspec.Meta(description="A language tag; `en` also finds `en-gb`."),
    ] = None
    engine: Optional[Annotated[str, msgspec.Meta(max_length=50)]] = None
    q: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=100)]],
        msgspec.Meta(description="Part of an id or a name."),
    ] = None


class OfferedVoice(msgspec.Struct):
    """A voice that can be installed."""

    id: str
    name: str
    engine: str
    language: str
    languages: List[str]
    quality: Optional[str]
    speakers: int
    """How many people are in it."""
    licence: Optional[str]
    """As its publisher states it; null where no list says: its homepage tells."""
    size_bytes: Optional[int]
    """Of the download."""
    sample: Optional[str]
    """Where one can hear it."""
    homepage: Optional[str]
    index: str
    """The list that has it: ``builtin``, its URL, or ``folder``."""
    installed: bool


class OfferList(msgspec.Struct):
    """The voices that pass the filters."""

    voices: List[OfferedVoice]
    faults: List[str]
    """Which lists could not be read, and why."""


class VoiceFile(msgspec.Struct):
    """A file of an installed voice."""

    path: str
    size_bytes: int
    sha256: str


class InstalledVoice(msgspec.Struct):
    """An installed voice, as its installation is remembered."""

    id: str
    name: str
    engine: str
    language: str
    quality: Optional[str]
    licence: Optional[str]
    card: Optional[str]
    """What its publisher says of it."""
    homepage: Optional[str]
    sample: Optional[str]
    source: str
    """The model's URL, or ``folder``."""
    installed_at: float
    """Unix time."""
    size_bytes: int
    pinned: bool
    """Whether its SHA-256 were known before it was fetched."""
    files: List[VoiceFile]


class InstallBody(msgspec.Struct):
    """Which voice to install."""

    voice: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    force: Annotated[
        bool, msgspec.Meta(description="Also in place of one that is there already.")
    ] = False


class RemoveQuery(msgspec.Struct):
    """How to remove."""

    force: Annotated[
        bool, msgspec.Meta(description="Also a voice that was not installed from a list.")
    ] = False


class InstallList(msgspec.Struct):
    """Installations, the newest first."""

    installs: List[Install]


class VoiceRemoved(msgspec.Struct):
    """A voice that is no more."""

    voice: str
    freed_bytes: int
    removed: bool = True


_decode_install = msgspec.json.Decoder(InstallBody).decode
_offers_query = query_decoder(OffersQuery)
_remove_query = query_decoder(RemoveQuery)


class VoiceAPI:
    """The endpoints over one service's voices as files."""

    def __init__(self, service: Service) -> None:
        self._installs = service.installs
        self._store = service.installs.installer.store
        one = "/v1/voices/installs/<install>"
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint(
                "GET",
                "/v1/voices/available",
                self.list_available,
                "List voices that can be installed",
                {200: OfferList, 400: ErrorBody, 401: ErrorBody},
                query=OffersQuery,
            ),
            Endpoint(
                "GET",
                "/v1/voices/installed/<voice>",
                self.get_installed,
                "Tell where an installed voice is from",
                {200: InstalledVoice, 401: ErrorBody, 404: ErrorBody, 409: ErrorBody},
            ),
            Endpoint(
                "DELETE",
                "/v1/voices/installed/<voice>",
                self.remove_voice,
                "Remove an installed voice",
                {200: VoiceRemoved, **_ADMIN, 409: ErrorBody},
                query=RemoveQuery,
                admin=True,
            ),
            Endpoint(
                "POST",
                "/v1/voices/installs",
                self.install_voice,
                "Begin to install a voice",
                {202: Install, **_ADMIN, 408: ErrorBody, 413: ErrorBody, 415: ErrorBody},
                body=InstallBody,
                admin=True,
            ),
            Endpoint(
                "GET",
                "/v1/voices/installs",
                self.list_installs,
                "List installations",
                {200: InstallList, 401: ErrorBody, 403: ErrorBody},
                admin=True,
            ),
            Endpoint(
                "GET",
                one,
                self.get_install,
                "Tell how far an installation is, once or until it is over",
                {200: Install, 401: ErrorBody, 403: ErrorBody, 404: ErrorBody},
                also=(EVENTS,),
                admin=True,
            ),
            Endpoint(
                "DELETE",
                one,
                self.cancel_install,
                "Stop an installation",
                {200: Install, 401: ErrorBody, 403: ErrorBody, 404: ErrorBody},
                admin=True,
            ),
        )

    def list_available(self, environ: Environ) -> Reply:
        """By language. Lists on the network are read again after an hour."""
        query = validated(_offers_query, query_string(environ))
        found = self._installs.index.all()
        voices = [
            self._shown(offer)
            for offer in found.offers
            if offer.matches(query.language, query.engine, query.q)
        ]
        return json_reply(OfferList(voices, list(found.faults)))

    def get_installed(self, environ: Environ, voice: str) -> Reply:
        """Its files with their SHA-256, its licence, and what its publisher says of it."""
        return json_reply(_installed(self._store.expect_record(voice)))

    def remove_voice(self, environ: Environ, voice: str) -> Reply:
        """Requests that speak with it at this moment end as they would have."""
        query = validated(_remove_query, query_string(environ))
        return json_reply(VoiceRemoved(voice, self._store.remove(voice, query.force)))

    def install_voice(self, environ: Environ) -> Reply:
        """It goes on beside the answer; `Location` is where to watch it."""
        data = read_body(environ, BODY_LIMIT_BYTES)
        body = validated(_decode_install, nested_within_reason(data))
        made = self._installs.start(body.voice, body.force)
        return json_reply(made, 202, [("Location", f"/v1/voices/installs/{made.id}")])

    def list_installs(self, environ: Environ) -> Reply:
        """Those under way, and the last that are over."""
        return json_reply(InstallList(self._installs.list()))

    def get_install(self, environ: Environ, install: str) -> Reply:
        """`Accept: text/event-stream` asks for an event at each change, the last one its end."""
        found = self._installs.get(install)
        if EVENTS in environ.get("HTTP_ACCEPT", "").lower():
            headers = [("Content-Type", EVENTS), ("Cache-Control", "no-store")]
            return Reply(200, headers, self._events(install))
        return json_reply(found)

    def cancel_install(self, environ: Environ, install: str) -> Reply:
        """What has arrived is kept for the next time."""
        return json_reply(self._installs.cancel(install))

    def _events(self, install: str) -> Iterator[bytes]:
        for found in self._installs.watch(install):
            yield b"data: " + encode_json(found) + b"\n\n"

    def _shown(self, offer: Offer) -> OfferedVoice:
        return OfferedVoice(
            id=offer.id,
            name=offer.name or offer.id,
            engine=offer.engine,
            language=offer.language,
            languages=list(offer.languages or (offer.language,)),
            quality=offer.quality,
            speakers=offer.speakers,
            licence=offer.licence,
            size_bytes=offer.size_bytes,
            sample=public(offer.sample),
            homepage=public(offer.homepage),
            index=offer.index if offer.index == BUILTIN else public(offer.index) or "folder",
            installed=self._store.is_there(offer.id),
        )


def public(url: Optional[str]) -> Optional[str]:
    """A URL that others can open, too; a path of this machine is nobody's business."""
    return url if url and url.startswith(("http://", "https://")) else None


def _installed(record: Record) -> InstalledVoice:
    return InstalledVoice(
        id=record.id,
        name=record.name or record.id,
        engine=record.engine,
        language=record.language,
        quality=record.quality,
        licence=record.licence,
        card=record.card,
        homepage=public(record.homepage),
        sample=public(record.sample),
        source=public(record.source) or "folder",
        installed_at=record.installed_at,
        size_bytes=record.size_bytes,
        pinned=record.pinned,
        files=[
            VoiceFile(path, file.size_bytes, file.sha256) for path, file in record.files.items()
        ],
    )
