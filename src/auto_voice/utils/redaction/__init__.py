"""Keeps secrets out of what is shown."""

from auto_voice.utils.redaction.redactor import Redactor, configured_secrets, text_facts

__all__ = ["Redactor", "configured_secrets", "text_facts"]
