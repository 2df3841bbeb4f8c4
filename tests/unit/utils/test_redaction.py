"""No secret is in what the log shows, and what is no secret is."""

import base64
import copy
import datetime
import decimal
import http
import io
import json
import logging
import sys
import threading
import time
import uuid
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from auto_voice.settings import load
from auto_voice.utils.log_formats import ConsoleFormatter, JSONFormatter
from auto_voice.utils.redaction import Redactor, configured_secrets, text_facts
from auto_voice.utils.tracing_context import current
from tests.examples import examples
from tests.unit.utils.redaction_corpus import (
    CASES,
    CONFIGURED,
    DIGITS,
    INNOCENT_FIELDS,
    INNOCENT_TEXTS,
    PLAIN,
    SECRET,
    Login,
    nested,
)

HIDDEN = "[redacted]"
CONFIGURED_ALL = (CONFIGURED, PLAIN, DIGITS)
FORMATS = {
    "json": JSONFormatter,
    "console": lambda redactor: ConsoleFormatter(colour=False, redactor=redactor),
}


class Log:
    """A logger with one handler; what it wrote."""

    def __init__(self, form, redactor=None):
        self.redactor = redactor or Redactor(CONFIGURED_ALL)
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(FORMATS[form](self.redactor))
        self.logger = logging.Logger("auto_voice.test")
        self.logger.addHandler(handler)

    @property
    def text(self):
        return self._stream.getvalue()

    @property
    def read(self):
        """What a reader of the line sees: JSON's strings as they were before they were escaped."""
        try:
            return "\n".join(map(str, strings(json.loads(self.text))))
        except ValueError:
            return self.text


def strings(tree):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from strings(value)
    else:
        yield tree


def logged(form, *args, **extra):
    log = Log(form)
    log.logger.info(*args, extra=extra)
    return log.text


def escaped(form, text):
    """How the console shows line breaks."""
    return text if form == "json" else text.replace("\n", "\\n").replace("\r", "\\r")


@pytest.fixture(autouse=True)
def no_request():
    """Other tests of this process may have served one."""
    token = current.set(None)
    yield
    current.reset(token)


@pytest.fixture(params=sorted(FORMATS))
def form(request):
    return request.param


class TestCorpus:
    """Log calls written in good faith."""

    def test_it_is_large_and_names_each_case_once(self):
        assert len(CASES) >= 60
        assert len({case.name for case in CASES}) == len(CASES)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_the_secret_goes_and_the_rest_stays(self, form, case):
        log = Log(form)
        log.logger.info(*case.args, extra=case.extra)
        for shown in (log.text, log.read):
            assert [each for each in case.gone if each in shown] == []
        read = log.read if form == "json" else log.text.replace("\\\\", "\\")
        assert [each for each in case.kept if escaped(form, each) not in read] == []
        assert HIDDEN in log.text

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_in_an_error_it_goes_too(self, form, case):
        """In its message, in those of the errors behind it, and in the stack."""
        text = case.args[0] % case.args[1:] if case.args[0] == "%s" else repr(case.extra)
        log = Log(form)
        try:
            try:
                raise ValueError(text)
            except ValueError as error:
                raise KeyError(text) from error
        except KeyError:
            log.logger.info("failed", exc_info=True, stack_info=True)
        assert [each for each in case.gone if each in log.read] == []
        assert "ValueError" in log.text and "KeyError" in log.text

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_a_second_time_changes_nothing(self, case):
        redactor = Redactor(CONFIGURED_ALL)
        once = redactor.redact_fields({"message": case.args, **case.extra})
        count = redactor.count
        assert redactor.redact_fields(copy.deepcopy(once)) == once
        assert redactor.count == count


class TestInnocents:
    """What is no secret stays, to the letter."""

    @pytest.mark.parametrize("text", INNOCENT_TEXTS, ids=lambda text: text[:30])
    def test_a_text_stays(self, text):
        redactor = Redactor(CONFIGURED_ALL)
        assert redactor.redact_text(text) == text
        assert redactor.redact_fields({"message": text, "of": [text]})["of"] == [text]
        assert redactor.count == 0

    @pytest.mark.parametrize("fields", INNOCENT_FIELDS, ids=lambda fields: next(iter(fields)))
    def test_fields_stay(self, fields):
        redactor = Redactor(CONFIGURED_ALL)
        assert redactor.redact_fields(fields) == fields
        assert redactor.count == 0

    def test_the_line_of_a_request_stays(self, form):
        """It names the key, and is written for each request."""
        line = {"method": "POST", "status": 200, "bytes": 4567, "key": "alice", "characters": 12}
        log = Log(form)
        log.logger.info("%s %s %d", "POST", "/v1/audio/speech", 200, extra=line)
        assert HIDDEN not in log.text and "alice" in log.text
        assert log.redactor.count == 0

    def test_a_traceback_without_secrets_stays(self, form):
        log = Log(form)
        try:
            json.loads("{")
        except ValueError:
            log.logger.info("failed", exc_info=True)
        assert HIDDEN not in log.text
        assert "JSONDecodeError" in log.text


