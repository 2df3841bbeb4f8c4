"""What the rules of English give and take."""

from typing import Callable, NamedTuple, Optional


class Reading(NamedTuple):
    """How a stretch of text is said. It starts where the rule was asked to look."""

    said: str
    end: int
    """Index after the stretch."""


Rule = Callable[[str, int, bool], Optional[Reading]]
"""Called with a text, an index in it, and whether American English is meant.

It looks at a bounded stretch, or one that it reads whole: hostile text costs linear time.
"""


def previous_word(text: str, at: int) -> str:
    """The word before ``at``, white space between; empty where there is none."""
    before = text[max(0, at - 24) : at]
    if not before or not before[-1].isspace():
        return ""
    words = before.split()
    return words[-1].strip("(\"'“‘") if words else ""


def next_word(text: str, at: int) -> str:
    """The word after ``at``, white space between; empty where there is none."""
    after = text[at : at + 24]
    if not after or not after[0].isspace():
        return ""
    words = after.split()
    return words[0].rstrip(".,;:!?)\"'”’") if words else ""
