"""What is in the files: FFmpeg accepts them, and hears what went in."""

import struct

import numpy
import pytest

from auto_voice.audio.compressed import adts_header
from auto_voice.audio.formats import FORMATS
from auto_voice.audio.uncompressed import wav_header
from tests.unit.audio.sound import decode, encode, ffmpeg_decode, ffprobe, speech_like

LOSSY = ["mp3", "opus", "aac"]
CODEC = {"wav": "pcm_s16le", "pcm": "pcm_s16le"}
LATENESS_S = {"mp3": 0.16, "aac": 0.13, "opus": 0.0}
"""How much longer than the source a file may sound: the codec's delay and its last frame.
(At 8 kHz, where a frame is longest.)"""


def rates(name):
    return FORMATS[name].sample_rates_hz or (8000, 22050, 24000, 44100, 48000)


def cases(names):
    return [(name, rate) for name in names for rate in rates(name)]


def aligned(source, heard):
    """``heard`` moved to where it fits ``source`` best, and by how many samples: ([S], int)."""
    size = 1 << (2 * len(heard)).bit_length()
    spectrum = numpy.fft.rfft(heard, size) * numpy.conj(numpy.fft.rfft(source, size))
    lag = int(numpy.argmax(numpy.fft.irfft(spectrum)[: len(heard)]))
    return heard[lag : lag + len(source)], lag


@pytest.mark.parametrize(("name", "rate"), cases(["wav", "flac"]))
@pytest.mark.parametrize("known", [True, False], ids=["whole", "streamed"])
def test_lossless_formats_give_the_samples_back(name, rate, known):
    pcm = speech_like(0.3, rate)
    data = encode(pcm, name, rate, [7] * 50, total_samples=len(pcm) // 2 if known else None)
    assert decode(data, name).tobytes() == pcm


def test_pcm_is_the_samples():
    pcm = speech_like(0.1, 24000)
    assert encode(pcm, "pcm", 24000, [333] * 9) == pcm


@pytest.mark.parametrize(("name", "rate"), cases(LOSSY))
def test_lossy_formats_sound_like_the_source_throughout(name, rate):
    pcm = speech_like(1.0, rate)
    source = numpy.frombuffer(pcm, "<i2").astype(float)
    heard = decode(encode(pcm, name, rate, [1234] * 10), name).astype(float)
    if name == "opus":
        heard = heard[:: 48000 // rate]
    heard, lag = aligned(source, heard)
    assert len(heard) == len(source), "the end is missing"
    assert lag <= LATENESS_S[name] * rate
    assert numpy.corrcoef(source, heard)[0, 1] > 0.97
    # A gap or a click at one border would hardly show over the whole second.
    window = rate // 20
    for start in range(0, len(source) - window + 1, window):
        a, b = source[start : start + window], heard[start : start + window]
        if a.std() > 500:
            assert numpy.corrcoef(a, b)[0, 1] > 0.9, f"broken at {start / rate:.2f} s"


@pytest.mark.parametrize(("name", "rate"), cases(LOSSY))
@pytest.mark.parametrize("seconds", [0.0, 0.0001, 0.02, 0.5])
def test_lossy_formats_last_as_long_as_the_source(name, rate, seconds):
    pcm = speech_like(seconds, rate)
    heard = decode(encode(pcm, name, rate), name)
    out_rate = 48000 if name == "opus" else rate
    extra = len(heard) / out_rate - len(pcm) / 2 / rate
    frame = 1152 / rate if name == "mp3" else 1024 / rate
    assert -1e-9 <= extra <= LATENESS_S[name] + 2 * frame * (name != "opus")


def test_opus_lasts_exactly_as_long_as_the_source():
    for samples in (1, 479, 480, 481, 12345):
        pcm = speech_like(1, 24000)[: 2 * samples]
        assert len(decode(encode(pcm, "opus", 24000), "opus")) == 2 * samples


@pytest.mark.needs("ffprobe")
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.7])
@pytest.mark.parametrize("known", [True, False], ids=["whole", "streamed"])
def test_ffprobe_names_the_codec_and_the_rate_and_sees_no_error(name, seconds, known):
    pcm = speech_like(seconds, 24000)
    data = encode(pcm, name, 24000, total_samples=len(pcm) // 2 if known else None)
    raw = ["-f", "s16le", "-ar", "24000"] if name == "pcm" else []
    fields = "stream=codec_name,sample_rate,channels"
    seen = ffprobe(data, *raw, "-show_entries", fields).split()
    rate = "48000" if name == "opus" else "24000"
    assert seen == [CODEC.get(name, name), rate, "1"]


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(("name", "rate"), cases(FORMATS))
def test_ffmpeg_decodes_all_rates_without_an_error(name, rate):
    pcm = speech_like(0.3, rate)
    raw = ["-f", "s16le", "-ar", str(rate)] if name == "pcm" else []
    heard = ffmpeg_decode(encode(pcm, name, rate), *raw)
    assert len(heard) >= len(pcm)


@pytest.mark.needs("ffprobe")
@pytest.mark.parametrize("name", ["wav", "flac"])
def test_a_known_length_is_in_the_header(name):
    pcm = speech_like(0.25, 24000)
    data = encode(pcm, name, 24000, total_samples=len(pcm) // 2)
    assert ffprobe(data, "-show_entries", "stream=duration").strip() == "0.250000"


def test_a_streamed_wav_says_the_size_is_unknown():
    header = wav_header(24000)
    assert len(header) == 44
    assert struct.unpack_from("<I", header, 4) == struct.unpack_from("<I", header, 40)
    assert struct.unpack_from("<I", header, 40) == (0xFFFFFFFF,)


def test_a_whole_wav_says_its_exact_size():
    header = wav_header(22050, 1000)
    assert struct.unpack("<4sI4s4sIHHIIHH4sI", header) == (
        *(b"RIFF", 2036, b"WAVE", b"fmt ", 16, 1, 1, 22050, 44100, 2, 16, b"data", 2000),
    )


def test_a_wav_beyond_4_gb_says_the_size_is_unknown():
    assert wav_header(48000, 1 << 31) == wav_header(48000)


def test_compressed_files_do_not_carry_the_name_of_ffmpegs_version():
    for name in ("mp3", "opus", "aac", "flac"):
        assert b"Lav" not in encode(speech_like(0.2, 24000), name, 24000)


def test_an_adts_header_says_the_rate_one_channel_and_the_size():
    header = int.from_bytes(adts_header(b"\x13\x08", 200), "big")
    assert header >> 44 == 0xFFF
    assert header >> 38 & 3 == 1  # AAC-LC
    assert header >> 34 & 15 == 6  # 24 kHz
    assert header >> 30 & 7 == 1  # channels
    assert header >> 13 & 0x1FFF == 207
