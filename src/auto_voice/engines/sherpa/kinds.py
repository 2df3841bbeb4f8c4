"""The kinds of models that sherpa-onnx speaks, and which files each of them has.

A role has the name of sherpa-onnx's own setting, so that a manifest reads like its documentation.
"""

from typing import Dict, Tuple

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One architecture."""

    files: Tuple[str, ...]
    """The roles of the files that it cannot do without."""
    main: str = ""
    """The file whose metadata describe the model; empty: none does."""
    keys: Tuple[str, ...] = ()
    """Metadata without which sherpa-onnx ends the process."""
    rate_hz: int = 0
    """Where nobody says another one."""
    phonemes: bool = False
    """Whether it takes phonemes where it has no lexicon."""
    clones: bool = False
    """Whether it speaks like a recording."""


KINDS: Dict[str, Kind] = {
    "kokoro": Kind(
        ("model", "voices", "tokens"),
        "model",
        ("sample_rate", "n_speakers", "has_espeak", "style_dim"),
        phonemes=True,
    ),
    "kitten": Kind(
        ("model", "voices", "tokens"),
        "model",
        ("model_type", "sample_rate", "n_speakers", "has_espeak", "style_dim"),
        phonemes=True,
    ),
    "matcha": Kind(
        ("acoustic_model", "vocoder", "tokens"),
        "acoustic_model",
        ("sample_rate", "n_speakers", "use_eos_bos", "pad_id"),
        phonemes=True,
    ),
    "vits": Kind(
        ("model", "tokens"),
        "model",
        ("sample_rate", "n_speakers", "language", "comment"),
        phonemes=True,
    ),
    "zipvoice": Kind(
        ("encoder", "decoder", "vocoder", "tokens", "lexicon"),
        "decoder",
        rate_hz=24_000,
        clones=True,
    ),
    "pocket": Kind(
        (
            "lm_flow",
            "lm_main",
            "encoder",
            "decoder",
            "text_conditioner",
            "vocab_json",
            "token_scores_json",
        ),
        rate_hz=24_000,
        clones=True,
    ),
    "supertonic": Kind(
        (
            "duration_predictor",
            "text_encoder",
            "vector_estimator",
            "vocoder",
            "tts_json",
            "unicode_indexer",
            "voice_style",
        ),
        rate_hz=44_100,
    ),
}
"""Kind to what it takes."""

OPTIONAL = ("lexicon", "rule_fsts", "rule_fars")
"""Roles that several kinds may have besides."""
