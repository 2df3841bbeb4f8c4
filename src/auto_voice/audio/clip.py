"""Recorded sound from files of one folder, as PCM."""

import errno
import os
import stat
from typing import Any, BinaryIO, Iterator, Optional
from urllib.parse import unquote, urlsplit

from auto_voice.audio.libav import import_av
from auto_voice.audio.pcm import BYTES_PER_SAMPLE
from auto_voice.errors import UnreadableAudio

MAX_S = 600.0
MAX_FILE_BYTES = 100_000_000

# A file may be a playlist; FFmpeg then opens nothing that is named in it.
_OPTIONS = {"protocol_whitelist": "none"}


def allowed(directory: str, src: str) -> Optional[str]:
    """The file that ``src`` names, if it is a regular file in ``directory`` or below.

    Args:
        directory: the only folder that files may come from; empty: there is none.
        src: what a client sent: a path relative to the folder, or an absolute one or a
            ``file:`` URL that leads into it; percent escapes are resolved.

    Returns:
        The real path, free of symbolic links, or None: for other URLs, for whatever leads out of
        the folder, for what is no regular file or cannot be read.
    """
    if not directory or "\0" in src:
        return None
    try:
        url = urlsplit(src)
        if url.scheme not in ("", "file") or url.netloc not in ("", "localhost"):
            return None
        root = os.path.realpath(directory)
        path = os.path.realpath(os.path.join(root, unquote(url.path, errors="strict")))
        inside = os.path.commonpath([root, path]) == root
        if inside and stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.R_OK):
            return path
    except (OSError, ValueError):
        pass  # too long, in no encoding, not there, …
    return None


def playable(path: str) -> bool:
    """Whether the file is one whose sound can be decoded; reads its beginning."""
    try:
        for _ in decode(path, 8000, limit_s=0.01):
            return True
    except UnreadableAudio:
        pass
    return False


def decode(
    path: str,
    sample_rate_hz: int,
    *,
    limit_s: float = MAX_S,
    limit_bytes: int = MAX_FILE_BYTES,
) -> Iterator[bytes]:
    """The sound of a file, in pieces of PCM as they are decoded; all channels as one.

    Args:
        path: a regular file in any format that FFmpeg reads.
        sample_rate_hz: of the PCM.
        limit_s: seconds after which the sound is cut off.
        limit_bytes: the largest file that is read.

    Raises:
        UnreadableAudio: there is no such file, it is too large, or no sound can be decoded.
    """
    av = import_av()
    left = round(limit_s * sample_rate_hz) * BYTES_PER_SAMPLE
    try:
        with _opened(path, limit_bytes) as file:
            with av.open(file, options=_OPTIONS) as container:
                for pcm in _pcm(av, container, sample_rate_hz):
                    yield pcm[:left]
                    left -= len(pcm)
                    if left <= 0:
                        return
    except (av.FFmpegError, OSError, ValueError) as error:
        # Not the whole error: it may tell where the folder is.
        why = getattr(error, "strerror", None) or error
        raise UnreadableAudio(
            f"The audio file {os.path.basename(path)!r} cannot be played: {why}", param="input"
        ) from None


def _opened(path: str, limit_bytes: int) -> BinaryIO:
    # Not to wait for a writer, should it be a pipe, nor to follow a link put there meanwhile.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    file = os.fdopen(os.open(path, flags | getattr(os, "O_CLOEXEC", 0)), "rb")
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file")
    if status.st_size > limit_bytes:
        file.close()
        raise OSError(errno.EFBIG, f"larger than {limit_bytes:,} bytes")
    return file


def _pcm(av: Any, container: Any, sample_rate_hz: int) -> Iterator[bytes]:
    if not container.streams.audio:
        raise ValueError("there is no sound in it")
    stream = container.streams.audio[0]
    stream.codec_context.thread_count = 1  # a clip is no reason for a thread per core
    resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate_hz)
    for frame in container.decode(stream):
        frame.pts = None  # gaps in the time stamps would become gaps in the sound, or errors
        yield from _bytes(resampler.resample(frame))
    yield from _bytes(resampler.resample(None))


def _bytes(frames: Any) -> Iterator[bytes]:
    return (frame.to_ndarray().tobytes() for frame in frames if frame is not None)
