"""Every format, in one piece and as it is spoken: whole, playable, and the same sound.

FFmpeg decides what is playable. What is the right sound, `pcm` at the same
sample rate says, which is samples and nothing else.
"""

import struct

import numpy
import pytest

from tests.integration.serving import SENTENCE, TEXT
from tests.unit.audio.sound import decode, ffmpeg_decode, ffprobe

LOSSY = ("mp3", "opus", "aac")
LOSSLESS = ("flac", "wav")
CONTAINERS = LOSSY + LOSSLESS
DEMUXER = {"opus": "ogg"}
RATES = {
    "mp3": (8000, 24000, 44100),
    "opus": (8000, 24000, 48000),
    "aac": (16000, 24000, 44100),
    "flac": (8000, 11111, 48000),
    "wav": (8000, 11111, 48000),
    "pcm": (8000, 16000, 22050),
}
"""Some that a client may ask for."""

both = pytest.mark.parametrize("text", [SENTENCE, TEXT], ids=["whole", "streamed"])


def spoken(server, name, text, **fields):
    answer = server.speak(text, response_format=name, **fields)
    assert answer.status_code == 200, answer.text
    return answer


def reference(server, text, rate):
    """The right samples at this rate: [S]."""
    pcm = spoken(server, "pcm", text, sample_rate=rate)
    assert pcm.headers["X-Sample-Rate"] == str(rate)
    return numpy.frombuffer(pcm.content, "<i2")


def test_streamed_and_whole_are_what_these_tests_take_them_for(server):
    """One sentence comes with a length, several come in chunks."""
    for name in (*CONTAINERS, "pcm"):
        whole = spoken(server, name, SENTENCE)
        assert int(whole.headers["Content-Length"]) == len(whole.content)
        streamed = spoken(server, name, TEXT)
        assert streamed.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in streamed.headers


@both
@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.needs("ffprobe")
def test_ffprobe_accepts_it_without_a_word(server, name, text):
    """The format, the codec and the sample rate are what was asked for."""
    answer = spoken(server, name, text)
    shown = ffprobe(
        answer.content, "-show_entries", "stream=codec_name,sample_rate,channels:format=format_name"
    ).split("\n")
    codec = {"wav": "pcm_s16le"}.get(name, name)
    # FFmpeg decodes Opus at 48 kHz whatever the sound was made from.
    rate = "48000" if name == "opus" else answer.headers["X-Sample-Rate"]
    assert shown[:4] == [codec, rate, "1", DEMUXER.get(name, name)]


@both
@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.needs("ffmpeg")
def test_ffmpeg_decodes_it_from_a_pipe_without_a_word(server, name, text):
    """As a player reads what it cannot seek in; no checksum is wrong."""
    answer = spoken(server, name, text)
    assert ffmpeg_decode(answer.content)


@both
@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_carry_exactly_the_samples(server, name, text):
    answer = spoken(server, name, text)
    right = reference(server, text, int(answer.headers["X-Sample-Rate"]))
    assert numpy.array_equal(decode(answer.content, name), right)


def aligned(heard, right):
    """By how many samples ``heard`` is late, found where the two are most alike."""
    size = 1 << (len(heard) + len(right)).bit_length()
    alike = numpy.fft.irfft(
        numpy.fft.rfft(heard.astype(float), size) * numpy.fft.rfft(right.astype(float), size).conj()
    )
    return int(numpy.argmax(alike[:8000]))


@both
@pytest.mark.parametrize("name", LOSSY)
def test_lossy_formats_sound_the_same_from_beginning_to_end(server, name, text):
    """Nothing is missing, nothing is added, and no border between pieces clicks."""
    rate = 24000
    heard = decode(spoken(server, name, text, sample_rate=rate).content, name)
    right = reference(server, text, rate)
    if name == "opus":  # decoded at its own rate, of which 24 kHz is the half
        heard = heard[::2]
    late = aligned(heard, right)
    # The codec's delay, and what fills its last frame.
    assert late <= (0 if name == "opus" else 2400)
    assert 0 <= len(heard) - late - len(right) <= 2 * 1152 or len(heard) == len(right)
    heard = heard[late : late + len(right)].astype(float)
    right = right.astype(float)
    assert numpy.corrcoef(heard, right)[0, 1] > 0.95
    # Piece by piece: a lost frame or a click is short, and an average hides it.
    loud = 0.02 * numpy.sqrt(numpy.mean(right**2))
    for start in range(0, len(right) - 1200, 1200):
        piece, wanted = heard[start : start + 1200], right[start : start + 1200]
        if wanted.std() > 10 * loud:
            assert numpy.corrcoef(piece, wanted)[0, 1] > 0.8, f"{start / rate:.2f} s"
        else:
            assert piece.std() < 20 * loud, f"noise in a pause at {start / rate:.2f} s"
    assert abs(numpy.diff(heard)).max() < 1.5 * abs(numpy.diff(right)).max()


