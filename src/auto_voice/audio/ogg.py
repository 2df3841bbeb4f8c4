"""Ogg pages with Opus in them (RFC 3533 and RFC 7845).

Written here and not by FFmpeg's muxer, because that one picks a random stream
serial, buffers a second of audio and costs a file object per request.
"""

import struct
import zlib
from typing import List, Sequence

GRANULE_HZ = 48000
"""Opus counts in 48 kHz samples, whatever it was encoded from."""

FIRST_PAGE, LAST_PAGE = 0x02, 0x04
"""Flags of a page."""

SERIAL = 1
"""Of the only stream in the file; fixed, so that equal audio gives equal bytes."""

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def checksum(page: bytes) -> bytes:
    """The four bytes of a page's CRC (polynomial 0x04C11DB7, high bit first)."""
    # zlib has the same polynomial low bit first, inverted before and after: mirroring
    # the bits of what goes in and comes out turns its C loop into the one needed here.
    register = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return register.to_bytes(4, "big").translate(_MIRRORED)


class OggPages:
    """Numbers the pages of one stream and writes them."""

    def __init__(self) -> None:
        self._sequence = 0

    def page(self, packets: Sequence[bytes], granule: int, flags: int = 0) -> bytes:
        """One page of whole packets (at most 255 segments of 255 bytes).

        Args:
            granule: 48 kHz samples that are decoded once this page is, to be heard or not.
            flags: `FIRST_PAGE`, `LAST_PAGE` or both.
        """
        lacing = b"".join(b"\xff" * (len(p) // 255) + bytes((len(p) % 255,)) for p in packets)
        begin = struct.pack("<4sBBqII", b"OggS", 0, flags, granule, SERIAL, self._sequence)
        end = bytes((len(lacing),)) + lacing + b"".join(packets)
        self._sequence += 1
        return begin + checksum(begin + bytes(4) + end) + end


class OggOpusWriter:
    """Collects Opus packets into pages.

    A page ends after a fixed number of packets and never by the clock, so the
    bytes do not depend on when packets come.
    """

    PACKETS_PER_PAGE = 5
    """100 ms of 20 ms packets: early enough to play, and 0.3 kB/s of page headers."""

    def __init__(self, opus_head: bytes, packet_samples: int) -> None:
        """
        Args:
            opus_head: the identification header, as libopus's wrapper in FFmpeg makes it.
            packet_samples: 48 kHz samples of each packet.
        """
        self._pages = OggPages()
        self._packet_samples = packet_samples
        self._pending: List[bytes] = []
        self._packets = 0
        # The very first packet goes alone: a player can open its decoder at once.
        self._limit = 1
        vendor = b"AutoVoice"
        tags = struct.pack("<8sI", b"OpusTags", len(vendor)) + vendor + bytes(4)
        self._header = self._pages.page([opus_head], 0, FIRST_PAGE) + self._pages.page([tags], 0)

    def write(self, packets: Sequence[bytes]) -> bytes:
        """Take packets; returns the pages that are full."""
        out, self._header = [self._header], b""
        for packet in packets:
            self._pending.append(packet)
            self._packets += 1
            if len(self._pending) >= self._limit:
                out.append(self._page(self._packets * self._packet_samples))
                self._limit = self.PACKETS_PER_PAGE
        return b"".join(out)

    def finish(self, packets: Sequence[bytes], granule: int) -> bytes:
        """Take the last packets, at least one, and end the stream.

        Args:
            granule: 48 kHz samples of the whole stream; a decoder drops what is beyond.
        """
        full = self.write(packets[:-1])
        self._pending.append(packets[-1])
        return full + self._page(granule, LAST_PAGE)

    def _page(self, granule: int, flags: int = 0) -> bytes:
        packets, self._pending = self._pending, []
        return self._pages.page(packets, granule, flags)
