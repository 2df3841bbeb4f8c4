"""The ends of a sentence: no more silence than there should be, and no click."""

from typing import Any

from auto_voice.audio.pcm import PCM, Blocks

QUIET_DB = -50.0
"""Decibels of full scale below which a sample is silence; models' own noise lies lower."""
MAX_LEAD_S = 0.1
"""Seconds of silence that a sentence may begin with."""
MAX_TAIL_S = 0.3
"""Seconds of silence that it may end with, a reader's pause included."""
FADE_S = 0.003
"""Seconds in which the first sound comes and the last one goes: a step is heard as a click."""


class Ends:
    """Trims one sentence. However it is cut into pieces, the bytes are the same.

    What it holds back is silence past `MAX_TAIL_S`, of which nobody knows yet whether it is the
    end, and the last 3 ms.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.cut_s = 0.0
        """Seconds taken from the beginning; final once `begun`."""
        self.begun = False
        """Whether a sound has come."""
        self._rate = sample_rate_hz
        self._quiet = int(32767 * 10 ** (QUIET_DB / 20))
        self._lead = round(MAX_LEAD_S * sample_rate_hz)
        self._tail = round(MAX_TAIL_S * sample_rate_hz)
        self._fade = max(1, round(FADE_S * sample_rate_hz))
        self._blocks = Blocks()
        self._waiting: Any = None
        """[S]: samples that have not been given out."""
        self._silent = 0
        """Silent samples in a row at the end of what has been given out."""
        self._given = 0
        """Samples that have been given out."""

    def push(self, pcm: PCM) -> bytes:
        """Take PCM; what is ready of it."""
        import numpy

        data = self._blocks.push(pcm)
        if not data:
            return b""
        samples = numpy.frombuffer(data, dtype="<i2")  # [S]
        if self._waiting is not None:
            samples = numpy.concatenate([self._waiting, samples])
        if not self.begun:
            loud = _loud(numpy, samples, self._quiet)
            if not len(loud):
                keep = samples[-self._lead :] if self._lead < len(samples) else samples
                self.cut_s += (len(samples) - len(keep)) / self._rate
                self._waiting = keep
                return b""
            cut = max(0, int(loud[0]) - self._lead)
            self.cut_s += cut / self._rate
            samples = samples[cut:]
            self.begun = True
        return self._give(numpy, samples)

    def flush(self) -> bytes:
        """The rest. Call once, at the end.

        Of a sentence without a sound nothing is left.
        """
        if self._waiting is None or not self.begun:
            return b""
        import numpy

        samples = self._waiting
        loud = _loud(numpy, samples, self._quiet)
        if len(loud):
            end = int(loud[-1]) + 1 + self._tail
        else:
            end = max(0, self._tail - self._silent)
        samples = samples[:end].astype(float)
        count = min(self._fade, len(samples))
        if count:
            samples[-count:] *= numpy.linspace(1.0, 0.0, count)
        return self._out(numpy, samples)

    def _give(self, numpy: Any, samples: Any) -> bytes:
        """Give out what cannot be part of a tail that is too long, nor of the last fade."""
        loud = _loud(numpy, samples, self._quiet)
        if len(loud):
            limit = int(loud[-1]) + 1 + self._tail
        else:
            limit = max(0, self._tail - self._silent)
        count = max(0, min(limit, len(samples)) - self._fade)
        out, self._waiting = samples[:count], samples[count:]
        given_loud = loud[loud < count] if len(loud) else loud
        if len(given_loud):
            self._silent = count - int(given_loud[-1]) - 1
        else:
            self._silent += count
        return self._out(numpy, out.astype(float))

    def _out(self, numpy: Any, samples: Any) -> bytes:
        if self._given < self._fade:
            places = numpy.arange(self._given, self._given + len(samples))
            samples = samples * numpy.minimum(1.0, places / self._fade)
        self._given += len(samples)
        pcm: bytes = numpy.rint(samples).astype("<i2").tobytes()
        return pcm


def _loud(numpy: Any, samples: Any, quiet: int) -> Any:
    """Where there is sound."""
    return numpy.flatnonzero(numpy.abs(samples.astype(numpy.int32)) > quiet)
