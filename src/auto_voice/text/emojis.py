"""Emoji by their names, each once, and emoticons not at all."""

import re
from functools import lru_cache
from typing import Any, List

from auto_voice.text.aligned import Aligned
from auto_voice.text.edits import Edit, edited, open_runs, spaced

PICTURES = "\U0001f000-\U0001faff\u2600-\u27bf\u231a-\u23ff\u25aa-\u25fe\u2b05-\u2b55\u20e3\ufe0f"
"""What emoji begin with or are marked by, written as the inside of a regular expression's [ ]."""

# One emoji: a picture or a keycap, what changes it, and what is joined to it.
_ONE = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u2194-\u21aa\u00a9\u00ae\u2122\u2139\u203c\u2049\u3030\u303d\u3297\u3299\u24c2]\ufe0f"
    "|[\U0001f000-\U0001faff\u2600-\u27bf\u231a-\u23ff\u25aa-\u25fe\u2b05-\u2b55]"
    "(?:[\ufe0f\U0001f3fb-\U0001f3ff]|[\U000e0020-\U000e007f]{1,8}"
    "|\u200d[\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff]){0,16})"
)
_RUN = re.compile(f"{_ONE}(?:[ ]?{_ONE})*")
_KEYCAP = re.compile("[0-9#*](\ufe0f?\u20e3)")
_EACH = re.compile(_ONE)
_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_EMOTICON = re.compile(
    r"(?:\s{1,8}|\A)(?:[:;]['’]?[-^o]?[)(\]\[DPp|/\\*3Oo]"
    r"|[=8][-^]?[)(D]|[xX]D|<3(?=[.,!?)]|\s{0,8}\Z)|\^_?\^|¯\\_\(ツ\)_/¯)"
    r"(?=[\s.,!?)]|\Z)"
)
EMOTICON = r"\^_?\^|¯|[:;=8xX<]['’]?[-^o]?[)(\]\[DPp|/\\*3Oo]"
"""Found where an emoticon may be."""

_ANY = re.compile(f"[{PICTURES}]|{EMOTICON}|[\U0001f1e6-\U0001f1ff]")


def without_emoji(said: Aligned, language: str) -> Aligned:
    """``said`` with names in place of emoji; without them where the language has no names."""
    edits: List[Edit] = []
    for start, text in open_runs(said):
        if not _ANY.search(text):
            continue
        found = [Edit(match.start(), match.end(), "") for match in _EMOTICON.finditer(text)]
        for match in _RUN.finditer(text):
            begin, end = match.span()
            names = _names(match.group(), language)
            found.append(Edit(begin, end, spaced(text, begin, end, names) if names else " "))
        found += (Edit(match.start(1), match.end(), "") for match in _KEYCAP.finditer(text))
        found.sort()
        edits += (Edit(start + e.start, start + e.end, e.text) for e in found)
    return edited(said, edits) if edits else said


def _names(run: str, language: str) -> str:
    """The names of the emoji in ``run``."""
    names: List[str] = []
    for picture in _EACH.findall(run):
        name = _name(picture, language)
        if name and (not names or name != names[-1]):
            names.append(name)
    return ", ".join(names)


@lru_cache(maxsize=1024)
def _name(picture: str, language: str) -> str:
    """In the language's words, without the tone of skin; empty: it has no name."""
    emoji = _package()
    tag = language.lower().split("-")[0].split("_")[0]
    if tag not in emoji.LANGUAGES:
        return ""
    plain = _TONES.sub("", picture)
    for known in (plain, plain + "\ufe0f", plain.replace("\ufe0f", "")):
        if known in emoji.EMOJI_DATA:
            named = str(emoji.demojize(known, language=tag, delimiters=("", "")))
            break
    else:
        return ""
    if named == known:
        return ""
    name = re.sub(r"[_\s]+", " ", re.sub(r"[“”\"():]|_\(blood_type\)", "", named)).strip()
    if tag == "en" and _FLAG.fullmatch(plain):
        return f"flag of {name}"
    return name


@lru_cache(maxsize=1)
def _package() -> Any:
    """Imported at the first emoji: its tables take 30 ms to load and 7 MB to keep."""
    import emoji

    return emoji
