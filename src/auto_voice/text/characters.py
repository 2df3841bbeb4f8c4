"""Classes of characters that several parts of the segmentation agree on.

They are written as the inside of a regular expression's ``[…]``, since that is how they are used.
"""

import re

LINE_ENDS = "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
"""What `str.splitlines` splits at."""

DOTS = ".…‥"
"""May end a sentence; what is around them decides."""

LOUD = "!?‽"
"""End a sentence where white space follows."""

TIGHT = "։؝-؟۔܀-܂߹࠷࠹࠽࠾।॥။።፧፨᙮᜵᜶។៕᠃᠉᥄᥅᪨-᪫᭚᭛᭞᭟᭽᭾᰻᰼᱾᱿" "‼⁇-⁉⸮⸼。꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝-꩟꫰꫱꯫﹒﹖﹗！．？｡"
"""End a sentence whatever follows: they mean nothing else, and some scripts have no white space."""

WORDSPACE = "፡"
"""Ethiopic: one stands between words, two in a row are often typed for a full stop."""

QUOTES = "\"'“”„‟‘’‚‛«»‹›"
BRACKETS_OPEN = "(\\[{（［｛「『【《〈〔〖｢"
BRACKETS_CLOSE = ")\\]}）］｝」』】》〉〕〗｣"
CLAUSE_MARKS = ",;:%、，；：､،؛·፣፤፥၊՝"

UNSPEAKABLE = re.compile(
    # One past U+FFFF would make it ten times slower: the pattern's table ends there.
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls, less those that are white space
    "\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction of writing
    "\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\uffff]"  # surrogates, placeholders, no characters
)
"""Characters that no engine can speak and that are no white space either."""

LAYOUT = re.compile("[\t\x1f%s]" % LINE_ENDS)
"""White space that an engine might take for more than a space."""

SPEAKABLE = re.compile(
    rf"[^\s!-/:-?\[-`{{-~¡«·»¿‐-‧‹›‽-⁞、-〃〈-】〔-〟{DOTS}{LOUD}{TIGHT}"
    rf"{QUOTES}{BRACKETS_OPEN}{BRACKETS_CLOSE}{CLAUSE_MARKS}{WORDSPACE}]|[#$%&+<=>@]"
)
"""A letter, a digit or a symbol with a name; what has none in it is silent."""

_LINE_END = re.compile("\r\n|[%s]" % LINE_ENDS)


def line_ends(white: str) -> int:
    """How many lines end in ``white``; two are a blank line."""
    # U+2029 ends a paragraph by itself.
    return len(_LINE_END.findall(white)) + white.count("\u2029")
