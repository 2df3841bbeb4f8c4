"""Finds what looks like a secret by itself: keys of known makers, tokens, URLs with passwords.

Every pattern either ends at once or takes in what it has read, so that the
time for a text grows with its length and not faster, whatever is in it.
"""

import base64
import binascii
import re
from typing import Callable, List, Match, NamedTuple, Pattern, Tuple

HIDDEN = "[redacted]"
"""Stands where a secret stood."""

# Where a word begins, also after an escaped line break or quote, or an order to the terminal.
_EDGE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfv])|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9;]m))"

_PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,60}-----")
# Of one that has been cut off: whatever stands between its lines, they are long.
_PEM_LINES = re.compile(
    r"(?:[^A-Za-z0-9+/=]{0,16}[A-Za-z0-9+/=]{12,})*[^A-Za-z0-9+/=]{0,16}[A-Za-z0-9+/=]*"
)
_KEY = re.compile(
    _EDGE + r"(?:"
    # "sk-SK-LukasNeural" is a Slovak voice.
    r"sk-(?!SK[-_])(?:[\w-]{16,}|(?=[A-Za-z_-]{0,12}[0-9])[\w-]{8,})"
    r"|[sprw]k_(?:live|test|prod)_\w{8,}|sk_[A-Za-z0-9]{20,}|whsec_[\w+/=]{16,}"
    r"|gh[oprsu]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{12,}(?:[\"'\s:,;=/|]{1,5}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+]))?"
    r"|AIza[\w-]{20,}|GOCSPX-[\w-]{16,}|ya29\.[\w-]{16,}"
    r"|xox[a-z]-[\w-]{8,}|xapp-[\w-]{16,}"
    r"|hf_[A-Za-z0-9]{16,}|pypi-(?:AgE[\w-]{8,}|[\w-]{32,})|npm_[A-Za-z0-9]{30,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|nvapi-[\w-]{16,}"
    r")",
    re.ASCII,
)
_WEBHOOK = re.compile(r"(?<=hooks\.slack\.com/services/)[\w/]+", re.ASCII | re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w.+=-]{13,}", re.ASCII)
_SCHEME = re.compile(
    r"(?P<head>(?P<scheme>bearer|basic)(?:\s|%20)+[\"'<]?)(?P<value>[\w.~+/=:|-]+)",
    re.ASCII | re.IGNORECASE,
)
_PROSE = frozenset(
    "a an and are auth authentication authorization by credential credentials error expected failed"
    " for format from has header in invalid is key missing must not of or realm required scheme"
    " scope that the to token tokens type was with".split()
)
"""What may follow "bearer" and is no token."""

_URL = re.compile(r"(?:\\{0,8}/){2}[^\s\"'<>]+", re.ASCII)
_MARK = re.compile(r"((?:\\{0,8}/){2})")
_ENCODED_URL = re.compile(
    r"(?P<head>%3A%2F%2F(?:(?!%2F|%40|%3A)[^\s\"'<>&])*%3A)"
    r"(?P<value>(?:(?!%2F|%40)[^\s\"'<>&])+)(?=%40)",
    re.ASCII | re.IGNORECASE,
)


def scrub_patterns(text: str) -> Tuple[str, int]:
    """The text without what looks like a secret, and how many secrets were in it."""
    text, found = _scrub_pem(text)

    def counted(replace: "Callable[[Match[str]], str]") -> "Callable[[Match[str]], str]":
        def replaced(match: "Match[str]") -> str:
            nonlocal found
            new = replace(match)
            found += new != match.group()
            return new

        return replaced

    lower = text.lower()
    for needles, pattern, replace in _RULES:
        if any(needle in lower for needle in needles):
            text = pattern.sub(counted(replace), text)
    return text, found


def _scrub_pem(text: str) -> Tuple[str, int]:
    """The text without private keys in the form that files have them."""
    pieces: List[str] = []
    done = 0
    ended = True
    while True:
        begin = _PEM_BEGIN.search(text, done)
        if not begin:
            break
        end = _PEM_END.search(text, begin.end()) if ended else None
        ended = end is not None  # else there is none for the next, either
        pieces += (text[done : begin.start()], HIDDEN)
        end = end or _PEM_LINES.match(text, begin.end())
        done = end.end() if end else len(text)
    return "".join(pieces) + text[done:], len(pieces) // 2


def _whole(match: "Match[str]") -> str:
    return HIDDEN


def _value(match: "Match[str]") -> str:
    return match["head"] + HIDDEN


def _credentials(match: "Match[str]") -> str:
    """``Bearer …`` and ``Basic …``, but not "bearer token" and "basic usage"."""
    value = match["value"]
    if match["scheme"].lower() == "bearer":
        secret = value.strip("=.:").lower() not in _PROSE
    else:
        secret = (len(value) >= 8 and re.search("[0-9=+/]", value) is not None) or _is_pair(value)
    return _value(match) if secret else match.group()


def _is_pair(value: str) -> bool:
    """Whether it is the base64 of ``user:password``."""
    try:
        return b":" in base64.b64decode(value.rstrip("=") + "===", altchars=b"-_")
    except (binascii.Error, ValueError):
        return False


def _urls(match: "Match[str]") -> str:
    """One URL, or several with something other than white space between them."""
    parts = _MARK.split(match.group())
    before = match.string[max(0, match.start() - 6) : match.start()]
    for index in range(2, len(parts), 2):
        parts[index] = _authority(parts[index], before.lower().endswith(("http:", "https:")))
        before = parts[index][-6:]
    return "".join(parts)


def _authority(rest: str, http: bool) -> str:
    """What follows the scheme, without user and password."""
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    at = host.rfind("@")
    if at < 0:
        _, colon, port = host.partition(":")
        if not colon or host.startswith("[") or not port or port.isdigit():
            return rest
        at = rest.rfind("@")  # a password with one of those characters in it
        if at < 0:
            return rest
    user, colon, password = rest[:at].partition(":")
    if password in ("", "x-oauth-basic"):  # then it is the user's name that lets one in
        return HIDDEN + rest[len(user) :] if user and (http or colon) else rest
    return user + ":" + HIDDEN + rest[at:]


class _Rule(NamedTuple):
    needles: Tuple[str, ...]
    """One of these, in lower case, is in everything that the pattern finds."""
    pattern: "Pattern[str]"
    replace: "Callable[[Match[str]], str]"


_RULES = [
    _Rule(("//", "\\/"), _URL, _urls),
    _Rule(("%3a%2f%2f",), _ENCODED_URL, _value),
    _Rule(("slack",), _WEBHOOK, _whole),
    _Rule(("bearer", "basic"), _SCHEME, _credentials),
    _Rule(("eyj",), _JWT, _whole),
    _Rule(
        (
            *("sk-", "k_", "whsec_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-"),
            *("akia", "asia", "aiza", "gocspx", "ya29", "xox", "xapp", "hf_", "pypi-", "npm_"),
            *("sg.", "nvapi-"),
        ),
        _KEY,
        _whole,
    ),
]

NEEDLES = ("-----", *(needle for rule in _RULES for needle in rule.needles))
"""One of these, in lower case, is in every text that `scrub_patterns` changes."""
