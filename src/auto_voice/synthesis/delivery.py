"""How a line is delivered: what its engine does, and what is left to do to its sound."""

from typing import List, Optional, Tuple, Union

from auto_voice.audio.effects import Tempo
from auto_voice.audio.ends import Ends
from auto_voice.audio.limiter import Gain
from auto_voice.engines.engine import Capabilities

MIN_SPEED, MAX_SPEED = 0.25, 4.0
MIN_PITCH, MAX_PITCH = 0.5, 2.0
"""Factors, whatever a request and its markup come to together."""
_SAME = 0.01
"""Relative difference below which two factors are the same."""


class Delivery:
    """Speed, pitch and volume of one line.

    An engine changes its voice better than anybody can change its sound; so it does what it can,
    and only the rest is done afterwards: pace by stretching, pitch by playing faster and
    stretching back, volume by a gain.
    """

    def __init__(
        self, speed: float, pitch: float, volume_db: float, capabilities: Capabilities
    ) -> None:
        """Factors are of the voice's own; they are kept within what one can listen to.

        Args:
            volume_db: what the text asks for, and what makes the voice as loud as the others.
        """
        speed = _within(speed, (MIN_SPEED, MAX_SPEED))
        pitch = _within(pitch, (MIN_PITCH, MAX_PITCH))
        self.speed = _within(speed, capabilities.speed)
        """The engine's part."""
        self.pitch = _within(pitch, capabilities.pitch)
        """The engine's part."""
        self.stretch = speed / self.speed
        """By how much faster than that it is played."""
        self._shift = pitch / self.pitch
        self._volume_db = volume_db
        self._tidy = capabilities.tidy

    def sound(self, rate_hz: int) -> "Sound":
        """What is done to the sound, given the rate at which it comes."""
        tempo = self.stretch / self._shift
        played_hz = round(rate_hz * self._shift)
        return Sound(
            None if self._tidy else Ends(rate_hz),
            Gain(self._volume_db, rate_hz) if self._volume_db else None,
            Tempo(tempo, played_hz) if abs(tempo - 1) > _SAME else None,
            played_hz,
        )


class Sound:
    """Changes the samples of one line. Used by one thread at a time."""

    def __init__(
        self, ends: Optional[Ends], gain: Optional[Gain], tempo: Optional[Tempo], rate_hz: int
    ) -> None:
        self.rate_hz = rate_hz
        """Hertz at which what comes out is to be played."""
        self.ends = ends
        """What is done to the line's ends; None where its engine sees to them."""
        steps: List[Union[Ends, Gain, Tempo]] = []
        for step in (ends, gain, tempo):
            if step is not None:
                steps.append(step)
        self._steps = steps

    def push(self, pcm: bytes) -> bytes:
        """Take samples; what is ready of them."""
        for step in self._steps:
            pcm = step.push(pcm)
        return pcm

    def flush(self) -> bytes:
        """The rest."""
        rest = b""
        for step in self._steps:
            rest = step.push(rest) + step.flush()
        return rest


def _within(factor: float, bounds: Tuple[float, float]) -> float:
    return min(max(factor, bounds[0]), bounds[1])
