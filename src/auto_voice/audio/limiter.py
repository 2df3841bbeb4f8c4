"""A gain whose peaks are held below full scale, without a sound of its own."""

import math
from typing import Any

from auto_voice.audio.pcm import PCM, Blocks

CEILING_DB = -1.0
"""Decibels of full scale that no sample passes; lossy encoders go a little beyond what they get."""
REACH_S = 0.005
"""Seconds before and after a peak in which the gain goes down and comes back."""

_FULL_SCALE = 32767.0
_UNIT = 1 << 16
"""Of gains as whole numbers: sums of these do not depend on where one begins to add."""


class Gain:
    """Makes PCM louder or quieter. However it is cut into pieces, the bytes are the same.

    Where louder samples would pass the ceiling, the gain goes down before them and comes back
    after, both within 10 ms; so a louder voice is given out 10 ms late, a quieter one at once.
    """

    def __init__(self, decibels: float, sample_rate_hz: int) -> None:
        """
        Args:
            decibels: -inf is silence.
        """
        self._factor = 10 ** (decibels / 20)
        self._ceiling = _FULL_SCALE * 10 ** (CEILING_DB / 20)
        self._blocks = Blocks()
        self._reach = max(1, round(REACH_S * sample_rate_hz))
        self._limits = self._factor > 1
        self._held: Any = None
        """[2 × reach before, and 2 × reach and fewer after what has been given out], scaled."""

    def push(self, pcm: PCM) -> bytes:
        """Take PCM; what is ready at its new volume."""
        data = self._blocks.push(pcm)
        if self._factor == 1 or not data:
            return data
        import numpy

        samples = numpy.frombuffer(data, dtype="<i2") * numpy.float64(self._factor)  # [S]
        if not self._limits:
            quieter: bytes = numpy.rint(samples).astype("<i2").tobytes()
            return quieter
        if self._held is None:
            self._held = numpy.zeros(2 * self._reach)
        self._held = numpy.concatenate([self._held, samples])
        return self._ready()

    def flush(self) -> bytes:
        """The rest. Call once, at the end."""
        if self._held is None:
            return b""
        import numpy

        self._held = numpy.concatenate([self._held, numpy.zeros(2 * self._reach)])
        return self._ready()

    def _ready(self) -> bytes:
        """Give out all samples after which enough is known."""
        import numpy

        held, margin = self._held, 2 * self._reach
        count = len(held) - 2 * margin
        if count <= 0:
            return b""
        self._held = held[count:]
        out = held[margin : margin + count]
        if numpy.abs(held).max() > self._ceiling:
            out = out * self._gains(numpy, held)
        pcm: bytes = numpy.rint(out).astype("<i2").tobytes()
        return pcm

    def _gains(self, numpy: Any, held: Any) -> Any:
        """A factor for each sample but the margins: smooth, and low enough for each."""
        window = 2 * self._reach + 1
        size = numpy.maximum(numpy.abs(held), self._ceiling)
        needed = numpy.floor(_UNIT * (self._ceiling / size)).astype(numpy.int64)
        lowest = _moving_minimum(numpy, needed, window)  # [S - 2 × reach]
        sums = numpy.concatenate([[0], numpy.cumsum(lowest)])
        return (sums[window:] - sums[:-window]) / (window * _UNIT)


def _moving_minimum(numpy: Any, values: Any, window: int) -> Any:
    """The lowest of each ``window`` values in a row; takes the same time for every window."""
    count = len(values) - window + 1
    blocks = math.ceil(len(values) / window)
    padded = numpy.full(blocks * window, _UNIT, dtype=values.dtype)
    padded[: len(values)] = values
    rows = padded.reshape(blocks, window)
    ahead = numpy.minimum.accumulate(rows[:, ::-1], axis=1)[:, ::-1].ravel()
    behind = numpy.minimum.accumulate(rows, axis=1).ravel()
    return numpy.minimum(ahead[:count], behind[window - 1 : window - 1 + count])
