"""What a voice's own JSON says of it, read within limits."""

import os
import re
from pathlib import Path
from typing import Any, Dict, Iterable, Optional, Tuple, Union

import msgspec

from auto_voice.engines.engine import Voice
from auto_voice.engines.sherpa.installed import look
from auto_voice.errors import VoiceUnavailable

MAX_BYTES = 4 << 20
"""Of JSON; the longest published one has 0.1 MB."""
MAX_SPEAKERS = 10_000
LOWEST_HZ, HIGHEST_HZ = 4_000, 192_000
_NAME = re.compile(r"[a-z_]+[a-z0-9_]*")
_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")


class Unusable(Exception):
    """Why a voice cannot be used, for people."""


class _Audio(msgspec.Struct):
    sample_rate: int
    quality: str = ""


class _Language(msgspec.Struct):
    code: str = ""
    name_english: str = ""
    country_english: str = ""


class _Espeak(msgspec.Struct):
    voice: str = ""


class _Piper(msgspec.Struct):
    """What a listing needs of a Piper voice's configuration."""

    audio: _Audio
    language: Optional[_Language] = None
    espeak: Optional[_Espeak] = None
    dataset: Optional[str] = None
    num_speakers: int = 1
    speaker_id_map: Dict[str, int] = {}


class _Owner(msgspec.Struct):
    """Whose a manifest is."""

    engine: str


class Manifest(msgspec.Struct):
    """``voice.json``: a voice of several files."""

    engine: str
    language: str
    """BCP 47 tag."""
    sample_rate: int
    """Hertz."""
    name: str = ""
    languages: Tuple[str, ...] = ()
    """Every tag it speaks; empty: the one."""
    gender: Optional[str] = None
    speakers: Union[int, Tuple[str, ...]] = ()
    """Names, or how many there are."""
    quality: Optional[str] = None
    licence: Optional[str] = None


def voice_of_piper(voice_id: str, path: str, size_bytes: int) -> Voice:
    """The voice of ``<id>.onnx.json``.

    Raises:
        Unusable, OSError
    """
    config = _json(path, _Piper)
    language = config.language or _Language()
    code = language.code or (config.espeak.voice if config.espeak else "")
    spoken = " ".join(
        filter(
            None,
            (
                language.name_english,
                language.country_english and f"({language.country_english})",
            ),
        )
    )
    people: Iterable[str] = ()
    if config.num_speakers > 1:
        named = sorted(config.speaker_id_map, key=lambda name: config.speaker_id_map[name])
        people = named or _numbered(config.num_speakers)
    name = (config.dataset or voice_id).replace("_", " ").title()
    return _voice(
        voice_id,
        "piper",
        f"{name}, {spoken}" if spoken else name,
        (code,),
        config.audio.sample_rate,
        speakers=_speakers(people),
        quality=config.audio.quality or None,
        size_bytes=size_bytes,
    )


def voice_of_manifest(voice_id: str, path: str, size_bytes: int) -> Voice:
    """The voice of ``<id>/voice.json``.

    Raises:
        Unusable, OSError
    """
    if _json(path, _Owner).engine == "sherpa":
        return _voice_of_sherpa(path, size_bytes)
    told = _json(path, Manifest)
    if not _NAME.fullmatch(told.engine):
        raise Unusable(f"{told.engine[:60]!r} is no engine's name")
    people = told.speakers
    if isinstance(people, int):
        people = _numbered(people) if people > 1 else ()
    return _voice(
        voice_id,
        told.engine,
        told.name or voice_id,
        (told.language, *told.languages),
        told.sample_rate,
        speakers=_speakers(people),
        quality=told.quality,
        size_bytes=size_bytes,
        gender=told.gender if told.gender in ("female", "male") else None,
        licence=told.licence,
    )


def _voice_of_sherpa(path: str, size_bytes: int) -> Voice:
    """sherpa-onnx's models say a part of it themselves, and their engine knows how to ask them."""
    try:
        found = look(Path(path).parent)
    except VoiceUnavailable as error:
        raise Unusable(error.message) from None
    assert found is not None  # nosec B101: its manifest says whose it is
    told = found.voice()
    return _voice(
        told.id,
        told.engine,
        told.name,
        told.languages,
        told.sample_rate,
        speakers=_speakers(told.speakers),
        size_bytes=size_bytes,
        gender=told.gender,
        licence=told.licence,
    )


def check_model(path: str) -> None:
    """See that an ONNX file is whole, by its outermost structure: it takes a few reads.

    Raises:
        Unusable: it has an end too early, or is no ONNX.
        OSError
    """
    size = os.path.getsize(path)
    place, graph = 0, False
    with open(path, "rb") as file:
        # A protobuf message: fields one after the other, each with its number and kind before it.
        for _ in range(1000):
            if place == size:
                break
            file.seek(place)
            head = file.read(30)
            key, used = _varint(head)
            kind, number = key & 7, key >> 3
            if kind == 0:
                used += _varint(head[used:])[1]
            elif kind == 2:
                length, more = _varint(head[used:])
                used += more + length
                graph = graph or number == 7
            elif kind in (1, 5):
                used += 8 if kind == 1 else 4
            else:
                raise Unusable(f"{os.path.basename(path)} is no ONNX model")
            place += used
            if place > size:
                raise Unusable(f"{os.path.basename(path)} is not whole")
    if place != size or not graph:
        raise Unusable(f"{os.path.basename(path)} is no ONNX model")


def _varint(data: bytes) -> Tuple[int, int]:
    """A protobuf number at the start of ``data``, and how many bytes it takes."""
    value = 0
    for index, byte in enumerate(data[:10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, index + 1
    raise Unusable("the model is not whole")


def _json(path: str, kind: Any) -> Any:
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unusable(f"{os.path.basename(path)} has more than {MAX_BYTES >> 20} MB")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"{os.path.basename(path)}: {error}") from None


def _voice(
    voice_id: str, engine: str, name: str, tags: Tuple[str, ...], rate_hz: int, **rest: Any
) -> Voice:
    if not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        raise Unusable(f"its sample rate of {rate_hz} Hz is none of speech")
    languages = []
    for tag in tags:
        tag = tag.strip().lower().replace("_", "-")
        if not _TAG.fullmatch(tag):
            raise Unusable(f"{tag[:60]!r} is no language")
        languages += [tag, tag.split("-")[0]]
    return Voice(
        id=voice_id,
        name=_shown(name),
        language=languages[0],
        engine=engine,
        sample_rate=rate_hz,
        languages=tuple(dict.fromkeys(languages)),
        **rest,
    )


def _numbered(count: int) -> Tuple[str, ...]:
    return tuple(map(str, range(min(count, MAX_SPEAKERS))))


def _speakers(names: Iterable[str]) -> Tuple[str, ...]:
    """Names that can be sent; of two that pass for each other, the first."""
    kept: Dict[str, str] = {}
    for name in names:
        if name.isprintable() and 0 < len(name.strip()) <= 100 and name == name.strip():
            kept.setdefault(name.lower(), name)
        if len(kept) >= MAX_SPEAKERS:
            break
    return tuple(kept.values())


def _shown(text: str) -> str:
    """A text of others, fit for a line of a listing."""
    return "".join(char for char in text if char.isprintable())[:200]
