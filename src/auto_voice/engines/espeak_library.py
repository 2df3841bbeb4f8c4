"""The library espeak-ng, as the wheel ``espeakng-loader`` brings it, through ctypes.

It keeps global state: a process has one, and uses it from one thread at a time. Where two engines
are in one process, each claims it before it sets anything.
"""

import ctypes
import logging
import os
import re
import struct
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from auto_voice.engines.espeak_phonemes import Phonology, table_of
from auto_voice.engines.espeak_tables import Tables
from auto_voice.errors import EngineFailed, MissingDependency

log = logging.getLogger(__name__)

# Constants of espeak-ng's public header, speak_lib.h.
OUTPUT_SYNCHRONOUS = 2
INITIALIZE_DONT_EXIT = 0x8000
CHARS_UTF8, PHONEMES, ENDPAUSE = 1, 0x100, 0x1000
RATE, PITCH = 1, 3
IPA = 2
"""The mode of phonemes in which they are written in IPA."""
EVENT_LIST_TERMINATED, EVENT_WORD, EVENT_PHONEME = 0, 1, 7

_BUFFER_MS = 1000
"""Of audio a callback: takes about 1 ms to fill, and few callbacks cost little."""
# Control characters are commands to the library (\x01 and a letter), and NUL ends its text.
COMMANDS = {code: " " for code in (*range(32), *range(127, 160))}
# The library says so where it takes a word for one of another language.
LANGUAGE_FLAGS = re.compile(r"\([a-z-]+\)")
_GENDERS = {1: "male", 2: "female"}


class Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Event))


class Listed(NamedTuple):
    """A voice or variant as the library lists it."""

    name: str
    identifier: str
    """Its file below the data's ``lang`` or ``voices``."""
    gender: Optional[str]
    tags: List[Tuple[int, str]]
    """Priority (the lower the better) and BCP 47 tag."""


class EspeakLibrary:
    """The library, ready to use, and its data."""

    _owner: Optional[object] = None
    """Who used it last; of all objects, since they are all the same library."""

    def __init__(self) -> None:
        """Raises:
        MissingDependency: the wheel is not installed.
        EngineFailed: the library or its data does not work.
        """
        try:
            import espeakng_loader
        except ImportError:
            raise MissingDependency(
                "The engine espeak needs a package: pip install espeakng-loader"
            ) from None
        self.path: str = espeakng_loader.get_library_path()
        try:
            self.functions = ctypes.CDLL(self.path)
        except OSError as error:
            raise EngineFailed(f"espeak-ng's library does not load: {error}") from None
        self.data = Path(espeakng_loader.get_data_path())
        self.rate: int = self.functions.espeak_Initialize(
            OUTPUT_SYNCHRONOUS,
            _BUFFER_MS,
            os.fsencode(self.data),
            INITIALIZE_DONT_EXIT,
        )
        """Hertz."""
        if self.rate <= 0:
            raise EngineFailed("espeak-ng does not find its data")
        self.functions.espeak_Info.restype = ctypes.c_char_p
        self.version: str = self.functions.espeak_Info(None).decode()
        self.tables = _read_tables(self.data)
        self._phonologies: Dict[str, Phonology] = {}

    def claim(self, owner: object) -> bool:
        """Whether nobody else has used the library since ``owner`` claimed it before; if not,
        it has lost what was set."""
        held, EspeakLibrary._owner = EspeakLibrary._owner is owner, owner
        return held

    def phonology(self, file: str) -> Optional[Phonology]:
        """What a voice's phonemes are called, given its file; None where nothing tells."""
        if self.tables is None:
            return None
        phonology = self._phonologies.get(file)
        if phonology is None:
            table = table_of(self.data / "lang" / file)
            phonology = self._phonologies[file] = Phonology(self.tables.phonemes(table))
        return phonology

    def has_dictionary(self, identifier: str, tags: List[str]) -> bool:
        """Whether a voice can read: the wheel has voices whose dictionary it lacks."""
        names = {tag.split("-")[0] for tag in (*tags, identifier.rsplit("/", 1)[-1].lower())}
        if any((self.data / f"{name}_dict").exists() for name in names):
            return True
        described = (self.data / "lang" / identifier).read_text(encoding="utf-8", errors="replace")
        return any(line.startswith("dictionary") for line in described.splitlines())

    def list(self, language: Optional[str]) -> List[Listed]:
        """The voices of a language or, where it is None, of all of them; ``variant`` is one."""
        self.functions.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        wanted = None
        if language is not None:
            buffer = ctypes.create_string_buffer(language.encode() + b"\x00")
            wanted = ctypes.byref(_Voice(languages=ctypes.addressof(buffer)))
        pointers = self.functions.espeak_ListVoices(wanted)
        found = []
        index = 0
        while pointers[index]:
            voice = pointers[index].contents
            found.append(
                Listed(
                    voice.name.decode(),
                    voice.identifier.decode(),
                    _GENDERS.get(voice.gender),
                    _language_tags(voice.languages),
                )
            )
            index += 1
        return found


def _read_tables(data: Path) -> Optional[Tables]:
    try:
        return Tables(data)
    except (OSError, LookupError, ValueError, struct.error) as error:
        log.warning("espeak-ng's phonemes cannot be read, so IPA is not spoken: %s", error)
        return None


def _language_tags(address: int) -> List[Tuple[int, str]]:
    """(priority, tag) of a list ``<priority byte><tag>\\0 … \\0``, in their order."""
    tags: List[Tuple[int, str]] = []
    while ctypes.string_at(address, 1) != b"\x00":
        tag = ctypes.string_at(address + 1)
        tags.append((ctypes.string_at(address, 1)[0], tag.decode()))
        address += len(tag) + 2
    return tags
