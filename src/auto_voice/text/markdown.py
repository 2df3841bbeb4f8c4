"""Takes Markdown's marks out of what is said; the words that they mark stay as they are.

Works on one sentence, whose marks may open or close in another one.
"""

import re
from typing import Dict, Iterator, List, NamedTuple

from auto_voice.text.aligned import Aligned
from auto_voice.text.edits import Edit, edited, open_runs

MARKS = r"*_`\[#>~|•‣◦▪=!-"
"""Each kind of markup has one of these, written as the inside of a regular expression's [ ]."""

_ANY = re.compile(
    r"[*_`|•‣◦▪]|\][(\[]|~~|!\[|\[\^|\A\s{0,8}[#>+=-]|[\n\r][ \t]{0,8}[#>+=-]|^\s{0,8}\[[ xX]\]",
    re.MULTILINE,
)
_LINE = re.compile(
    r"(?:(?<=[\n\r])|\A)[ \t]{0,8}(?:"
    r"(?P<rule>(?:-[ ]?){3,}|(?:\*[ ]?){3,}|(?:_[ ]?){3,}|={3,})(?=\s|\Z)"
    r"|(?P<fence>`{3,}|~{3,})[ ]?[\w+#.-]{0,24}(?=[\n\r]|\Z)"
    r"|(?P<table>\|?(?:[ ]{0,40}:?-{2,80}:?[ ]{0,40}\|){1,40}"
    r"(?:[ ]{0,40}:?-{2,80}:?[ ]{0,40})?)(?=\s|\Z)"
    r"|(?P<quote>(?:>[ ]?){1,8})"
    r"(?:#{1,6}[ ]+|[-*+•‣◦▪][ ]+(?:\[[ xX]\][ ])?)?"
    r"|(?P<heading>#{1,6}[ \t]+)"
    r"|(?P<bullet>[-*+•‣◦▪–][ \t]+(?:\[[ xX]\][ \t])?(?=\S))"
    r")"
)
_SPAN = re.compile(
    # Bounded, and without their own beginnings inside, so that time stays linear.
    r"(?P<code>`{1,3})(?P<inside>[^`\n]{1,400})(?P=code)"
    r"|(?P<image>!?\[)(?P<label>(?:[^\[\]\n]|!\[[^\[\]\n]{0,200}\]\([^()\s]{0,400}\)){0,300})\]"
    r"\((?P<url><?[^()\s]{0,400}(?:\([^()\s]{0,100}\)[^()\s]{0,200})?>?)"
    r"(?:[ ](?:\"[^\"\n]{0,200}\"|'[^'\n]{0,200}'))?\)"
    r"|\[(?P<named>[^\[\]\n]{1,200})\]\[[^\[\]\n]{0,100}\]"
    r"|\[\^(?P<note>[\w-]{1,32})\]:?"
    r"|(?P<tick>`{1,3})"
    r"|(?P<pipe>[ ]{0,40}\|(?:[ ]{0,40}\|){0,40}[ ]{0,40})"
    r"|\\(?P<escaped>[*_`\[\]#~|])"
)
_QUOTED = re.compile(r"\s((?:>[ ]?){1,8})(?=\s|\w)")
_CLOSING_HASHES = re.compile(r"[ \t]#{1,6}[ \t]*\Z")
_WILDCARD = re.compile(r"\.\w")
_RUNS = re.compile(r"\*{1,3}|_{1,3}|~~")


def without_markdown(said: Aligned) -> Aligned:
    """``said`` without marks for headings, emphasis, code, links, lists, quotes and tables."""
    edits: List[Edit] = []
    for start, text in open_runs(said):
        if _ANY.search(text):
            edits += (Edit(start + e.start, start + e.end, e.text) for e in _edits(text))
    return edited(said, edits) if edits else said


def _edits(text: str) -> List[Edit]:
    found = list(_lines(text))
    taken = found[:]
    found += _spans(text, taken)
    code = [(match.start(), match.end()) for match in _code(text)]
    found += _emphasis(text, found, code)
    found.sort(key=lambda edit: (edit.start, -edit.end))
    apart: List[Edit] = []
    for edit in found:
        if not apart or edit.start >= apart[-1].end:
            apart.append(edit)
    return apart


