"""Where a secret value in a text begins and ends, once its name and sign have been read."""

import re
from typing import NamedTuple, Optional

from auto_voice.utils.redaction.patterns import HIDDEN

_FLAGS = re.ASCII | re.IGNORECASE


class Span(NamedTuple):
    """A part of a text, from ``begin`` to before ``end``."""

    begin: int
    end: int


_SPACE = re.compile(
    r"\s*(?=b?\\{0,64}[\"'`\[{])|(?:[ \t\u00a0\u200b\ufeff]|\\{1,64}(?:t|xa0|u200b|ufeff))*", _FLAGS
)
_SCHEME = re.compile(
    r"(?:bearer|basic|digest|token|negotiate|ntlm|apikey|aws4-hmac-sha256)(?:[ \t]+|%20|\+)", _FLAGS
)
_CHAIN = re.compile(r"(?:[\w.\[\]-]{1,64}[ \t]?[:=]+[ \t]+){1,4}", _FLAGS)
"""More signs, as in ``password: str = "…"``."""
_OPEN = re.compile(r"(?:[bruf]{1,2}(?=\\{0,64}[\"']))?(\\{0,64})(\"\"\"|'''|[\"'`])", _FLAGS)
_BRACKET = re.compile(r"[\[\](){}\"'`]")
_CALL = re.compile(r"<[^<>\n]{1,200}>|[a-z_][\w.]{0,64}\(", _FLAGS)
_AFTER = re.compile(r"\W|\Z", _FLAGS)
_AFTER_ESCAPED = re.compile(r"[\s,:;)\]}>\"'\\]|\Z", _FLAGS)
_BEFORE_QUOTE = tuple(" \t\r\n,:=([{b")

# An escaped line break, if what follows is likelier a line than the rest of a password.
_BREAK = r"[nr](?:\\|[\w.-]{0,64}[ \t]?[:=]|[\"'\s]|$)"
_END = r"(?:[\s\x00-\x1f,;:.?/|&()\[\]{}<>\"'`\\]|$)"
_BARE = re.compile(
    rf"(?:{re.escape(HIDDEN)}"
    r"|[^\s\x00-\x1f,;&\"'`<>)\]}\\]"
    r"|[,;&](?![\s\"'\[{\\]|[\w.%\[\]-]{1,64}[:=]|amp;|$)"
    rf"|[\"'`>)\]}}](?!{_END})"
    r"|<(?!/)"
    rf"|\\(?!\\{{0,64}}(?:[\"'`]{_END}|{_BREAK})))+",
    _FLAGS,
)
_REST = re.compile(
    r"(?:[^\r\n\\,; \t]"
    r"|[,; \t](?![,; \t]{0,8}[\w.-]{1,40}[ \t]?[:=])"
    rf"|\\(?!\\{{0,64}}{_BREAK}))+",
    _FLAGS,
)
_LINE = re.compile(rf"(?:[^\r\n\\]|\\(?!\\{{0,64}}{_BREAK}))+", _FLAGS)
_EXTENTS = {"word": _BARE, "rest": _REST, "line": _LINE}
_CODE = r"(?:%(?:25){0,3}2[27]|\\{1,8}(?:u00|x)2[27]|&(?:quot|#3[49]);)"
"""A quote as URLs, JSON, repr or HTML may write it."""
_ENCODED = re.compile(
    rf"(?:%(?:25){{0,3}}20|[+ ]|{_CODE})*"
    rf"(?P<value>(?:(?!{_CODE}|%(?:25){{0,3}}(?:26|2C|7D|0A|0D))[^\s&\"'<>])+)",
    _FLAGS,
)
_BLOCK = re.compile(
    r"[ \t]*(?:[|>][-+0-9]{0,3})?[ \t]*(?:#[^\n\\]*)?"
    r"(?:\r|\\{1,64}r)?(?P<newline>\n|\\{1,64}n)(?=[ \t]*[^\s\\])"
)
_INDENT = re.compile(r"[ \t]*")
_NOTHING = re.compile(r"(?:none|null|nil|true|false|undefined|\*+)(?![^\s,;&)\]}\"'<>\\])", _FLAGS)


