"""The formats that FFmpeg encodes: mp3, aac, flac and opus.

The options are the cheapest ones that still sound like the source. Measured on
20 s of speech (CPU per second of audio; PESQ-WB, where 4.64 is the best):

    mp3   64 kbps  compression_level 7: 4.3 ms, 4.49    (3: 7.8 ms, 4.51)
    aac   64 kbps  coder fast:          1.9 ms, 4.34    (twoloop: 5.3 ms, 4.02)
    opus  48 kbps  complexity 5:        2.6 ms, 4.12    (10: 9.8 ms, 4.47)
    flac           level 5:             0.5 ms, lossless
"""

import struct
from typing import List, Optional

from auto_voice.audio.encoder import Encoder
from auto_voice.audio.libav import Codec
from auto_voice.audio.ogg import GRANULE_HZ, OggOpusWriter
from auto_voice.audio.pcm import BYTES_PER_SAMPLE


def speech_bit_rate(sample_rate_hz: int) -> int:
    """Bits per second for mono mp3 and aac; all three exist in the mp3 of that sample rate."""
    if sample_rate_hz <= 12000:
        return 32000
    return 64000 if sample_rate_hz <= 24000 else 96000


class CodecEncoder(Encoder):
    """An encoder around one of FFmpeg's."""

    def __init__(self, codec: Codec, total_samples: Optional[int]) -> None:
        super().__init__(codec.frame_samples, total_samples)
        self._codec = codec

    def _padded(self, rest: bytes) -> bytes:
        """``rest`` filled up to one frame; without any audio a frame of silence.

        A file needs one frame to be of its format.
        """
        if not rest and self.samples:
            return b""
        return rest.ljust(self._blocks.size_bytes, b"\0")

    def _release(self) -> None:
        self._codec.close()


class Mp3Encoder(CodecEncoder):
    """MPEG layer III frames at a constant bit rate, which gives players the duration."""

    def __init__(self, sample_rate_hz: int, total_samples: Optional[int] = None) -> None:
        options = {"compression_level": "7"}
        bit_rate = speech_bit_rate(sample_rate_hz)
        codec = Codec("libmp3lame", sample_rate_hz, "s16p", options, bit_rate)
        super().__init__(codec, total_samples)

    def _encode(self, frames: bytes) -> bytes:
        return b"".join(self._codec.encode(frames))

    def _finish(self, rest: bytes) -> bytes:
        return self._encode(self._padded(rest)) + b"".join(self._codec.flush())


class AacEncoder(CodecEncoder):
    """AAC-LC frames, each behind an ADTS header."""

    def __init__(self, sample_rate_hz: int, total_samples: Optional[int] = None) -> None:
        # Filters for music at low rates: no gain for a voice at this one.
        options = {"aac_coder": "fast", "aac_tns": "0", "aac_pns": "0"}
        bit_rate = speech_bit_rate(sample_rate_hz)
        codec = Codec("aac", sample_rate_hz, "fltp", options, bit_rate)
        super().__init__(codec, total_samples)

    def _encode(self, frames: bytes) -> bytes:
        return self._adts(self._codec.encode(frames))

    def _finish(self, rest: bytes) -> bytes:
        return self._encode(self._padded(rest)) + self._adts(self._codec.flush())

    def _adts(self, packets: List[bytes]) -> bytes:
        return b"".join(adts_header(self._codec.header, len(p)) + p for p in packets)


class FlacEncoder(CodecEncoder):
    """Native FLAC; the header knows the length if the encoder does."""

    def __init__(self, sample_rate_hz: int, total_samples: Optional[int] = None) -> None:
        codec = Codec("flac", sample_rate_hz, "s16", {"compression_level": "5"})
        super().__init__(codec, total_samples)
        self._header = flac_header(codec.header, total_samples or 0)

    def _encode(self, frames: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + b"".join(self._codec.encode(frames))

    def _finish(self, rest: bytes) -> bytes:
        return self._encode(rest) + b"".join(self._codec.flush())


class OpusEncoder(CodecEncoder):
    """Opus in Ogg; the only lossy one whose length is exact once decoded."""

    def __init__(self, sample_rate_hz: int, total_samples: Optional[int] = None) -> None:
        options = {"application": "audio", "compression_level": "5", "frame_duration": "20"}
        bit_rate = 32000 if sample_rate_hz <= 12000 else 48000
        codec = Codec("libopus", sample_rate_hz, "s16", options, bit_rate)
        super().__init__(codec, total_samples)
        self._scale = GRANULE_HZ // sample_rate_hz
        self._packet_samples = codec.frame_samples * self._scale
        self._pre_skip: int = struct.unpack_from("<H", codec.header, 10)[0]
        self._writer = OggOpusWriter(codec.header, self._packet_samples)

    def _encode(self, frames: bytes) -> bytes:
        return self._writer.write(self._codec.encode(frames))

    def _finish(self, rest: bytes) -> bytes:
        # The decoder drops the encoder's delay at the start, so silence has to push the
        # last samples out at the end: one packet, rarely two.
        end = self._pre_skip + self.samples * self._scale
        done = self.samples * self._scale - len(rest) // BYTES_PER_SAMPLE * self._scale
        packets = -(-(end - done) // self._packet_samples)
        frames = rest.ljust(packets * self._blocks.size_bytes, b"\0")
        return self._writer.finish(self._codec.encode(frames), end)


def adts_header(audio_specific_config: bytes, packet_bytes: int) -> bytes:
    """The 7 bytes before an AAC packet (ISO 13818-7, 6.2.1; no CRC)."""
    config = int.from_bytes(audio_specific_config[:2], "big")
    object_type, rate_index, channels = config >> 11, config >> 7 & 0xF, config >> 3 & 0xF
    size = packet_bytes + 7
    # Most significant first: sync word, MPEG-4 without CRC; profile, rate, channels; size;
    # a buffer of "variable rate"; one packet in this frame.
    bits = 0xFFF1
    for value, width in (
        (object_type - 1, 2),
        (rate_index, 4),
        (0, 1),
        (channels, 3),
        (0, 4),
        (size, 13),
        (0x7FF, 11),
        (0, 2),
    ):
        bits = bits << width | value
    return bits.to_bytes(7, "big")


def flac_header(stream_info: bytes, total_samples: int) -> bytes:
    """What comes before the first FLAC frame; 0 samples: not known."""
    # STREAMINFO ends its eighteenth byte with the 36 bits of the length (RFC 9639, 8.2).
    total = int.from_bytes(stream_info[13:18], "big") | min(total_samples, (1 << 36) - 1)
    info = stream_info[:13] + total.to_bytes(5, "big") + stream_info[18:]
    return b"fLaC" + b"\x80" + len(info).to_bytes(3, "big") + info
