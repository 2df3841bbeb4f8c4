"""Finds the values of secret names in text: ``password=…``, ``"token": "…"``, ``Cookie: …``.

It reads JSON and Python's repr (also within one another), headers, query
strings, YAML, INI, XML and command lines, none of them exactly: where it is not
clear how far a value reaches, it takes too much. It goes through the text once.
"""

import re
from typing import Iterator, List, Optional, Tuple

from auto_voice.utils.redaction.names import KEY_KINDS, NEEDLES, holds_secret
from auto_voice.utils.redaction.patterns import HIDDEN
from auto_voice.utils.redaction.values import Span, closing, find_block, find_encoded, find_value

_FLAGS = re.ASCII | re.IGNORECASE
_WORD = re.compile("|".join(NEEDLES), _FLAGS)
_NAME_CHARS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_NAME_END = re.compile(r"[\w.-]*", _FLAGS)
_LONGEST = 64
"""Characters of a name that are looked at before the word in it that says what it is."""

_KIND = re.compile(rf"\b(?:{KEY_KINDS}) \Z", _FLAGS)
_HEADER = re.compile("authori[sz]ation|cookie", _FLAGS)
_NUMBER = re.compile(r"[-+]?[0-9][0-9_.,]*%?")
_LINE_START = re.compile(r"(?:^|[\r\n]|\\[nr]|\\(?=\Z))[ \t]*(?:- |export )?\Z")
_OPENER = re.compile(r"(\\{0,64})([\"'`])\Z")

_BLANK = r"(?:[ \t\u00a0\u200b\ufeff+]|%20|\\{1,64}(?:t|xa0|u200b|ufeff))*"
# What may stand between a name and its value; also of "user[password]=", 'environ["PASSWORD"] ='.
_SIGN = re.compile(
    r"(?P<close>\\{0,64}[\"'`]\s{0,40}|(?P<code>%2[27]|\\{1,8}(?:u00|x)2[27]|&(?:quot|#3[49]);))?"
    r"(?:\[\w{0,20}\]|%5B\w{0,20}%5D|[\])]|%5D){0,4}"
    + _BLANK
    + r"(?P<sign>=>|[:!=]=+|[=\uff1d\uff1a]|:(?!:|//)|(?P<encoded>%(?:25){0,3}3[AD]))",
    _FLAGS,
)
_EMPTY = re.compile(r"[ \t]+[\w.-]{1,64}=[^=\s]", _FLAGS)
# {"name": "PASSWORD", "value": "…"}, <input name="password" value="…">
_VALUE_SIGN = re.compile(
    r"\\{0,64}[\"']?[\s,]{0,40}(?:\\{1,64}[\"']|[\"'])?\bvalue\b\\{0,64}[\"']?\s{0,20}[:=]", _FLAGS
)
# ("Authorization", "…"), "--password", "…"
_COMMA = re.compile(r"\\{0,64}[\"']\s{0,40},(?=\s{0,40}b?\\{0,64}[\"'\[{(])", _FLAGS)
_IN_PAIR = re.compile(r"[\[(]\s{0,40}b?\\{0,64}[\"']\Z", _FLAGS)
_PAIR_ENDS = re.compile(r"(?:\\{0,64}[\"'])?,?\s{0,40}(?:[\])]|\Z)", _FLAGS)
_OPTION = re.compile(r"[ \t]+(?![-\s])")
_FORM = re.compile(r"\\{0,64}[\"'](?:\r?\n|(?:\\{1,64}r)?\\{1,64}n){2}")
_OBJECT = re.compile(r"(?=\((?:\w{1,20}=)?[bru]{0,2}\\{0,64}[\"'])")
_IN_TAG = re.compile(r"<(?:\w{1,20}:)?\Z", _FLAGS)
_TAG = re.compile(r"(?:\s[^<>]{0,200})?>(?:<!\[CDATA\[)?", _FLAGS)
_SAYS = re.compile("passw|passphrase|secret|api.?key", _FLAGS)
_SAID = re.compile(r"[ \t](?P<verb>(?:is|was) )?(?=[\"'`])", _FLAGS)


