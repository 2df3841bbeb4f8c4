"""AutoVoice: a voice-synthesis server for production."""

__version__ = "0.1.0"
