"""Abbreviations with a full stop, and Roman numerals after a name or a chapter's word."""

import re
from typing import Optional

from auto_voice.text.english.numbers import cardinal, ordinal, roman
from auto_voice.text.english.reading import Reading, next_word, previous_word

ALWAYS = {
    "Mr": "Mister",
    "Mrs": "Missus",
    "Ms": "Miz",
    "Mx": "Mix",
    "Messrs": "Messieurs",
    "Prof": "Professor",
    "Rev": "Reverend",
    "Hon": "Honourable",
    "Gen": "General",
    "Col": "Colonel",
    "Lt": "Lieutenant",
    "Maj": "Major",
    "Capt": "Captain",
    "Cmdr": "Commander",
    "Cpl": "Corporal",
    "Sgt": "Sergeant",
    "Adm": "Admiral",
    "Brig": "Brigadier",
    "Gov": "Governor",
    "Sen": "Senator",
    "Rep": "Representative",
    "Pres": "President",
    "Supt": "Superintendent",
    "Det": "Detective",
    "Insp": "Inspector",
    "Inc": "Incorporated",
    "Ltd": "Limited",
    "Corp": "Corporation",
    "Bros": "Brothers",
    "Jr": "Junior",
    "Sr": "Senior",
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Rd": "Road",
    "Hwy": "Highway",
    "Mt": "Mount",
    "Ft": "Fort",
    "Dept": "Department",
    "dept": "department",
    "govt": "government",
    "Univ": "University",
    "Assn": "Association",
    "approx": "approximately",
    "Approx": "approximately",
    "esp": "especially",
    "excl": "excluding",
    "incl": "including",
    "resp": "respectively",
    "viz": "namely",
    "vs": "versus",
    "cf": "compare",
    "etc": "et cetera",
    "ca": "circa",
    "misc": "miscellaneous",
    "avg": "average",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
}
"""By how they are written before their full stop. `text.abbreviations` knows them, too, and more:
where sentences end is one question, and what is said another."""

BEFORE_NUMBERS = {
    "No": "number",
    "no": "number",
    "Nr": "number",
    "nr": "number",
    "Nos": "numbers",
    "nos": "numbers",
    "p": "page",
    "pp": "pages",
    "Fig": "figure",
    "fig": "figure",
    "Figs": "figures",
    "figs": "figures",
    "vol": "volume",
    "Vol": "volume",
    "vols": "volumes",
    "Ch": "chapter",
    "ch": "chapter",
    "Chap": "chapter",
    "chap": "chapter",
    "Sec": "section",
    "sec": "section",
    "Art": "article",
    "Eq": "equation",
    "eq": "equation",
    "Eqs": "equations",
    "Ref": "reference",
    "Tab": "table",
    "Para": "paragraph",
    "ext": "extension",
    "tel": "telephone",
    "Tel": "telephone",
    "est": "established",
    "max": "maximum",
    "min": "minimum",
}
"""Only where a number follows: "No. 5", but "No. Never."."""

_DOTTED = {
    "e": (re.compile(r"[eE]\.?[ ]?g\.(?=\W)"), "for example"),
    "i": (re.compile(r"[iI]\.?[ ]?e\.(?=\W)"), "that is"),
}
_NUMBER_FOLLOWS = re.compile(r"\.[ \u00a0]?(?=[0-9#])")
_ROMAN_FOLLOWS = re.compile(r"[ \u00a0](?P<n>[IVX]{1,7})(?P<s>['’]s)?(?![\w.]?\w)")
_AFTER_SLASH = re.compile(r"/[a-z]{0,5}(?![\w/])")
_PRONOUNS = frozenset("he she him her his hers they them their".split())
_WEEKDAYS = {"Mon": "Monday", "Sat": "Saturday", "Sun": "Sunday"}
_GOES_ON = re.compile(r"\.(?:[ ]?[–-]|,?[ ](?=[a-z0-9]))")
_STREET = re.compile(r"[0-9][\w]{0,5} (?:[A-Z][a-z]{1,20} ){1,3}$")
_NUMBERED = frozenset(
    "chapter part volume book act scene section article phase appendix figure table type class "
    "stage level title war bowl grade episode canto stanza psalm amendment schedule annex unit "
    "category tier generation mark olympiad".split()
)
_RULERS = frozenset(
    "henry louis charles elizabeth george edward james william richard john paul pius benedict "
    "gregory francis philip philippe frederick friedrich catherine mary leo innocent clement "
    "alexander nicholas napoleon ramses ramesses rameses robert christian gustav haakon harald "
    "olav ferdinand leopold otto constantine urban boniface albert alfonso juan carlos wilhelm "
    "margrethe victor umberto peter ivan darius xerxes ptolemy cleopatra thutmose amenhotep "
    "malcolm alexios baldwin conrad rudolf maximilian joseph pedro sixtus julius adrian eugene "
    "celestine honorius martin stephen theodore justinian michael basil antiochus seleucus "
    "mithridates artaxerxes".split()
)