def find_value(text: str, at: int, extent: str = "word", limit: Optional[int] = None) -> Span:
    """The value that begins at or after ``at``; an empty span where there is none.

    Args:
        text: where to look.
        at: the first character after the sign.
        extent: how far a value reaches that is neither quoted nor in brackets:
            a "word", the "rest" of the line up to the next name and sign, or the
            whole "line".
        limit: where it ends at the latest.
    """
    limit = len(text) if limit is None else limit
    at = _SPACE.match(text, at, limit).end()  # type: ignore[union-attr]  # matches nothing, too
    scheme = _SCHEME.match(text, at, limit)
    if scheme:
        at = scheme.end()
    begin = at
    chain = _CHAIN.match(text, at, limit)
    if chain:
        at = chain.end()
    if _NOTHING.match(text, at, limit):
        return Span(at, at)
    opened = _OPEN.match(text, at, limit)
    if opened:
        end = closing(text, opened.end(), len(opened[1]), opened[2], limit)
        if chain:
            return Span(begin, min(limit, end + len(opened[1]) + len(opened[2])))
        return Span(opened.end(), end)
    hidden = text.startswith(HIDDEN, at)
    if extent == "word" and not hidden:
        if text[at : at + 1] in ("[", "{", "("):
            return Span(begin, _balanced(text, at, limit))
        call = _CALL.match(text, at, limit)
        if call:
            last = call.end() - 1
            return Span(begin, _balanced(text, last, limit) if text[last] == "(" else last + 1)
    found = _EXTENTS[extent].match(text, at, limit)
    if not found or (
        hidden and (found.group() == HIDDEN or text.startswith("@", at + len(HIDDEN)))
    ):
        return Span(at, at)  # nothing is left of it, or what is left is a URL's host
    return Span(begin, found.end())


def find_encoded(text: str, at: int) -> Span:
    """The same for a value within a URL within a URL, or in quotes that are encoded."""
    found = _ENCODED.match(text, at)
    return Span(*found.span("value")) if found else Span(at, at)


def find_block(text: str, at: int, start: int) -> Optional[Span]:
    """The deeper lines below ``name:``, as YAML has them.

    Args:
        text: where to look.
        at: the first character after the colon.
        start: the first character of the name.
    """
    empty = _BLOCK.match(text, at)
    if not empty:
        return None
    newline = empty["newline"]  # in a repr, its escape
    line = text.rfind(newline, 0, start)
    line = line + len(newline) if line >= 0 else 0
    indent = _INDENT.match(text, line, start).end() - line  # type: ignore[union-attr]
    begin = end = 0
    at = empty.end()
    while True:
        depth = _INDENT.match(text, at).end() - at  # type: ignore[union-attr]  # may be empty
        if depth < indent or (depth == indent and not text.startswith("- ", at + depth)):
            break
        begin = begin or at + depth
        end = text.find(newline, at)
        end = len(text) if end < 0 else end
        real = text.find("\n", at, end)
        if real >= 0:  # where the repr is over, too
            end = real
        at = end + len(newline)
        if real >= 0 or at >= len(text):
            break
    return Span(begin, end) if begin else None


def closing(text: str, at: int, escapes: int, quote: str, limit: int) -> int:
    """Where the quoted text ends that begins at ``at``, before the closing quote.

    In JSON within JSON, quotes have backslashes before them: as many as the
    opening one has, so many has the closing one, beside those that the text
    itself ends with, which come in greater numbers.
    """
    period = 2 * (escapes + 1)
    before = at
    while True:
        found = text.find(quote, before, limit)
        if found < 0:
            return limit
        run = found - before - len(text[before:found].rstrip("\\"))
        # One more repr doubles the backslashes, so that an escaped quote looks like this one;
        # but then, the text goes on.
        after = _AFTER_ESCAPED if run > escapes else _AFTER
        if run < escapes or (run % period == escapes and after.match(text, found + len(quote))):
            return found - min(run, escapes)
        before = found + 1


def _balanced(text: str, at: int, limit: int) -> int:
    """The end of what the bracket at ``at`` opens."""
    depth = 0
    while True:
        found = _BRACKET.search(text, at, limit)
        if not found:
            return limit
        at = found.end()
        sign = found.group()
        if sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
            if depth == 0:
                return at
        else:
            head = text[max(0, found.start() - 65) : found.start()]
            bare = head.rstrip("\\")
            if bare[-1:] in _BEFORE_QUOTE:  # not the apostrophe of a word
                escapes = len(head) - len(bare)
                at = closing(text, at, escapes, sign, limit) + escapes + 1
