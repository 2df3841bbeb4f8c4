"""Log calls that somebody might write in good faith, and what must not be read of them.

Each is a name, the arguments of ``log.info``, what must be gone and what must
still be there. The secrets are made up; those in makers' formats are put
together here, so that no scanner takes this file for a leak.
"""

import base64
import dataclasses
import json
import types
from collections import OrderedDict, namedtuple
from typing import Any, Dict, NamedTuple, Tuple

import msgspec

SECRET = "Tr0ub4dor-n3u"
"""Has no format of its own: only its name can give it away."""

CONFIGURED = 'cfg+7/Qx"z=9-key'
"""A configured key, with characters that JSON, URLs and HTML write in another way."""

PLAIN = "c0nfigured-plain-key-31"
"""A configured key of ordinary characters."""

DIGITS = "731946025518"
"""A configured key that is a number."""

BODY = "Zm9vYmFyYmF6cXV4Q29ycmVjdEhvcnNl"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{BODY}"
PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQ\n"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{PEM_BODY}-----END RSA PRIVATE KEY-----"
BASIC = base64.b64encode(f"bob:{SECRET}".encode()).decode()


class Case(NamedTuple):
    name: str
    args: Tuple[Any, ...]
    extra: Dict[str, Any] = {}
    gone: Tuple[str, ...] = (SECRET,)
    kept: Tuple[str, ...] = ()


@dataclasses.dataclass
class Login:
    user: str
    password: str


class Connection(msgspec.Struct):
    host: str
    api_key: str


Pair = namedtuple("Pair", "user token")


class Odd:
    def __repr__(self) -> str:
        return f"<Odd user=bob secret={SECRET}>"


def said(name: str, text: str, gone: Any = SECRET, kept: Tuple[str, ...] = ()) -> Case:
    """A case whose message is the text."""
    return Case(name, ("%s", text), gone=(gone,) if isinstance(gone, str) else gone, kept=kept)


def added(name: str, kept: Tuple[str, ...] = (), gone: Any = SECRET, **extra: Any) -> Case:
    """A case with extra fields."""
    return Case(name, ("added",), extra, (gone,) if isinstance(gone, str) else gone, kept)


def nested(value: Any, depth: int) -> Any:
    for level in range(depth):
        value = {f"level{level}": [value]}
    return value


NAMES = [
    *("password", "passwd", "pwd", "token", "secret", "authorization", "Proxy-Authorization"),
    *("api_key", "apikey", "X-API-Key", "Cookie", "Set-Cookie", "session", "credential"),
    *("private_key", "signature", "accessToken", "clientSecret", "DB_PASSWORD", "PGPASSWORD"),
    *("refresh.token", "aws_secret_access_key", "passphrase", "csrftoken", "PHPSESSID", "auth"),
    *("X-Amz-Security-Token", "openai_apiKey", "user_pass", "otp", "credentials", "session_id"),
]

BY_NAME = [
    added(f"a field {name}", (name, "voice"), **{name: SECRET, "x": "voice"}) for name in NAMES
]

FIELDS = [
    added("a dictionary", ("bob", "password"), login={"user": "bob", "password": SECRET}),
    added("deep", ("level0", "level9"), deep=nested({"token": SECRET}, 10)),
    added("a list of dictionaries", ("en-us",), of=[{"voice": "en-us"}, {"secret": SECRET}]),
    added("a tuple", ("first",), of=("first", {"pwd": SECRET})),
    added("a set", ("[redacted]",), of={f"password={SECRET}"}),
    added("a frozen set", of=frozenset({f"token: {SECRET}"})),
    added("a data class", ("bob",), login=Login("bob", SECRET)),
    added("a struct", ("db.example",), connection=Connection("db.example", SECRET)),
    added("a named tuple", ("bob",), pair=Pair("bob", SECRET)),
    added("an ordered dictionary", ("z",), of=OrderedDict(z=1, token=SECRET)),
    added("a view of a dictionary", ("z",), of=types.MappingProxyType({"z": 1, "token": SECRET})),
    added("bytes", ("user=bob",), raw=f"user=bob&password={SECRET}".encode()),
    added("a byte array", raw=bytearray(f"token={SECRET}".encode())),
    added("a dictionary of bytes", headers={b"authorization": SECRET.encode(), b"host": b"x"}),
    added("an object's own text", ("user=bob",), odd=Odd()),
    added("an error as a value", ("ValueError",), error=ValueError(f"token={SECRET} is bad")),
    added("a list of headers", ("example.org",), h=[("Host", "example.org"), ("Cookie", SECRET)]),
    added("a list of lists", ("x-y",), h=[["x-y", "z"], ["authorization", SECRET]]),
    added("headers as bytes", ("host",), h=[(b"host", b"z"), (b"x-api-key", SECRET.encode())]),
    added("name and value", ("DB_PASSWORD",), env=[{"name": "DB_PASSWORD", "value": SECRET}]),
    added("arguments of a command", ("--port", "80"), argv=["--port", "80", "--password", SECRET]),
    added("a number", ("pass",), login={"password": 86753091234}, gone="86753091234"),
    added("a secret beside a cycle", ("here",), of=OrderedDict(a="here", token=[SECRET])),
    added("a secret in a name", ("[redacted]",), of={JWT: 1}, gone=BODY),
    added("all below a secret name", ("user",), user=1, credentials={"a": [SECRET], "b": SECRET}),
    added("a string of JSON", ("bob",), body=json.dumps({"user": "bob", "password": SECRET})),
    added("a key", ("alice", "[redacted]"), key="alice", voice=PEM, gone=PEM_BODY.split("\n")[0]),
]

