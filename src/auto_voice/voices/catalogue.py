"""All voices of all engines, and how a client's word for one is understood."""

import difflib
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

import msgspec

from auto_voice.engines.engine import Description, Voice
from auto_voice.errors import VoiceNotFound

_SHOWN_MATCHES = 5


class ListedVoice(Voice, frozen=True):
    """A voice with the names that this server's settings give it."""

    aliases: Tuple[str, ...] = ()
    """Other names for exactly this voice, such as ``alloy``."""


class Catalogue:
    """The voices of the loaded engines, with aliases. Immutable."""

    def __init__(self, engines: Iterable[Description], aliases: Mapping[str, str]) -> None:
        self._voices: Dict[str, ListedVoice] = {}
        self._languages: Dict[str, str] = {}
        self._variants: Dict[str, Mapping[str, Optional[str]]] = {}
        self.aliases = dict(aliases)
        self._aliases = {_fold(alias): voice for alias, voice in aliases.items()}
        self._names: Dict[str, Tuple[str, ...]] = {}
        """A voice's id to its aliases."""
        for engine in engines:
            self._variants[engine.name] = engine.variants
            for tag, voice_id in engine.preferred.items():
                self._languages.setdefault(_fold(tag), voice_id)
            for voice in engine.voices:
                self._voices[voice.id] = ListedVoice(**msgspec.structs.asdict(voice))
        self._folded = {_fold(voice_id): voice_id for voice_id in self._voices}
        self._name(aliases)

    def _name(self, aliases: Iterable[str]) -> None:
        """Tell each voice its aliases; one that leads nowhere is nobody's."""
        for alias in aliases:
            try:
                voice_id = self.find(alias).id
            except VoiceNotFound:
                continue
            self._names[voice_id] = (*self._names.get(voice_id, ()), alias)
        for voice_id, names in self._names.items():
            if voice_id in self._voices:
                voice = self._voices[voice_id]
                self._voices[voice_id] = msgspec.structs.replace(voice, aliases=names)

    def find(self, name: str) -> ListedVoice:
        """The voice that a client calls ``name``: an id, an alias or a language tag,
        with or without ``+variant``. Letter case does not matter, and ``_`` passes for ``-``.

        Raises:
            VoiceNotFound: none; never another voice instead.
        """
        base, plus, variant = name.partition("+")
        folded = _fold(base)
        if folded in self._aliases:
            target, alias_plus, alias_variant = self._aliases[folded].partition("+")
            folded = _fold(target)
            if not plus:
                plus, variant = alias_plus, alias_variant
        voice_id = self._folded.get(folded) or self._languages.get(folded)
        if voice_id is not None:
            voice = self._voices[voice_id]
            if not plus:
                return voice
            known = self._variants[voice.engine]
            for candidate, gender in known.items():
                if candidate.lower() == variant.strip().lower():
                    return self._variant(voice, candidate, gender)
        raise VoiceNotFound(self._not_found(name), param="voice")

    def list(
        self,
        *,
        language: Optional[str] = None,
        gender: Optional[str] = None,
        engine: Optional[str] = None,
        query: Optional[str] = None,
        variants: bool = False,
        named: bool = False,
    ) -> Iterator[ListedVoice]:
        """The voices that pass every given filter, each followed by its variants if asked for.

        ``language`` ``en`` also finds ``en-gb``; ``query`` is looked for in id, name and aliases.
        ``named``: those that have an alias, variants among them.
        """
        prefix = _fold(language) if language else None
        for voice in self._voices.values():
            if prefix and not any(_speaks(_fold(tag), prefix) for tag in voice.languages):
                continue
            if engine and voice.engine != engine:
                continue
            candidates = [voice]
            if variants or named:
                known = self._variants[voice.engine]
                wanted = sorted(known)
                if named:
                    wanted = [name for name in wanted if f"{voice.id}+{name}" in self._names]
                candidates += [self._variant(voice, name, known[name]) for name in wanted]
            for candidate in candidates:
                if named and not candidate.aliases:
                    continue
                if gender and candidate.gender != gender:
                    continue
                names = (candidate.id, candidate.name, *candidate.aliases)
                if query and not any(query.lower() in name.lower() for name in names):
                    continue
                yield candidate

    def __len__(self) -> int:
        return len(self._voices)

    def _variant(self, voice: ListedVoice, name: str, gender: Optional[str]) -> ListedVoice:
        variant_id = f"{voice.id}+{name}"
        return msgspec.structs.replace(
            voice,
            id=variant_id,
            name=f"{voice.name}, {name}",
            gender=gender or voice.gender,
            variant=name,
            aliases=self._names.get(variant_id, ()),
        )

    def _not_found(self, name: str) -> str:
        shown = name if len(name) <= 60 else name[:60] + "…"
        near = self._near(name)
        hint = f" Near matches: {', '.join(near)}." if near else ""
        listed = "All are at /v1/audio/voices, or listed by `autovoice voices`."
        return f"There is no voice {shown!r}.{hint} {listed}"

    def _near(self, name: str) -> List[str]:
        base, plus, variant = name[:60].lower().partition("+")
        pool = {key.lower(): key for key in (*self._voices, *self.aliases)}
        names = {voice.name.lower(): voice.id for voice in self._voices.values()}
        if plus and (base in self._folded or base in self._languages):
            voice = self._voices[self._folded.get(base) or self._languages[base]]
            known = {key.lower(): key for key in self._variants[voice.engine]}
            close = difflib.get_close_matches(variant, known, _SHOWN_MATCHES, 0.4)
            return [f"{voice.id}+{known[key]}" for key in close]
        language = self._languages.get(base.split("-")[0])
        found = [language] if language and "-" in base else []
        found += [pool[key] for key in difflib.get_close_matches(base, pool, _SHOWN_MATCHES, 0.6)]
        found += [names[key] for key in difflib.get_close_matches(base, names, 2, 0.7)]
        found += [names[key] for key in names if len(base) > 2 and base in key]
        return list(dict.fromkeys(found))[:_SHOWN_MATCHES]


def _fold(name: str) -> str:
    """What two spellings of one name have in common."""
    return name.strip().lower().replace("_", "-")


def _speaks(tag: str, prefix: str) -> bool:
    return tag == prefix or tag.startswith(prefix + "-")