def abbreviation(text: str, at: int, end: int) -> Optional[Reading]:
    """For the word ``text[at:end]``, if it is one."""
    word = text[at:end]
    if text[end : end + 1] != ".":
        return None
    dotted = _DOTTED.get(word.lower())
    if dotted:
        match = dotted[0].match(text, at)
        if match and match.end() - at > 2:
            return _ended(text, match.end(), dotted[1])
    said = BEFORE_NUMBERS.get(word)
    if said:
        number = _NUMBER_FOLLOWS.match(text, end)
        return Reading(f"{said} ", number.end()) if number else None
    if word in _WEEKDAYS:
        return Reading(_WEEKDAYS[word], end + 1) if _GOES_ON.match(text, end) else None
    if word == "Dr":
        return _ended(text, end + 1, "Drive" if _after_a_name(text, at, end) else "Doctor")
    if word == "St":
        return _ended(text, end + 1, "Saint" if _before_a_name(text, at, end) else "Street")
    said = ALWAYS.get(word)
    return _ended(text, end + 1, said) if said else None


def numeral(text: str, at: int, end: int, american: bool) -> Optional[Reading]:
    """Chapter IV and Henry VIII, at the word before the numeral. "I" is always a pronoun."""
    match = _ROMAN_FOLLOWS.match(text, end)
    if not match or not text[at].isupper() or match["n"] == "I":
        return None
    value, word = roman(match["n"]), text[at:end]
    if not value:
        return None
    if word.lower() in _NUMBERED:
        said = f"{word} {cardinal(str(value), american)}"
    elif word.lower() in _RULERS:
        said = f"{word} the {ordinal(str(value), american)}"
    else:
        return None
    return Reading(said, match.end("n"))


def slashed(text: str, at: int, end: int) -> Optional[Reading]:
    """and/or, he/she, w/o: the word ``text[at:end]`` and what comes after its slash."""
    match = _AFTER_SLASH.match(text, end)
    first, second = text[at:end], match.group()[1:] if match else ""
    if first.lower() == "w" and second in ("", "o"):
        return Reading("without" if second else "with", end + 1 + len(second))
    if (first.lower(), second) == ("and", "or"):
        return Reading(f"{first} or", end + 3)
    if first.lower() in _PRONOUNS and second in _PRONOUNS:
        return Reading(f"{first} or {second}", end + 1 + len(second))
    return None


def _ended(text: str, end: int, said: str) -> Reading:
    """The full stop ends the sentence, too, if nothing but closing marks follows it."""
    if not text[end:].strip("\"'”’)*_] "):
        return Reading(said, end - 1)
    return Reading(said, end)


def _after_a_name(text: str, at: int, end: int) -> bool:
    """Mulholland Dr., but: the Dr. and Ask Dr. Smith."""
    return previous_word(text, at)[:1].isupper() and not next_word(text, end + 1)[:1].isupper()


def _before_a_name(text: str, at: int, end: int) -> bool:
    """St. Paul, but not 5 Main St. Springfield."""
    if not next_word(text, end + 1)[:1].isupper():
        return False
    street = _STREET.search(text[max(0, at - 40) : at])
    return street is None
