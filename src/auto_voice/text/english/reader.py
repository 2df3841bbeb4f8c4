"""Goes through a text once, and asks at each place the rules that may know it."""

import re
from typing import Iterator, Optional

from auto_voice.text.edits import Edit
from auto_voice.text.english import codes, dates, money, symbols, times, units, words
from auto_voice.text.english.amounts import Amount, amount
from auto_voice.text.english.numbers import ordinal
from auto_voice.text.english.reading import Reading, previous_word

# A letter where a rule may begin, a number, or a sign. What else there is passes quickly.
_PLACE = re.compile(
    r"(?P<word>[A-Za-z]+)|(?P<number>[0-9]|(?<![\w.])\.[0-9])|(?P<sign>[%s])"
    % re.escape(symbols.SIGNS)
)
_REST_OF_WORD = re.compile(r"[^\W²³]*")
_REST_OF_NUMBER = re.compile(r"(?:[.,][0-9]|\w)*")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|ST|ND|RD|TH)(?![\w])")
_RANGE = re.compile(r"[ \u00a0]?[–—][ \u00a0]?|-|[ ]-[ ](?=[0-9]+[ ]?%)")
_BY = re.compile(r"[ ]?x[ ]?(?=[0-9])|×(?=[0-9])")
_TIMES = re.compile(r"[x×](?![\w])")
_PLUS = re.compile(r"\+(?![\w+])")
_BOUND = re.compile(r"(?![\w])|(?=[²³])")
_UNTIL = re.compile(r"[-–—][$£€]?[0-9]")

_NUMBER_RULES = (
    dates.numeric,
    times.time,
    codes.fraction,
    dates.day_first,
    dates.decade,
    codes.chain,
    units.height,
)


def read(text: str, american: bool) -> Iterator[Edit]:
    """What in ``text`` is said in another way than it is written."""
    at = 0
    done = -1
    while True:
        place = _PLACE.search(text, at)
        if not place:
            return
        start = place.start()
        reading: Optional[Reading]
        if place["word"]:
            reading = _word(text, start, place.end(), american)
            at = reading.end if reading else _end(_REST_OF_WORD, text, place.end())
        elif place["number"]:
            reading = (
                _number(text, start, american) if start == done or _begins(text, start) else None
            )
            at = reading.end if reading else _end(_REST_OF_NUMBER, text, place.end())
        else:
            goes_on = start == done and _UNTIL.match(text, start)
            reading = symbols.sign(text, start, american)
            if goes_on:
                reading = Reading(" to ", start + 1)
            at = reading.end if reading else start + 1
        if reading:
            said = reading.said
            if place["number"] and at < len(text) and text[at].isalpha() and said[-1:] != " ":
                said += " "
            yield Edit(start, at, said)
            done = at


def _end(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _begins(text: str, at: int) -> bool:
    """Whether a number begins here rather than goes on."""
    return not at or not (text[at - 1].isalnum() or text[at - 1] == "_")


def _word(text: str, at: int, end: int, american: bool) -> Optional[Reading]:
    if at and (text[at - 1].isalnum() or text[at - 1] in "_'’"):
        return None
    following = text[end : end + 1]
    word = text[at:end]
    if following == "$" and word in money.DOLLARS:
        currency = money.CODES[money.DOLLARS[word]]
        return money.of_currency(text, at, end + 1, currency, american)
    if following == ".":
        reading = words.abbreviation(text, at, end)
        if reading:
            return reading
    if word in ("v", "V"):
        return codes.after_v(text, at, american)
    if following in (" ", ".", ",") and word.lower() in dates.BY_NAME:
        return dates.month_first(text, at, american)
    if following == " " and word in money.CODES and text[end + 1 : end + 2].isdecimal():
        return money.of_currency(text, at, end + 1, money.CODES[word], american)
    if following == "/":
        return words.slashed(text, at, end)
    if following in (" ", "\u00a0"):
        return words.numeral(text, at, end, american)
    return None


def _number(text: str, at: int, american: bool) -> Optional[Reading]:
    for rule in _NUMBER_RULES:
        reading = rule(text, at, american)
        if reading:
            return reading
    found = amount(text, at, american)
    if not found:
        return None
    if found.bare:
        after = _ORDINAL.match(text, found.end)
        if after:
            return Reading(ordinal(found.whole, american), after.end())
        reading = dates.years(text, at, american)
        if reading:
            return _measured(text, at, found, american) or reading
    return (
        _range(text, at, found, american)
        or _measured(text, at, found, american)
        or _plain(text, at, found, american)
    )


def _plain(text: str, at: int, found: Amount, american: bool) -> Optional[Reading]:
    times_ = _TIMES.match(text, found.end)
    if times_ and (found.bare or found.fraction):
        return Reading(f"{found.said} times", times_.end())
    by = _BY.match(text, found.end)
    if by:
        return _dimensions(text, at, found, american)
    plus = _PLUS.match(text, found.end)
    if plus:
        return Reading(f"{found.said} plus", plus.end())
    if not _BOUND.match(text, found.end):
        return None  # 4K, 3D: the engine's own
    rate = money.per(text, found.end)
    return Reading(found.said + rate.said, rate.end)


def _measured(text: str, at: int, found: Amount, american: bool) -> Optional[Reading]:
    reading = money.before_code(text, found, american)
    if reading:
        return reading
    if text[at - 1 : at] == "-" and text[found.end : found.end + 1] == "s":
        return None  # B-52s
    adjective = previous_word(text, at).lower() in ("a", "an")
    return units.measured(text, found, adjective)


def _range(text: str, at: int, found: Amount, american: bool) -> Optional[Reading]:
    """10–20, 10-20 km."""
    dash = _RANGE.match(text, found.end)
    if not dash or "=" in text[found.end : found.end + 64]:
        return None
    until = amount(text, dash.end(), american)
    if not until or text[until.end : until.end + 2][:1] in ("-", "/", ":"):
        return None
    last = _measured(text, dash.end(), until, american) or _plain(text, at, until, american)
    if not last:
        return None
    if until.bare and until.whole == found.whole:
        return Reading(f"{found.said} {last.said}", last.end)  # 50-50
    return Reading(f"{found.said} to {last.said}", last.end)


def _dimensions(text: str, at: int, found: Amount, american: bool) -> Optional[Reading]:
    """3 x 4 m, 1920x1080x32."""
    said = [found.said]
    by = _BY.match(text, found.end)
    spread = text[found.end].isspace()
    while by:
        across = amount(text, by.end(), american)
        if not across:
            return None
        found = across
        said.append(found.said)
        by = _BY.match(text, found.end)
    last = _measured(text, at, found, american)
    # 3 x 4 m is a size, 7 x 8 a sum.
    between = " by " if last or not spread else " times "
    last = last or Reading(found.said, found.end)
    return Reading(between.join(said[:-1] + [last.said]), last.end)
