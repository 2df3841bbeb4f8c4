"""The contract between AutoVoice and a speech engine.

An engine turns one utterance (a sentence, as a rule) into 16-bit mono PCM. It
lives in a worker process of its own (`worker.py`), one utterance at a time, so
it may keep global state, hold the interpreter lock and even crash. It knows
nothing of requests, queues, HTTP or metrics.
"""

import re
from abc import ABC, abstractmethod
from typing import Callable, Dict, List, Optional, Protocol, Tuple, Union

import msgspec

PCM = Union[bytes, bytearray, memoryview]
"""Signed 16-bit little-endian mono samples."""
_VOICE_ID = re.compile(r"[^\W_][\w.-]{0,99}")
_MAX_ID_BYTES = 200
"""What is put before and after it in names of files has to fit, too."""


def is_voice_id(name: str) -> bool:
    """Whether a voice that is files can be called so: no path, and no hidden file.

    Letters are those of all languages: published voices are called ``pt_PT-tugão-medium``.
    """
    return _VOICE_ID.fullmatch(name) is not None and len(name.encode()) <= _MAX_ID_BYTES


class EngineOptions(msgspec.Struct, frozen=True):
    """What a server tells an engine's worker."""

    voice_dir: str = ""
    """Folder of installed voices, for engines whose voices are files; empty: there are none."""
    memory_mb: int = 1024
    """Megabytes that the voices loaded at one time may take in a worker."""
    cores: int = 1
    """Cores that one utterance may use while nobody else wants them."""


class Voice(msgspec.Struct, frozen=True):
    """A voice as an engine offers it."""

    id: str
    """Unique within the server, what a client sends: ``en-us``, ``de+f3``."""
    name: str
    """For people: ``English (America)``."""
    language: str
    """BCP 47 tag: ``en-us``."""
    engine: str
    sample_rate: int
    """Hertz."""
    gender: Optional[str] = None
    """``female``, ``male`` or None where it is not known."""
    languages: Tuple[str, ...] = ()
    """Every BCP 47 tag the voice speaks, the best first."""
    variant: Optional[str] = None
    """The variant's or speaker's name where the voice is one of another voice."""
    speakers: Tuple[str, ...] = ()
    """Names of the people in one voice: ``<voice id>+<speaker>`` is a voice, too."""
    quality: Optional[str] = None
    """``x_low``, ``low``, ``medium`` or ``high``, the best last; None where nobody says."""
    licence: Optional[str] = None
    """Under which the voice is published, where that is known."""
    size_bytes: Optional[int] = None
    """Of its files, where it has files of its own."""

    @property
    def own_id(self) -> str:
        """What its engine calls it: the id without the engine's name that a catalogue may have
        put before it.
        """
        return self.id.partition(":")[2] or self.id


class Capabilities(msgspec.Struct, frozen=True):
    """What an engine can do, as it reports it once loaded."""

    sample_rate: int
    """Hertz, of the audio of most voices; what a voice says of itself counts."""
    languages: Tuple[str, ...]
    """BCP 47 tags, sorted."""
    speed: Tuple[float, float] = (1.0, 1.0)
    """Smallest and largest factor; 1.0 is the voice's own pace."""
    pitch: Tuple[float, float] = (1.0, 1.0)
    """Smallest and largest factor; 1.0 is the voice's own pitch."""
    ssml: bool = False
    """Whether ``Utterance.ssml`` is understood."""
    timestamps: bool = False
    """Whether word times are emitted when asked for."""
    streaming: bool = False
    """Whether audio is emitted before the utterance is finished."""
    reproducible: bool = False
    """Whether the same utterance always gives the same bytes."""
    ipa: bool = False
    """Whether ``Utterance.phonemes`` are heard; else the text itself is read."""
    instant: bool = False
    """Whether a sentence takes some milliseconds, so that nobody gains from hearing its beginning
    before its end."""
    tidy: bool = False
    """Whether each utterance begins and ends in silence, and not in too much of it; else it is
    trimmed, and faded in and out."""
    levelled: bool = False
    """Whether its voices are as loud as they should be; else that is measured, and seen to."""


