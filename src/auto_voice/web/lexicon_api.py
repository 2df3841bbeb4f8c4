"""REST: lexicons, whole and entry by entry."""

from typing import Any, Dict, List, Optional, Tuple

import msgspec
from typing_extensions import Annotated

from auto_voice.bootstrap import Service
from auto_voice.errors import InvalidLexicon, UnsupportedMediaType
from auto_voice.text import pls
from auto_voice.text.lexicon import MAX_ENTRIES, Lexicon
from auto_voice.text.lexicon_entry import MAX_LANGUAGE_CHARS, Entry
from auto_voice.text.lexicon_store import with_entry, without_word
from auto_voice.web.endpoint import Endpoint
from auto_voice.web.incoming import (
    Environ,
    nested_within_reason,
    query_decoder,
    query_string,
    read_body,
    validated,
)
from auto_voice.web.reply import Reply, encode_json
from auto_voice.web.schemas import ErrorBody

BODY_LIMIT_BYTES = 4 << 20

_REFUSALS: Dict[int, Any] = {
    status: ErrorBody for status in (400, 401, 403, 404, 408, 412, 413, 415, 507)
}


class LexiconBody(msgspec.Struct):
    """A lexicon's content."""

    entries: Annotated[List[Entry], msgspec.Meta(max_length=MAX_ENTRIES)]
    language: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=MAX_LANGUAGE_CHARS)]],
        msgspec.Meta(description="BCP 47 tag for entries without one of their own; null: for all."),
    ] = None


class LexiconInfo(msgspec.Struct):
    """A lexicon without its entries."""

    name: str
    language: Optional[str]
    entries: int
    """How many."""
    digest: str
    """What its ETag has, too: the same for the same content."""


class LexiconList(msgspec.Struct):
    """All lexicons."""

    lexicons: List[LexiconInfo]


class LexiconDeleted(msgspec.Struct):
    """A lexicon that is no more."""

    name: str
    deleted: bool = True


class EntryQuery(msgspec.Struct):
    """Which of a word's entries."""

    language: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=MAX_LANGUAGE_CHARS)]],
        msgspec.Meta(description="Only the entry with this tag; else all of the word's."),
    ] = None


_decode_lexicon = msgspec.json.Decoder(LexiconBody).decode
_decode_entry = msgspec.json.Decoder(Entry).decode
_entry_query = query_decoder(EntryQuery)


