"""From a request to the steps in which it is spoken, and the voices that speak them."""

import itertools
import os
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from auto_voice.audio import clip
from auto_voice.engines.engine import Voice
from auto_voice.errors import EmptyInput, InvalidSSML, VoiceNotFound
from auto_voice.synthesis.speech import SpeechRequest
from auto_voice.text.lexicon_store import LexiconStore
from auto_voice.text.normalise import normalise, unmarked, worded
from auto_voice.text.plan import Rule, Step, plan_items, plan_text
from auto_voice.text.script import Boundary, Break, Clip, Item, Mark, Style, Words
from auto_voice.voices.catalogue import Catalogue

MAX_SILENCE_S = 120.0
"""Seconds that all breaks of one text may take together."""
MAX_CLIPS = 16
"""Recordings in one text."""


class Plan:
    """How one request is going to be spoken."""

    def __init__(
        self,
        voice: Voice,
        voices: Dict[Style, Voice],
        begin: Callable[[], Iterator[Step]],
        digests: Tuple[str, ...],
    ) -> None:
        self.voice = voice
        """Whoever says what the text gives to nobody else."""
        self.voices = tuple({each.id: each for each in (voice, *voices.values())}.values())
        """Whoever says anything in it."""
        self.digests = digests
        """Of the lexicons, recordings and voices that the request names: they may change."""
        self._cast = voices
        self._begin = begin
        self._rest = begin()
        self._head: List[Step] = list(itertools.islice(self._rest, 2))
        self.is_short = len(self._head) <= 1
        """Whether there is one step at most. Decided by the request alone."""

    def steps(self) -> Iterator[Step]:
        """All steps; a second call starts over."""
        if self._head:
            # Those looked at already need no second look.
            first, self._head = self._head, []
            return itertools.chain(first, self._rest)
        return self._begin()

    def voice_for(self, style: Style) -> Voice:
        """Who says it in this style."""
        return self._cast.get(style, self.voice)


class Planner:
    """Plans requests, given the voices and lexicons there are. Safe for threads."""

    def __init__(self, lexicons: LexiconStore, audio_folder: str) -> None:
        """
        Args:
            audio_folder: where markup may take recordings from; empty: nowhere.
        """
        self._lexicons = lexicons
        self._audio_folder = audio_folder

    def plan(self, request: SpeechRequest, catalogue: Catalogue) -> Plan:
        """
        Raises:
            VoiceNotFound, VoiceUnavailable, LexiconNotFound, InvalidSSML, EmptyInput
        """
        voice = catalogue.find(request.voice, request.engine)
        language = voice.language
        lexicons = [self._lexicons.get(name) for name in request.lexicons]
        rules: Tuple[Rule, ...] = tuple(lexicon.apply for lexicon in lexicons)
        if request.normalize:
            rules = (unmarked, *rules, worded) if rules else (normalise,)
        digests = tuple(lexicon.digest for lexicon in lexicons)
        if not request.ssml:
            return Plan(voice, {}, lambda: plan_text(request.text, language, rules), digests)
        # Only here: an XML parser takes 50 ms to load, and most servers never see SSML.
        from auto_voice.text.ssml import parse

        items = parse(request.text, resolve=self._resolve, language=language)
        _check_items(items)
        voices = _cast(items, voice, catalogue)
        digests += tuple(_digest(item.path) for item in items if isinstance(item, Clip))
        digests += tuple(sorted(f"{style.voice}={by.id}" for style, by in voices.items()))
        return Plan(voice, voices, lambda: plan_items(items, language, rules), digests)

    def _resolve(self, src: str) -> Optional[str]:
        """The recording that markup names; None where its own words are to be spoken instead."""
        path = clip.allowed(self._audio_folder, src)
        return path if path is not None and clip.playable(path) else None


def _digest(path: str) -> str:
    """What tells a recording from another one of the same name."""
    try:
        status = os.stat(path)
    except OSError:
        return path  # it has just gone, and playing it will tell so
    return f"{path} {status.st_ino} {status.st_mtime_ns} {status.st_size}"


def _check_items(items: Sequence[Item]) -> None:
    if all(isinstance(item, (Boundary, Mark)) for item in items):
        raise EmptyInput("There is nothing to speak in this SSML.", param="input")
    # Silence costs four characters of text a second, and as much room as speech.
    silent_s = sum(item.duration_s for item in items if isinstance(item, Break))
    if silent_s > MAX_SILENCE_S:
        raise InvalidSSML(
            f"The breaks take {silent_s:.0f} s together; {MAX_SILENCE_S:.0f} s are allowed.",
            param="input",
        )
    clips = sum(isinstance(item, Clip) for item in items)
    if clips > MAX_CLIPS:
        raise InvalidSSML(f"There are {clips} recordings; {MAX_CLIPS} are allowed.", param="input")


def _cast(items: Sequence[Item], voice: Voice, catalogue: Catalogue) -> Dict[Style, Voice]:
    """Who says what, for all styles of a text at once: an error comes before any audio."""
    styles = {item.style for item in items if isinstance(item, Words)}
    return {style: _voice_in(style, voice, catalogue) for style in styles}


def _voice_in(style: Style, voice: Voice, catalogue: Catalogue) -> Voice:
    if style.voice:
        voice = _named(style.voice, catalogue)
    language = style.language
    if language and not _speaks(voice, language):
        voice = _of_language(language, voice.variant, catalogue)
    if style.variant or (style.gender and voice.gender != style.gender):
        voice = _of_kind(style, language or voice.language, voice, catalogue)
    return voice


def _named(names: str, catalogue: Catalogue) -> Voice:
    """The first of a list of names that is there; one name may have spaces in it, too."""
    for name in dict.fromkeys((names, *names.split())):
        try:
            return catalogue.find(name)
        except VoiceNotFound as error:
            missing = error
            missing.param = "input"
    raise missing


def _of_language(language: str, variant: Optional[str], catalogue: Catalogue) -> Voice:
    """The voice for a language, or for the language that a tag's region belongs to."""
    tags = dict.fromkeys((language, language.replace("_", "-").split("-")[0]))
    # A variant changes many voices; a speaker is in one of them only.
    for suffix in dict.fromkeys((f"+{variant}" if variant else "", "")):
        for tag in tags:
            try:
                return catalogue.find(tag + suffix)
            except VoiceNotFound:
                continue
    raise VoiceNotFound(f"No voice here speaks the language {language[:60]!r}.", param="input")


def _of_kind(style: Style, language: str, voice: Voice, catalogue: Catalogue) -> Voice:
    """A voice of that gender, and the variant-th of them: one's own variants before strangers.

    Markup asks for these as a preference (SSML 1.1, 3.2.1), unlike for a voice by its name.
    """
    own = f"{voice.id.partition('+')[0]}+"
    found = list(catalogue.list(language=language, gender=style.gender, variants=True))
    found.sort(key=lambda candidate: not candidate.id.startswith(own))
    number = min(style.variant or 1, len(found))
    return found[number - 1] if found else voice


def _speaks(voice: Voice, language: str) -> bool:
    wanted = language.lower().replace("_", "-")
    tags = [tag.lower() for tag in (voice.language, *voice.languages)]
    return any(tag == wanted or tag.startswith(wanted + "-") for tag in tags)
