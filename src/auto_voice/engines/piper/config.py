"""What stands beside a voice's graph: ``<id>.onnx.json``."""

import re
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import msgspec

from auto_voice.engines.engine import Voice
from auto_voice.errors import VoiceUnavailable

_MOST_BYTES = 4 << 20
"""Of such a file; a voice of 900 speakers has 20 kB."""
_EXTRAS = {
    "pinyin": "g2pW and its model",
    "japanese": "pyopenjtalk",
    "hebrew": "phonikud",
    "thai": "tltk",
}
"""What makes phonemes of these types, and is not among this engine's packages."""
QUALITIES = ("x_low", "low", "medium", "high")
_MOST_SPEAKERS = 10_000
"""The largest published voice has 904."""
_MOST_FOR_ONE = 64
"""Of numbers, or of phonemes that take another one's place. What a sentence takes of memory grows
with the square of these; published voices have one or two."""
_ESPEAK_VOICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*")


class _Audio(msgspec.Struct):
    sample_rate: int = 22050
    quality: Optional[str] = None


class _Espeak(msgspec.Struct):
    voice: str = "en-us"


class _Language(msgspec.Struct):
    code: Optional[str] = None
    name_english: Optional[str] = None
    country_english: Optional[str] = None


class _Inference(msgspec.Struct):
    noise_scale: float = 0.667
    length_scale: float = 1.0
    noise_w: float = 0.8
    sentence_silence: float = 0.2
    """Seconds after a sentence that another one follows; AutoVoice's own, few voices say."""


class VoiceConfig(msgspec.Struct):
    """A voice's description, as published voices have it; what is left out is as is usual."""

    phoneme_id_map: Dict[str, List[int]]
    """Each phoneme (one character) to the network's numbers for it."""
    audio: _Audio = msgspec.field(default_factory=_Audio)
    espeak: _Espeak = msgspec.field(default_factory=_Espeak)
    language: _Language = msgspec.field(default_factory=_Language)
    inference: _Inference = msgspec.field(default_factory=_Inference)
    phoneme_type: str = "espeak"
    phoneme_map: Dict[str, List[str]] = {}
    """Phonemes that are replaced before they become numbers."""
    num_symbols: int = 256
    num_speakers: int = 1
    speaker_id_map: Dict[str, int] = {}
    dataset: Optional[str] = None
    license: Optional[str] = None

    @property
    def tag(self) -> str:
        """The language as a BCP 47 tag, in lower case as espeak-ng writes them: ``en-us``."""
        return (self.language.code or self.espeak.voice).replace("_", "-").lower()

    @property
    def speakers(self) -> Tuple[str, ...]:
        """Names of the people in the voice, if there are several."""
        if self.num_speakers < 2:
            return ()
        if self.speaker_id_map:
            return tuple(sorted(self.speaker_id_map, key=self.speaker_id_map.__getitem__))
        return tuple(map(str, range(self.num_speakers)))

    @property
    def scales(self) -> Tuple[float, float, float]:
        """How the voice speaks by itself: noise, length, and noise of durations."""
        told = self.inference
        return told.noise_scale, told.length_scale, told.noise_w

    @property
    def last_speaker(self) -> Optional[int]:
        """The highest of the network's numbers for speakers; None: it has just one."""
        if self.num_speakers < 2:
            return None
        return max(self.speaker_id_map.values(), default=self.num_speakers - 1)

    def voice(self, voice_id: str, size_bytes: int) -> Voice:
        """As it is listed."""
        spoken, where = self.language.name_english, self.language.country_english
        if spoken and where:
            spoken = f"{spoken} ({where})"
        name = (self.dataset or "").strip().replace("_", " ").title() or voice_id
        quality = self.audio.quality
        return Voice(
            id=voice_id,
            name=f"{name}, {spoken}" if spoken else name,
            language=self.tag,
            engine="piper",
            sample_rate=self.audio.sample_rate,
            languages=tuple(dict.fromkeys((self.tag, self.tag.split("-")[0]))),
            speakers=self.speakers,
            quality=quality if quality in QUALITIES else None,
            licence=self.license,
            size_bytes=size_bytes,
        )

    def speaker_number(self, name: str) -> Optional[int]:
        """The network's number for a speaker, named in whatever letter case; None: nobody."""
        for number, speaker in enumerate(self.speakers):
            if speaker.lower() == name.lower():
                return self.speaker_id_map.get(speaker, number)
        return None


def read(path: Path) -> VoiceConfig:
    """The description in a file.

    Raises:
        VoiceUnavailable: it is missing, broken, or of a kind that this engine cannot speak.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise VoiceUnavailable(f"{path.name} is too long to describe a voice")
        config = msgspec.json.decode(data, type=VoiceConfig)
    except OSError as error:
        raise VoiceUnavailable(f"{path.name} cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VoiceUnavailable(f"{path.name} does not describe a Piper voice: {error}") from None
    _check(config, path.name)
    return config


def _check(config: VoiceConfig, name: str) -> None:
    if config.phoneme_type in _EXTRAS:
        raise VoiceUnavailable(
            f"{name} wants phonemes of the type {config.phoneme_type}, which need"
            f" {_EXTRAS[config.phoneme_type]}; AutoVoice reads the types espeak and text"
        )
    if config.phoneme_type not in ("espeak", "text"):
        raise VoiceUnavailable(f"{name} wants phonemes of an unknown type")
    if not _ESPEAK_VOICE.fullmatch(config.espeak.voice):
        raise VoiceUnavailable(f"{name} names no voice of espeak-ng")
    if not 8000 <= config.audio.sample_rate <= 48000:
        raise VoiceUnavailable(f"{name} has a sample rate out of 8000 to 48000 Hz")
    if not 1 <= config.num_speakers <= _MOST_SPEAKERS:
        raise VoiceUnavailable(f"{name} has fewer than 1 or more than {_MOST_SPEAKERS} speakers")
    top = config.num_symbols
    if any(not 0 <= number < top for ids in config.phoneme_id_map.values() for number in ids):
        raise VoiceUnavailable(f"{name} has phonemes that the network does not know")
    several = [*map(len, config.phoneme_id_map.values()), *map(len, config.phoneme_map.values())]
    if max(several, default=0) > _MOST_FOR_ONE:
        raise VoiceUnavailable(f"{name} has a phoneme that stands for too many")
    inference = config.inference
    for value, most in (
        (inference.noise_scale, 4.0),
        (inference.noise_w, 4.0),
        (inference.length_scale, 8.0),
        (inference.sentence_silence, 8.0),
    ):
        if not 0 <= value <= most:
            raise VoiceUnavailable(f"{name} has a scale out of bounds")
    if any(not 0 <= number < config.num_speakers for number in config.speaker_id_map.values()):
        raise VoiceUnavailable(f"{name} has speakers that the network does not know")
