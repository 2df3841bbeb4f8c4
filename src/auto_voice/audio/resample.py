"""From one sample rate to another one, as the samples come."""

from typing import Any

from auto_voice.audio.pcm import PCM, Blocks

SLICE_BYTES = 1 << 15
"""The largest piece given to soxr at once: soxr 0.3 holds the interpreter lock meanwhile."""


class Resampler:
    """Changes the sample rate of PCM. Used by one thread at a time.

    However the input is cut into pieces, the output's bytes are the same.
    """

    def __init__(self, source_hz: int, target_hz: int) -> None:
        self._samples = Blocks()
        self._stream: Any = None
        if source_hz != target_hz:
            # Here, and not above: these imports cost 90 ms, and the server should start fast.
            import soxr  # type: ignore[import-untyped]

            # Not int16, although that is what goes in and out: soxr then dithers, and the
            # bytes depend on how the input is cut (in soxr 0.3 no two runs are the same).
            self._stream = soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32")

    def push(self, pcm: PCM) -> bytes:
        """Take PCM; returns what is ready: soxr keeps about 50 ms back."""
        samples = self._samples.push(pcm)
        if self._stream is None:
            return samples
        starts = range(0, len(samples), SLICE_BYTES)
        return b"".join(self._resample(samples[i : i + SLICE_BYTES]) for i in starts)

    def flush(self) -> bytes:
        """What was kept back. Call once, at the end."""
        return b"" if self._stream is None else self._resample(b"", last=True)

    def _resample(self, pcm: bytes, last: bool = False) -> bytes:
        import numpy

        source = numpy.frombuffer(pcm, dtype="<i2").astype(numpy.float32)  # [S]
        target = self._stream.resample_chunk(source, last=last)  # [T]
        # Full-scale speech overshoots a little: without the clip it would wrap and crackle.
        clipped = numpy.clip(numpy.rint(target), -32768, 32767)
        data: bytes = clipped.astype("<i2").tobytes()
        return data
