"""An answer's samples one after the other, at one rate, whatever rates they come at."""

from auto_voice.audio.pcm import silence
from auto_voice.audio.resample import Resampler

SILENT_ANSWER_S = 0.1
"""Seconds an answer has at least; for a text without anything speakable, of silence."""


class Tape:
    """Joins pieces of PCM. Used by one thread at a time."""

    def __init__(self, rate_hz: int) -> None:
        self._rate = rate_hz
        self._source_rate = rate_hz
        self._resampler = Resampler(rate_hz, rate_hz)
        self.position_s = 0.0
        """Seconds of audio put on it so far."""
        self.taken = 0
        """Bytes handed out so far."""

    def put(self, pcm: bytes, rate_hz: int) -> bytes:
        """Append samples; what is ready for the answer."""
        rest = b""
        if rate_hz != self._source_rate:
            rest = self._resampler.flush()
            self._resampler = Resampler(rate_hz, self._rate)
            self._source_rate = rate_hz
        self.position_s += len(pcm) / 2 / rate_hz
        ready = rest + self._resampler.push(pcm)
        self.taken += len(ready)
        return ready

    def finish(self) -> bytes:
        """What was kept back, and silence where there is hardly anything."""
        pcm = self._resampler.flush()
        least = len(silence(SILENT_ANSWER_S, self._rate))
        pcm += bytes(max(0, least - self.taken - len(pcm)))
        self.taken += len(pcm)
        return pcm
