"""Addresses of pages and mail, handles and hashtags: said so that a listener can follow."""

import re
from typing import Iterable, List

from auto_voice.text.edits import Edit
from auto_voice.text.english.numbers import brief

_TLDS = (
    "com|org|net|edu|gov|mil|info|biz|io|dev|app|ai|co|me|tv|uk|us|de|fr|eu|ca|au|nl|ch|at|jp|cn|"
    "in|xyz|tech|online|site|blog|cloud|int"
)
WEB = re.compile(r"@|://|[wW]{3}\.|(?:\.(?:%s))(?![\w-])" % _TLDS)
"""Found where anything of this may be."""

_ADDRESS = re.compile(
    # A local part of an address is 64 characters at most.
    r"(?<![\w.+@-])(?:mailto:)?(?P<user>[A-Za-z0-9][\w.+%%-]{0,63})@"
    r"(?P<mailhost>[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8})"
    r"|(?<![\w@])(?P<scheme>[A-Za-z][A-Za-z0-9+]{1,9}://)(?P<url>[^\s<>\"'“”‘’]{1,2000})"
    r"|(?<![\w@./-])(?P<bare>(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,6}(?:%s)"
    r"(?![\w@-]|\.\w)(?P<port>:[0-9]{2,5})?(?:/[^\s<>\"“”]{0,2000})?)"
    r"|(?<![\w@./-])(?P<www>[wW]{3}\.[^\s<>\"“”]{3,2000})"
    r"|(?<![\w@/.])@(?P<handle>[A-Za-z0-9_]{1,40}(?:\.[A-Za-z0-9_]{1,40}){0,3})" % _TLDS
)
_AFTER = ".,;:!?…*_~`"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_PART = re.compile("[A-Za-z]+|[0-9]+|[._+~-]|[^\\W\\d_]+")
_MARKS = {".": "dot", "_": "underscore", "-": "dash", "+": "plus", "~": "tilde"}
_SPELLED = frozenset("uk us de fr eu ca au nl ch jp cn io ai tv ftp http https www".split())
_ID = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_-]{9,}|[0-9A-Za-z_-]{25,}|[0-9]{7,}|.{41,}")
_MAX_STEPS = 4
"""Parts of a path that are said; nobody remembers more."""


def addresses(text: str) -> Iterable[Edit]:
    """What is said for each address in ``text``."""
    for match in _ADDRESS.finditer(text):
        start, end = match.span()
        if match["user"]:
            said = f"{_words(match['user'])} at {_host(match['mailhost'])}"
        elif match["handle"]:
            said = f"at {_words(match['handle'], underscore='')}"
        else:
            written = match["url"] or match["bare"] or match["www"]
            kept = _without_tail(written)
            end -= len(written) - len(kept)
            said = _url(kept)
        if said:
            yield Edit(start, end, said)


def _without_tail(url: str) -> str:
    """Without what belongs to the sentence rather than to the address."""
    while url:
        last = url[-1]
        if last in _AFTER or (last in _PAIRS and url.count(last) > url.count(_PAIRS[last])):
            url = url[:-1]
        else:
            break
    return url


def _url(url: str) -> str:
    """``url`` without its scheme. What comes after "?" or "#" is for machines."""
    path, *_ = re.split("[?#]", url, maxsplit=1)
    host, *steps = path.split("/")
    host = host.rpartition("@")[2]
    host, _, port = host.partition(":")
    if host.lower().startswith("www.") and host.count(".") > 1:
        host = host[4:]
    said = [_host(host)]
    if port.isdecimal():
        said.append(f"port {brief(port)}")
    steps = [step for step in steps if step]
    for step in steps[:_MAX_STEPS]:
        if _ID.fullmatch(step) and not _is_words(step):
            break
        said.append(f"slash {_words(step, dash='', underscore='')}")
    return " ".join(said)


def _is_words(step: str) -> bool:
    """Whether it is words with dashes, such as a headline, rather than a key."""
    words = re.split("[-_.]", step)
    return (
        len(step) < 80
        and all(word.isalpha() and word.islower() or word.isdecimal() for word in words if word)
        and len(words) > 2
    )


def _host(host: str) -> str:
    labels = host.split(".")
    if all(label.isdecimal() for label in labels):
        return " dot ".join(brief(label) for label in labels)
    said = [_words(label) for label in labels[:-1]]
    last = labels[-1]
    said.append(" ".join(last.upper()) if last.lower() in _SPELLED else _words(last))
    return " dot ".join(word for word in said if word)


def _words(text: str, dash: str = "dash", underscore: str = "underscore") -> str:
    """The parts of a name, its marks by theirs."""
    names = {**_MARKS, "-": dash, "_": underscore}
    parts: List[str] = []
    for part in _PART.findall(text):
        word = names.get(part, part)
        parts.append(brief(word) if word.isdecimal() and word.isascii() else word)
    return " ".join(part for part in parts if part)
