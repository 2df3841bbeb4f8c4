"""A hundred bodies, and more, that nobody should be able to make a server stumble with."""

import gzip
import json
import zlib
from typing import Any, Dict, NamedTuple, Optional, Tuple


class Bad(NamedTuple):
    """A body that has to be refused."""

    body: bytes
    content_type: Optional[str] = "application/json"
    statuses: Tuple[int, ...] = (400,)
    headers: Tuple[Tuple[str, str], ...] = ()


def _with(**fields: Any) -> bytes:
    return json.dumps({"input": "Hello", "voice": "en-us", **fields}).encode()


def _field(name: str, raw: str) -> bytes:
    """A body one of whose values is written as it is, JSON or not."""
    fields = {"input": '"Hello"', "voice": '"en-us"', name: raw}
    return ("{%s}" % ", ".join(f'"{key}": {value}' for key, value in fields.items())).encode(
        "utf-8", "surrogatepass"
    )


GOOD = _with()

BAD_BODIES: Dict[str, Bad] = {
    # --- not JSON -----------------------------------------------------------------------------
    "nothing": Bad(b""),
    "white space": Bad(b" \n\t "),
    "a NUL": Bad(b"\0"),
    "NULs": Bad(b"\0" * 1000),
    "a word": Bad(b"hello"),
    "HTML": Bad(b"<html><body>Hello</body></html>"),
    "a form": Bad(b"input=Hello&voice=en-us"),
    "open": Bad(b"{"),
    "closed": Bad(b"}"),
    "cut after a key": Bad(b'{"input"'),
    "cut after a colon": Bad(b'{"input":'),
    "cut in a string": Bad(b'{"input": "Hel'),
    "cut before the end": Bad(GOOD[:-1]),
    "cut in an escape": Bad(b'{"input": "\\u00'),
    "trailing comma": Bad(b'{"input": "Hello",}'),
    "trailing words": Bad(GOOD + b" and more"),
    "two at once": Bad(GOOD + GOOD),
    "two lines": Bad(GOOD + b"\n" + GOOD),
    "comment": Bad(b'{"input": "Hello" /* said */}'),
    "single quotes": Bad(b"{'input': 'Hello'}"),
    "bare keys": Bad(b'{input: "Hello"}'),
    "no comma": Bad(b'{"input": "Hello" "voice": "en-us"}'),
    "a key that is a number": Bad(b'{1: "Hello", "input": "a"}'),
    "a line break in a string": Bad(b'{"input": "Hel\nlo"}'),
    "a NUL in a string": Bad(b'{"input": "Hel\0lo"}'),
    "an escape that is none": Bad(b'{"input": "Hel\\xlo"}'),
    "a short escape": Bad(b'{"input": "\\u12"}'),
    "an octal escape": Bad(b'{"input": "\\012"}'),
    "NaN": Bad(_field("speed", "NaN")),
    "Infinity": Bad(_field("speed", "Infinity")),
    "-Infinity": Bad(_field("speed", "-Infinity")),
    "hexadecimal": Bad(_field("speed", "0x1")),
    "a leading zero": Bad(_field("speed", "01")),
    "a leading plus": Bad(_field("speed", "+1")),
    "a lone minus": Bad(_field("speed", "-")),
    "a lone point": Bad(_field("speed", "1.")),
    "undefined": Bad(_field("voice", "undefined")),
    "True": Bad(_field("speed", "True")),
    "gzip": Bad(gzip.compress(GOOD)),
    "gzip that says so": Bad(
        gzip.compress(GOOD), statuses=(400, 415), headers=(("Content-Encoding", "gzip"),)
    ),
    "deflate that says so": Bad(
        zlib.compress(GOOD), statuses=(400, 415), headers=(("Content-Encoding", "deflate"),)
    ),
    "MessagePack": Bad(b"\x81\xa5input\xa5Hello"),
    "a picture": Bad(b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
    # --- not UTF-8 ----------------------------------------------------------------------------
    "UTF-8 with a mark": Bad(b"\xef\xbb\xbf" + GOOD),
    "UTF-16": Bad(GOOD.decode().encode("utf-16")),
    "UTF-16, little end first": Bad(GOOD.decode().encode("utf-16-le")),
    "UTF-32": Bad(GOOD.decode().encode("utf-32")),
    "UTF-7": Bad(b'+AHsAIg-input+ACI-: "Hello"}'),
    "Latin-1": Bad('{"input": "Grüße"}'.encode("latin-1")),
    "a byte that is never UTF-8": Bad(b'{"input": "\xff"}'),
    "a lone continuation": Bad(b'{"input": "\x80"}'),
    "an overlong slash": Bad(b'{"input": "\xc0\xaf"}'),
    "a cut character": Bad(b'{"input": "\xe2\x82"}'),
    "beyond Unicode": Bad(b'{"input": "\xf4\x90\x80\x80"}'),
    "a surrogate in UTF-8": Bad(b'{"input": "\xed\xa0\x80"}'),
    "a lone surrogate": Bad(_field("input", '"\\ud800"')),
    "a lone low surrogate": Bad(_field("input", '"\\udc00"')),
    "surrogates the wrong way round": Bad(_field("input", '"\\udc00\\ud800"')),
    "a lone surrogate in the voice": Bad(_field("voice", '"\\ud800"'), statuses=(400, 404)),
    # --- another kind of value ----------------------------------------------------------------
    "null": Bad(b"null"),
    "true": Bad(b"true"),
    "a number": Bad(b"12"),
    "a string": Bad(b'"Hello"'),
    "a list": Bad(b"[]"),
    "a list of a body": Bad(b"[" + GOOD + b"]"),
    "a list of pairs": Bad(b'[["input", "Hello"]]'),
    "an empty object": Bad(b"{}"),
    "only a voice": Bad(b'{"voice": "en-us"}'),
    "input in capitals": Bad(b'{"INPUT": "Hello"}'),
    "text instead of input": Bad(b'{"text": "Hello"}'),
    # --- deep and large -----------------------------------------------------------------------
    "100,000 lists": Bad(b"[" * 100_000, statuses=(400, 413)),
    "20,000 lists": Bad(b"[" * 20_000),
    "20,000 lists and their ends": Bad(b"[" * 20_000 + b"]" * 20_000),
    "deep input": Bad(_field("input", "[" * 20_000 + "]" * 20_000)),
    "deep field that is ignored": Bad(_field("other", "[" * 20_000 + "]" * 20_000)),
    "deep enough": Bad(_field("other", "[" * 33 + "]" * 33)),
    "deep objects that are ignored": Bad(_field("other", '{"a":' * 8_000 + "1" + "}" * 8_000)),
    "a number of 10,000 digits": Bad(_field("speed", "9" * 10_000)),
    "a fraction of 10,000 digits": Bad(_field("sample_rate", "0." + "9" * 10_000)),
    "an exponent that is too large": Bad(_field("speed", "1e999")),
    "an exponent of 1,000 digits": Bad(_field("speed", "1e" + "9" * 1000)),
    "10,000 fields without an input": Bad(
        json.dumps({f"a{number}": number for number in range(6_000)}).encode(),
        statuses=(400, 413),
    ),
    "a body past the limit": Bad(_with(other="x" * 100_000), statuses=(413,)),
    # --- the text -----------------------------------------------------------------------------
    "no text": Bad(_with(input="")),
    "a blank text": Bad(_with(input="   ")),
    "blank lines": Bad(_with(input="\r\n\t\u2028\u3000")),
    "a text that is too long": Bad(_with(input="a" * 4097)),
    "a long text of long characters": Bad(_with(input="\U0001f600" * 4097)),
    # --- the voice ----------------------------------------------------------------------------
    "a voice without a name": Bad(_with(voice="")),
    "a voice that is not there": Bad(_with(voice="nobody"), statuses=(404,)),
    "a voice that is a space": Bad(_with(voice=" "), statuses=(404,)),
    "a voice that is a NUL": Bad(_with(voice="\0"), statuses=(404,)),
    "a voice that is a path": Bad(_with(voice="../../../etc/passwd"), statuses=(404,)),
    "a voice that is a file": Bad(_with(voice="en-us+../../x"), statuses=(404,)),
    "a voice that forges a header": Bad(_with(voice="en-us\r\nX-Evil: 1"), statuses=(404,)),
    "a voice that is code": Bad(_with(voice="%s%n{0}${x}`id`"), statuses=(404,)),
    "a voice that is a picture": Bad(_with(voice="\U0001f600"), statuses=(404,)),
    "a variant that is not there": Bad(_with(voice="en-us+nobody"), statuses=(404,)),
    "a variant without a voice": Bad(_with(voice="+f3"), statuses=(404,)),
    "a variant without a name": Bad(_with(voice="en-us+"), statuses=(404,)),
    "two variants": Bad(_with(voice="en-us+f3+f4"), statuses=(404,)),
    "a long voice": Bad(_with(voice="x" * 201)),
    "a very long voice": Bad(_with(voice="x" * 50_000)),
    "a reference to nothing": Bad(_with(voice={})),
    "a reference to an empty id": Bad(_with(voice={"id": ""})),
    "a reference to no id": Bad(_with(voice={"id": None})),
    "a reference to a number": Bad(_with(voice={"id": 1})),
    "a reference to a reference": Bad(_with(voice={"id": {"id": "en-us"}})),
    "a reference by name": Bad(_with(voice={"name": "en-us"})),
    "a reference to nobody": Bad(_with(voice={"id": "nobody"}), statuses=(404,)),
    # --- the model ----------------------------------------------------------------------------
    "a model without a name": Bad(_with(model=""), statuses=(400, 404)),
    "a model that is not there": Bad(_with(model="gpt-9"), statuses=(404,)),
    "a model in capitals": Bad(_with(model="TTS-1"), statuses=(404,)),
    "a model that is a NUL": Bad(_with(model="\0"), statuses=(404,)),
    "a long model": Bad(_with(model="x" * 201)),
    # --- the rest -----------------------------------------------------------------------------
    "speed 0": Bad(_with(speed=0)),
    "a little too slow": Bad(_with(speed=0.2499)),
    "a little too fast": Bad(_with(speed=4.0001)),
    "backwards": Bad(_with(speed=-1)),
    "as fast as can be": Bad(_with(speed=1.7e308)),
    "a speed below zero by a hair": Bad(_with(speed=-5e-324)),
    "a speed in words": Bad(_with(speed="fast")),
    "a speed as a string": Bad(_with(speed="1.0")),
    "sample rate 0": Bad(_with(sample_rate=0)),
    "a sample rate that is too low": Bad(_with(sample_rate=7999)),
    "a sample rate that is too high": Bad(_with(sample_rate=48001)),
    "a negative sample rate": Bad(_with(sample_rate=-24000)),
    "a broken sample rate": Bad(_with(sample_rate=24000.5)),
    "a sample rate as a string": Bad(_with(sample_rate="24000")),
    "a huge sample rate": Bad(_with(sample_rate=2**31)),
    "a sample rate of 65 bits": Bad(_with(sample_rate=2**64)),
    "a sample rate of 200 bits": Bad(_with(sample_rate=2**200)),
    "a format in capitals": Bad(_with(response_format="MP3")),
    "a format with a space": Bad(_with(response_format="mp3 ")),
    "a format without a name": Bad(_with(response_format="")),
    "another format": Bad(_with(response_format="ogg")),
    "a format that is a path": Bad(_with(response_format="../mp3")),
    "a long format": Bad(_with(response_format="mp3" * 10_000)),
    "another way to stream": Bad(_with(stream_format="websocket")),
    "times and audio bytes": Bad(_with(timestamps="word", stream_format="audio")),
    "too many lexicons": Bad(_with(lexicon=["a"] * 9)),
    "a long lexicon": Bad(_with(lexicon="a" * 101)),
    "long instructions": Bad(_with(instructions="x" * 4097)),
    # --- the type of the body -----------------------------------------------------------------
    "as text": Bad(GOOD, "text/plain", (415,)),
    "as HTML": Bad(GOOD, "text/html", (415,)),
    "as a form's": Bad(GOOD, "application/x-www-form-urlencoded", (415,)),
    "as a form's with files": Bad(GOOD, "multipart/form-data; boundary=x", (415,)),
    "as XML": Bad(GOOD, "application/xml", (415,)),
    "as JavaScript": Bad(GOOD, "application/javascript", (415,)),
    "as bytes": Bad(GOOD, "application/octet-stream", (415,)),
    "as audio": Bad(GOOD, "audio/wav", (415,)),
    "as nearly JSON": Bad(GOOD, "application/jsonl", (415,)),
    "as JSON and text": Bad(GOOD, "application/json, text/plain", (415,)),
    "as nonsense": Bad(GOOD, "no such type", (415,)),
}

_WRONG = {
    "null": None,
    "a boolean": True,
    "a number": 12345678,
    "a fraction": 0.5e9,
    "a list": [],
    "a list of text": ["mp3"],
    "an object": {},
    "an object of text": {"value": "mp3"},
    "a string": "7",
}
_RIGHT = {  # what is a value of this field, or no wrong one
    "input": {"a string"},
    "model": {"a string"},
    "voice": {"a string", "null"},
    "response_format": set(),
    "speed": set(),
    "stream_format": {"null"},
    "pitch": set(),
    "ssml": {"null", "a boolean"},
    "timestamps": {"null"},
    "lexicon": {"null", "a list", "a list of text", "a string"},
    "normalize": {"null", "a boolean"},
    "instructions": {"a string", "null"},
    "sample_rate": {"null"},
}
for _name, _right in _RIGHT.items():
    for _kind, _value in _WRONG.items():
        if _kind not in _right:
            BAD_BODIES[f"{_name} is {_kind}"] = Bad(_with(**{_name: _value}))
