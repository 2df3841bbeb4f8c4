"""The contract of encoders, held against all of them."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.audio import encoders, libav
from auto_voice.audio.encoders import ENCODERS, FORMATS, available, encoder
from auto_voice.audio.libav import Codec
from auto_voice.errors import InvalidRequest, MissingDependency
from tests.examples import examples
from tests.unit.audio.sound import encode, speech_like

RATE = 24000
SPEECH = speech_like(0.5, RATE)
WHOLE = {name: encode(SPEECH, name, RATE) for name in FORMATS}
COMPRESSED = ["mp3", "opus", "aac", "flac"]


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None, max_examples=examples(20))
@given(cuts=st.lists(st.one_of(st.integers(0, 9), st.integers(0, 5000)), max_size=25))
def test_any_chunking_gives_identical_bytes(name, cuts):
    assert encode(SPEECH, name, RATE, cuts) == WHOLE[name]


@pytest.mark.parametrize("name", FORMATS)
def test_byte_by_byte_gives_identical_bytes(name):
    assert encode(SPEECH, name, RATE, [1] * 6000) == WHOLE[name]


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_bytearray_and_memoryview_are_all_pcm(name):
    half = len(SPEECH) // 2
    out = encoder(name, RATE)
    data = out.encode(bytearray(SPEECH[:half])) + out.encode(memoryview(SPEECH[half:]).cast("h"))
    assert data + out.finish() == WHOLE[name]


def test_another_process_gives_identical_bytes():
    program = (
        "import hashlib, sys; from auto_voice.audio.encoders import FORMATS, encoder\n"
        "pcm = sys.stdin.buffer.read()\n"
        "for name in FORMATS:\n"
        f"    e = encoder(name, {RATE})\n"
        "    print(name, hashlib.sha256(e.encode(pcm) + e.finish()).hexdigest())\n"
    )
    lines = subprocess.check_output([sys.executable, "-c", program], input=SPEECH).decode()
    assert dict(line.split() for line in lines.splitlines()) == {
        name: hashlib.sha256(data).hexdigest() for name, data in WHOLE.items()
    }


@pytest.mark.parametrize("name", FORMATS)
def test_two_encoders_at_once_do_not_disturb_each_other(name):
    one, two = encoder(name, RATE), encoder(name, RATE)
    data, start, step = [], 0, 1500
    while start < len(SPEECH):
        data.append(one.encode(SPEECH[start : start + step]))
        two.encode(bytes(step))
        start += step
    assert b"".join(data) + one.finish() == WHOLE[name]
    two.close()


def test_encoders_in_parallel_threads_give_identical_bytes():
    names = list(FORMATS) * 8
    with ThreadPoolExecutor(8) as threads:
        files = threads.map(lambda name: encode(SPEECH, name, RATE, [1000] * 20), names)
        assert [WHOLE[name] == data for name, data in zip(names, files)] == [True] * len(names)


@pytest.mark.parametrize("name", FORMATS)
def test_first_bytes_come_within_120_ms_of_audio(name):
    out = encoder(name, RATE)
    piece = int(0.01 * RATE) * 2
    for count in range(1, 13):
        # A header alone would be no audio.
        if len(out.encode(SPEECH[(count - 1) * piece : count * piece])) > 44:
            break
    else:
        pytest.fail("nothing came")
    out.close()


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_come_all_along(name):
    out = encoder(name, RATE)
    second = speech_like(1.0, RATE)
    sizes = [len(out.encode(second)) for _ in range(4)]
    out.close()
    assert min(sizes[1:]) > 0.7 * max(sizes)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_comes_before_there_is_audio(name):
    out = encoder(name, RATE)
    assert out.encode(b"") == b""
    out.close()


@pytest.mark.parametrize("name", FORMATS)
def test_an_encoder_abandoned_midway_can_be_closed_more_than_once(name):
    out = encoder(name, RATE)
    out.encode(SPEECH[:5001])
    out.close()
    out.close()
    with pytest.raises(ValueError, match="closed"):
        out.encode(SPEECH)
    with pytest.raises(ValueError, match="closed"):
        out.finish()


@pytest.mark.parametrize("name", FORMATS)
def test_a_finished_encoder_is_closed(name):
    out = encoder(name, RATE)
    out.encode(SPEECH)
    out.finish()
    out.close()
    with pytest.raises(ValueError, match="closed"):
        out.encode(SPEECH)


@pytest.mark.parametrize("name", FORMATS)
def test_an_announced_length_is_held_against_what_came(name):
    out = encoder(name, RATE, total_samples=3)
    out.encode(bytes(4))
    with pytest.raises(ValueError, match="3 samples were announced, not 2"):
        out.finish()
    with pytest.raises(ValueError, match="closed"):
        out.finish()


@pytest.mark.parametrize("name", FORMATS)
def test_half_a_sample_at_the_end_is_dropped(name):
    assert encode(SPEECH + b"\x01", name, RATE) == WHOLE[name]


def test_each_format_has_an_encoder():
    assert set(ENCODERS) == set(FORMATS)


def test_unknown_formats_and_rates_are_refused():
    with pytest.raises(InvalidRequest) as caught:
        encoder("midi", RATE)
    assert caught.value.param == "response_format"
    with pytest.raises(InvalidRequest) as caught:
        encoder("opus", 22050)
    assert caught.value.param == "sample_rate"


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="counts threads by /proc")
@pytest.mark.parametrize("name", COMPRESSED)
def test_an_encoder_starts_no_threads(name):
    encode(SPEECH, name, RATE)
    before = len(os.listdir("/proc/self/task"))
    out = encoder(name, RATE)
    out.encode(SPEECH)
    assert len(os.listdir("/proc/self/task")) == before
    out.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads memory from /proc")
@pytest.mark.parametrize("name", COMPRESSED)
def test_abandoned_encoders_leave_no_memory_behind(name):
    closed = []

    def abandon(count):
        for _ in range(count):
            out = encoder(name, RATE)
            out.encode(SPEECH[:6000])
            out.close()
            closed.append(out)  # what is closed is free, even where somebody holds on to it
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def growth():
        before = abandon(0)
        return abandon(300) - before

    abandon(200)  # by then the heap has its size
    # An encoder is 0.01 MB (opus) to 6.6 MB (flac): 300 leaked ones show, and they do each time;
    # what something else in this process takes comes once.
    assert any(growth() < 2e6 for _ in range(3))


def test_all_formats_are_available_here():
    assert available() == dict.fromkeys(FORMATS)


def test_doctor_hears_why_a_format_is_not_available(monkeypatch):
    def broken(sample_rate_hz, total_samples):
        raise RuntimeError("no such luck")

    monkeypatch.setitem(encoders.ENCODERS, "aac", broken)
    troubles = available()
    assert troubles.pop("aac") == "RuntimeError: no such luck"
    assert set(troubles.values()) == {None}


def test_without_pyav_the_error_names_the_pip_install_and_wav_still_works(monkeypatch):
    libav.import_av.cache_clear()
    monkeypatch.setitem(sys.modules, "av", None)
    try:
        troubles = available()
        with pytest.raises(MissingDependency, match="pip install"):
            encoder("mp3", RATE)
    finally:
        libav.import_av.cache_clear()
    assert {name for name, trouble in troubles.items() if trouble} == set(COMPRESSED)
    assert all("pip install" in trouble for trouble in troubles.values() if trouble)


def test_an_ffmpeg_without_the_codec_is_a_missing_dependency():
    with pytest.raises(MissingDependency, match="libnonsense"):
        Codec("libnonsense", RATE, "s16", {})


def test_importing_wav_pcm_and_equal_rates_load_no_heavy_library():
    program = (
        "import sys\n"
        "from auto_voice.audio.encoders import encoder\n"
        "from auto_voice.audio.resample import Resampler\n"
        "for name in ('wav', 'pcm'):\n"
        "    e = encoder(name, 24000)\n"
        "    e.encode(Resampler(24000, 24000).push(bytes(100))), e.finish()\n"
        "print(sorted({'av', 'numpy', 'soxr'} & set(sys.modules)))\n"
    )
    assert subprocess.check_output([sys.executable, "-c", program]).strip() == b"[]"
