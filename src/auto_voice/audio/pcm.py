"""What a piece of audio is in here: signed 16-bit little-endian mono samples."""

from typing import Union

PCM = Union[bytes, bytearray, memoryview]
"""Signed 16-bit little-endian mono samples; a piece may end within a sample."""

BYTES_PER_SAMPLE = 2


def duration_s(size_bytes: int, sample_rate_hz: int) -> float:
    """Seconds that so many bytes of PCM sound."""
    return size_bytes / BYTES_PER_SAMPLE / sample_rate_hz


def silence(seconds: float, sample_rate_hz: int) -> bytes:
    """PCM of silence."""
    return bytes(BYTES_PER_SAMPLE * round(seconds * sample_rate_hz))


class Blocks:
    """Cuts pieces of any size into whole blocks and holds back the rest."""

    __slots__ = ("size_bytes", "_held")

    def __init__(self, size_bytes: int = BYTES_PER_SAMPLE) -> None:
        self.size_bytes = size_bytes
        self._held = b""

    def push(self, pcm: PCM) -> bytes:
        """All whole blocks there are now; maybe none."""
        data = self._held + bytes(pcm) if self._held else bytes(pcm)
        whole = len(data) - len(data) % self.size_bytes
        self._held = data[whole:]
        return data[:whole]

    def rest(self) -> bytes:
        """The whole samples that did not fill a block; they are handed out once."""
        held, self._held = self._held, b""
        return held[: len(held) - len(held) % BYTES_PER_SAMPLE]