def scrub_pairs(text: str) -> Tuple[str, int]:
    """The text without the values of secret names, and how many were in it."""
    pieces: List[str] = []
    done = 0
    for span in _secrets(text):
        pieces += (text[done : span.begin], HIDDEN)
        done = span.end
    pieces.append(text[done:])
    return "".join(pieces), len(pieces) // 2


def _secrets(text: str) -> Iterator[Span]:
    at = 0
    while True:
        word = _WORD.search(text, at)
        if not word:
            return
        head = text[max(at, word.start() - _LONGEST) : word.start()]
        start = word.start() - (len(head) - len(head.rstrip(_NAME_CHARS)))
        end = _NAME_END.match(text, word.end()).end()  # type: ignore[union-attr]  # may be empty
        at = end
        name = _name(text, start, end)
        if name:
            span = _value(text, start, end, name)
            if span and span.end > span.begin and not _counts(text, span, name):
                at = span.end
                if text[span.begin : at] != HIDDEN:
                    yield span


def _name(text: str, start: int, end: int) -> str:
    """The name that stands there if it is a secret's, or an empty string."""
    name = text[start:end]
    before = text[max(0, start - 16) : start]
    names = [name]
    if before.endswith("\\"):
        names.append(name[1:])  # the first letter belongs to an escaped line break
    elif before.endswith("%"):
        names.append(name[2:])
    elif before.endswith(" ") and name.lower().startswith("key"):
        kind = _KIND.search(before)
        names += [kind.group() + name] if kind else []
    elif before.endswith(("?", "&")) and name.lower() == "key":
        return "api_key"  # in a query string, it is no sorting key
    return next(filter(holds_secret, names), "")


def _counts(text: str, span: Span, name: str) -> bool:
    """Whether the value is a number of something, as in ``tokens=12``."""
    number = span.end - span.begin < 32 and _NUMBER.fullmatch(text, span.begin, span.end)
    return bool(number) and not holds_secret(name, True)


def _value(text: str, start: int, end: int, name: str) -> Optional[Span]:
    """The value of the secret's name between ``start`` and ``end``, if it has one."""
    before = text[max(0, start - 100) : start]
    last = before[-1:]
    in_tag = _TAG.match(text, end) if last in ("<", ":") and _IN_TAG.search(before) else None
    if in_tag:
        close = text.find("<", in_tag.end())
        return Span(in_tag.end(), len(text) if close < 0 else close)
    sign = _SIGN.match(text, end)
    if sign:
        if sign["encoded"] or sign["code"]:
            return find_encoded(text, sign.end())
        return _after_sign(text, start, before, sign["close"], sign["sign"], sign.end(), name)
    other = _VALUE_SIGN.match(text, end)
    if not other and text.startswith("--", start):
        other = _OPTION.match(text, end) or _COMMA.match(text, end)
    if not other and name[0].isupper():  # the repr of a Token or a SecretStr
        other = _OBJECT.match(text, end)
    if not other:
        said = _SAID.match(text, end)
        other = said if said and (said["verb"] or _SAYS.search(name)) else None
    if other:
        return find_value(text, other.end())
    form = _FORM.match(text, end)
    if form:
        return find_value(text, form.end(), "line")
    comma = _COMMA.match(text, end) if last in ("'", '"') and _IN_PAIR.search(before) else None
    if comma:
        span = find_value(text, comma.end())
        return span if _PAIR_ENDS.match(text, span.end) else None
    return None


def _after_sign(
    text: str, start: int, before: str, close: Optional[str], sign: str, at: int, name: str
) -> Optional[Span]:
    if sign == "=" and text[at - 2 : at - 1] not in (" ", "\t") and _EMPTY.match(text, at):
        return None
    limit = None
    extent = "word"
    if sign == ":" and not close:
        block = find_block(text, at, start)
        if block:
            return block
        opener = _OPENER.search(before) if before[-1:] in ("'", '"', "`") else None
        if opener:  # "Authorization: …" as a whole is quoted
            stop = text.find("\n", at)
            limit = len(text) if stop < 0 else stop
            limit = closing(text, at, len(opener[1]), opener[2], limit)
            extent = "rest"
        if _HEADER.search(name):
            extent = "line"
    spaced = sign == ":" or text[at - 2 : at - 1] == " "
    if extent == "word" and spaced and _LINE_START.search(before):
        extent = "rest"
    return find_value(text, at, extent, limit)
