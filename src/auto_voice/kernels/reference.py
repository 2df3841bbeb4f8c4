"""The search in numpy, for machines without libautovoice: a whole batch, frame by frame."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


class Unusable(Exception):
    """A value that a way may pass is NaN or plus infinity."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row
        """The first row that has one."""


def maximum_path(
    values: "NDArray[numpy.float32]",
    text_lengths: "NDArray[numpy.int32]",
    mel_lengths: "NDArray[numpy.int32]",
) -> "NDArray[numpy.int32]":
    """The token of each frame [B, T_mel]; -1 past a row's length.

    Arguments as for `alignment.maximum_path`, and checked there.

    Raises:
        Unusable: a value is NaN or plus infinity.
    """
    import numpy as np

    batch, text, mel = values.shape
    frames_of = mel_lengths.astype(np.int64)
    tokens_of = text_lengths.astype(np.int64)
    token = np.arange(text)
    impossible = np.float32(-np.inf)
    # sums[:, 0] stands before the first token: only from there can a way begin.
    sums: "NDArray[Any]" = np.full((batch, text + 1), impossible, dtype=np.float32)
    sums[:, 0] = 0
    moved = np.zeros((mel, batch, text), dtype=bool)
    fine = np.ones(batch, dtype=bool)
    by_frame = np.ascontiguousarray(values.transpose(2, 0, 1))
    for frame in range(mel):
        # Early enough for the other tokens to fit in, and no later than one token a frame allows.
        first = tokens_of + frame - frames_of
        reached = (
            (token >= first[:, None]) & (token < tokens_of[:, None]) & (token <= frame)
        )  # [B, T_text]
        value = np.where(reached, by_frame[frame], impossible)
        fine &= (value < np.inf).all(axis=1)
        before, same = sums[:, :-1], sums[:, 1:]
        move = before > same  # on a tie it stays
        with np.errstate(over="ignore", invalid="ignore"):
            best = np.where(move, before, same) + value
        moved[frame] = move
        sums[:, 0] = impossible
        sums[:, 1:] = best
    if not fine.all():
        raise Unusable(int(fine.argmin()))

    tokens = np.full((batch, mel), -1, dtype=np.int32)
    rows = np.arange(batch)
    at = tokens_of - 1
    for frame in range(mel - 1, -1, -1):
        within = frame < frames_of
        tokens[within, frame] = at[within]
        # As many frames as tokens are left: whatever the sums say, it must move.
        goes = within & (at > 0) & ((at == frame) | moved[frame, rows, at])
        at = at - goes
    return tokens