# Characters that a secret could end at too early if it had them; "configured" ones may have all.
PLANTED = st.text(
    "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" + "äß好" + "!#$%*+-.:@^_~", min_size=8, max_size=20
).map(lambda text: "Q" + text + "Z9")
SECRET_NAMES = st.sampled_from(
    ["password", "passwd", "api_key", "X-Api-Key", "Authorization", "client-secret", "accessToken"]
    + ["Set-Cookie", "sessionId", "DB_PASSWORD", "private_key", "credentials", "jwt", "pwd"]
)
OTHER_NAMES = st.sampled_from(["voice", "key", "tokens_total", "a b", "größe", "n", "\u202e", ""])
OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 1 << 70),
    st.floats(),
    st.sampled_from(["en-us", "\ud800", "a\nb", "x=1", b"\xff", object(), 1 << 20000]),
)


class Struct(msgspec.Struct):
    name: str
    value: object


def written(name, secret):
    """The secret beside its name, as texts have it."""
    yield f"{name}={secret} end"
    yield f"before {name}: {secret}\r\nend"
    yield f"GET /x?{name}={quote(secret)}&a=1"
    yield f"next=%2F%3F{name}%3D{quote(quote(secret))}%26a"
    yield f"<{name}>{secret}</{name}>"
    yield f"--{name} {secret} --end"
    yield json.dumps({"a": 1, name: secret, "b": [2]})
    yield json.dumps(json.dumps({"a": 1, name: secret, "b": [2]}, indent=1))
    yield repr({"a": 1, name: secret, "b": [2]})
    yield repr([(name, secret), ("a", "b")])
    yield repr({name.encode(): secret.encode()})
    yield repr(Login("bob", secret))
    yield f"redis://:{secret}@cache:6379/0"
    yield f"Authorization: Bearer {secret}"


@st.composite
def planted(draw):
    """A secret, and a value with the secret somewhere in it, under a name that tells."""
    secret = draw(PLANTED)
    name = draw(SECRET_NAMES)
    leaf = draw(
        st.sampled_from(
            [
                {name: secret},
                {name: [secret, {"x": secret}]},
                {name: secret.encode()},
                Login("bob", secret),
                (name, secret),
                [[name, secret.encode()]],
                {"name": name, "value": secret},
                ["--" + name, secret],
                {name: ValueError(secret)},
                Struct("x", {name: {secret}}),
            ]
            + [[text] for text in written(name, secret)]
            + [[text.encode()] for text in written(name, secret)]
            + [[ValueError(text)] for text in written(name, secret)]
        )
    )
    for _ in range(draw(st.integers(0, 6))):
        beside = draw(st.lists(OTHERS, max_size=2))
        leaf = draw(
            st.sampled_from(
                [
                    [*beside, leaf],
                    (leaf, *beside, 1, 2),
                    {draw(OTHER_NAMES): leaf, "beside": beside},
                    {7: beside, None: leaf},
                    Struct("x", leaf),
                ]
            )
        )
    return secret, leaf


class TestPlanted:
    """Wherever a secret is put, no line shows it."""

    @settings(deadline=None, max_examples=examples(400))
    @given(planted())
    def test_in_a_field(self, case):
        secret, value = case
        for each in FORMATS:
            text = logged(each, "planted", value=value)
            assert secret not in text and quote(secret) not in text
            assert HIDDEN in text

    @settings(deadline=None, max_examples=examples(300))
    @given(PLANTED, SECRET_NAMES, st.integers(0, 2), st.data())
    def test_in_a_message(self, secret, name, reprs, data):
        text = data.draw(st.sampled_from(list(written(name, secret))))
        for _ in range(reprs):
            text = repr(text)
        shown = [secret, quote(secret), repr(secret.encode())[2:-1], json.dumps(secret)[1:-1]]
        for each in FORMATS:
            line = logged(each, "%s", text)
            assert [form for form in shown if form in line] == []
            assert HIDDEN in line

    @settings(deadline=None, max_examples=examples(200))
    @given(
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6),
        st.text(),
        st.text(),
    )
    @example('"\\"\\\\""\\', "", "")
    def test_a_configured_secret_with_any_characters(self, secret, before, after):
        assume(secret not in HIDDEN)
        shapes = [
            secret,
            quote(secret, safe=""),
            json.dumps(secret)[1:-1],
            base64.b64encode(f"{before}{secret}{after}".encode("utf-8", "replace")).decode(),
        ]
        redactor = Redactor([secret])
        for shape in shapes:
            for each in FORMATS:
                log = Log(each, redactor)
                log.logger.info("%s", f"-{shape}-", extra={"x": {"y": [f"-{shape}-"]}})
                assert f"-{shape}-" not in log.read
                assert HIDDEN in log.text
                if not any(part in HIDDEN for part in (secret, before, after)):
                    assert secret not in log.read


