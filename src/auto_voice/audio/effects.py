"""What an engine cannot do with its voice, done to its sound."""

import math
from fractions import Fraction
from typing import Any, Iterator

from auto_voice.audio.libav import import_av
from auto_voice.audio.pcm import BYTES_PER_SAMPLE, PCM, Blocks

MIN_TEMPO, MAX_TEMPO = 0.25, 4.0


class Tempo:
    """Makes PCM faster or slower and keeps its pitch. Used by one thread at a time.

    However the input is cut into pieces, the output's bytes are the same.
    """

    BLOCK_SAMPLES = 1024

    def __init__(self, factor: float, sample_rate_hz: int) -> None:
        """
        Args:
            factor: 2 is twice as fast; from `MIN_TEMPO` to `MAX_TEMPO`.

        Raises:
            ValueError: the factor is out of range.
        """
        if not MIN_TEMPO <= factor <= MAX_TEMPO:
            raise ValueError(f"a tempo of {factor} is not between {MIN_TEMPO} and {MAX_TEMPO}")
        self._rate = sample_rate_hz
        self._blocks = Blocks(self.BLOCK_SAMPLES * BYTES_PER_SAMPLE)
        self._at = 0
        self._graph: Any = None
        if factor != 1:
            self._av = import_av()
            self._graph = self._chain(factor)

    def push(self, pcm: PCM) -> bytes:
        """Take PCM; returns what is ready: the filter keeps some 100 ms back."""
        blocks = self._blocks.push(pcm)
        size = self._blocks.size_bytes
        starts = range(0, len(blocks), size)
        return b"".join(self._filtered(blocks[i : i + size]) for i in starts)

    def flush(self) -> bytes:
        """What was kept back. Call once, at the end."""
        out = self._filtered(self._blocks.rest())
        if self._graph is None or not self._at:
            return out
        self._graph.push(None)
        return out + b"".join(self._ready())

    def _chain(self, factor: float) -> Any:
        # Twice or half as fast is what one atempo does well; two in a row do what is beyond.
        number = max(1, math.ceil(abs(math.log2(factor))))
        graph = self._av.filter.Graph()
        source = graph.add_abuffer(
            sample_rate=self._rate,
            format="s16",
            layout="mono",
            time_base=Fraction(1, self._rate),
        )
        filters = [source]
        filters += [graph.add("atempo", f"{factor ** (1 / number):.9f}") for _ in range(number)]
        filters.append(graph.add("abuffersink"))
        for before, after in zip(filters, filters[1:]):
            before.link_to(after)
        graph.configure()
        return graph

    def _filtered(self, pcm: bytes) -> bytes:
        if self._graph is None or not pcm:
            return pcm
        samples = len(pcm) // BYTES_PER_SAMPLE
        frame = self._av.AudioFrame(format="s16", layout="mono", samples=samples)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._at
        frame.planes[0].update(pcm)
        self._at += samples
        self._graph.push(frame)
        return b"".join(self._ready())

    def _ready(self) -> Iterator[bytes]:
        while True:
            try:
                frame = self._graph.pull()
            except (self._av.BlockingIOError, self._av.EOFError):
                return
            yield frame.to_ndarray().tobytes()