def _lines(text: str) -> Iterator[Edit]:
    """What stands at a line's begin."""
    heading = False
    for match in _LINE.finditer(text):
        start, end = match.span()
        heading = heading or match["heading"] is not None
        if start < end:
            yield Edit(start, end, "")
        if match["quote"] and not start:
            # Where its lines have become one, their marks stand between words.
            yield from (Edit(m.start(1), m.end(), "") for m in _QUOTED.finditer(text, end))
    hashes = _CLOSING_HASHES.search(text) if heading else None
    if hashes:
        yield Edit(hashes.start(), hashes.end(), "")


def _code(text: str) -> "Iterator[re.Match[str]]":
    return (match for match in _SPAN.finditer(text) if match["code"])


def _spans(text: str, lines: List[Edit]) -> Iterator[Edit]:
    """What stands around words."""
    table = (text.count("|") > 1 and "||" not in text) or any(
        edit.end - edit.start > 4 for edit in lines
    )
    for match in _SPAN.finditer(text):
        start, end = match.span()
        if match["code"]:
            yield Edit(start, match.start("inside"), "")
            yield Edit(match.end("inside"), end, "")
        elif match["image"]:
            yield from _link(text, match)
        elif match["named"] is not None:
            yield Edit(start, start + 1, "")
            yield Edit(match.end("named"), end, "")
        elif match["note"] or match["tick"]:
            yield Edit(start, end, "")
        elif match["escaped"]:
            yield Edit(start, end, match["escaped"])
        elif table:
            outer = not text[:start].strip() or not text[end:].strip()
            yield Edit(start, end, " " if outer else ", ")


def _link(text: str, match: "re.Match[str]") -> Iterator[Edit]:
    """Keeps a link's text and an image's description."""
    start, end = match.span()
    label, label_end = match.start("label"), match.end("label")
    inner = match["label"].startswith("![") and match["label"].find("](")
    if inner and inner > 0:  # a picture that is a link
        label, label_end = label + 2, label + inner
    if not text[label:label_end].strip():
        yield Edit(start, end, "")
        return
    yield Edit(start, label, "")
    yield Edit(label_end, end, "")


class _Run(NamedTuple):
    """Asterisks, underscores or tildes in a row."""

    start: int
    end: int
    char: str
    opens: bool
    closes: bool


def _runs(text: str, taken: List[Edit], code: "List[tuple[int, int]]") -> Iterator[_Run]:
    closed = sorted([(edit.start, edit.end) for edit in taken] + code)
    number = 0
    furthest = 0
    for match in _RUNS.finditer(text):
        start, end = match.span()
        while number < len(closed) and closed[number][0] <= start:
            furthest = max(furthest, closed[number][1])
            number += 1
        if start < furthest:
            continue
        before = text[start - 1] if start else " "
        after = text[end] if end < len(text) else " "
        opens = not after.isspace() and (after.isalnum() or not before.isalnum())
        closes = not before.isspace() and (before.isalnum() or not after.isalnum())
        if before.isalnum() and after.isalnum():
            # snake_case, 2*3 and a*b are no emphasis; "un**believ**able" is.
            opens = closes = end - start > 1 and match.group()[0] != "_" and not before.isdecimal()
        if before.isspace() and (after.isspace() or _WILDCARD.match(text, end)):
            continue
        if opens or closes:
            yield _Run(start, end, match.group()[0], opens, closes)


def _emphasis(text: str, taken: List[Edit], code: "List[tuple[int, int]]") -> Iterator[Edit]:
    waiting: Dict[str, List[_Run]] = {"*": [], "_": [], "~": []}
    for run in _runs(text, taken, code):
        openers = waiting[run.char]
        if run.closes and openers:
            opener = openers.pop()
            yield Edit(opener.start, opener.end, "")
            yield Edit(run.start, run.end, "")
        elif run.opens:
            openers.append(run)
        elif run.closes and _unpaired(run):
            yield Edit(run.start, run.end, "")
    for openers in waiting.values():
        for run in openers:
            if not run.closes and _unpaired(run):
                yield Edit(run.start, run.end, "")


def _unpaired(run: _Run) -> bool:
    """Whether the other one may be in another sentence; _private and f*** are words."""
    return run.char == "*" and run.end - run.start < 3 or run.end - run.start == 2
