"""Keeps secrets out of the log: what is rendered passes through a `Redactor` first.

A name says that its value is secret (`names`), in a mapping as in a text
(`pairs`); a value looks like a secret by itself (`patterns`); or
it is known to be one (`known`). Whatever it is, ``[redacted]`` takes
its place, and what stands around it stays.
"""

import dataclasses
import datetime
import decimal
import enum
import hashlib
import os
import re
import threading
import uuid
from collections import abc
from pathlib import PurePath
from typing import Any, Callable, Dict, Iterable, List, Optional, Pattern, Set, Tuple
from urllib.parse import unquote, urlsplit

import msgspec

from auto_voice.errors import SettingsError
from auto_voice.settings import Settings, is_secret
from auto_voice.utils.redaction import names, patterns
from auto_voice.utils.redaction.known import KnownSecrets
from auto_voice.utils.redaction.names import holds_secret
from auto_voice.utils.redaction.pairs import scrub_pairs
from auto_voice.utils.redaction.patterns import HIDDEN, scrub_patterns

_RAREST_FIRST = "zqxj%\\kwbyv-:9gfhpuml_dct.rsionae23456780/"


def _any_of(needles: Iterable[str]) -> "Pattern[str]":
    """A pattern that finds any of them, in a third of the time that ``a|b|c`` takes.

    It stops at the rarest character of each only, and looks around from there.
    """
    by_anchor: Dict[str, List[str]] = {}
    for needle in needles:
        anchor = min(needle, key=_RAREST_FIRST.index)
        rest = re.escape(needle.partition(anchor)[2])
        # Every request's line has "key":"…", the name of its key. What is called just that is
        # no secret, and what begins with that is one for another needle's sake.
        before = '[^"]' if needle == "key" else ""
        around = f"{rest}(?<={before}{re.escape(needle)})"
        by_anchor.setdefault(re.escape(anchor), []).append(around)
    return re.compile("|".join(f"{key}(?:{'|'.join(by_anchor[key])})" for key in by_anchor))


_SUSPICIOUS = _any_of((*names.NEEDLES, *patterns.NEEDLES))

_SIMPLE = frozenset({str, int, float, bool, type(None)})
_SIZED = frozenset({str, bytes, list, tuple, dict, set, frozenset})
_OURS = frozenset({"time", "level"})
"""Names whose values nobody else has a say in."""

_NAMES = frozenset({"name", "key", "field", "header"})

_DEEPEST = 32
_MOST = 10_000
"""Values in one entry that are looked at; the rest is left out."""

_SURROGATE = re.compile("[\ud800-\udfff]")
# In JSON these are allowed as they are. In a terminal or a viewer they end a line, give orders,
# or turn the direction of the text around.
_UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_HASH_KEY = os.urandom(16)


class Redactor:
    """Replaces secrets by ``[redacted]``. Safe for threads; never raises.

    Args:
        secrets: values to remove wherever they occur, also JSON-escaped,
            URL-encoded or in base64; those shorter than `known_secrets.SHORTEST`
            are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = KnownSecrets(secrets)
        self._count = 0
        # A signal's handler may log in the middle of a line.
        self._lock = threading.RLock()

    @property
    def count(self) -> int:
        """Secrets replaced so far."""
        return self._count

    def suspects(self, text: str) -> bool:
        """Whether a text, or one that this text is the JSON of, may hold a secret.

        Quick; where it says no, there is none.
        """
        if _SUSPICIOUS.search(text.lower()):
            return True
        return self._known.suspects(text)

    def redact_text(self, text: str) -> str:
        """The text without secrets."""
        return self._scrub(text) if self.suspects(text) else text

    def redact_fields(self, entry: Dict[str, Any]) -> Dict[str, Any]:
        """A copy without secrets, of plain strings, numbers, lists and dictionaries.

        Objects become text, bytes too. What goes in circles, is nested too
        deeply or is too much is left out, and says so.
        """
        return _Walk(self).fields(entry)

    def render(self, entry: Dict[str, Any], encode: Callable[[Any], bytes]) -> str:
        """An entry of the log as JSON on one line that nothing in it can break or forge.

        Args:
            entry: what to write.
            encode: makes JSON of it; may fail for what is not plain.
        """
        line = ""
        if _SIMPLE.issuperset(map(type, entry.values())):
            try:
                "".join(entry)  # a name that is no text raises
                line = encode(entry).decode()
            except Exception:  # nosec B110: a lone surrogate, say; what follows can do it
                pass
        if not line or self.suspects(line):
            line = encode(self.redact_fields(entry)).decode()
        if line.isascii() and "\x7f" not in line:
            return line
        return _UNSEEN.sub(lambda match: f"\\u{ord(match.group()):04x}", line)

    def _scrub(self, text: str) -> str:
        """`redact_text` without asking first whether it is worth it."""
        text, known = self._known.replace(text, HIDDEN)
        text, like = scrub_patterns(text)
        text, named = scrub_pairs(text)
        self._add(known + like + named)
        return text

    def _hide(self, value: Any) -> Any:
        """What is shown for a secret name's value."""
        if value is None or value is True or value is False:
            return value
        if type(value) in _SIZED and not value or type(value) is str and value == HIDDEN:
            return value
        self._add(1)
        return HIDDEN

    def _add(self, number: int) -> None:
        if number:
            with self._lock:
                self._count += number


