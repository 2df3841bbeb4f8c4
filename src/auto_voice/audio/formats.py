"""Which formats audio is sent in, and at which sample rates."""

from typing import Dict, Optional, Tuple

import msgspec

from auto_voice.errors import InvalidRequest

LOWEST_HZ, HIGHEST_HZ = 8000, 48000
"""The sample rates a client may ask for; a codec may know only some between them."""


class Format(msgspec.Struct, frozen=True):
    """A format as clients see it."""

    name: str
    """What a client sends as ``response_format``."""
    content_type: str
    """As OpenAI answers it."""
    extension: str
    """Of a file, without the dot."""
    sample_rates_hz: Tuple[int, ...] = ()
    """All that the codec accepts, ascending; empty: any."""
    default_hz: Optional[int] = None
    """Where the client asks for no sample rate; None: the voice's own, or the next above it."""

    def accepts(self, sample_rate_hz: int) -> bool:
        """Whether audio of this sample rate can be encoded."""
        if self.sample_rates_hz:
            return sample_rate_hz in self.sample_rates_hz
        return LOWEST_HZ <= sample_rate_hz <= HIGHEST_HZ

    def sample_rate_for(self, native_hz: int, requested_hz: Optional[int] = None) -> int:
        """Hertz to encode a voice of ``native_hz`` in.

        Raises:
            InvalidRequest: the format does not do ``requested_hz``.
        """
        if requested_hz is None:
            return self.default_hz or self._nearest(native_hz)
        if not self.accepts(requested_hz):
            raise InvalidRequest(
                f"{self.name} cannot be sent at {requested_hz} Hz, only at {self._allowed()}.",
                param="sample_rate",
            )
        return requested_hz

    def _nearest(self, native_hz: int) -> int:
        """The smallest sample rate that keeps all of the voice, else the highest one."""
        if not self.sample_rates_hz:
            return min(max(native_hz, LOWEST_HZ), HIGHEST_HZ)
        fitting = (rate for rate in self.sample_rates_hz if rate >= native_hz)
        return next(fitting, self.sample_rates_hz[-1])

    def _allowed(self) -> str:
        if not self.sample_rates_hz:
            return f"{LOWEST_HZ} to {HIGHEST_HZ} Hz"
        return ", ".join(map(str, self.sample_rates_hz)) + " Hz"


MPEG_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)

FORMATS: Dict[str, Format] = {
    format.name: format
    for format in (
        Format("mp3", "audio/mpeg", "mp3", MPEG_RATES_HZ),
        # RFC 7845 has audio/ogg; OpenAI answers, and its clients compare with, audio/opus.
        Format("opus", "audio/opus", "opus", OPUS_RATES_HZ),
        Format("aac", "audio/aac", "aac", MPEG_RATES_HZ),
        Format("flac", "audio/flac", "flac"),
        Format("wav", "audio/wav", "wav"),
        # Raw samples do not say their rate, and OpenAI's clients take it for 24 kHz.
        Format("pcm", "audio/pcm", "pcm", default_hz=24000),
    )
}


def find_format(name: str) -> Format:
    """The format of this name.

    Raises:
        InvalidRequest: there is none.
    """
    if name not in FORMATS:
        raise InvalidRequest(
            f"There is no format {name!r}, only {', '.join(FORMATS)}.", param="response_format"
        )
    return FORMATS[name]


def sample_rate_for(format_name: str, native_hz: int, requested_hz: Optional[int] = None) -> int:
    """Hertz to send a voice of ``native_hz`` in.

    Raises:
        InvalidRequest: there is no such format, or it does not do ``requested_hz``.
    """
    return find_format(format_name).sample_rate_for(native_hz, requested_hz)