class LexiconAPI:
    """The endpoints over one service's lexicons."""

    def __init__(self, service: Service) -> None:
        self._store = service.lexicons
        one = "/v1/lexicons/<lexicon>"
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint(
                "GET",
                "/v1/lexicons",
                self.list_lexicons,
                "List lexicons",
                {200: LexiconList, 401: ErrorBody},
            ),
            Endpoint(
                "GET",
                one,
                self.get_lexicon,
                "Give a lexicon, as JSON or PLS",
                {200: LexiconBody, 400: ErrorBody, 401: ErrorBody, 404: ErrorBody},
                also=pls.CONTENT_TYPES[:1],
            ),
            Endpoint(
                "PUT",
                one,
                self.put_lexicon,
                "Save a lexicon, from JSON or PLS",
                {200: LexiconInfo, 201: LexiconInfo, **_REFUSALS},
                body=LexiconBody,
                also=pls.CONTENT_TYPES,
            ),
            Endpoint(
                "DELETE",
                one,
                self.delete_lexicon,
                "Delete a lexicon",
                {200: LexiconDeleted, **_REFUSALS},
            ),
            Endpoint(
                "POST",
                one + "/entries",
                self.add_entry,
                "Add an entry, or replace the one for the same word",
                {200: LexiconInfo, **_REFUSALS},
                body=Entry,
            ),
            Endpoint(
                "DELETE",
                one + "/entries/<path:word>",
                self.remove_entry,
                "Remove a word's entries",
                {200: LexiconInfo, **_REFUSALS},
                query=EntryQuery,
            ),
        )

    def list_lexicons(self, environ: Environ) -> Reply:
        """In the order of their names."""
        return _json(LexiconList([_info(name, found) for name, found in self._store.list()]))

    def get_lexicon(self, environ: Environ, lexicon: str) -> Reply:
        """Its `ETag` is for `If-Match`. `Accept: application/pls+xml` asks for PLS."""
        found = self._store.get(lexicon)
        headers = [("ETag", f'"{found.digest}"'), ("Vary", "Accept")]
        if _wants_pls(environ):
            return _reply(200, pls.write(found), pls.CONTENT_TYPES[0], headers)
        body = LexiconBody(list(found.entries), found.language)
        return _reply(200, encode_json(body), "application/json", headers)

    def put_lexicon(self, environ: Environ, lexicon: str) -> Reply:
        """It replaces the one of this name. With `If-Match`, only if that has not changed since."""
        data = read_body(environ, BODY_LIMIT_BYTES, pls.CONTENT_TYPES)
        if _content_type(environ) in pls.CONTENT_TYPES:
            made = pls.parse(data)
        else:
            body = validated(_decode_lexicon, nested_within_reason(data))
            made = Lexicon(body.entries, body.language)
        new = self._store.put(lexicon, made, _expected(environ))
        return _json(_info(lexicon, made), made, 201 if new else 200)

    def delete_lexicon(self, environ: Environ, lexicon: str) -> Reply:
        """With `If-Match`, only if it has not changed since."""
        self._store.delete(lexicon, _expected(environ))
        return _json(LexiconDeleted(lexicon))

    def add_entry(self, environ: Environ, lexicon: str) -> Reply:
        """The lexicon is made if it is not there."""
        if not _content_type(environ):
            # A page of another origin may send a body without a type, unasked.
            raise UnsupportedMediaType("Send the header 'Content-Type: application/json'.")
        data = read_body(environ, BODY_LIMIT_BYTES)
        entry: Entry = validated(_decode_entry, nested_within_reason(data))
        made = self._store.update(
            lexicon, lambda present: with_entry(present, entry), _expected(environ)
        )
        return _json(_info(lexicon, made), made)

    def remove_entry(self, environ: Environ, lexicon: str, word: str) -> Reply:
        """In whatever case the word is written."""
        query = validated(_entry_query, query_string(environ))
        self._store.get(lexicon)
        made = self._store.update(
            lexicon, lambda present: without_word(present, word, query.language), _expected(environ)
        )
        return _json(_info(lexicon, made), made)


def _info(name: str, lexicon: Lexicon) -> LexiconInfo:
    return LexiconInfo(name, lexicon.language, len(lexicon.entries), lexicon.digest)


def _content_type(environ: Environ) -> str:
    content_type: str = environ.get("CONTENT_TYPE", "")
    return content_type.partition(";")[0].strip().lower()


def _wants_pls(environ: Environ) -> bool:
    """Whether the client names PLS, or XML and no JSON. A browser's list of types means JSON."""
    accepted = environ.get("HTTP_ACCEPT", "").lower()
    if "json" in accepted or "text/html" in accepted:
        return False
    return any(kind in accepted for kind in pls.CONTENT_TYPES)


def _expected(environ: Environ) -> Optional[str]:
    """What the store is to expect: a digest, ``*``, or nothing there."""
    if environ.get("HTTP_IF_NONE_MATCH", "").strip() == "*":
        return ""
    wanted: Optional[str] = environ.get("HTTP_IF_MATCH")
    if wanted is None:
        return None
    tag = wanted.strip()
    if tag == "*":
        return tag
    if len(tag) < 3 or tag[0] != '"' or tag[-1] != '"' or "," in tag:
        raise InvalidLexicon("`If-Match` is one ETag, in its quotes, or *.", param="If-Match")
    return tag[1:-1]


def _json(data: Any, lexicon: Optional[Lexicon] = None, status: int = 200) -> Reply:
    headers = [("ETag", f'"{lexicon.digest}"')] if lexicon is not None else []
    return _reply(status, encode_json(data), "application/json", headers)


def _reply(status: int, body: bytes, content_type: str, headers: List[Tuple[str, str]]) -> Reply:
    own = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return Reply(status, [*own, *headers], body)
