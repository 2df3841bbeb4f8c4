"""Keeps secrets out of what is shown."""

from auto_voice.utils.redaction.redactor import (
    GrowingTextFacts,
    Redactor,
    configured_secrets,
    text_facts,
)

__all__ = ["GrowingTextFacts", "Redactor", "configured_secrets", "text_facts"]
