"""From a request to the steps in which it is spoken, and the voices that speak them."""

import functools
import itertools
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from auto_voice.audio import clip
from auto_voice.engines.engine import Voice
from auto_voice.errors import EmptyInput, VoiceNotFound
from auto_voice.synthesis.speech import SpeechRequest
from auto_voice.text.lexicon_store import LexiconStore
from auto_voice.text.plan import Rule, Step, plan_items, plan_text
from auto_voice.text.script import Boundary, Item, Mark, Style, Words
from auto_voice.text.ssml import parse
from auto_voice.voices.catalogue import Catalogue


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
        self.digests = digests
        """Of the lexicons."""
        self._voices = voices
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
        return self._voices.get(style, self.voice)


class Planner:
    """Plans requests, given the voices and lexicons there are. Safe for threads."""

    def __init__(self, lexicons: LexiconStore, audio_folder: str) -> None:
        """
        Args:
            audio_folder: where markup may take recordings from; empty: nowhere.
        """
        self._lexicons = lexicons
        self._resolve = functools.partial(clip.allowed, audio_folder)

    def plan(self, request: SpeechRequest, catalogue: Catalogue) -> Plan:
        """
        Raises:
            VoiceNotFound, LexiconNotFound, InvalidSSML, EmptyInput
        """
        voice = catalogue.find(request.voice)
        language = voice.language
        lexicons = [self._lexicons.get(name) for name in request.lexicons]
        rules: Tuple[Rule, ...] = tuple(lexicon.apply for lexicon in lexicons)
        digests = tuple(lexicon.digest for lexicon in lexicons)
        if not request.ssml:
            return Plan(voice, {}, lambda: plan_text(request.text, language, rules), digests)
        items = parse(request.text, resolve=self._resolve)
        if all(isinstance(item, (Boundary, Mark)) for item in items):
            raise EmptyInput("There is nothing to speak in this SSML.", param="input")
        voices = _cast(items, voice, catalogue)
        return Plan(voice, voices, lambda: plan_items(items, language, rules), digests)


def _cast(items: Sequence[Item], voice: Voice, catalogue: Catalogue) -> Dict[Style, Voice]:
    """Who says what, for all styles of a text at once: an error comes before any audio."""
    styles = {item.style for item in items if isinstance(item, Words)}
    return {style: _voice_in(style, voice, catalogue) for style in styles}


def _voice_in(style: Style, voice: Voice, catalogue: Catalogue) -> Voice:
    if style.voice:
        voice = catalogue.find(style.voice)
    language = style.language
    if language and not _speaks(voice, language):
        voice = _of_language(language, voice.variant, catalogue)
    if style.gender and voice.gender != style.gender:
        voice = _of_gender(style.gender, language or voice.language, voice, catalogue)
    return voice


def _of_language(language: str, variant: Optional[str], catalogue: Catalogue) -> Voice:
    """The voice for a language, or for the language that a tag's region belongs to."""
    suffix = f"+{variant}" if variant else ""
    for tag in dict.fromkeys((language, language.replace("_", "-").split("-")[0])):
        try:
            return catalogue.find(tag + suffix)
        except VoiceNotFound:
            continue
    raise VoiceNotFound(f"No voice here speaks the language {language[:60]!r}.", param="input")


def _of_gender(gender: str, language: str, voice: Voice, catalogue: Catalogue) -> Voice:
    """A voice of that gender: one's own variant before a stranger; else the voice itself.

    Markup asks for a gender as a preference (SSML 1.1, 3.2.1), unlike for a voice by its name.
    """
    own = f"{voice.id.partition('+')[0]}+"
    found = list(catalogue.list(language=language, gender=gender, variants=True))
    for candidate in found:
        if candidate.id.startswith(own):
            return candidate
    return found[0] if found else voice


def _speaks(voice: Voice, language: str) -> bool:
    wanted = language.lower().replace("_", "-")
    tags = [tag.lower() for tag in (voice.language, *voice.languages)]
    return any(tag == wanted or tag.startswith(wanted + "-") for tag in tags)
