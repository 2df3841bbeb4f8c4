"""The way to an encoder: by the name of its format."""

from typing import Callable, Dict, Optional

from auto_voice.audio.compressed import AacEncoder, FlacEncoder, Mp3Encoder, OpusEncoder
from auto_voice.audio.encoder import Encoder
from auto_voice.audio.formats import FORMATS, Format, find_format, sample_rate_for
from auto_voice.audio.pcm import silence
from auto_voice.audio.uncompressed import PcmEncoder, WavEncoder
from auto_voice.errors import AutoVoiceError

__all__ = ["ENCODERS", "FORMATS", "Encoder", "Format", "available", "encoder", "sample_rate_for"]

ENCODERS: Dict[str, Callable[[int, Optional[int]], Encoder]] = {
    "mp3": Mp3Encoder,
    "opus": OpusEncoder,
    "aac": AacEncoder,
    "flac": FlacEncoder,
    "wav": WavEncoder,
    "pcm": PcmEncoder,
}
"""A key of `FORMATS` to its encoder, made from a sample rate in hertz and a length in samples."""


def encoder(format_name: str, sample_rate_hz: int, total_samples: Optional[int] = None) -> Encoder:
    """A new encoder.

    Args:
        total_samples: all that will be encoded, where that is known: the header
            then says the length (wav, flac). `Encoder.finish` holds it against
            what came.

    Raises:
        InvalidRequest: there is no such format, or it does not do this sample rate.
        MissingDependency: the format's codec is not there.
    """
    rate = find_format(format_name).sample_rate_for(sample_rate_hz, sample_rate_hz)
    return ENCODERS[format_name](rate, total_samples)


def available() -> Dict[str, Optional[str]]:
    """Each format's name to None if it works here, or to the reason why it does not."""
    return {name: _trouble(format) for name, format in FORMATS.items()}


def _trouble(format: Format) -> Optional[str]:
    rate = format.sample_rate_for(22050)
    try:
        trial = encoder(format.name, rate)
        try:
            data = trial.encode(silence(0.2, rate)) + trial.finish()
        finally:
            trial.close()
    except AutoVoiceError as error:
        return error.message
    except Exception as error:  # doctor reports whatever a broken library raises
        return f"{type(error).__name__}: {error}"
    return None if data else "the encoder gives no bytes"
