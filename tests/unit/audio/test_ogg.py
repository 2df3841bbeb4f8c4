import struct

from hypothesis import given
from hypothesis import strategies as st

from auto_voice.audio.ogg import FIRST_PAGE, OggOpusWriter, OggPages, checksum


def slow_checksum(page):
    """The CRC as RFC 3533 describes it, bit by bit."""
    register = 0
    for byte in page:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
            register &= 0xFFFFFFFF
    return struct.pack("<I", register)


def parse(data):
    """[(flags, granule, sequence, [packet])] of pages of whole packets."""
    pages = []
    while data:
        magic, version, flags, granule, _, number, _, count = struct.unpack_from("<4sBBqIIIB", data)
        assert (magic, version) == (b"OggS", 0)
        packets, size, at = [], 0, 27 + count
        for value in data[27 : 27 + count]:
            size += value
            if value < 255:
                packets.append(data[at : at + size])
                at, size = at + size, 0
        pages.append((flags, granule, number, packets))
        data = data[at:]
    return pages


@given(st.binary(max_size=300))
def test_checksum_is_that_of_the_rfc(page):
    assert checksum(page) == slow_checksum(page)


@given(st.lists(st.integers(0, 1275), min_size=1, max_size=40))
def test_a_page_gives_its_packets_back_whatever_their_sizes(sizes):
    packets = [bytes([i]) * size for i, size in enumerate(sizes)]
    assert parse(OggPages().page(packets, 960, FIRST_PAGE)) == [(FIRST_PAGE, 960, 0, packets)]


def test_the_first_packet_has_a_page_of_its_own_and_the_rest_share_pages():
    writer = OggOpusWriter(b"OpusHead", 960)
    packets = [bytes([i]) for i in range(13)]
    pages = parse(
        writer.write(packets[:2]) + writer.write(packets[2:9]) + writer.finish(packets[9:], 12000)
    )
    assert [page[3] for page in pages[2:]] == [
        packets[:1],
        packets[1:6],
        packets[6:11],
        packets[11:],
    ]
    assert [page[1] for page in pages] == [0, 0, 960, 6 * 960, 11 * 960, 12000]
    assert [page[2] for page in pages] == list(range(6))
    assert [page[0] for page in pages] == [2, 0, 0, 0, 0, 4]


def test_the_headers_come_with_the_first_packet():
    writer = OggOpusWriter(b"OpusHead", 960)
    head, tags, audio = parse(writer.write([b"x"]))
    assert head[3] == [b"OpusHead"]
    assert tags[3][0].startswith(b"OpusTags")
    assert audio[3] == [b"x"]
