"""What ``<say-as>`` asks for."""

from typing import Tuple

from auto_voice.text.aligned import Piece


def say_as(
    text: str,
    start: int,
    interpret_as: str,
    format: str = "",
    detail: str = "",
    language: str = "en",
) -> Tuple[Piece, ...]:
    """``text``, which is written from index ``start`` on, as it is to be said."""
    if interpret_as not in ("characters", "spell-out"):
        return (Piece(text, start, start + len(text)),)
    return tuple(
        Piece(character + " ", at, at + 1, settled=True)
        for at, character in enumerate(text, start)
        if not character.isspace()
    )
