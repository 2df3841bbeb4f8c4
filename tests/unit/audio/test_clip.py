import os

import numpy
import pytest

from auto_voice.audio import clip
from auto_voice.errors import UnreadableAudio
from tests.unit.audio.sound import encode

RATE = 22050


def tone(seconds, rate=RATE):
    t = numpy.arange(round(seconds * rate)) / rate
    return (9000 * numpy.sin(2 * numpy.pi * 440 * t)).astype("<i2").tobytes()


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "clips"
    (inside / "deep" / "ü b").mkdir(parents=True)
    (inside / "bell.wav").write_bytes(encode(tone(0.5), "wav", RATE))
    (inside / "deep" / "ü b" / "100%.wav").write_bytes(b"x")
    (tmp_path / "secret.wav").write_bytes(b"x")
    (tmp_path / "clips-too").mkdir()
    (tmp_path / "clips-too" / "x.wav").write_bytes(b"x")
    return inside


@pytest.mark.parametrize(
    ("src", "name"),
    [
        ("bell.wav", "bell.wav"),
        ("./deep/../bell.wav", "bell.wav"),
        ("deep/ü b/100%.wav", "deep/ü b/100%.wav"),
        ("deep/%C3%BC%20b/100%25.wav", "deep/ü b/100%.wav"),
        ("file:bell.wav", "bell.wav"),
        ("file://{folder}/bell.wav", "bell.wav"),
        ("file://localhost{folder}/bell.wav", "bell.wav"),
        ("{folder}/bell.wav", "bell.wav"),
    ],
)
def test_files_in_the_folder_are_allowed(folder, src, name):
    src = src.replace("{folder}", str(folder))
    assert clip.allowed(str(folder), src) == str(folder / name)


@pytest.mark.parametrize(
    "src",
    [
        "",
        ".",
        "deep",
        "none.wav",
        "bell.wav/../../secret.wav",
        "../secret.wav",
        "../clips-too/x.wav",
        "deep/../../secret.wav",
        "%2e%2e/secret.wav",
        "..%2Fsecret.wav",
        "%252e%252e/secret.wav",
        "..\\secret.wav",
        "{folder}/../secret.wav",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "file:///etc/passwd",
        "file://{folder}/../secret.wav",
        "file://example.org{folder}/bell.wav",
        "file:..%2fsecret.wav",
        "//example.org/bell.wav",
        "http://example.org/bell.wav",
        "https:bell.wav",
        "data:audio/wav;base64,AAAA",
        "concat:bell.wav|bell.wav",
        "bell.wav\0",
        "bell.wav%00",
        "%ff%fe.wav",
        "http://[::1",
        "\ud800.wav",
        "x" * 5000,
        "~/bell.wav",
        "$HOME/bell.wav",
    ],
)
def test_whatever_is_not_in_the_folder_is_not_allowed(folder, src):
    assert clip.allowed(str(folder), src.replace("{folder}", str(folder))) is None


def test_without_a_folder_nothing_is_allowed(folder):
    assert clip.allowed("", str(folder / "bell.wav")) is None
    assert clip.allowed("", "bell.wav") is None
    assert clip.allowed(str(folder / "none"), "bell.wav") is None


def test_links_that_lead_out_of_the_folder_are_not_allowed(folder):
    (folder / "out.wav").symlink_to(folder.parent / "secret.wav")
    (folder / "out").symlink_to(folder.parent)
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "in.wav").symlink_to("bell.wav")
    assert clip.allowed(str(folder), "out.wav") is None
    assert clip.allowed(str(folder), "out/secret.wav") is None
    assert clip.allowed(str(folder), "loop.wav") is None
    assert clip.allowed(str(folder), "in.wav") == str(folder / "bell.wav")


def test_the_folder_itself_may_be_a_link(folder):
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert clip.allowed(str(link), "bell.wav") == str(folder / "bell.wav")


def test_pipes_are_not_allowed_and_wait_for_nobody(folder):
    os.mkfifo(folder / "pipe.wav")
    assert clip.allowed(str(folder), "pipe.wav") is None
    with pytest.raises(UnreadableAudio, match="not a regular file"):
        list(clip.decode(str(folder / "pipe.wav"), RATE))


@pytest.mark.parametrize("name", ["wav", "mp3", "flac", "opus", "aac"])
def test_each_format_is_decoded_at_the_rate_that_is_asked_for(tmp_path, name):
    path = tmp_path / f"tone.{name}"
    path.write_bytes(encode(tone(1, 24000), name, 24000))
    pcm = numpy.frombuffer(b"".join(clip.decode(str(path), 16000)), "<i2").astype(float)
    assert len(pcm) == pytest.approx(16000, abs=2500)  # with what codecs add at the ends
    spectrum = numpy.abs(numpy.fft.rfft(pcm))
    assert numpy.argmax(spectrum) * 16000 / len(pcm) == pytest.approx(440, abs=3)
    middle = pcm[6000:10000]
    assert abs(middle).max() == pytest.approx(9000, rel=0.1)


def test_several_channels_become_one(tmp_path):
    import wave

    left = numpy.frombuffer(tone(0.5), "<i2")
    path = str(tmp_path / "stereo.wav")
    with wave.open(path, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(numpy.stack([left, left], axis=1).tobytes())
    pcm = numpy.frombuffer(b"".join(clip.decode(path, RATE)), "<i2")
    assert len(pcm) == len(left)
    assert abs(pcm.astype(int) - left).max() <= 2


def test_a_clip_is_cut_off_at_the_limit(folder):
    pieces = list(clip.decode(str(folder / "bell.wav"), RATE, limit_s=0.2))
    assert len(b"".join(pieces)) == round(0.2 * RATE) * 2


def test_a_long_clip_comes_in_pieces(tmp_path):
    """So that playing one takes no memory for the whole."""
    path = tmp_path / "long.flac"
    path.write_bytes(encode(bytes(60 * RATE * 2), "flac", RATE))
    assert max(map(len, clip.decode(str(path), 48000))) < 100_000


def test_a_file_that_is_too_large_is_refused(folder):
    with pytest.raises(UnreadableAudio, match="larger than 1,000 bytes"):
        list(clip.decode(str(folder / "bell.wav"), RATE, limit_bytes=1000))


@pytest.mark.parametrize(
    "content", [b"", b"x", bytes(5000), b"RIFF\xff\xff\xff\xffWAVEfmt ", b"ID3" + bytes(100)]
)
def test_what_is_no_sound_is_refused(tmp_path, content):
    path = tmp_path / "no.wav"
    path.write_bytes(content)
    with pytest.raises(UnreadableAudio, match="'no.wav' cannot be played"):
        list(clip.decode(str(path), RATE))
    assert not clip.playable(str(path))


def test_a_file_that_is_gone_is_refused(tmp_path):
    with pytest.raises(UnreadableAudio) as caught:
        list(clip.decode(str(tmp_path / "gone.wav"), RATE))
    assert str(tmp_path) not in caught.value.message
    assert not clip.playable(str(tmp_path / "gone.wav"))


def test_a_sound_is_playable(folder):
    assert clip.playable(str(folder / "bell.wav"))


def test_a_playlist_opens_no_other_file(folder, monkeypatch):
    """Not even one beside it that may be played by itself."""
    monkeypatch.chdir(folder)
    (folder / "list.ffconcat").write_text("ffconcat version 1.0\nfile 'bell.wav'\n")
    with pytest.raises(UnreadableAudio):
        list(clip.decode(str(folder / "list.ffconcat"), RATE))
