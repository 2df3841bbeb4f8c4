"""Measures of sound that share nothing with the code that they are held against."""

from typing import Any

import numpy

# The K weighting of ITU-R BS.1770 as its two filters for 48 kHz: (numerator, denominator).
_SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))


def lufs(pcm: bytes, rate_hz: int) -> float:
    """Integrated loudness by BS.1770-4 of one channel, filtered in the frequency domain."""
    sound = numpy.frombuffer(pcm, "<i2") / 32768.0
    size = 1 << (len(sound) + rate_hz).bit_length()
    z = numpy.exp(-2j * numpy.pi * numpy.fft.rfftfreq(size, 1 / rate_hz) / 48_000)
    spectrum = numpy.fft.rfft(sound, size) * _response(_SHELF, z) * _response(_HIGH_PASS, z)
    weighted = numpy.fft.irfft(spectrum, size)[: len(sound)]
    block, hop = round(0.4 * rate_hz), round(0.1 * rate_hz)
    starts = range(0, len(weighted) - block + 1, hop)
    powers = numpy.array([numpy.mean(weighted[at : at + block] ** 2) for at in starts])
    powers = powers[_lufs_of(powers) > -70]
    powers = powers[_lufs_of(powers) > _lufs_of(powers.mean()) - 10]
    return float(_lufs_of(powers.mean()))


def _response(filter_: Any, z: Any) -> Any:
    above, below = (sum(factor * z**power for power, factor in enumerate(of)) for of in filter_)
    return above / below


def _lufs_of(power: Any) -> Any:
    return -0.691 + 10 * numpy.log10(numpy.maximum(power, 1e-12))


def peak_db(pcm: bytes) -> float:
    """Of the highest sample, in decibels of full scale."""
    return float(
        20 * numpy.log10(numpy.abs(numpy.frombuffer(pcm, "<i2").astype(float)).max() / 32768)
    )
