"""What the server says of itself when a client asks: its voices."""

from typing import Iterator, Mapping, Optional

from wyoming.event import Event
from wyoming.info import Attribution, Info, TtsProgram, TtsVoice, TtsVoiceSpeaker

from auto_voice import __version__
from auto_voice.errors import VoiceNotFound
from auto_voice.voices.catalogue import Catalogue, ListedVoice
from auto_voice.wyoming.incoming import VoiceWanted

_SOURCE = "https://github.com/autovoice/autovoice"


def offer(versions: Mapping[str, str], catalogue: Catalogue) -> Event:
    """The answer to ``describe``; ``versions``: of the engines, by their names.

    Every voice is in it, of their variants only those that have a name of their own (an alias):
    all variants of all voices would be more than ten thousand.
    """
    program = TtsProgram(
        name="AutoVoice",
        description="AutoVoice",
        attribution=Attribution("AutoVoice", _SOURCE),
        installed=True,
        version=__version__,
        voices=[_voice(voice, versions) for voice in _listed(catalogue)],
        supports_synthesize_streaming=True,
    )
    return Info(tts=[program]).event()


def find(wanted: Optional[VoiceWanted], catalogue: Catalogue, default: str) -> ListedVoice:
    """The voice that an event asks for, by its name or a language; a speaker may be a variant.

    Raises:
        VoiceNotFound: there is none; never another one instead.
    """
    wanted = wanted or VoiceWanted()
    name = wanted.name or wanted.language or default
    if wanted.speaker:
        name = f"{catalogue.find(name).id.partition('+')[0]}+{wanted.speaker}"
    return catalogue.find(name)


def _listed(catalogue: Catalogue) -> Iterator[ListedVoice]:
    yield from catalogue.list()
    variants = {}
    for alias in catalogue.aliases:
        try:
            voice = catalogue.find(alias)
        except VoiceNotFound:
            continue
        if voice.variant is not None:
            variants[voice.id] = voice
    yield from variants.values()


def _voice(voice: ListedVoice, versions: Mapping[str, str]) -> TtsVoice:
    aliases = f" ({', '.join(voice.aliases)})" if voice.aliases else ""
    return TtsVoice(
        name=voice.id,
        description=voice.name + aliases,
        attribution=Attribution(voice.engine, _SOURCE),
        installed=True,
        version=versions.get(voice.engine),
        languages=list(voice.languages or (voice.language,)),
        speakers=[TtsVoiceSpeaker(name) for name in voice.speakers] or None,
    )
