"""What is written for the eye, put into words for the ear.

Markdown's marks go and emoji get names in every language. Numbers, money, dates,
addresses and the like are read out in English; elsewhere the engine knows better.
"""

import re
from typing import List

from auto_voice.text.aligned import Aligned
from auto_voice.text.edits import Edit, edited, open_runs
from auto_voice.text.emojis import EMOTICON, PICTURES, without_emoji
from auto_voice.text.markdown import without_markdown

_SPECIAL = re.compile(
    # Signs and digits; then full stops that do not end the sentence, and Roman numerals.
    rf"[0-9#$%&*+/<=>@\[\\\]^_`{{|}}~|£€¥￥₦-₿¢§©®™°º±²³µ·×÷¼-¾⅓-⅞‰•‣◦▪←-⇿∂-⋿℃℉№–{PICTURES}]"
    rf"|\.(?=\s{{0,8}}[^\s\"'”’)\].])"
    rf"|[IVX]{{2}}|\b[VX]\b|\A\s{{0,8}}-|[\n\r][ \t]{{0,8}}-|\s-\s|{EMOTICON}"
)
"""What any rule below begins with. Most sentences have none of it and pass at once."""
_AMERICAN = frozenset(("us", "ph", "pr"))


def normalise(said: Aligned, language: str) -> Aligned:
    """``said`` as it is read aloud.

    Args:
        said: one sentence. Its settled pieces stay as they are.
        language: BCP 47 tag; the region decides how dates are read (en-US, else as in Britain).

    Returns:
        Pieces in the same order; what was changed is settled and has the span it stands for.
    """
    return worded(unmarked(said, language), language)


def unmarked(said: Aligned, language: str) -> Aligned:
    """The first half of `normalise`: what only marks words up is gone, and the words are there.

    A lexicon comes after it: settled words would keep the two ends of a mark apart.
    """
    return without_markdown(said) if _SPECIAL.search(said.text) else said


def worded(said: Aligned, language: str) -> Aligned:
    """The second half: signs, numbers and the like in words."""
    if not _SPECIAL.search(said.text):
        return said
    said = without_emoji(said, language)
    return _in_english(said, is_american(language)) if is_english(language) else said


def is_english(language: str) -> bool:
    """Whether numbers and the like are read here in words of ``language``, a BCP 47 tag."""
    return re.match("en(?![a-z])", language, re.IGNORECASE) is not None


def is_american(language: str) -> bool:
    """Whether its dates begin with the month, and "one hundred one" has no "and"."""
    return not _AMERICAN.isdisjoint(re.split("[-_]", language.lower())[1:])


def _in_english(said: Aligned, american: bool) -> Aligned:
    # Imported here: a server for other languages need not know them.
    from auto_voice.text.english.reader import read
    from auto_voice.text.english.web import WEB, addresses

    if WEB.search(said.text):
        found: List[Edit] = []
        for start, text in open_runs(said):
            found += (Edit(start + e.start, start + e.end, e.text) for e in addresses(text))
        said = edited(said, found)
    changes: List[Edit] = []
    for start, text in open_runs(said):
        changes += (Edit(start + e.start, start + e.end, e.text) for e in read(text, american))
    return edited(said, changes) if changes else said
