"""Piper's neural voices: a graph and its description each, spoken with onnxruntime."""
