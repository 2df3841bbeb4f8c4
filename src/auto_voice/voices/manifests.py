"""What a voice's own JSON says of it, read within limits."""

import os
import re
from pathlib import Path
from typing import Dict, Iterable, Tuple

import msgspec

from auto_voice.engines import manifest
from auto_voice.engines.engine import Voice
from auto_voice.engines.piper import config
from auto_voice.engines.sherpa.installed import Installed
from auto_voice.errors import VoiceUnavailable

MAX_SPEAKERS = 10_000
LOWEST_HZ, HIGHEST_HZ = 4_000, 192_000
_NAME = re.compile(r"[a-z_]+[a-z0-9_]*")
_TAG = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")


class Unusable(Exception):
    """Why a voice cannot be used, for people."""


def voice_of_piper(voice_id: str, path: str, size_bytes: int) -> Voice:
    """The voice of ``<id>.onnx.json``.

    Raises:
        Unusable
    """
    try:
        return _fit(config.read(Path(path)).voice(voice_id, size_bytes))
    except VoiceUnavailable as error:
        raise Unusable(error.message.rstrip(".")) from None


def voice_of_manifest(voice_id: str, path: str, size_bytes: int) -> Voice:
    """The voice of ``<id>/voice.json``.

    Raises:
        Unusable
    """
    folder = Path(path).parent
    try:
        told = manifest.read(folder)
        if told is None:
            raise Unusable(f"{manifest.FILE_NAME} is missing")
        if told.engine == "sherpa":
            # Its models say a part of it themselves, and their engine knows how to ask them.
            voice = Installed(folder, told).voice()
            return _fit(msgspec.structs.replace(voice, size_bytes=size_bytes))
    except (VoiceUnavailable, OSError) as error:
        raise Unusable(str(error).rstrip(".")) from None
    if not _NAME.fullmatch(told.engine):
        raise Unusable(f"{told.engine[:60]!r} is no engine's name")
    if told.sample_rate is None or not told.languages:
        raise Unusable(f"{manifest.FILE_NAME} tells no sample_rate, or no languages")
    return _fit(
        Voice(
            id=voice_id,
            name=told.name.strip() or voice_id,
            language=told.languages[0],
            engine=told.engine,
            sample_rate=told.sample_rate,
            languages=told.languages,
            speakers=tuple(told.speakers),
            quality=told.quality,
            size_bytes=size_bytes,
            gender=told.gender if told.gender in ("female", "male") else None,
            licence=told.licence,
        )
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


def _fit(told: Voice) -> Voice:
    """A voice as its files describe it, held to what a listing can show.

    Raises:
        Unusable: it makes no sense.
    """
    if not LOWEST_HZ <= told.sample_rate <= HIGHEST_HZ:
        raise Unusable(f"its sample rate of {told.sample_rate} Hz is none of speech")
    languages = []
    for tag in told.languages:
        tag = tag.strip().lower().replace("_", "-")
        if not _TAG.fullmatch(tag):
            raise Unusable(f"{tag[:60]!r} is no language")
        languages += [tag, tag.split("-")[0]]
    return msgspec.structs.replace(
        told,
        name=_shown(told.name),
        language=languages[0],
        languages=tuple(dict.fromkeys(languages)),
        speakers=_speakers(told.speakers),
        licence=told.licence and _shown(told.licence),
        quality=told.quality if told.quality in config.QUALITIES else None,
    )


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
