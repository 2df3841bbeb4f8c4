"""What ``<say-as>`` asks for: the text of one element, read as what its author says it is."""

from typing import Dict, List, Tuple

from auto_voice.text.aligned import Aligned, Piece
from auto_voice.text.edits import Edit, edited
from auto_voice.text.normalise import is_american, is_english

BLEEP = "bleep"
"""What is said in place of an expletive."""


def say_as(
    text: str,
    start: int,
    interpret_as: str,
    format: str = "",
    detail: str = "",
    language: str = "en",
) -> Tuple[Piece, ...]:
    """How ``text`` is said.

    Args:
        text: what the element holds.
        start: its index in the client's text.
        interpret_as: as in SSML, or as the large vendors name it.
        format: how a date or time is written: ``mdy``, ``hms12`` and so on.
        detail: taken for ``format`` where that is missing, as older documents have it.
        language: BCP 47 tag; beyond English only characters and digits are set apart.

    Returns:
        Settled pieces; one that is not settled where nothing is known of ``interpret_as``, or
        where the text is not what it is said to be.
    """
    kind = interpret_as.strip().lower()
    if kind in ("expletive", "bleep"):
        spoken = BLEEP if text.strip() else ""
        return (Piece(spoken, start, start + len(text), settled=True),) if spoken else ()
    verbatim = Piece(text, start, start + len(text))
    if kind in _SPELLED:
        return _spelled(text, start, language)
    if kind in ("digits", "digit"):
        return _digits(text, start, language)
    if kind not in _ENGLISH or not is_english(language):
        return (verbatim,)
    from auto_voice.text.english import spoken_as

    said = spoken_as.spoken(kind, text.strip(), (format or detail).lower(), is_american(language))
    if said is None:
        return (verbatim,)
    return _whole(text, start, said)


_SPELLED = frozenset(
    ("characters", "character", "spell-out", "spellout", "spell", "letters", "verbatim")
)
_ENGLISH = frozenset(
    "cardinal number ordinal fraction unit date time duration telephone address currency".split()
)


def _whole(text: str, start: int, said: str) -> Tuple[Piece, ...]:
    """``said`` for all of ``text`` but the white space around it."""
    begin = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    return edited(Aligned.verbatim(text, start), [Edit(begin, end, said)]).pieces


def _spelled(text: str, start: int, language: str) -> Tuple[Piece, ...]:
    """Character by character, each with its place."""
    names = _names(language)
    pieces: List[Piece] = []
    for at, char in enumerate(text):
        if char.isspace():
            continue
        said = names.get(char.lower(), char)
        if pieces:
            said = f" {said}"
        pieces.append(Piece(said, start + at, start + at + 1, settled=True))
    return tuple(pieces)


def _digits(text: str, start: int, language: str) -> Tuple[Piece, ...]:
    """Digit by digit; what is no digit stands between two groups."""
    names = _names(language)
    pieces: List[Piece] = []
    apart = ""
    for at, char in enumerate(text):
        if not char.isdigit():
            if pieces:
                apart = ","
            continue
        said = names.get(char, char)
        pieces.append(
            Piece(f"{apart} {said}" if pieces else said, start + at, start + at + 1, settled=True)
        )
        apart = ""
    return tuple(pieces) or (Piece(text, start, start + len(text)),)


def _names(language: str) -> Dict[str, str]:
    if not is_english(language):
        return {}
    from auto_voice.text.english.characters import NAMES

    return NAMES
