"""Kokoro, Matcha, Kitten, VITS, ZipVoice and more, spoken by sherpa-onnx."""

from auto_voice.engines.sherpa.engine import SherpaEngine

__all__ = ["SherpaEngine"]
