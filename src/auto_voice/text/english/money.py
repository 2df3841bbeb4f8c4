"""Sums of money."""

import re
from typing import Dict, NamedTuple, Optional

from auto_voice.text.english.amounts import Amount, amount
from auto_voice.text.english.numbers import cardinal
from auto_voice.text.english.reading import Reading, previous_word


class Currency(NamedTuple):
    """How a currency is called."""

    one: str
    many: str
    cent: str = ""
    """The hundredth part; empty: there is none."""
    cents: str = ""


_DOLLAR = Currency("dollar", "dollars", "cent", "cents")
_YEN = Currency("yen", "yen")

SIGNS: Dict[str, Currency] = {
    "$": _DOLLAR,
    "£": Currency("pound", "pounds", "penny", "pence"),
    "€": Currency("euro", "euros", "cent", "cents"),
    "¥": _YEN,
    "￥": _YEN,
    "₹": Currency("rupee", "rupees", "paisa", "paise"),
    "₩": Currency("won", "won"),
    "₽": Currency("rouble", "roubles", "kopeck", "kopecks"),
    "₺": Currency("lira", "lira"),
    "₴": Currency("hryvnia", "hryvnias"),
    "₪": Currency("shekel", "shekels"),
    "₦": Currency("naira", "naira"),
    "₱": Currency("peso", "pesos"),
    "₫": Currency("dong", "dong"),
    "₿": Currency("bitcoin", "bitcoins"),
}


def _of(country: str, currency: Currency) -> Currency:
    return currency._replace(one=f"{country} {currency.one}", many=f"{country} {currency.many}")


CODES: Dict[str, Currency] = {
    "USD": _of("US", _DOLLAR),
    "EUR": SIGNS["€"],
    "GBP": SIGNS["£"],
    "JPY": _YEN,
    "CNY": Currency("yuan", "yuan"),
    "INR": SIGNS["₹"],
    "KRW": SIGNS["₩"],
    "RUB": SIGNS["₽"],
    "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"),
    "AUD": _of("Australian", _DOLLAR),
    "CAD": _of("Canadian", _DOLLAR),
    "NZD": _of("New Zealand", _DOLLAR),
    "HKD": _of("Hong Kong", _DOLLAR),
    "SGD": _of("Singapore", _DOLLAR),
    "SEK": Currency("Swedish krona", "Swedish kronor"),
    "NOK": Currency("Norwegian krone", "Norwegian kroner"),
    "DKK": Currency("Danish krone", "Danish kroner"),
    "PLN": Currency("zloty", "zlotys"),
    "CZK": Currency("Czech koruna", "Czech korunas"),
    "BRL": Currency("real", "reais"),
    "MXN": Currency("Mexican peso", "Mexican pesos"),
    "BTC": SIGNS["₿"],
}
DOLLARS = {"US": "USD", "A": "AUD", "AU": "AUD", "C": "CAD", "CA": "CAD", "NZ": "NZD", "HK": "HKD"}
"""What stands before "$" to say whose."""

_RANGE = re.compile(r"[ ]?[-–—][ ]?[$£€¥]?(?=[0-9])")
_CODE = re.compile("[ ]?(%s|[%s])(?![A-Za-z0-9])" % ("|".join(CODES), "".join(SIGNS)))
_PER = re.compile(
    r"[ ]?/[ ]?(months?|mo|years?|yr|hours?|hr|h|days?|weeks?|wk|person|user|seat|item|piece|night|"
    r"minutes?|min|seconds?|sec|s|kg|lb|litre|liter|gallon|gal|tokens?|token)(?![\w-])"
)
_LONG = {
    "mo": "month",
    "yr": "year",
    "hr": "hour",
    "h": "hour",
    "wk": "week",
    "min": "minute",
    "sec": "second",
    "s": "second",
    "kg": "kilogram",
    "lb": "pound",
    "gal": "gallon",
}


def per(text: str, end: int) -> Reading:
    """ " per month" for "/month" at ``end``; nothing if something else is there."""
    match = _PER.match(text, end)
    if not match:
        return Reading("", end)
    return Reading(f" per {_LONG.get(match[1], match[1])}", match.end())


def after_sign(text: str, at: int, american: bool) -> Optional[Reading]:
    """$5, with the sign at ``at``."""
    sum_at = at + 1 + (text[at + 1 : at + 2] == " ")
    return of_currency(text, at, sum_at, SIGNS[text[at]], american)


def of_currency(
    text: str, at: int, sum_at: int, currency: Currency, american: bool
) -> Optional[Reading]:
    """The sum at ``sum_at``, whose currency is written before it, at ``at``."""
    found = amount(text, sum_at, american, money=True)
    if not found:
        return None
    said, end = _sum(found, currency, american), found.end
    until = _RANGE.match(text, end)
    if until:
        upper = amount(text, until.end(), american, money=True)
        if upper:
            said = f"{found.said} to {_sum(upper, currency, american)}"
            end = upper.end
    elif text[end : end + 1] == "-" or previous_word(text, at).lower() in ("a", "an"):
        if not found.fraction or not said.count(currency.one) > 1:
            said = _adjective(found, said, currency)  # a five dollar bill
    rate = per(text, end)
    return Reading(said + rate.said, rate.end if rate.said else end)


def before_code(text: str, found: Amount, american: bool) -> Optional[Reading]:
    """5 USD, 5 €: where a currency follows ``found``."""
    code = _CODE.match(text, found.end)
    if not code:
        return None
    currency = CODES.get(code[1]) or SIGNS[code[1]]
    rate = per(text, code.end())
    said = _sum(found, currency, american)
    return Reading(said + rate.said, rate.end if rate.said else code.end())


def _sum(found: Amount, currency: Currency, american: bool) -> str:
    plain = found.said.rsplit(" ", 1)[-1] not in ("thousand", "million", "billion", "trillion")
    if len(found.fraction) == 2 and currency.cent and plain:
        cents = int(found.fraction)
        whole = cardinal(found.whole or "0", american)
        name = currency.one if whole == "one" else currency.many
        if not cents:
            return f"{whole} {name}"
        small = cardinal(str(cents), american)
        if whole == "zero":
            return f"{small} {currency.cent if cents == 1 else currency.cents}"
        return f"{whole} {name} {small}" if cents > 9 else _and_cents(whole, name, small, currency)
    return f"{found.said} {currency.one if found.one else currency.many}"


def _and_cents(whole: str, name: str, small: str, currency: Currency) -> str:
    return f"{whole} {name} and {small} {currency.cent if small == 'one' else currency.cents}"


def _adjective(found: Amount, said: str, currency: Currency) -> str:
    if said.endswith(f" {currency.many}"):
        return f"{found.said} {currency.one}"
    return said
