"""The formats that are samples as they are: pcm and wav."""

import struct
from typing import Optional

from auto_voice.audio.encoder import Encoder
from auto_voice.audio.pcm import BYTES_PER_SAMPLE

UNKNOWN_SIZE = 0xFFFFFFFF
"""What a streamed WAV header says; players then read until the end of the stream."""

WAV_HEADER_BYTES = 44


class PcmEncoder(Encoder):
    """Samples, nothing else."""

    def __init__(self, sample_rate_hz: int, total_samples: Optional[int] = None) -> None:
        super().__init__(1, total_samples)

    def _encode(self, frames: bytes) -> bytes:
        return frames

    def _finish(self, rest: bytes) -> bytes:
        return rest


class WavEncoder(PcmEncoder):
    """A RIFF header, then samples."""

    def __init__(self, sample_rate_hz: int, total_samples: Optional[int] = None) -> None:
        super().__init__(sample_rate_hz, total_samples)
        self._header = wav_header(sample_rate_hz, total_samples)

    def _encode(self, frames: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + frames

    def _finish(self, rest: bytes) -> bytes:
        return self._encode(rest)


def wav_header(sample_rate_hz: int, total_samples: Optional[int] = None) -> bytes:
    """The 44 bytes before mono samples; without ``total_samples`` for a stream."""
    data = UNKNOWN_SIZE if total_samples is None else total_samples * BYTES_PER_SAMPLE
    riff = data + WAV_HEADER_BYTES - 8
    if riff > UNKNOWN_SIZE:
        # A stream, or more than the four bytes of a size can say.
        riff = data = UNKNOWN_SIZE
    byte_rate = sample_rate_hz * BYTES_PER_SAMPLE
    fmt = struct.pack(
        "<HHIIHH", 1, 1, sample_rate_hz, byte_rate, BYTES_PER_SAMPLE, BYTES_PER_SAMPLE * 8
    )
    return struct.pack("<4sI4s4sI", b"RIFF", riff, b"WAVE", b"fmt ", len(fmt)) + (
        fmt + struct.pack("<4sI", b"data", data)
    )