def test_pcm_is_at_24_khz(server):
    """What OpenAI sends, and what its clients play without asking."""
    answer = spoken(server, "pcm", SENTENCE)
    assert answer.headers["X-Sample-Rate"] == "24000"
    assert len(answer.content) % 2 == 0
    seconds = float(answer.headers["X-Audio-Duration-Seconds"])
    assert len(answer.content) / 2 / 24000 == pytest.approx(seconds, abs=0.001)
    samples = numpy.frombuffer(answer.content, "<i2")
    # Little-endian: read the other way round, speech is noise.
    swapped = samples.byteswap().astype(float)
    assert numpy.abs(numpy.diff(samples.astype(float))).mean() < samples.astype(float).std()
    assert numpy.abs(numpy.diff(swapped)).mean() > swapped.std() / 2


def test_pcm_is_signed_sixteen_bit_and_right_to_the_hertz(stub):
    """The stub speaks each word as a tone that is known; this one is at 200 + 10 × 97 Hz."""
    samples = numpy.frombuffer(spoken(stub, "pcm", "a").content, "<i2").astype(float)
    assert abs(samples).max() == pytest.approx(16_000, rel=0.1)
    spectrum = numpy.abs(numpy.fft.rfft(samples, 24000))
    assert int(spectrum.argmax()) == pytest.approx(1170, abs=10)


def header(data):
    """The sizes in a WAV's header: of the whole (less 8 bytes), and of its samples."""
    assert data[:4] == b"RIFF" and data[8:16] == b"WAVEfmt " and data[36:40] == b"data"
    return struct.unpack("<I", data[4:8])[0], struct.unpack("<I", data[40:44])[0]


def test_a_streamed_wav_says_that_its_size_is_not_known(server):
    assert header(spoken(server, "wav", TEXT).content) == (0xFFFFFFFF, 0xFFFFFFFF)


def test_a_whole_wav_says_its_size(server):
    data = spoken(server, "wav", SENTENCE).content
    assert header(data) == (len(data) - 8, len(data) - 44)


@both
def test_a_wavs_header_says_its_sample_rate(server, text):
    for rate in (None, 8000, 44100):
        answer = spoken(server, "wav", text, sample_rate=rate)
        channels, hertz, a_second, block, bits = struct.unpack("<xxHIIHH", answer.content[20:36])
        assert hertz == (rate or 22050) == int(answer.headers["X-Sample-Rate"])
        assert (channels, a_second, block, bits) == (1, 2 * hertz, 2, 16)


@pytest.mark.parametrize("name", RATES)
def test_the_sample_rate_that_was_asked_for_comes(server, name):
    """And it is the same speech, as long as ever."""
    seconds = float(spoken(server, name, SENTENCE).headers["X-Audio-Duration-Seconds"])
    for rate in RATES[name]:
        answer = spoken(server, name, SENTENCE, sample_rate=rate)
        assert answer.headers["X-Sample-Rate"] == str(rate)
        if name == "pcm":
            samples = len(answer.content) // 2
        else:
            samples = len(decode(answer.content, name))
        played_at = 48000 if name == "opus" else rate
        assert samples / played_at == pytest.approx(seconds, abs=0.25)


@pytest.mark.parametrize("name", (*CONTAINERS, "pcm"))
@pytest.mark.needs("ffprobe")
def test_a_text_without_a_word_in_it_is_a_short_silence(server, name):
    """A file that plays, not an empty one, and not an error: clients send "…" between texts."""
    for text in ("...", "\u0007\u0001"):
        data = spoken(server, name, text).content
        if name != "pcm":
            ffprobe(data)
            data = decode(data, name).tobytes()
        samples = numpy.frombuffer(data, "<i2")
        assert len(samples) > 0
        assert abs(samples.astype(int)).max() < 20


def test_sentences_follow_each_other_without_a_gap_or_an_overlap(stub):
    """The whole of a text is its sentences' tones one after the other, to the sample."""
    sentences = ["One two three.", "Four five.", "Six seven eight nine."]
    together = spoken(stub, "wav", " ".join(sentences)).content[44:]
    apart = [spoken(stub, "wav", sentence).content[44:] for sentence in sentences]
    assert together == b"".join(apart)


def test_a_paragraph_ends_with_a_pause(stub):
    """And nothing else changes."""
    one, other = (spoken(stub, "wav", text).content[44:] for text in ("One two.", "Three four."))
    together = spoken(stub, "wav", "One two.\n\nThree four.").content[44:]
    assert together.startswith(one) and together.endswith(other)
    pause = together[len(one) : -len(other)]
    assert len(pause) == 2 * 4000 and not any(pause)