class Phonemes(msgspec.Struct, frozen=True):
    """How a part of an utterance's text is pronounced."""

    start: int
    """Index of the part's first character in ``Utterance.text``."""
    end: int
    """Index after its last character."""
    ipa: str
    """In the International Phonetic Alphabet; of a symbol that the voice lacks, the nearest."""


class Utterance(msgspec.Struct, frozen=True):
    """One piece of text to speak in one voice."""

    text: str
    voice: str
    """A ``Voice.id`` of this engine, or of a variant it accepts."""
    speed: float = 1.0
    """Factor within ``Capabilities.speed``."""
    pitch: float = 1.0
    """Factor within ``Capabilities.pitch``."""
    ssml: bool = False
    """Whether ``text`` is SSML; only where ``Capabilities.ssml``."""
    timestamps: bool = False
    continues: bool = False
    """Whether more text follows: then the audio ends with a reader's pause."""
    phonemes: Tuple[Phonemes, ...] = ()
    """Parts to pronounce otherwise than they are written, in order, none overlapping another."""


class Word(msgspec.Struct, frozen=True):
    """When a word of an utterance is heard."""

    start_s: float
    """Seconds from the start of the utterance's audio."""
    char_start: int
    """Index of the word's first character in ``Utterance.text``."""
    char_end: int
    """Index after the word's last character."""


class Emitter(Protocol):
    """Takes what an engine produces, in order."""

    def audio(self, pcm: PCM) -> bool:
        """Take samples, copying them; False asks the engine to stop."""

    def word(self, word: Word) -> None:
        """Take a word's time (only where the utterance asked for them)."""

    def loading(self, done: bool = False) -> None:
        """Hear that a voice is loaded first, so that there is silence for longer than else; and
        then that this is ``done``."""


OnLoading = Callable[[bool], None]
"""An emitter's `loading`."""


class InMemory(msgspec.Struct, frozen=True):
    """What an engine has of its voices in memory."""

    voices: int = 0
    size_bytes: int = 0
    """Reckoned, as the budget is."""
    unloaded: int = 0
    """Voices that it has let go of, since it was loaded."""


class Engine(ABC):
    """A speech engine. Used by one thread at a time."""

    name: str
    """The engine's key in `ENGINES`."""

    version: str = ""
    """Of the engine and its data; part of every cache key."""

    def __init__(self, options: EngineOptions = EngineOptions()) -> None:
        """Cheap; what takes time or packages is `load`'s."""
        self.options = options

    @abstractmethod
    def load(self) -> None:
        """Make ready to speak.

        Raises:
            MissingDependency: a package is missing; the message names it.
            EngineFailed: the engine or its data does not work.
        """

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this engine can do; valid after `load`."""

    @abstractmethod
    def voices(self) -> List[Voice]:
        """The voices to list; valid after `load`."""

    def variants(self) -> Dict[str, Optional[str]]:
        """Variant name to gender: ``<voice id>+<variant>`` is a voice, too."""
        return {}

    def preferred(self) -> Dict[str, str]:
        """Language tag to the id of the voice to take where a client names just the language."""
        return {}

    @abstractmethod
    def speak(self, utterance: Utterance, emitter: Emitter) -> None:
        """Speak one utterance into ``emitter``.

        An utterance without anything speakable emits no audio and is no error.

        Raises:
            VoiceUnavailable: this voice cannot be loaded; others may still.
            EngineFailed: the engine reports an error.
        """

    def in_memory(self) -> InMemory:
        """Its loaded voices, where they are files."""
        return InMemory()

    def rest(self) -> None:
        """Nothing is wanted just now: give back what was kept for more work."""

    def close(self) -> None:
        """Release what `load` took."""


class Description(msgspec.Struct, frozen=True):
    """What a loaded engine tells the server about itself."""

    name: str
    version: str
    capabilities: Capabilities
    voices: Tuple[Voice, ...]
    variants: Dict[str, Optional[str]] = {}
    preferred: Dict[str, str] = {}


def describe(engine: Engine) -> Description:
    """All that the server needs to know of a loaded engine."""
    return Description(
        name=engine.name,
        version=engine.version,
        capabilities=engine.capabilities(),
        voices=tuple(engine.voices()),
        variants=engine.variants(),
        preferred=engine.preferred(),
    )
