"""All voices of all engines, and how a client's word for one is understood."""

import difflib
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Protocol, Tuple

import msgspec

from auto_voice.engines.engine import Voice
from auto_voice.errors import VoiceNotFound, VoiceUnavailable

_SHOWN_MATCHES = 5


class ListedVoice(Voice, frozen=True):
    """A voice with the names that this server's settings give it."""

    aliases: Tuple[str, ...] = ()
    """Other names for exactly this voice, such as ``alloy``."""


class Offer(Protocol):
    """An engine's voices, as a `Description` or a `Roster` has them."""

    @property
    def name(self) -> str:
        """The engine's."""

    @property
    def voices(self) -> Tuple[Voice, ...]:
        """By its own ids."""

    @property
    def variants(self) -> Dict[str, Optional[str]]:
        """As `Engine.variants`."""

    @property
    def preferred(self) -> Dict[str, str]:
        """As `Engine.preferred`."""


class Roster(msgspec.Struct, frozen=True):
    """An engine's voices, some of which may be files."""

    name: str
    voices: Tuple[Voice, ...]
    variants: Dict[str, Optional[str]] = {}
    preferred: Dict[str, str] = {}


class BrokenVoice(msgspec.Struct, frozen=True):
    """A voice that is there and cannot be used."""

    id: str
    engine: str
    """Empty where that is not known."""
    reason: str


class Catalogue:
    """The voices of all engines, with aliases. Immutable.

    A name may mean several voices: the id of one engine's voice is a language that another one
    speaks, too. Then the engine that comes first has it, and the other voice is listed, and found,
    with its engine's name before its id: ``espeak:de``.
    """

    def __init__(
        self,
        engines: Iterable[Offer],
        aliases: Mapping[str, str],
        broken: Iterable[BrokenVoice] = (),
    ) -> None:
        """``engines``: the preferred one first."""
        self._voices: Dict[str, ListedVoice] = {}
        self._meant: Dict[str, List[ListedVoice]] = {}
        """A name to the voices that it may mean, the best first."""
        self._variants: Dict[str, Mapping[str, Optional[str]]] = {}
        self.aliases = dict(aliases)
        self.broken = tuple(broken)
        self._aliases = {_fold(alias): voice for alias, voice in aliases.items()}
        self._names: Dict[str, Tuple[str, ...]] = {}
        """A voice's id to its aliases."""
        for engine in engines:
            self._variants[engine.name] = engine.variants
            self._add(engine)
        self._name(aliases)

    def _add(self, engine: Offer) -> None:
        own: Dict[str, str] = {_fold(voice.id): voice.id for voice in engine.voices}
        meant = dict(own)
        for tag, voice_id in engine.preferred.items():
            meant.setdefault(_fold(tag), voice_id)
        listed = {}
        for voice in engine.voices:
            folded = _fold(voice.id)
            taken = folded in self._meant or meant[folded] != voice.id
            taken = taken or _fold(self._aliases.get(folded, folded)) != folded
            values = msgspec.structs.asdict(voice)
            if taken:
                values["id"] = f"{engine.name}:{voice.id}"
            listed[voice.id] = self._voices[values["id"]] = ListedVoice(**values)
        for name, voice_id in meant.items():
            for key in (name, f"{_fold(engine.name)}:{name}"):
                self._meant.setdefault(key, []).append(listed[voice_id])

    def _name(self, aliases: Iterable[str]) -> None:
        """Tell each voice its aliases; one that leads nowhere is nobody's."""
        for alias in aliases:
            try:
                voice_id = self.find(alias).id
            except (VoiceNotFound, VoiceUnavailable):
                continue
            self._names[voice_id] = (*self._names.get(voice_id, ()), alias)
        named = {}
        for voice_id, names in self._names.items():
            if voice_id in self._voices:
                voice = msgspec.structs.replace(self._voices[voice_id], aliases=names)
                named[voice_id] = self._voices[voice_id] = voice
        for voices in self._meant.values():
            voices[:] = [named.get(voice.id, voice) for voice in voices]

    def find(self, name: str, engine: str = "") -> ListedVoice:
        """The voice that a client calls ``name``: an id, an alias or a language tag, with or
        without ``+variant`` (or speaker), and with or without its engine's name and a colon before
        it. Letter case does not matter, and ``_`` passes for ``-``.

        Args:
            engine: only one of this engine's voices will do; empty: any.

        Raises:
            VoiceNotFound: none; never another voice instead.
            VoiceUnavailable: it is there, but broken.
        """
        base, plus, variant = name.partition("+")
        folded = _fold(base)
        if folded in self._aliases:
            target, alias_plus, alias_variant = self._aliases[folded].partition("+")
            folded = _fold(target)
            if not plus:
                plus, variant = alias_plus, alias_variant
        for voice in self._meant.get(folded, ()):
            if engine and voice.engine != engine:
                continue
            if not plus:
                return voice
            found = self._variant_of(voice, variant.strip().lower())
            if found is not None:
                return found
        for each in self.broken:
            if _fold(each.id) == folded.rpartition(":")[2]:
                raise VoiceUnavailable(
                    f"The voice {each.id} cannot be used: {each.reason}.", param="voice"
                )
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
                wanted = [*sorted(known), *voice.speakers]
                if named:
                    wanted = [name for name in wanted if f"{voice.id}+{name}" in self._names]
                candidates += [self._variant(voice, name, known.get(name)) for name in wanted]
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

    def _variant_of(self, voice: ListedVoice, wanted: str) -> Optional[ListedVoice]:
        known = self._variants[voice.engine]
        for candidate in (*known, *voice.speakers):
            if candidate.lower() == wanted:
                return self._variant(voice, candidate, known.get(candidate))
        return None

    def _variant(self, voice: ListedVoice, name: str, gender: Optional[str]) -> ListedVoice:
        variant_id = f"{voice.id}+{name}"
        return msgspec.structs.replace(
            voice,
            id=variant_id,
            name=f"{voice.name}, {name}",
            gender=gender or voice.gender,
            variant=name,
            speakers=(),
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
        meant = self._meant.get(_fold(base), ())
        if plus and meant:
            near = []
            for voice in meant:
                known = {
                    key.lower(): key for key in (*self._variants[voice.engine], *voice.speakers)
                }
                close = difflib.get_close_matches(variant, known, _SHOWN_MATCHES, 0.4)
                near += [f"{voice.id}+{known[key]}" for key in close]
            return near[:_SHOWN_MATCHES]
        language = self._meant.get(base.split("-")[0])
        found = [language[0].id] if language and "-" in base else []
        found += [pool[key] for key in difflib.get_close_matches(base, pool, _SHOWN_MATCHES, 0.6)]
        found += [names[key] for key in difflib.get_close_matches(base, names, 2, 0.7)]
        found += [names[key] for key in names if len(base) > 2 and base in key]
        # An alias whose voice is not there is no help to whoever has just asked for it.
        return [name for name in dict.fromkeys(found) if name.lower() != base][:_SHOWN_MATCHES]


def _fold(name: str) -> str:
    """What two spellings of one name have in common."""
    return name.strip().lower().replace("_", "-")


def _speaks(tag: str, prefix: str) -> bool:
    return tag == prefix or tag.startswith(prefix + "-")