FRAGMENTS = st.sampled_from(
    ["pass", "word", "token", "s", "=", ":", '"', "'", "\\", "key", "api", "_", "-", " ", "Bearer "]
    + ["Basic ", "eyJ", "sk-", "://", "@", "?", "&", "a", "B7", "x" * 20, "\n", "\\n", "n", "%3D"]
    + ["{", "}", "[", "]", "(", ")", ",", "<", ">", HIDDEN, "AKIA", "0123456789ABCDEF", "ghp_"]
    + ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "%3A%2F%2F", "%40", "value"]
    + ["Authorization", "cookie", "name", "session", "\u017f", "\u212a", "\u0130", "ſecret", "--"]
)
SOUP = st.lists(FRAGMENTS, max_size=25).map("".join)
SCALARS = st.one_of(
    SOUP, st.integers(-(1 << 63), (1 << 64) - 1), st.floats(), st.none(), st.booleans()
)


class Thorough(Redactor):
    """Looks at everything closely."""

    def suspects(self, text):
        return True


class TestShortcut:
    """Most lines hold no secret, and a quick look has to be enough for them."""

    @settings(deadline=None, max_examples=examples(1500))
    @given(SOUP)
    @example("Paſſword=abc")
    @example("to\u212aen=abc")
    @example("\u212aey=abc api_\u212aey=abc")
    def test_what_it_lets_pass_holds_no_secret(self, text):
        assert Redactor(CONFIGURED_ALL).redact_text(text) == Thorough(CONFIGURED_ALL).redact_text(
            text
        )

    @settings(deadline=None, max_examples=examples(600))
    @given(st.dictionaries(SOUP, SCALARS, max_size=5), st.sampled_from(["", *CONFIGURED_ALL]))
    @example({"key": "alice", "api_key": "x"}, "")
    @example({"x": f"a{CONFIGURED}b"}, "")
    @example({"n": int(DIGITS)}, "")
    def test_with_and_without_it_the_line_is_the_same(self, fields, secret):
        """On the rendered line, where characters are escaped."""
        fields = {**fields, "last": f"x{secret}y"}
        shown, whole = (
            redactor(CONFIGURED_ALL).render(fields, msgspec.json.encode)
            for redactor in (Redactor, Thorough)
        )
        assert shown == whole

    @settings(deadline=None, max_examples=examples(600))
    @given(SOUP)
    def test_nothing_makes_it_raise(self, text):
        assert isinstance(Thorough(CONFIGURED_ALL).redact_text(text), str)


HOSTILE = {
    "names": "token ",
    "names and signs": "password=",
    "names and spaces": "token" + " " * 50,
    "a long name": "token",
    "letters before a name": "a",
    "signs": "=:" * 5,
    "spaces": " ",
    "line breaks": "\n",
    "indented lines": "\n  token:\n",
    "escaped line breaks": "token:\\n ",
    "lines after escaped breaks": "token:\\nab",
    "escaped tabs": "token\\t\\t",
    "encoded quotes": "token&quot;&quot;",
    "open objects": "Token('",
    "names on lines of their own": '"token"\n\n',
    "escaped slashes": "/\\\\/\\",
    "open quotes": 'token="x\\" ',
    "open quotes, one within another": "token=\\\\\\\"token='",
    "backslashes": "\\",
    "backslashes after a name": "token\\\\\\\\\\\\",
    "open brackets": "token=[",
    "open brackets and quotes": "token=['",
    "bare values": "token=a,b;",
    "values without an end": "token=" + "a" * 40 + ",",
    "web tokens": "eyJ",
    "web tokens with dots": "eyJ.",
    "bearers": "bearer ",
    "bearers and spaces": "bearer" + " " * 99,
    "encoded spaces": "bearer%20%20",
    "URLs": "://",
    "URLs with colons": "://a:b",
    "URLs with users": "http://a:b@c ",
    "slashes": "/",
    "at signs": "://@",
    "encoded URLs": "%3A%2F%2Fa%3A",
    "beginnings of keys": "-----BEGIN PRIVATE KEY-----\n",
    "dashes": "-----BEGIN ",
    "ends of keys": "-----END PRIVATE KEY-----",
    "keys": "sk-",
    "more keys": "AKIAAKIA",
    "tags": "<token ",
    "tags with more": "<token a",
    "value": 'token" value',
    "commas": '"token", ',
    "pairs": '("token", ',
    "options": "--token  ",
    "percent signs": "%25%25%3D",
    "encoded names": "token%3D%22",
    "no ASCII": "ſ\u212a好",
    "configured": PLAIN[:-1],
}


