"""One word of a lexicon, and what is accepted as one."""

import re
import unicodedata
from typing import Optional, Tuple

import msgspec
from typing_extensions import Annotated

from auto_voice.errors import InvalidLexicon
from auto_voice.text.ipa import checked_ipa
from auto_voice.text.words import folded, tokens

MAX_WORD_CHARS = 100
MAX_SAY_CHARS = 400
MAX_IPA_CHARS = 200
MAX_LANGUAGE_CHARS = 35

_LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a word is said. At least one of `say` and `ipa` is there."""

    word: Annotated[
        str,
        msgspec.Meta(
            description="The word, or several, as it is written. Whole words are found.",
            min_length=1,
            max_length=MAX_WORD_CHARS,
        ),
    ]
    say: Annotated[
        Optional[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SAY_CHARS)]],
        msgspec.Meta(
            description="What is read instead; beside `ipa`, only by engines that do not know IPA."
        ),
    ] = None
    ipa: Annotated[
        Optional[Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_IPA_CHARS)]],
        msgspec.Meta(description="How it sounds, in the International Phonetic Alphabet."),
    ] = None
    language: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=MAX_LANGUAGE_CHARS)]],
        msgspec.Meta(description="BCP 47 tag; `en` holds for `en-gb`, too. Else the lexicon's."),
    ] = None
    case_sensitive: Annotated[
        bool, msgspec.Meta(description="Whether `US` is something else than `us`.")
    ] = False

    @property
    def key(self) -> Tuple[Tuple[str, ...], str, str]:
        """The same for two entries that would be taken in the same places."""
        return (
            tuple(folded(tokens(self.word))),
            self.language or "",
            self.word if self.case_sensitive else "",
        )


def checked(entry: Entry) -> Entry:
    """The entry in one form, whatever its spaces, its composed letters and its tag's case.

    Raises:
        InvalidLexicon: something is too long, missing, or not what it should be.
    """
    word = plain(entry.word)
    _require(0 < len(word) <= MAX_WORD_CHARS, "word", f"has 1 to {MAX_WORD_CHARS} characters")
    _require(_is_printable(word), "word", "has no control characters")
    _require(any(map(str.strip, folded(tokens(word)))), "word", "has a letter or a sign")
    _require(
        entry.say is not None or entry.ipa is not None, "word", "needs `say` or `ipa` beside it"
    )
    say, ipa = entry.say, entry.ipa
    if say is not None:
        say = " ".join(unicodedata.normalize("NFC", say).split())
        _require(0 < len(say) <= MAX_SAY_CHARS, "say", f"has 1 to {MAX_SAY_CHARS} characters")
        _require(_is_printable(say), "say", "has no control characters")
    if ipa is not None:
        _require(len(ipa) <= MAX_IPA_CHARS, "ipa", f"has 1 to {MAX_IPA_CHARS} characters")
        try:
            ipa = checked_ipa(ipa)
        except ValueError as error:
            raise InvalidLexicon(f"`ipa` is wrong: {error}.", param="ipa") from None
    language = checked_language(entry.language) if entry.language else None
    return Entry(word, say, ipa, language, entry.case_sensitive)


def checked_language(tag: str) -> str:
    """A BCP 47 tag in small letters.

    Raises:
        InvalidLexicon: it is none.
    """
    language = tag.strip().lower().replace("_", "-")
    right = _LANGUAGE.fullmatch(language) is not None and len(language) <= MAX_LANGUAGE_CHARS
    _require(right, "language", "is a BCP 47 tag such as `en` or `pt-br`")
    return language


def plain(word: str) -> str:
    """A word with one kind of space and apostrophe, and composed letters."""
    return " ".join(unicodedata.normalize("NFC", word).replace("’", "'").split())


def _is_printable(text: str) -> bool:
    return not any(
        unicodedata.category(character) in ("Cc", "Cs", "Co") or character in "\ufffe\uffff"
        for character in text
    )


def _require(fulfilled: bool, field: str, rule: str) -> None:
    if not fulfilled:
        raise InvalidLexicon(f"`{field}` {rule}.", param=field)
