"""FFmpeg's audio encoders, through PyAV.

Only codecs, no containers: what goes around the packets is little enough to
write it by hand (`compressed.py`, `ogg.py`), the same in every FFmpeg, and
without a callback into Python for each packet.
"""

import ctypes
import functools
import importlib
from fractions import Fraction
from typing import Any, Dict, Iterator, List, Optional

from auto_voice.audio.pcm import BYTES_PER_SAMPLE
from auto_voice.errors import MissingDependency

FRAMES_PER_CALL = 32
"""So many frames go to FFmpeg at once: saves calls where a piece is long, bounds memory."""


@functools.lru_cache(maxsize=None)
def import_av() -> Any:
    """PyAV, imported by the first request that needs it: that takes 130 ms."""
    import av

    # PyAV sends all audio through a filter graph, and FFmpeg starts a thread per CPU (up to
    # 16) for each graph: a busy server would have thousands that never do anything. PyAV
    # has no switch for it; this is FFmpeg's own. Without it, encoding works just as well.
    try:
        linked = importlib.import_module("av._core").__file__
        ctypes.CDLL(linked).av_cpu_force_count(ctypes.c_int(1))
    except (ImportError, AttributeError, OSError):
        pass
    return av


class Codec:
    """One open encoder of mono PCM.

    FFmpeg works without the interpreter lock, except for opening (about 1 ms).
    """

    def __init__(
        self,
        name: str,
        sample_rate_hz: int,
        sample_format: str,
        options: Dict[str, str],
        bit_rate: Optional[int] = None,
    ) -> None:
        """
        Args:
            name: FFmpeg's name of the encoder.
            sample_format: FFmpeg's name of what the encoder takes, e.g. ``s16p``.
            options: FFmpeg's options of the encoder.
            bit_rate: bits per second.

        Raises:
            MissingDependency: PyAV is not there, or its FFmpeg lacks the encoder.
        """
        try:
            av = import_av()
        except ImportError as error:
            raise MissingDependency(
                f"PyAV does not load ({error}): pip install --force-reinstall av"
            ) from error
        self._av = av
        self._rate = sample_rate_hz
        # Samples come as s16; a mono s16p is the same bytes and spares a conversion.
        self._input_format = "s16p" if sample_format == "s16p" else "s16"
        try:
            context = av.CodecContext.create(name, "w")
            context.sample_rate = sample_rate_hz
            context.layout = "mono"
            context.format = sample_format
            context.time_base = Fraction(1, sample_rate_hz)
            if bit_rate is not None:
                context.bit_rate = bit_rate
            # bitexact keeps FFmpeg's version out of the packets.
            context.options = dict(options, flags="+bitexact")
            context.open()
        except (ValueError, av.FFmpegError) as error:
            raise MissingDependency(
                f"PyAV's FFmpeg does not encode with {name} ({error}):"
                " pip install --force-reinstall --only-binary av av"
            ) from error
        self._context = context
        self.frame_samples: int = context.frame_size
        """Samples of each packet."""
        self.header: bytes = bytes(context.extradata or b"")
        """What a file says about the stream, in the codec's own form."""

    def encode(self, frames: bytes) -> List[bytes]:
        """Encode whole frames, the last one of the stream may be shorter; [packets]."""
        step = FRAMES_PER_CALL * self.frame_samples * BYTES_PER_SAMPLE
        packets: List[bytes] = []
        for start in range(0, len(frames), step):
            pcm = frames[start : start + step]
            frame = self._av.AudioFrame(
                format=self._input_format, layout="mono", samples=len(pcm) // BYTES_PER_SAMPLE
            )
            frame.sample_rate = self._rate
            frame.planes[0].update(pcm)
            packets.extend(self._packets(frame))
        return packets

    def flush(self) -> List[bytes]:
        """The packets that the encoder still holds; [packets]. Call once, at the end."""
        return list(self._packets(None))

    def close(self) -> None:
        """Free the encoder's memory."""
        self._context = None

    def _packets(self, frame: Any) -> Iterator[bytes]:
        # FLAC ends with an empty packet: its checksum for the header, which is long sent.
        return (bytes(packet) for packet in self._context.encode(frame) if packet.size)