def cost(text):
    """CPU seconds that redacting it takes, the least of three."""
    redactor = Redactor(CONFIGURED_ALL)
    times = []
    while len(times) < 3 and sum(times) < 1.0:
        began = time.thread_time()
        redactor.redact_text(text)
        times.append(time.thread_time() - began)
    return min(times)


class TestCost:
    """No text takes more than its share."""

    @pytest.mark.slow
    @pytest.mark.parametrize("before", ["", "token=", "'", "x://"], ids=repr)
    @pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
    def test_the_time_grows_as_the_text(self, piece, before):
        """Eight times the text takes eight times as long; what is quadratic takes 64 times."""
        length = 50_000 if before else 250_000
        text = before + piece * (length // len(piece))
        assert cost(text) < 24 * max(cost(text[: len(text) // 8]), 0.001)

    def test_what_is_nested_and_shared_is_looked_at_once_too_often_at_most(self):
        """Thirty lists that each have the next one twice would be a thousand million."""
        value = ["x"]
        for _ in range(30):
            value = [value, value]
        text = logged("json", "shared", value=value)
        assert "[left out]" in text and len(text) < 1_000_000


class Unshowable:
    def __repr__(self):
        raise RuntimeError(SECRET)


class Nowhere(datetime.tzinfo):
    def utcoffset(self, when):
        raise RuntimeError(SECRET)


class Unwilling(dict):
    def items(self):
        raise RuntimeError(SECRET)

    __iter__ = keys = items


class Cruel(Exception):
    def __str__(self):
        raise RuntimeError(SECRET)

    __repr__ = __str__


def circle():
    value = {"token": SECRET, "list": []}
    value["list"].append(value)
    return value


class TestNeverRaises:
    """Whatever is logged, a line is written."""

    @pytest.mark.parametrize(
        "value",
        [
            Unshowable(),
            [Unshowable(), "beside"],
            Unwilling(a=1),
            Cruel(),
            circle(),
            nested({"token": SECRET}, 3000),
            1 << 60000,
            [float("nan"), float("inf"), 1 << 64, -(1 << 64)],
            "\ud800",
            {"\udfff": "\ud800"},
            memoryview(b"token=" + SECRET.encode()),
            {(1, "token"): SECRET, None: 1, b"token": SECRET},
            ("token", "-" + SECRET),
            datetime.datetime(2026, 1, 1, tzinfo=Nowhere()),
            datetime.timedelta(days=1),
            uuid.UUID(int=1),
            decimal.Decimal("1.5"),
            http.HTTPStatus.OK,
            msgspec.UNSET,
            Login,
            Login.__new__(Login),
            type("Text", (str,), {"__str__": lambda self: SECRET})("x"),
            range(3),
            (each for each in [SECRET]),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_an_odd_value(self, form, value, capsys):
        text = logged(form, "odd", value=value)
        assert "odd" in text and SECRET not in text
        assert "Logging error" not in capsys.readouterr().err

    def test_an_odd_name(self, form):
        """``extra`` may have names that are no text."""
        log = Log(form)
        log.logger.info("odd", extra={b"password": SECRET, 7: "seven", ("a",): b"b"})
        assert "seven" in log.text and SECRET not in log.text
        assert base64.b64encode(b"password").decode() not in log.text

    @pytest.mark.parametrize("args", [("%d", SECRET), ("%s %s", "x"), ("%s", Unshowable())])
    def test_an_odd_message(self, form, args, capsys):
        """The standard library would print the arguments as they are."""
        text = logged(form, "odd " + args[0], *args[1:])
        assert "odd" in text and SECRET not in text
        assert capsys.readouterr().err == ""

    def test_an_odd_error(self, form, capsys):
        log = Log(form)
        try:
            raise Cruel from Cruel()
        except Cruel:
            log.logger.info("odd", exc_info=True)
        assert "Cruel" in log.text and SECRET not in log.text
        assert capsys.readouterr().err == ""


def chain(depth):
    """An error that was raised while another was handled, and so on."""
    try:
        if depth:
            chain(depth - 1)
        else:
            raise ValueError(f"token={SECRET}0 end")
    except Exception as error:
        if depth % 2:
            raise RuntimeError(f"password: {SECRET}{depth}\nend") from error
        raise KeyError({"api_key": f"{SECRET}{depth}"})


class TestErrors:
    """Tracebacks show what was in the messages, and the lines of source that raised."""

    def test_a_chain_of_errors(self, form):
        log = Log(form)
        try:
            chain(6)
        except KeyError:
            log.logger.exception("failed")
        assert SECRET not in log.text
        assert log.text.count("KeyError: ") == 4 and log.text.count("RuntimeError: ") == 3
        assert "in chain" in log.text

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 has groups and notes")
    def test_groups_and_notes(self, form):
        log = Log(form)
        error = ValueError("x")
        error.add_note(f"password={SECRET}")
        group = ExceptionGroup("g", [error, KeyError(f"token: {SECRET}")])  # noqa: F821
        log.logger.error("failed", exc_info=group)
        assert SECRET not in log.text and "ExceptionGroup" in log.text

    def test_the_stack(self, form):
        log = Log(form)
        log.logger.info("here", stack_info=dict(password="Tr0ub4dor-n3u"))
        assert SECRET not in log.text and "test_the_stack" in log.text


class TestCount:
    """How many secrets were replaced."""

    def test_each_is_counted_once(self):
        redactor = Redactor([PLAIN])
        redactor.redact_text(f"Authorization: Bearer {PLAIN}\ntoken={SECRET}&password={SECRET}")
        assert redactor.count == 3
        redactor.redact_fields({"token": SECRET, "of": [{"password": SECRET}], "key": "alice"})
        assert redactor.count == 5

    def test_nothing_is_counted_for_nothing(self):
        redactor = Redactor([PLAIN])
        redactor.redact_fields({"a": 1, "b": "password=None", "token": None})
        assert redactor.count == 0

    @pytest.mark.slow
    def test_threads_lose_none(self):
        redactor = Redactor()
        ready = threading.Barrier(8)

        def work():
            ready.wait(30)
            for _ in range(2000):
                redactor.redact_fields({"token": "x"})

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        assert redactor.count == 16_000


class TestConfigured:
    """What the settings keep secret, the log does."""

    def test_keys_and_passwords(self, tmp_path):
        file = tmp_path / "keys"
        file.write_text("carol:from-a-file-77\n")
        configured = load(
            {
                "AUTOVOICE_API_KEYS": "alice:in-the-variable-1,nameless-key-2",
                "AUTOVOICE_API_KEYS_FILE": str(file),
                "AUTOVOICE_REDIS_URL": "redis://:s%2Fecret-3@cache:6379/0",
                "AUTOVOICE_ADMIN_KEYS": "root:of-the-boss-4",
            }
        )
        found = configured_secrets(configured)
        assert {"in-the-variable-1", "nameless-key-2", "from-a-file-77"} <= found
        assert {"s%2Fecret-3", "s/ecret-3", "of-the-boss-4"} <= found
        assert "alice" not in found and "" not in found

    def test_none_without_settings(self):
        assert configured_secrets(load({})) == set()

    def test_values_too_short_to_be_told_from_words_are_left(self):
        assert Redactor(["a", "", "ab"]).redact_text("a cab") == "a cab"

    @pytest.mark.slow
    def test_many_keys_are_all_found(self):
        keys = [f"key-number-{number:05d}-of-many" for number in range(2000)]
        redactor = Redactor(keys)
        for key in keys[::97]:
            assert redactor.redact_text(f"with {key}.") == f"with {HIDDEN}."


class TestTextFacts:
    """What the log may say of a text to be spoken."""

    def test_it_says_how_long_and_whether_it_is_the_same(self):
        one, same, other = map(text_facts, ("Dear Ann", "Dear Ann", "Dear Bob"))
        assert one == same != other
        assert one["characters"] == 8

    def test_it_says_nothing_of_the_text(self):
        facts = text_facts("Dear Ann")
        assert set(facts) == {"characters", "text_hash"}
        assert "Ann" not in str(facts)

    def test_any_text_has_them(self):
        assert text_facts("\ud800")["characters"] == 1
        assert text_facts("")["characters"] == 0
