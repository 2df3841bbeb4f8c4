"""Finds values that are known to be secret, such as configured API keys, in any text."""

import base64
import html
import json
import re
from typing import Iterable, Iterator, List, Set, Tuple
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters. Without anything shorter than this, no text could be read any more."""

_GRAM = 6
_LONG = 2 * _GRAM


class KnownSecrets:
    """A set of secret values, each also as it looks within JSON, a URL, HTML or base64."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms: Set[str] = set()
        for secret in secrets:
            if len(secret) >= SHORTEST:
                forms.update(_forms(secret))
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        # A rendered line is JSON: there, each form is escaped once more.
        needles = forms | {_in_json(form) for form in forms}
        self._short = [needle for needle in needles if len(needle) < _LONG]
        # A long needle covers one of any positions that lie this far apart, whole. Looking
        # there takes the same time for one key and for a thousand.
        long = [needle for needle in needles if len(needle) >= _LONG]
        self._step = min(map(len, long), default=_LONG) - _GRAM + 1
        self._grams = frozenset(
            needle[at : at + _GRAM] for needle in long for at in range(len(needle) - _GRAM + 1)
        )

    def suspects(self, text: str) -> bool:
        """Whether one may be in a text, or in the one that this text is the JSON of."""
        for needle in self._short:
            if needle in text:
                return True
        return bool(self._grams) and not self._grams.isdisjoint(
            [text[at : at + _GRAM] for at in range(0, len(text), self._step)]
        )

    def replace(self, text: str, by: str) -> Tuple[str, int]:
        """The text without them, and how many were in it."""
        if not self._pattern.pattern:
            return text, 0
        return self._pattern.subn(by, text)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    for quoted in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        yield quoted
        yield re.sub("%..", lambda match: match.group().lower(), quoted)
        yield quote(quoted, safe="")
    yield html.escape(secret)
    yield repr(secret)[1:-1]
    yield _in_json(secret)
    yield json.dumps(secret)[1:-1]
    yield _in_json(_in_json(secret))
    yield from _in_base64(secret.encode("utf-8", "surrogatepass"))


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _in_base64(secret: bytes) -> List[str]:
    """What is sure to occur in the base64 of anything that has the secret in it.

    Three bytes are four characters, so it depends on how many bytes stand before.
    """
    forms = []
    for before in range(3):
        whole = base64.b64encode(bytes(before) + secret).decode()
        # The characters that hold no bits of what stands before or after.
        sure = whole[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]
        forms += [sure, sure.replace("+", "-").replace("/", "_")]
    return [form for form in forms if len(form) >= _GRAM]  # shorter ones occur by chance