TEXTS = [
    said("name=value", f"login password={SECRET} user=bob", kept=("password=", "user=bob")),
    said("name=value, comma", f"password={SECRET}, user=bob", kept=("user=bob",)),
    said("name = value", f"a password = {SECRET} for bob", kept=("for bob",)),
    said("name: value", f"got token: {SECRET} from bob", kept=("token:", "from bob")),
    said("name:value", f"token:{SECRET} user:bob", kept=("user:bob",)),
    said("name := value", f"set token := {SECRET}", kept=("token",)),
    said("name => value", f"{{:password => '{SECRET}', :user => 'bob'}}", kept=("'bob'",)),
    said("name == value", f"if password == '{SECRET}': pass", kept=("if password",)),
    said(
        "a quoted value", f"password='{SECRET} and more' user=bob", ("more", SECRET), ("user=bob",)
    ),
    said("an escaped quote", r'{"password": "x\"' + SECRET + '", "a": 1}', kept=('"a": 1',)),
    said("a backslash at the end", f'{{"password": "{SECRET}\\\\", "a": 1}}', kept=('"a": 1',)),
    said("quotes in a bare value", f"password=it's\"{SECRET} user=bob", kept=("user=bob",)),
    said("commas in a bare value", f"password=a,b;c&{SECRET} user=bob", kept=("user=bob",)),
    said("brackets in a bare value", f"password=a)b]{SECRET} user=bob", kept=("user=bob",)),
    said("JSON", json.dumps({"a": 1, "token": SECRET, "b": 2}), kept=('"a": 1', '"b": 2')),
    said("compact JSON", f'{{"a":1,"token":"{SECRET}","b":2}}', kept=('"a":1', '"b":2')),
    said("a number in JSON", '{"pin": 1, "password": 86753091234}', "86753091234", ('"pin": 1',)),
    said("a list in JSON", json.dumps({"tokens": [SECRET, "z"], "b": 2}), kept=('"b": 2',)),
    said(
        "an object in JSON", json.dumps({"auth": {"u": "]", "p": SECRET}, "b": 2}), kept=('"b": 2',)
    ),
    said("indented JSON", json.dumps({"password": SECRET, "b": 2}, indent=2), kept=('"b": 2',)),
    said("JSON in JSON", json.dumps({"b": json.dumps({"token": SECRET, "c": 3})}), kept=("c", "3")),
    said(
        "JSON in JSON in JSON",
        json.dumps(json.dumps(json.dumps({"token": f'a"b{SECRET}', "c": 3}))),
        kept=("c", "3"),
    ),
    said("JSON cut off", '{"user": "bob", "password": "' + SECRET, kept=("bob",)),
    said("a dictionary's repr", repr({"user": "bob", "password": SECRET}), kept=("'bob'",)),
    said("a repr in a repr", repr(repr({"password": f"it's {SECRET}", "b": 2})), kept=("2",)),
    said("a repr of bytes", repr({b"password": SECRET.encode(), b"b": 2}), kept=("2",)),
    said("an object's repr", f"Login(user='bob', password='{SECRET}')", kept=("user='bob'",)),
    said("a call", f"password=SecretStr('{SECRET}'), user=bob", kept=("user=bob",)),
    said("an annotation", f'    password: str = "{SECRET}"', kept=("password:",)),
    said("an item's name", f'os.environ["DB_PASSWORD"] = "{SECRET}"', kept=("DB_PASSWORD",)),
    said("a form's name", f"user[password]={SECRET}&a=1", kept=("a=1",)),
    said("pairs in a repr", repr([("Authorization", SECRET), ("Host", "z")]), kept=("'Host'",)),
    said("name and value in JSON", f'{{"name": "TOKEN", "value": "{SECRET}"}}', kept=("TOKEN",)),
    said("XML", f"<user>bob</user><password>{SECRET}</password>", kept=("<user>bob</user>",)),
    said(
        "XML with more", f'<ns:token type="x"><![CDATA[{SECRET}]]></ns:token>', kept=("ns:token",)
    ),
    said("HTML", f'<input name="password" value="{SECRET}"><b>x</b>', kept=("<b>x</b>",)),
    said(
        "YAML",
        f"user: bob\npassword: {SECRET} battery staple\nport: 1",
        (SECRET, "staple"),
        ("port",),
    ),
    said("a YAML block", f"a: 1\nsecret: |\n  x\n  {SECRET}\nb: 2", kept=("a: 1", "b: 2")),
    said("a YAML list", f"tokens:\n- {SECRET}\n- b\nport: 2", kept=("port: 2",)),
    said("a YAML mapping", f"auth:\n  user: z\n  pin: {SECRET}\nport: 2", kept=("port: 2",)),
    said("INI", f"[db]\npassword = horse {SECRET}\nport = 1", kept=("[db]", "port = 1")),
    said("a file of variables", f"export API_KEY={SECRET}\nPORT=80", kept=("PORT=80",)),
    said("an environment", f"A=1\0TOKEN={SECRET}\0B=2", kept=("A=1", "B=2")),
    said("a command line", f"run --password {SECRET} --port 80", kept=("--port 80",)),
    said("a command line with =", f"run --api-key={SECRET} --port 80", kept=("--port 80",)),
    said("a command's repr", repr(["run", "--token", SECRET, "--port"]), kept=("--port",)),
    said("words", f"the password '{SECRET}' is wrong", kept=("is wrong",)),
    said("two words", f"API key: {SECRET}", kept=("API key:",)),
    said("names in a row", f"wrong password: value: {SECRET}", kept=("wrong password:",)),
    said("upper case", f"PASSWORD={SECRET} A=1", kept=("A=1",)),
    said("after an escaped line break", f"a\\ntoken={SECRET}\\nuser=bob", kept=("user=bob",)),
    said("within colours", f"\x1b[31mtoken={SECRET}\x1b[0m end", kept=("end",)),
    said("a cookie", f"Cookie: a=1; b={SECRET}; c\r\nHost: x.org", kept=("Host: x.org",)),
    said("a set cookie", f"Set-Cookie: sid={SECRET}; Path=/\nHost: x.org", kept=("Host: x.org",)),
    said("an own header", f"X-Api-Key: {SECRET}\r\nHost: x.org", kept=("Host: x.org",)),
    said("a bearer", f"Authorization: Bearer {SECRET}\r\nHost: x", kept=("Bearer", "Host: x")),
    said("a bearer by itself", f"sent Bearer {SECRET} to x.org", kept=("to x.org",)),
    said("a bearer in lower case", f"sent bearer  {SECRET}, to x.org", kept=("to x.org",)),
    said("basic", f"Authorization: Basic {BASIC}\r\nHost: x.org", BASIC, ("Basic", "Host: x.org")),
    said("basic by itself", f"sent Basic {BASIC} to x.org", BASIC, ("to x.org",)),
    said(
        "digest",
        f'Authorization: Digest username="bob", realm="x", response="{SECRET}"\nHost: x.org',
        kept=("Digest", "Host: x.org"),
    ),
    said("a quoted header", f"curl -H 'Authorization: {SECRET} x' http://x.org", kept=("x.org",)),
    said(
        "a dump of bytes",
        repr(f"GET / HTTP/1.1\r\nAuthorization: Token {SECRET}\r\nHost: x.org\r\n".encode()),
        kept=("GET / HTTP/1.1", "Host: x.org"),
    ),
    said("a query", f"GET /a?api_key={SECRET}&x=1 HTTP/1.1", kept=("GET /a?api_key=", "&x=1 HTTP")),
    said("a query in HTML", f"/a?token={SECRET}&amp;x=1", kept=("&amp;x=1",)),
    said("a key in a query", f"/maps?key={SECRET}&x=1", kept=("&x=1",)),
    said("a signed URL", f"/b?X-Amz-Signature={SECRET}&x=1", kept=("&x=1",)),
    said(
        "a URL in a URL",
        f"/login?next=%2Fa%3Ftoken%3D{SECRET}%26x%3D1",
        kept=("next=%2Fa", "%26x%3D1"),
    ),
    said(
        "JSON in a URL",
        f"/?q=%7B%22password%22%3A%22{SECRET}%22%2C%22x%22%3A1%7D",
        kept=("%22x%22",),
    ),
    said(
        "a URL with a password", f"postgres://bob:{SECRET}@db:5432/x", kept=("bob:", "@db:5432/x")
    ),
    said(
        "a URL without a user",
        f"at redis://:{SECRET}@cache:6379/0 now",
        kept=("@cache:6379/0 now",),
    ),
    said("a URL with an @", f"amqp://u:p@{SECRET}@mq/x", kept=("@mq/x",)),
    said("a URL with a slash", f"mysql://u:p/{SECRET}@db/x", kept=("@db/x",)),
    said("a URL with a token", f"https://{SECRET}@git.org/a", kept=("@git.org/a",)),
    said("two URLs", f"redis://:{SECRET}@a,redis://:{SECRET}@b", kept=("@a,redis://", "@b")),
    said("a URL with escaped slashes", rf"redis:\/\/:{SECRET}@cache\/0", kept=("@cache",)),
    said("an encoded URL", f"?u=redis%3A%2F%2Fu%3A{SECRET}%40cache%2F0", kept=("%40cache",)),
    said("a URL without a scheme", f"proxy //bob:{SECRET}@p.org:80/", kept=("@p.org:80/",)),
    said("a form's part", f'form-data; name="token"\r\n\r\n{SECRET}\r\n--end', kept=("--end",)),
    said(
        "an object of its own", f"Token(value='{SECRET}', exp=3) of bob", kept=("Token", "of bob")
    ),
    said("quotes of HTML", f"{{&quot;token&quot;:&quot;{SECRET}&quot;,x}} y", kept=(",x} y",)),
    said("quotes of JSON", rf"{{\u0022token\u0022:\u0022{SECRET}\u0022, x", kept=(", x",)),
    said("other spaces and signs", f"token\u00a0\uff1a\u00a0{SECRET} x", kept=(" x",)),
    said(
        "a connection string", f"Server=x;Password={SECRET};Encrypt=true", kept=(";Encrypt=true",)
    ),
    said(
        "a chain of headers", f"['X-Auth-Token: {SECRET}', 'Host: x.org']", kept=("'Host: x.org'",)
    ),
    said("a private key", f"read {PEM} from disk", tuple(PEM_BODY.split()), ("from disk",)),
    said(
        "a private key in YAML",
        f"private_key: {PEM}\nport: 1",
        tuple(PEM_BODY.split()),
        ("port: 1",),
    ),
    said(
        "a private key in JSON",
        json.dumps({"k": PEM, "b": 2}),
        tuple(PEM_BODY.split()),
        ('"b": 2',),
    ),
    said("a private key cut off", PEM[:80], "MIIEvQ", ()),
    said("a web token", f"got {JWT} from bob", (BODY, "eyJzdWI"), ("from bob",)),
    said("a web token in a path", f"/reset/{JWT}/ok", BODY, ("/reset/", "/ok")),
    *(
        said(f"a key of {maker}", f"using {key} for bob", key, ("using [redacted] for bob",))
        for maker, key in {
            "OpenAI": "sk-" + "proj-" + BODY,
            "OpenAI, short": "sk-" + "test1234",
            "Anthropic": "sk-ant-" + "api03-" + BODY,
            "Stripe": "sk_" + "live_" + BODY,
            "Stripe, restricted": "rk_" + "test_" + BODY,
            "GitHub": "ghp_" + BODY,
            "GitHub, fine": "github_" + "pat_11AA_" + BODY,
            "GitLab": "glpat-" + BODY,
            "AWS": "AKIA" + "IOSFODNN7ABCDEFG",
            "Google": "AIza" + "Sy" + BODY,
            "Slack": "xoxb-" + "1234567890-" + BODY,
            "Hugging Face": "hf_" + BODY,
            "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" + BODY,
        }.items()
    ),
    said(
        "an AWS pair",
        "AKIA" + "IOSFODNN7ABCDEFG:" + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzKEYa end",
        ("wJalrXUtn", "KEYa"),
        ("end",),
    ),
    said("a key after an escaped break", "a\\n" + "sk-" + BODY + " end", BODY, ("end",)),
    said("a webhook", "https://hooks.slack.com/services/T0/B0/" + BODY, BODY, ("hooks.slack.com",)),
    said(
        "an unknown key", "Incorrect API key provided: " + "sk-" + BODY + ".", BODY, ("Incorrect",)
    ),
    said("a configured key", f"who is {PLAIN}?", PLAIN, ("who is [redacted]?",)),
    said(
        "a configured key in base64",
        base64.b64encode(b"x" + PLAIN.encode()).decode(),
        "NvbmZpZ3VyZWQtcGxhaW4ta2V5LT",
    ),
    said("a configured key in JSON", json.dumps({"x": CONFIGURED}), 'Qx\\"z', ('{"x"',)),
    said("a configured key in a URL", "/x/cfg%2B7%2FQx%22z%3D9-key/y", "7%2FQx", ("/x/", "/y")),
    said("a configured key in HTML", "<b>cfg+7/Qx&quot;z=9-key</b>", "7/Qx", ("<b>", "</b>")),
    said("a configured key, quoted", f"{CONFIGURED!r}", "7/Qx"),
    added("a configured number", of=[int(DIGITS)], gone=DIGITS),
    added("a configured number by itself", n=int(DIGITS), gone=DIGITS),
    Case("a named argument", ("%(a)s token=%(t)s", {"a": "bob", "t": SECRET}), kept=("bob",)),
    Case("a mapping in the arguments", ("%s", {"user": "bob", "password": SECRET}), kept=("bob",)),
    Case("arguments that do not fit", ("token=" + SECRET + " %d", "x"), kept=("token=",)),
]

