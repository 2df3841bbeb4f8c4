"""What the audio tests share: a signal, ways to cut it, and FFmpeg's opinion of a file."""

import io
import subprocess
import tempfile
from typing import Any, Iterable, List

import numpy

from auto_voice.audio.encoders import encoder


def speech_like(seconds: float, sample_rate_hz: int) -> bytes:
    """PCM with a gliding voice, breaks and a little noise: nothing repeats itself."""
    t = numpy.arange(round(seconds * sample_rate_hz)) / sample_rate_hz  # [S]
    phase = 2 * numpy.pi * (120 * t + 40 * t**2 + 3 * numpy.sin(2 * numpy.pi * 3 * t))
    voice = sum(numpy.sin(k * phase + k * k) / k for k in range(1, 12))
    syllables = numpy.clip(1.2 * numpy.sin(2 * numpy.pi * 2.3 * t + 0.5) + 0.5, 0.02, 1)
    noise = numpy.random.RandomState(7).randn(len(t)) * 0.01
    samples = 6000 * syllables * (voice + noise)
    return samples.astype("<i2").tobytes()


def encode(
    pcm: bytes, format_name: str, rate: int, cuts: Iterable[int] = (), **kwargs: Any
) -> bytes:
    """``pcm`` encoded in pieces of ``cuts`` bytes, then the rest in one."""
    out = encoder(format_name, rate, **kwargs)
    data, start = [], 0
    for size in cuts:
        data.append(out.encode(pcm[start : start + size]))
        start += size
    data.append(out.encode(pcm[start:]))
    data.append(out.finish())
    return b"".join(data)


def decode(data: bytes, format_name: str) -> "numpy.ndarray[Any, Any]":
    """The samples of a file as FFmpeg decodes them, int16: [S]."""
    import av

    demuxer = {"opus": "ogg"}.get(format_name, format_name)
    frames: List[Any] = []
    with av.open(io.BytesIO(data), format=demuxer) as container:
        to_s16 = av.AudioResampler(format="s16", layout="mono")
        for frame in container.decode(audio=0):
            frame.pts = None
            frames += to_s16.resample(frame)
        frames += to_s16.resample(None)
    nothing = numpy.zeros(0, "<i2")
    return numpy.concatenate([nothing] + [frame.to_ndarray()[0] for frame in frames])


def ffprobe(data: bytes, *args: str) -> str:
    """What ffprobe says of a file of these bytes; anything it calls an error fails the test."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return _run(["ffprobe", "-of", "default=nk=1:nw=1", *args, file.name]).decode()


def ffmpeg_decode(data: bytes, *args: str) -> bytes:
    """PCM of streamed bytes; anything ffmpeg calls an error, bad CRCs too, fails the test."""
    detect = ["-err_detect", "crccheck+bitstream+buffer"]
    return _run(["ffmpeg", *detect, *args, "-i", "-", "-f", "s16le", "-"], data)


def _run(command: List[str], data: bytes = b"") -> bytes:
    command = [*command[:1], "-v", "error", *command[1:]]
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout
