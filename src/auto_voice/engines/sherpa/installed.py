"""The voices that a folder holds, known without loading them."""

import logging
import re
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from auto_voice.engines.engine import Voice, is_voice_id
from auto_voice.engines.manifest import Manifest, inside, read
from auto_voice.engines.sherpa.kinds import KINDS, OPTIONAL, Kind
from auto_voice.engines.sherpa.metadata import read_metadata
from auto_voice.errors import VoiceUnavailable

log = logging.getLogger(__name__)

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_MAX_SPEAKERS = 10_000
_FLOAT_BYTES = 4
_VOCODERS = ("hifigan", "vocos", "matcha-tts vocos")


class Installed:
    """A voice in a folder of its own, looked at but not loaded."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """
        Raises:
            VoiceUnavailable: a file is missing or outside the folder, or sherpa-onnx would not
                survive it.
        """
        self.id = folder.name
        self.manifest = manifest
        kind = KINDS.get(manifest.kind)
        if kind is None:
            raise VoiceUnavailable(
                f"The voice {self.id} is of the kind {manifest.kind[:40]!r}, "
                f"which is none of {', '.join(sorted(KINDS))}."
            )
        self.kind: Kind = kind
        self.files: Dict[str, List[Path]] = {}
        for role in dict.fromkeys((*kind.files, *OPTIONAL)):
            found = manifest.paths(folder, role)
            if not found and role in kind.files:
                raise VoiceUnavailable(f"The voice {self.id} names no file for {role}.")
            self.files[role] = found
        self.references = {
            name: inside(folder, reference.file) for name, reference in manifest.references.items()
        }
        self.facts = self._read_facts()
        self.sample_rate = self._number("sample_rate", manifest.sample_rate or kind.rate_hz)
        self.speakers = self._read_speakers()
        self.languages = self._read_languages()
        used = {path for paths in self.files.values() for path in paths}
        status = [path.stat() for path in sorted(used)]
        self.size_bytes = sum(each.st_size for each in status)
        self.signature = repr([(each.st_ino, each.st_mtime_ns, each.st_size) for each in status])
        """Changes with the files."""

    @property
    def phonemes(self) -> str:
        """espeak-ng's voice for it; empty where sherpa-onnx reads the text itself."""
        characters = self.facts.get("frontend") == "characters"
        if not self.kind.phonemes or self.files["lexicon"] or characters:
            return ""
        return self.manifest.phonemes or self.facts.get("voice") or self.languages[0]

    def voice(self) -> Voice:
        """As it is listed."""
        gender = self.manifest.gender
        return Voice(
            id=self.id,
            name=self.manifest.name.strip() or self.id,
            language=self.languages[0],
            engine="sherpa",
            sample_rate=self.sample_rate,
            gender=gender if gender in ("female", "male") else None,
            languages=self.languages,
            speakers=tuple(self.speakers) if len(self.speakers) > 1 else (),
            quality=self.manifest.quality,
            licence=self.manifest.licence,
            size_bytes=self.size_bytes,
        )

    def _read_facts(self) -> Dict[str, str]:
        if not self.kind.main:
            return {}
        path = self.files[self.kind.main][0]
        facts = read_metadata(path)
        missing = [key for key in self.kind.keys if key not in facts]
        if missing:
            raise VoiceUnavailable(
                f"{path.name} of the voice {self.id} is no model for sherpa-onnx: "
                f"its metadata lack {', '.join(missing)}."
            )
        if "voices" in self.kind.files:
            self._check_styles(facts)
        if "vocoder" in self.kind.files:
            self._check_vocoder()
        return facts

    def _check_vocoder(self) -> None:
        """With another one, loading goes well, and speaking ends the process."""
        path = self.files["vocoder"][0]
        made_as = read_metadata(path).get("model_type", "")
        if made_as not in _VOCODERS:
            raise VoiceUnavailable(f"{path.name} of the voice {self.id} is no vocoder.")

    def _check_styles(self, facts: Dict[str, str]) -> None:
        """The file of speakers has as many numbers as the model says."""
        try:
            expected = int(facts["n_speakers"]) * _FLOAT_BYTES
            for number in facts["style_dim"].split(","):
                expected *= int(number)
        except ValueError:
            raise VoiceUnavailable(f"The metadata of the voice {self.id} are broken.") from None
        if self.files["voices"][0].stat().st_size // _FLOAT_BYTES * _FLOAT_BYTES != expected:
            raise VoiceUnavailable(f"The speakers of the voice {self.id} do not fit its model.")

    def _number(self, key: str, otherwise: int) -> int:
        text = self.facts.get(key)
        if text is None:
            return otherwise
        try:
            number = int(text)
        except ValueError:
            number = -1
        if number < 0 or (key == "sample_rate" and not 4_000 <= number <= 192_000):
            raise VoiceUnavailable(f"The voice {self.id} has a {key} of {text[:40]!r}.")
        return number

    def _read_speakers(self) -> Dict[str, int]:
        """Name to number; the first one speaks where nobody is named."""
        if self.kind.clones:
            if not self.references:
                raise VoiceUnavailable(
                    f"The voice {self.id} speaks like a recording, and its manifest names none."
                )
            return {name: number for number, name in enumerate(self.references)}
        count = max(1, self._number("n_speakers", 1))
        named = self.manifest.speakers
        if not named:
            names = self.facts.get("speaker_names", "").split(",")
            known = names if len(names) == count else [str(number) for number in range(count)]
            named = {name.strip(): number for number, name in enumerate(known[:_MAX_SPEAKERS])}
        if any(not 0 <= number < count for number in named.values()):
            raise VoiceUnavailable(f"The voice {self.id} names speakers that its model lacks.")
        return dict(named)

    def _read_languages(self) -> Tuple[str, ...]:
        said = self.manifest.languages or (self.facts.get("voice", ""),)
        tags = tuple(tag.lower() for tag in said if _TAG.fullmatch(tag))
        return tags or ("und",)


def look(folder: Path) -> Optional[Installed]:
    """The voice in a folder; None if there is none of this engine's.

    Raises:
        VoiceUnavailable: there is one, and it cannot work.
    """
    try:
        manifest = read(folder)
        if manifest is None or manifest.engine != "sherpa":
            return None
        return Installed(folder, manifest)
    except OSError as error:
        raise VoiceUnavailable(f"The voice {folder.name} cannot be read: {error}") from None


def find(voice_dir: str, voice_id: str) -> Installed:
    """One voice by its id.

    Raises:
        VoiceUnavailable: there is none, or it cannot work.
    """
    # Only names that cannot lead elsewhere.
    if voice_dir and is_voice_id(voice_id):
        folder = Path(voice_dir).expanduser() / voice_id
        found = look(folder) if folder.is_dir() else None
        if found is not None:
            return found
    raise VoiceUnavailable(f"sherpa-onnx has no voice {voice_id[:60]!r}.")


def scan(voice_dir: str) -> Iterator[Installed]:
    """All voices in a folder that may work, by their ids; the others are logged."""
    if not voice_dir:
        return
    try:
        folders = sorted(Path(voice_dir).expanduser().iterdir())
    except OSError:
        return
    for folder in folders:
        if not is_voice_id(folder.name) or not folder.is_dir():
            continue
        try:
            found = look(folder)
        except VoiceUnavailable as error:
            log.warning("a voice is left out: %s", error)
            continue
        if found is not None:
            yield found
