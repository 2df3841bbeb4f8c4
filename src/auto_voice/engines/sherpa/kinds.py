"""The kinds of models that sherpa-onnx speaks, and which file of a folder is what.

A role has the name of sherpa-onnx's own setting, so that a manifest reads like its documentation.
"""

from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import msgspec

from auto_voice.engines.manifest import Manifest
from auto_voice.engines.sherpa.metadata import read_metadata


class Kind(msgspec.Struct, frozen=True):
    """One architecture."""

    files: Dict[str, Tuple[str, ...]]
    """Every file it takes, and patterns of its name in a published folder, the best first."""
    main: str
    """The file whose metadata describe the model; empty: none does."""
    keys: Tuple[str, ...] = ()
    """Metadata without which sherpa-onnx ends the process."""
    rate_hz: int = 0
    """Where nobody says another one."""
    phonemes: bool = False
    """Whether it takes phonemes where it has no lexicon."""
    clones: bool = False
    """Whether it speaks like a recording."""


_TOKENS = ("tokens.txt",)
_MODEL = ("model.onnx", "model.*.onnx", "*.onnx")

KINDS: Dict[str, Kind] = {
    "kokoro": Kind(
        {"model": _MODEL, "voices": ("voices.bin",), "tokens": _TOKENS},
        "model",
        ("sample_rate", "n_speakers", "has_espeak", "style_dim"),
        phonemes=True,
    ),
    "kitten": Kind(
        {"model": _MODEL, "voices": ("voices.bin",), "tokens": _TOKENS},
        "model",
        ("model_type", "sample_rate", "n_speakers", "has_espeak", "style_dim"),
        phonemes=True,
    ),
    "matcha": Kind(
        {
            "acoustic_model": ("model-steps-*.onnx",),
            "vocoder": ("vocos*.onnx", "hifigan*.onnx"),
            "tokens": _TOKENS,
        },
        "acoustic_model",
        ("sample_rate", "n_speakers", "use_eos_bos", "pad_id"),
        phonemes=True,
    ),
    "zipvoice": Kind(
        {
            "encoder": ("encoder.onnx", "encoder*.onnx"),
            "decoder": ("decoder.onnx", "decoder*.onnx"),
            "vocoder": ("vocos*.onnx",),
            "tokens": _TOKENS,
        },
        "decoder",
        rate_hz=24_000,
        clones=True,
    ),
    "pocket": Kind(
        {
            "lm_flow": ("lm_flow*.onnx",),
            "lm_main": ("lm_main*.onnx",),
            "encoder": ("encoder*.onnx",),
            "decoder": ("decoder*.onnx",),
            "text_conditioner": ("text_conditioner*.onnx",),
            "vocab_json": ("vocab.json",),
            "token_scores_json": ("token_scores.json",),
        },
        "",
        rate_hz=24_000,
        clones=True,
    ),
    "supertonic": Kind(
        {
            "duration_predictor": ("duration_predictor*.onnx",),
            "text_encoder": ("text_encoder*.onnx",),
            "vector_estimator": ("vector_estimator*.onnx",),
            "vocoder": ("vocoder*.onnx",),
            "tts_json": ("tts.json",),
            "unicode_indexer": ("unicode_indexer.bin",),
            "voice_style": ("voice.bin",),
        },
        "",
        rate_hz=44_100,
    ),
    "vits": Kind(
        {"model": _MODEL, "tokens": _TOKENS},
        "model",
        ("sample_rate", "n_speakers", "language", "comment"),
        phonemes=True,
    ),
}
"""Kind to what it takes; the most particular ones first, since a folder is the first it fits."""

OPTIONAL: Dict[str, Tuple[str, ...]] = {
    "lexicon": ("lexicon*.txt",),
    "rule_fsts": ("phone.fst", "date.fst", "number.fst"),
    "rule_fars": ("rule.far",),
}
"""What several kinds take besides; all files that fit are taken, in this order."""


def recognise(folder: Path) -> Optional[Manifest]:
    """What a folder without a manifest holds, by its files' names; None: no voice of ours."""
    for name, kind in KINDS.items():
        files: Dict[str, Union[str, List[str]]] = {}
        for role, patterns in kind.files.items():
            found = _first(folder, patterns)
            if found is not None:
                files[role] = found
        if len(files) < len(kind.files):
            continue
        facts = read_metadata(folder / str(files[kind.main])) if kind.main else {}
        if (facts.get("model_type") == "kitten-tts") != (name == "kitten"):
            continue
        for role, patterns in OPTIONAL.items():
            several = [path.name for pattern in patterns for path in sorted(folder.glob(pattern))]
            if several:
                files[role] = several
        return Manifest("sherpa", name, files)
    return None


def _first(folder: Path, patterns: Tuple[str, ...]) -> Optional[str]:
    for pattern in patterns:
        # Of "model.onnx" and "model.int8.onnx", the exact one.
        found = sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name))
        if found:
            return found[0].name
    return None
