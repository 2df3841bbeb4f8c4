"""What the tests of SSML share."""

from auto_voice.text.script import Words
from auto_voice.text.ssml import parse


def items(source, resolve=lambda src: None, **options):
    return parse(source, resolve=resolve, **options)


def words(source, **options):
    """The items that are words."""
    return [item for item in items(source, **options) if isinstance(item, Words)]


def pieces(source, **options):
    return [piece for item in words(source, **options) for piece in item.pieces]


def spoken(source, **options):
    """All that is said, items side by side."""
    return "".join(piece.text for piece in pieces(source, **options))


def kinds(source, **options):
    """The kinds of items in their order, words as their text."""
    return [
        "".join(piece.text for piece in item.pieces) if isinstance(item, Words) else type(item)
        for item in items(source, **options)
    ]


def style(source, **options):
    """The style of the only words there are."""
    (only,) = words(source, **options)
    return only.style
