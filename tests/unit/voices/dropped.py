"""Voices as files, as somebody drops them into the folder."""

import json
import os
import time
from pathlib import Path
from typing import Any

LONG_AGO_S = 100.0


def field(number: int, data: bytes) -> bytes:
    """A field of a protobuf message, with bytes in it."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    """A protobuf number."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def model(size: int = 2000) -> bytes:
    """What looks like an ONNX model from outside: a version, a maker and a graph."""
    return varint(1 << 3) + varint(8) + field(2, b"tests") + field(7, bytes(size))


def config(language: str = "de_DE", **more: Any) -> dict:
    """What Piper's voices say of themselves."""
    return {
        "audio": {"sample_rate": 22050, "quality": more.pop("quality", "medium")},
        "espeak": {"voice": "de"},
        "language": {"code": language, "name_english": "German", "country_english": "Germany"},
        "dataset": "thorsten",
        "num_speakers": 1,
        "speaker_id_map": {},
        "phoneme_type": "espeak",
        "phoneme_id_map": {"a": [1]},
        **more,
    }


def drop_piper(folder: Path, voice_id: str, model_data: bytes = b"", **more: Any) -> None:
    """Put the two files of a Piper voice into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{voice_id}.onnx").write_bytes(model_data or model())
    (folder / f"{voice_id}.onnx.json").write_text(json.dumps(config(**more)))


def drop(folder: Path, voice_id: str, engine: str = "stub", **more: Any) -> Path:
    """Put the folder of a voice there, whole at once, as a good installer does."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"engine": engine, "languages": ["de"], "sample_rate": 22050, **more}
    aside = folder / f".{voice_id}"
    aside.mkdir()
    (aside / "voice.json").write_text(json.dumps(manifest))
    aside.rename(folder / voice_id)
    return folder / voice_id


def age(folder: Path) -> None:
    """Make everything in it look as if nobody had touched it for a while."""
    then = time.time() - LONG_AGO_S
    for where, folders, files in os.walk(str(folder)):
        for name in (*folders, *files):
            os.utime(os.path.join(where, name), (then, then), follow_symlinks=False)
