"""Monotonic alignment search: which token of a text each frame of its recording belongs to.

Kim et al. 2020, "Glow-TTS: A Generative Flow for Text-to-Speech via Monotonic Alignment
Search", algorithm 1 (https://arxiv.org/abs/2005.11129); VITS trains with the same.
"""

from typing import TYPE_CHECKING, Any, Literal

from auto_voice.kernels import native, reference
from auto_voice.settings import available_cores

if TYPE_CHECKING:
    import numpy
    from numpy.typing import ArrayLike, NDArray

Way = Literal["auto", "numpy", "native", "cuda"]


def maximum_path(
    values: "NDArray[Any]",
    text_lengths: "ArrayLike",
    mel_lengths: "ArrayLike",
    way: Way = "auto",
) -> "NDArray[numpy.bool_]":
    """The likeliest way of each recording through its text.

    A way is at the first token in the first frame and at the last token in the last one; from
    one frame to the next it stays or goes on by one token. Its score is the sum of the values
    it passes, in float32, frame after frame. Of ways with the same score it is the one whose
    last token begins earliest; if they still agree, whose last but one does, and so on. All
    implementations give the same ways, to the last bit.

    Args:
        values: [B, T_text, T_mel] log-likelihood of each frame under each token, floating;
            computed in float32. Any memory layout: ``values.transpose(0, 2, 1)`` of VITS'
            [B, T_mel, T_text] is not copied. Minus infinity: never, if there is another way.
        text_lengths: [B] tokens of each text, integers.
        mel_lengths: [B] frames of each recording, integers; at least one a token.
        way: ``native`` is the C++ reference, ``cuda`` copies to the GPU and back; ``auto``
            takes ``native`` where libautovoice is, and ``numpy`` elsewhere.

    Returns:
        [B, T_text, T_mel], true where the way passes: each frame within a row's length has one
        token. Summed over the frames, these are durations. Past the lengths all is false, and
        what ``values`` has there makes no difference.

    Raises:
        TypeError: the values are not floating, or the lengths no integers.
        ValueError: the shapes do not fit together; a row has no token, more tokens than frames,
            or more of either than the array; a value that a way may pass is NaN or plus infinity.
        MissingDependency: this way was asked for, and this machine lacks what it takes; or
            there is a libautovoice that cannot be loaded.
    """
    import numpy as np

    values = np.asarray(values)
    if values.dtype.kind != "f":
        raise TypeError(f"the values must be floating, not {values.dtype}")
    if values.ndim != 3:
        raise ValueError(f"the values must be [B, T_text, T_mel], not of shape {values.shape}")
    values = values.astype(np.float32, copy=False)
    batch, text, mel = values.shape
    texts = _lengths(text_lengths, batch, "text_lengths")
    mels = _lengths(mel_lengths, batch, "mel_lengths")
    wrong = (texts < 1) | (texts > mels) | (texts > text) | (mels > mel)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"row {row} has {texts[row]} tokens and {mels[row]} frames; it takes at least one "
            f"token, a frame for each, and no more than the array's {text} and {mel}"
        )
    lengths = texts.astype(np.int32), mels.astype(np.int32)

    library = None if way == "numpy" else native.library()
    if library is None and way in ("native", "cuda"):
        raise native.missing()
    try:
        if library is None:
            tokens = reference.maximum_path(values, *lengths)
        elif way == "cuda":
            tokens = library.maximum_path_cuda(values, *lengths)
        else:
            tokens = library.maximum_path(values, *lengths, threads=available_cores())
    except reference.Unusable as error:
        raise ValueError(f"a value of row {error.row} is NaN or infinite") from None

    path = np.zeros((batch, text, mel), dtype=bool)
    rows, frames = np.nonzero(tokens >= 0)
    path[rows, tokens[rows, frames], frames] = True
    return path


def _lengths(lengths: "ArrayLike", batch: int, name: str) -> "NDArray[numpy.int64]":
    import numpy as np

    array = np.asarray(lengths)
    if array.shape != (batch,):
        raise ValueError(f"{name} must be of shape ({batch},), not {array.shape}")
    if array.dtype.kind not in "iu" and batch:
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    return array.astype(np.int64)