class _Walk:
    """Goes through one entry once."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._left = _MOST
        self._above: Set[int] = set()
        """The containers that the present value lies in, by id."""

    def fields(self, entry: Dict[str, Any]) -> Dict[str, Any]:
        shown: Dict[str, Any] = {}
        for name, value in list(entry.items()):
            if name in _OURS and type(value) is str and value.isascii():
                shown[name] = value
            else:
                self._put(shown, name, value)
        return shown

    def _put(self, shown: Dict[str, Any], name: Any, value: Any, secret: bool = False) -> None:
        key = self._value(name)
        if type(key) is not str:
            key = str(key)
        if secret or holds_secret(key, isinstance(value, (int, float))):
            value = self._redactor._hide(value)
        else:
            value = self._value(value)
        if key in shown:  # as when both names were redacted
            key = f"{key}~{len(shown)}"
        shown[key] = value

    def _value(self, value: Any, in_list: bool = False) -> Any:
        self._left -= 1
        if self._left < 0:
            return "[left out]"
        kind = type(value)
        if kind is str:
            return self._text(value)
        if value is None or kind is bool or kind is float:
            return value
        try:
            return self._other(value, in_list)
        except Exception:  # whatever is odd about it, the line is written
            return f"[unreadable {kind.__name__}]"

    def _text(self, text: str) -> str:
        text = self._redactor.redact_text(text)
        if not text.isascii() and _SURROGATE.search(text):
            text = text.encode("utf-8", "backslashreplace").decode()
        return text

    def _other(self, value: Any, in_list: bool) -> Any:
        if isinstance(value, enum.Enum):
            return self._value(value.value)
        if isinstance(value, int):
            return self._integer(int(value))
        if isinstance(value, float):
            return float(value)
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._text(bytes(value).decode("utf-8", "backslashreplace"))
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, (PurePath, datetime.timedelta, decimal.Decimal, uuid.UUID)):
            return self._text(str(value))
        pairs = _pairs(value)
        if pairs is None and not isinstance(value, (list, tuple, set, frozenset)):
            return self._text(repr(value))
        if id(value) in self._above:
            return "[circular]"
        if len(self._above) == _DEEPEST:
            return "[nested too deeply]"
        self._above.add(id(value))
        try:
            if pairs is not None:
                return self._pairs(pairs)
            return self._list(list(value), in_list or isinstance(value, tuple))
        finally:
            self._above.remove(id(value))

    def _integer(self, value: int) -> Any:
        if not -(1 << 63) <= value < 1 << 64:  # more than JSON's encoder takes
            return hex(value)  # in decimal, it could take minutes
        text = str(value)
        return value if self._redactor.redact_text(text) == text else HIDDEN

    def _pairs(self, pairs: List[Tuple[Any, Any]]) -> Dict[str, Any]:
        # {"name": "PASSWORD", "value": "…"}
        named = any(key in _NAMES and _secret_name(value) for key, value in pairs)
        shown: Dict[str, Any] = {}
        for key, value in pairs:
            if self._left < 0:
                shown["…"] = "[left out]"
                break
            self._put(shown, key, value, secret=named and key == "value")
        return shown

    def _list(self, items: List[Any], may_be_pair: bool) -> List[Any]:
        shown: List[Any] = []
        before: Any = None
        for item in items:
            if self._left < 0:
                shown.append("[left out]")
                break
            # ("Authorization", "…") and ["--password", "…", "--port", "80"]
            option = _text_of(before).startswith("--") and not _text_of(item).startswith("-")
            hide = (option or may_be_pair and len(items) == 2) and _secret_name(before)
            shown.append(self._redactor._hide(item) if hide else self._value(item, in_list=True))
            before = item
        return shown


def _pairs(value: Any) -> Optional[List[Tuple[Any, Any]]]:
    """Names and values of what has them."""
    if isinstance(value, abc.Mapping):
        return list(value.items())
    if isinstance(value, msgspec.Struct):
        return [(name, getattr(value, name)) for name in value.__struct_fields__]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = (field.name for field in dataclasses.fields(value) if field.repr)
        return [(name, getattr(value, name)) for name in shown]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value))
    return None


def _text_of(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _secret_name(value: Any) -> bool:
    return holds_secret(_text_of(value))


def configured_secrets(settings: Settings) -> Set[str]:
    """What the log must never show of these settings: API keys, and passwords in URLs."""
    names = [field.name for field in msgspec.structs.fields(Settings) if is_secret(field.name)]
    for keys in ("admin_keys", "api_keys"):
        names.remove(keys)  # those are read below, with those of the file
    secrets = {_password(getattr(settings, name)) for name in names}
    secrets |= {unquote(secret) for secret in secrets}
    for read in (settings.keys, settings.admins):
        try:
            secrets.update(read())
        except SettingsError:
            pass  # the server will not start, and this line may be the one that says so
    return secrets - {""}


def _password(value: str) -> str:
    """A URL's password; all of what is no URL."""
    try:
        return (urlsplit(value).password or "") if "://" in value else value
    except ValueError:
        return value


def text_facts(text: str) -> Dict[str, Any]:
    """What the log may say of a text to be spoken, which is somebody's own affair.

    The hash tells this process's requests for the same text from others. Its
    key is made anew in each process, so that trying likely texts reveals nothing.
    """
    data = text.encode("utf-8", "surrogatepass")
    text_hash = hashlib.blake2b(data, digest_size=8, key=_HASH_KEY).hexdigest()
    return {"characters": len(text), "text_hash": text_hash}


class GrowingTextFacts:
    """`text_facts` of a text that comes in pieces, of which none is kept."""

    __slots__ = ("_hash", "_characters")

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=8, key=_HASH_KEY)
        self._characters = 0

    def add(self, text: str) -> None:
        """The next piece."""
        self._characters += len(text)
        self._hash.update(text.encode("utf-8", "surrogatepass"))

    def facts(self) -> Dict[str, Any]:
        """Of all so far."""
        return {"characters": self._characters, "text_hash": self._hash.hexdigest()}
