"""All voices of all engines, and how a client's word for one is understood."""

import difflib
from typing import Dict, Iterable, Iterator, List, Mapping, Optional

import msgspec

from auto_voice.engines.engine import Description, Voice
from auto_voice.errors import VoiceNotFound

_SHOWN_MATCHES = 5


class Catalogue:
    """The voices of the loaded engines, with aliases. Immutable."""

    def __init__(self, engines: Iterable[Description], aliases: Mapping[str, str]) -> None:
        self._voices: Dict[str, Voice] = {}
        self._languages: Dict[str, str] = {}
        self._variants: Dict[str, Mapping[str, Optional[str]]] = {}
        self.aliases = dict(aliases)
        self._aliases = {alias.lower(): voice for alias, voice in aliases.items()}
        for engine in engines:
            self._variants[engine.name] = engine.variants
            for tag, voice_id in engine.preferred.items():
                self._languages.setdefault(tag.lower(), voice_id)
            for voice in engine.voices:
                self._voices[voice.id] = voice
        self._folded = {voice_id.lower(): voice_id for voice_id in self._voices}

    def find(self, name: str) -> Voice:
        """The voice that a client calls ``name``: an id, an alias or a language tag,
        with or without ``+variant``. Letter case does not matter.

        Raises:
            VoiceNotFound: none; never another voice instead.
        """
        base, plus, variant = name.partition("+")
        folded = base.strip().lower().replace("_", "-")
        if folded in self._aliases:
            folded, alias_plus, alias_variant = self._aliases[folded].lower().partition("+")
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
                    return _variant(voice, candidate, gender)
        raise VoiceNotFound(self._not_found(name), param="voice")

    def list(
        self,
        *,
        language: Optional[str] = None,
        gender: Optional[str] = None,
        engine: Optional[str] = None,
        query: Optional[str] = None,
        variants: bool = False,
    ) -> Iterator[Voice]:
        """The voices that pass every given filter, each followed by its variants if asked for.

        ``language`` ``en`` also finds ``en-gb``; ``query`` is looked for in id and name.
        """
        prefix = language.lower().replace("_", "-") if language else None
        for voice in self._voices.values():
            if prefix and not any(_speaks(tag.lower(), prefix) for tag in voice.languages):
                continue
            if engine and voice.engine != engine:
                continue
            candidates = [voice]
            if variants:
                known = self._variants[voice.engine]
                candidates += [_variant(voice, name, known[name]) for name in sorted(known)]
            for candidate in candidates:
                if gender and candidate.gender != gender:
                    continue
                if query and query.lower() not in f"{candidate.id} {candidate.name}".lower():
                    continue
                yield candidate

    def __len__(self) -> int:
        return len(self._voices)

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


def _speaks(tag: str, prefix: str) -> bool:
    return tag == prefix or tag.startswith(prefix + "-")


def _variant(voice: Voice, name: str, gender: Optional[str]) -> Voice:
    return msgspec.structs.replace(
        voice,
        id=f"{voice.id}+{name}",
        name=f"{voice.name}, {name}",
        gender=gender or voice.gender,
        variant=name,
    )
