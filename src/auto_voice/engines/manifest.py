"""What a voice's folder says of itself: ``voice.json`` beside the model's own files.

Whoever installs a voice writes it, and its engine reads it. It comes from the outside like any
other file, so nothing in it is believed: a path that leads out of the folder is refused.
"""

import os
import stat
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import msgspec

from auto_voice.errors import VoiceUnavailable

FILE_NAME = "voice.json"
_MAX_BYTES = 1 << 20


class Reference(msgspec.Struct, frozen=True):
    """A recording whose voice a cloning model takes on."""

    file: str
    """Path within the folder: a WAV file of 16-bit samples."""
    text: str = ""
    """What is said in it, word by word."""


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """One voice: which engine speaks it, and which file is what."""

    engine: str
    """A key of `ENGINES`."""
    kind: str = ""
    """The model's architecture, a word of the engine's."""
    files: Dict[str, Union[str, List[str]]] = {}
    """What a file is to the engine, and its path within the folder; of lexicons and rules many."""
    name: str = ""
    """For people; empty: the folder's name."""
    languages: Tuple[str, ...] = ()
    """BCP 47 tags, the best first."""
    speakers: Dict[str, int] = {}
    """Name to number in the model; empty where there is one speaker."""
    references: Dict[str, Reference] = {}
    """Of a model that clones voices: a speaker's name to a recording of theirs."""
    sample_rate: Optional[int] = None
    """Hertz; None: what the model says."""
    phonemes: str = ""
    """espeak-ng's voice that turns text into phonemes; empty: that of the first language."""
    licence: Optional[str] = None
    """As an SPDX expression where there is one."""
    gender: Optional[str] = None
    """``female``, ``male`` or None."""
    quality: Optional[str] = None
    """As `Voice.quality`."""

    def paths(self, folder: Path, role: str) -> List[Path]:
        """Where the files of a role are; empty if there are none.

        Raises:
            VoiceUnavailable: one is outside the folder, or not there.
        """
        value = self.files.get(role, [])
        return [inside(folder, path) for path in ([value] if isinstance(value, str) else value)]


def read(folder: Path) -> Optional[Manifest]:
    """The manifest in a voice's folder; None if there is none.

    Raises:
        VoiceUnavailable: it cannot be read, or is no manifest.
    """
    try:
        if not stat.S_ISREG(os.stat(folder / FILE_NAME).st_mode):
            raise VoiceUnavailable(f"{FILE_NAME} of {folder.name} is no file.")
        with open(folder / FILE_NAME, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VoiceUnavailable(f"{FILE_NAME} of {folder.name} cannot be read: {error}") from None
    if len(data) > _MAX_BYTES:
        raise VoiceUnavailable(f"{FILE_NAME} of {folder.name} is too long.")
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise VoiceUnavailable(f"{FILE_NAME} of {folder.name} is wrong: {error}") from None


def write(folder: Path, manifest: Manifest) -> None:
    """Put a manifest into a folder that nobody uses yet.

    Raises:
        OSError
    """
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / FILE_NAME).write_bytes(data + b"\n")


def inside(folder: Path, path: str) -> Path:
    """A file or folder of a voice's, where it really is.

    Raises:
        VoiceUnavailable: it is outside the folder, or not there.
    """
    root = folder.resolve()
    try:
        found = (root / path).resolve(strict=True)
        found.relative_to(root)
        if not found.is_file() and not found.is_dir():
            raise ValueError("reading it might wait for ever")
    except (OSError, ValueError, RuntimeError):  # not there, outside, or a circle of links
        raise VoiceUnavailable(
            f"The voice {folder.name} has no file {path[:200]!r} in its folder."
        ) from None
    return found
