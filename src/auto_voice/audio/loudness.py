"""How loud speech is, as people hear it: EBU R128 (ITU-R BS.1770), measured by FFmpeg."""

import os
import re
import tempfile
from fractions import Fraction
from typing import Any, Optional

from auto_voice.audio.libav import import_av
from auto_voice.audio.pcm import BYTES_PER_SAMPLE

SILENCE_LUFS = -70.0
"""What is not louder than this counts as silence, says the recommendation."""

_READING = re.compile(rb"lavfi\.r128\.I=(-?[0-9.]+)")


def integrated_lufs(pcm: bytes, sample_rate_hz: int) -> Optional[float]:
    """The loudness of a whole piece of PCM; None where it is silent, or shorter than 0.4 s.

    Pauses do not count. A second of audio takes about a millisecond.
    """
    samples = len(pcm) // BYTES_PER_SAMPLE
    if not samples:
        return None
    av = import_av()
    with tempfile.TemporaryFile() as readings:
        # Older PyAV does not show the metadata of frames, in which the filter leaves its readings;
        # another filter can write them down.
        graph = _graph(av, sample_rate_hz, f"/dev/fd/{readings.fileno()}")
        frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
        frame.sample_rate = sample_rate_hz
        frame.time_base = Fraction(1, sample_rate_hz)
        frame.pts = 0
        frame.planes[0].update(pcm[: samples * BYTES_PER_SAMPLE])
        graph.push(frame)
        graph.push(None)
        while True:
            try:
                graph.pull()
            except (av.BlockingIOError, av.EOFError):
                break
        readings.seek(0, os.SEEK_SET)
        found = _READING.findall(readings.read())
    lufs = float(found[-1]) if found else SILENCE_LUFS
    return lufs if lufs > SILENCE_LUFS else None


def _graph(av: Any, sample_rate_hz: int, readings: str) -> Any:
    graph = av.filter.Graph()
    filters = [
        graph.add_abuffer(
            sample_rate=sample_rate_hz,
            format="s16",
            layout="mono",
            time_base=Fraction(1, sample_rate_hz),
        ),
        graph.add("ebur128", "metadata=1"),
        # Direct: PyAV from 19 on frees a graph some time later, and with it what is not yet out.
        graph.add("ametadata", f"mode=print:direct=1:key=lavfi.r128.I:file={readings}"),
        graph.add("abuffersink"),
    ]
    for before, after in zip(filters, filters[1:]):
        before.link_to(after)
    graph.configure()
    return graph
