"""The contract of all encoders."""

from abc import ABC, abstractmethod
from typing import Optional

from auto_voice.audio.pcm import BYTES_PER_SAMPLE, PCM, Blocks


class Encoder(ABC):
    """Turns PCM into a file's bytes, as the samples come. Used by one thread at a time.

    However the input is cut into pieces, the output's bytes are the same, in
    every run on the same machine.
    """

    def __init__(self, frame_samples: int, total_samples: Optional[int] = None) -> None:
        self._blocks = Blocks(frame_samples * BYTES_PER_SAMPLE)
        self._total = total_samples
        self._bytes_in = 0
        self._open = True

    @property
    def samples(self) -> int:
        """Samples taken so far."""
        return self._bytes_in // BYTES_PER_SAMPLE

    def encode(self, pcm: PCM) -> bytes:
        """Take PCM; returns what is ready, maybe nothing.

        Raises:
            ValueError: the encoder is closed.
        """
        if not self._open:
            raise ValueError("The encoder is closed.")
        self._bytes_in += memoryview(pcm).nbytes
        frames = self._blocks.push(pcm)
        return self._encode(frames) if frames else b""

    def finish(self) -> bytes:
        """The last bytes; closes the encoder.

        Raises:
            ValueError: the encoder is closed, or ``total_samples`` was announced
                to the client and something else was encoded.
        """
        if not self._open:
            raise ValueError("The encoder is closed.")
        try:
            if self._total not in (None, self.samples):
                raise ValueError(f"{self._total} samples were announced, not {self.samples}.")
            return self._finish(self._blocks.rest())
        finally:
            self.close()

    def close(self) -> None:
        """Release all that the encoder holds, finished or not. Can be called again."""
        if self._open:
            self._open = False
            self._release()

    @abstractmethod
    def _encode(self, frames: bytes) -> bytes:
        """Encode one or more whole frames."""

    @abstractmethod
    def _finish(self, rest: bytes) -> bytes:
        """Encode the last samples, less than a frame, and end the file."""

    def _release(self) -> None:
        """Free what `close` should free at once."""