CASES = [*BY_NAME, *FIELDS, *TEXTS]

INNOCENT_TEXTS = [
    "POST /v1/audio/speech 200",
    "tokens_total=12 input_tokens=7 max_tokens: 100",
    "token_count: 5, token_type: bearer-free",
    "the keyboard is a monkey's keystone; key=alice cache_key=abc sort key: name",
    "bearer token is missing; Basic authentication needed; basic usage, Basic HTML",
    'WWW-Authenticate: Bearer realm="autovoice"',
    "voice sk-SK-LukasNeural and sk-SK-ViktoriaNeural and sk_SK-lili-medium, task-0123456789abcdef",
    "https://example.org:8080/a?b=c#d, http://[::1]:5000/x, ssh://git@example.org/a",
    "https://medium.example/@user/story and joe@example.org",
    "redis://localhost:6379/0 does not answer",
    "request 4bf92f3577b34da6a3ce929d0e0e4736 of 550e8400-e29b-41d4-a716-446655440000",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "author=Bob authority: none, secretary: Ann, tokenizer: fast, passenger=Joe, compass: north",
    "password: None, token=null, secret: '', password=''",
    "espeak-ng spoke 3 sentences of a novel set in Asia",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "Token::parse failed at auth.py:12: bad input in auth.example.org:443/x",
    'File "/srv/secrets.py", line 3, in get_token',
    "session_count=4, sessions: 12, cookies=3 api_keys_file=/etc/keys, private_key_path=/etc/k.pem",
    "Unexpected token '<' in JSON at position 0",
    "author: größe 你好 — ok",
]

INNOCENT_FIELDS = [
    {"key": "alice", "tokens_total": 5, "input_tokens": 12, "token_count": 3, "keyboard": "qwerty"},
    {"tokens": 17, "sessions": 2, "cookies": 1, "max_tokens": 4096, "tokens_per_second": 3.5},
    {"password": None, "token": "", "has_password": True, "secret": False, "credentials": []},
    {"public_key": "abc", "cache_key": "x", "primary_key": 7, "sort_key": "name", "keys": ["a"]},
    {"author": "Bob", "passenger": 3, "secretary": "Ann", "token_type": "x", "auth_method": "key"},
    {"voice": "sk-SK-LukasNeural", "route": "/v1/audio/speech", "client": "10.0.0.1"},
]
