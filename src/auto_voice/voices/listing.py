"""Lists of voices that can be installed, read from JSON: our own form, and Piper's."""

import logging
from typing import Any, Callable, Dict, List, Optional
from urllib.parse import quote, urljoin

import msgspec
from typing_extensions import Annotated

from auto_voice.engines.engine import is_voice_id
from auto_voice.errors import InvalidVoiceIndex
from auto_voice.voices.names import relative_parts
from auto_voice.voices.offer import Md5, Offer, RemoteFile, Short, Size

log = logging.getLogger(__name__)

FORMAT = "autovoice-voices/1"
OWN_FILE = "autovoice-voices.json"
PIPER_FILE = "voices.json"
"""What the two forms are called in a folder."""

MAX_VOICES = 10_000

Resolve = Callable[[str], str]
"""From a file's place in a list to its absolute address; raises ValueError if it has none."""


class _PiperFile(msgspec.Struct):
    size_bytes: Size
    md5_digest: Md5


class _PiperLanguage(msgspec.Struct):
    code: Short


class _PiperVoice(msgspec.Struct):
    """An entry of the list that Piper's collection publishes."""

    key: Short
    name: Short
    language: _PiperLanguage
    quality: Short
    files: Dict[str, _PiperFile]
    num_speakers: Annotated[int, msgspec.Meta(ge=1)] = 1


def parse(data: bytes, resolve: Resolve, origin: str) -> List[Offer]:
    """The voices of a list, in either form. An entry that makes no sense is left out, and logged.

    Args:
        resolve: makes the places of its files absolute.
        origin: where the list is, for messages.

    Raises:
        InvalidVoiceIndex: it is not a list of voices, or none of its voices makes sense.
    """
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(origin, error) from None
    read = _piper_offer
    entries: Any = list(raw.values()) if isinstance(raw, dict) else None
    if isinstance(raw, dict) and "format" in raw:
        if raw["format"] != FORMAT:
            raise _unreadable(origin, f"its format is not {FORMAT!r}")
        entries, read = raw.get("voices"), _own_offer
    if not isinstance(entries, list):
        raise _unreadable(origin, "it has no voices")
    if len(entries) > MAX_VOICES:
        raise _unreadable(origin, f"it has more than {MAX_VOICES}")
    offers: List[Offer] = []
    fault = ""
    for entry in entries:
        try:
            offers.append(read(entry, resolve, origin))
        except (ValueError, msgspec.ValidationError) as error:
            fault = str(error)
            log.warning("%s: a voice is left out: %s", origin, fault[:200])
    if fault and not offers:
        raise _unreadable(origin, fault)
    return offers


def _unreadable(origin: str, why: object) -> InvalidVoiceIndex:
    return InvalidVoiceIndex(f"{origin} is not a list of voices: {str(why)[:200]}.")


def _own_offer(entry: Any, resolve: Resolve, origin: str) -> Offer:
    offer = msgspec.convert(entry, Offer)
    if not is_voice_id(offer.id):
        raise ValueError(f"{offer.id[:60]!r} can be no voice's id")
    if (offer.archive is None) == (offer.model is None or offer.config is None):
        raise ValueError(f"{offer.id} needs either a model and its config, or an archive")

    def moved(file: Any) -> Any:
        return file and msgspec.structs.replace(file, url=resolve(file.url))

    return msgspec.structs.replace(
        offer,
        model=moved(offer.model),
        config=moved(offer.config),
        archive=moved(offer.archive),
        card=offer.card and resolve(offer.card),
        sample=offer.sample and resolve(offer.sample),
        index=origin,
    )


def _piper_offer(entry: Any, resolve: Resolve, origin: str) -> Offer:
    voice = msgspec.convert(entry, _PiperVoice)
    if not is_voice_id(voice.key):
        raise ValueError(f"{voice.key[:60]!r} can be no voice's id")
    model = _ending(voice, f"{voice.key}.onnx")
    config = _ending(voice, f"{voice.key}.onnx.json")
    folder = model.rpartition("/")[0]
    tag = voice.language.code.replace("_", "-").lower()

    def remote(path: str) -> RemoteFile:
        listed = voice.files[path]
        return RemoteFile(resolve(path), listed.size_bytes, md5=listed.md5_digest)

    card: Optional[str] = f"{folder}/MODEL_CARD"
    if card not in voice.files:
        card = None
    return Offer(
        id=voice.key,
        engine="piper",
        name=voice.name,
        language=tag,
        languages=(tag,),
        quality=voice.quality,
        speakers=voice.num_speakers,
        sample=resolve(f"{folder}/samples/speaker_0.mp3"),
        card=card and resolve(card),
        model=remote(model),
        config=remote(config),
        index=origin,
    )


def _ending(voice: _PiperVoice, name: str) -> str:
    for path in voice.files:
        if path.rpartition("/")[2] == name:
            relative_parts(path)
            return path
    raise ValueError(f"{voice.key} has no file {name}")


def beside(address: str) -> Resolve:
    """Resolves places relative to a list at a URL. An https list leads to https only."""

    def resolve(place: str) -> str:
        if "://" not in place:
            place = "/".join(quote(part, safe="@") for part in relative_parts(place))
        found = urljoin(address, place)
        scheme = found.partition("://")[0]
        if scheme != "https" and (scheme != "http" or address.startswith("https:")):
            raise ValueError(f"{place[:80]!r} leads away from {address.partition('://')[0]}")
        return found

    return resolve
