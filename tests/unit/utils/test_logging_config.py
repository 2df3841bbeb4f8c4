"""One record is one line that says what was logged, whatever was logged."""

import contextvars
import io
import json
import logging
import re
import sys
import threading
from collections import namedtuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auto_voice.settings import load
from auto_voice.utils import log_formats, logging_config
from auto_voice.utils.log_formats import ConsoleFormatter, JSONFormatter
from auto_voice.utils.logging_config import setup_logging
from auto_voice.utils.tracing_context import Context, current

# What some program or terminal takes for the end of a line, or for an order.
BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(BREAKS + "\x1b\x9b\x00\x07\x08\x7f\ud800\udfff\u202e"),
    ),
    max_size=60,
)
UNSEEN = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
FORGED = "fine\n12:00:00 ERROR   the server is on fire"


@pytest.fixture(autouse=True)
def no_request():
    """Other tests of this process may have served one."""
    token = current.set(None)
    yield
    current.reset(token)


def record(message="something", *args, level=logging.INFO, exc_info=None, **extra):
    made = logging.LogRecord("auto_voice.test", level, __file__, 1, message, args, exc_info)
    vars(made).update(extra)
    return made


def as_json(*args, **kwargs):
    line = JSONFormatter().format(record(*args, **kwargs))
    assert "\n" not in line and "\r" not in line
    return json.loads(line)


def as_text(*args, **kwargs):
    return ConsoleFormatter(colour=False).format(record(*args, **kwargs))


def raised(error):
    try:
        raise error
    except type(error):
        return sys.exc_info()


class TestJSON:
    """For machines."""

    def test_a_line_says_when_what_and_who(self):
        entry = as_json("%d %s", 2, "things", level=logging.WARNING)
        assert entry["message"] == "2 things"
        assert (entry["level"], entry["logger"]) == ("WARNING", "auto_voice.test")
        assert set(entry) == {"time", "level", "logger", "message"}

    def test_time_is_iso_8601_in_utc(self):
        made = record()
        made.created, made.msecs = 1767225599.987, 987.0
        entry = json.loads(JSONFormatter().format(made))
        assert entry["time"] == "2025-12-31T23:59:59.987Z"
        made.created, made.msecs = 1767225600.001, 1.0
        entry = json.loads(JSONFormatter().format(made))
        assert entry["time"] == "2026-01-01T00:00:00.001Z"

    def test_what_is_added_has_a_name_of_its_own(self):
        entry = as_json(seconds=1.5, count=3, voice="en-us", tags=["a", "b"], nothing=None)
        assert (entry["seconds"], entry["count"], entry["voice"]) == (1.5, 3, "en-us")
        assert (entry["tags"], entry["nothing"]) == (["a", "b"], None)

    def test_a_traceback_is_in_it(self):
        entry = as_json("failed", exc_info=raised(ValueError("why")))
        assert entry["exception"].startswith("Traceback")
        assert entry["exception"].endswith("ValueError: why")

    @settings(deadline=None)
    @given(message=HOSTILE, value=HOSTILE, why=HOSTILE)
    @example(message=FORGED, value=FORGED, why=FORGED)
    @example(message="\ud800", value="\udcff", why="\ud800")
    @example(message="", value="", why="\ud800")
    def test_whatever_is_logged_is_one_line_of_json(self, message, value, why):
        entry = as_json("%s", message, value=value, exc_info=raised(ValueError(why)))
        readable = [each.encode("utf-8", "replace").decode() for each in (message, value)]
        if readable == [message, value]:
            assert [entry["message"], entry["value"]] == readable

    @pytest.mark.parametrize(
        "value",
        [
            object(),
            {1, 2},
            b"\xff\x00",
            1 << 80,
            -(1 << 80),
            float("nan"),
            float("inf"),
            {(1, 2): "pair"},
            {1: 2, None: 3},
            ValueError("why"),
            namedtuple("Pair", "a b")(1, 2),
            [object()],
            range(3),
            lambda: None,
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_whatever_is_added_can_be_read(self, value):
        assert "value" in as_json(value=value)

    @settings(deadline=None)
    @given(
        value=st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), HOSTILE, st.binary()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=4),
                st.dictionaries(st.one_of(HOSTILE, st.integers()), inner, max_size=4),
            ),
            max_leaves=10,
        )
    )
    def test_whatever_is_nested_can_be_read(self, value):
        assert "value" in as_json(value=value)


class TestConsole:
    """For people."""

    def test_a_line_says_when_what_and_who(self):
        line = as_text("%d things", 2, level=logging.WARNING, voice="en-us")
        assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING 2 things voice=en-us", line)

    def test_a_traceback_is_indented(self):
        lines = as_text("failed", exc_info=raised(ValueError("why"))).split("\n")
        assert lines[0].endswith("failed")
        assert lines[-1] == "  ValueError: why"
        assert all(line.startswith("  ") for line in lines[1:])

    @settings(deadline=None)
    @given(message=HOSTILE, value=HOSTILE)
    @example(message=FORGED, value=FORGED)
    def test_no_line_can_be_forged(self, message, value):
        """One record is one line for everything that splits lines, and orders the terminal
        nothing.
        """
        line = as_text("%s", message, value=value)
        assert len(line.splitlines()) == 1
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)
        assert re.match(r"\d\d:\d\d:\d\d INFO    ", line)

    @settings(deadline=None)
    @given(why=HOSTILE)
    @example(why=FORGED)
    def test_no_line_can_be_forged_by_an_error(self, why):
        text = as_text("failed", exc_info=raised(ValueError(why)))
        first, *rest = text.splitlines()
        assert first.endswith("failed")
        assert all(line.startswith("  ") for line in rest)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text)

    def test_the_text_cannot_be_turned_around(self):
        """Marks that make a terminal show text backwards are shown, not obeyed."""
        line = as_text("user \u202erotartsinimda\u2066")
        assert "\u202e" not in line and "\u2066" not in line

    def test_colours_only_where_they_are_wanted(self):
        assert "\x1b" not in as_text("x", level=logging.ERROR)
        line = ConsoleFormatter(colour=True).format(record("a\x1b[2Jb", level=logging.ERROR))
        assert "\x1b[31m" in line
        assert "\x1b[2J" not in line


class Hostile:
    """Shows itself as what it is told."""

    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return self._text

    __str__ = __repr__


class TestForgery:
    """One record is one line, and says no more than was logged, wherever input stands in it."""

    @settings(deadline=None)
    @given(st.lists(HOSTILE, min_size=8, max_size=8))
    @example([FORGED] * 8)
    @example(["\ud800\u2028\u202e\x9b2J\x1b[2J\x85\u061c\u2066\ufeff"] * 8)
    @example(['","level":"CRITICAL","x":"'] * 8)
    def test_everywhere(self, texts):
        message, key, value, inner, why, name, logger, shown = texts
        kind = "E" + re.sub("[\0\ud800-\udfff]", "", name)  # which no class may be called
        error = raised(type(kind, (ValueError,), {})(why))
        made = record("%s %s", message, Hostile(shown), level=logging.ERROR, exc_info=error)
        made.name, made.levelname, made.stack_info = logger, "ERROR" + name, why
        vars(made).update({"x" + key: value, "nested": {inner: [inner, {inner}]}})
        vars(made)["odd"] = Hostile(shown)
        line = JSONFormatter().format(made)
        assert len(line.splitlines()) == 1
        assert not re.search(UNSEEN, line)
        entry = json.loads(line)
        assert set(entry) - {json.loads(json.dumps("x" + key))} <= {
            *("time", "level", "logger", "message", "exception", "stack", "nested", "odd"),
            "x" + key.encode("utf-8", "backslashreplace").decode(),
        }
        text = ConsoleFormatter(colour=False).format(made)
        first, *rest = text.split("\n")
        assert re.match(r"\d\d:\d\d:\d\d ERROR", first)
        assert all(line.startswith("  ") for line in rest)
        assert not re.search(UNSEEN, text.replace("\n", ""))

    @pytest.mark.parametrize("name", ["time", "level", "logger", "exception", "request_id"])
    def test_what_is_added_takes_no_others_place(self, name):
        """A field that has the name of one of ours is told apart from it."""
        token = current.set(Context(request_id="abc"))
        try:
            made = record("x", exc_info=raised(ValueError("why")))
            vars(made)[name] = "forged"
            entry = json.loads(JSONFormatter().format(made))
        finally:
            current.reset(token)
        assert entry[f"{name}_"] == "forged"
        assert entry[name] != "forged"

    def test_a_reader_gets_what_was_logged(self):
        """What is escaped in the line is itself again where the line is read."""
        text = "a\u2028b\u202ec\x9bd\x7fe\nf"
        assert as_json("%s", text)["message"] == text


class TestStack:
    """``stack_info=True`` is shown."""

    def test_in_both_formats(self):
        made = record("here")
        made.stack_info = "Stack (most recent call last):\n  in test"
        assert json.loads(JSONFormatter().format(made))["stack"] == made.stack_info
        lines = ConsoleFormatter(colour=False).format(made).split("\n")
        assert lines[1:] == ["  Stack (most recent call last):", "    in test"]


class TestRequestId:
    """What belongs to one request can be found by its id."""

    def within(self, identity, function):
        def run():
            current.set(Context(request_id=identity, trace_id="0af7651916cd43dd"))
            return function()

        return contextvars.copy_context().run(run)

    def test_it_is_on_every_line_of_the_request(self):
        entry = self.within("abc", as_json)
        assert (entry["request_id"], entry["trace_id"]) == ("abc", "0af7651916cd43dd")
        assert self.within("abc", as_text).endswith("request_id=abc trace_id=0af7651916cd43dd")

    def test_it_is_on_no_other_line(self):
        self.within("abc", as_json)
        assert not {"request_id", "trace_id"} & set(as_json())
        assert "request_id" not in as_text()

    def test_threads_have_their_own(self):
        ready = threading.Barrier(8)
        found = {}

        def serve(number):
            current.set(Context(request_id=str(number)))
            ready.wait(30)
            found[number] = as_json()["request_id"]

        threads = [threading.Thread(target=serve, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {number: str(number) for number in range(8)}


class TestSetup:
    """What `setup_logging` leaves behind."""

    @pytest.fixture
    def written(self, monkeypatch):
        """Sets logging up, has something logged, and returns the lines on standard output."""
        root = logging.getLogger()
        before = root.handlers[:], root.level
        flags = {name: getattr(logging, name) for name in vars(logging) if name.startswith("log")}
        flags = {name: flag for name, flag in flags.items() if isinstance(flag, bool)}

        def write(log, terminal=False, times=1, **environ):
            stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
            stream.isatty = lambda: terminal
            with monkeypatch.context() as patched:
                patched.setattr(sys, "stdout", stream)
                for _ in range(times):
                    setup_logging(load({f"AUTOVOICE_{key}": environ[key] for key in environ}))
            log(logging.getLogger("auto_voice.test"))
            return stream.buffer.getvalue().decode().splitlines()

        yield write
        root.handlers[:], root.level = before
        for name, flag in flags.items():
            setattr(logging, name, flag)

    def test_json_where_asked_for(self, written):
        [line] = written(lambda log: log.info("hello", extra={"count": 1}), LOG_FORMAT="json")
        assert json.loads(line)["count"] == 1

    def test_console_where_asked_for(self, written):
        [line] = written(lambda log: log.info("hello"), LOG_FORMAT="console")
        assert line.endswith("INFO    hello")

    @pytest.mark.parametrize("terminal, json_lines", [(True, False), (False, True)])
    def test_by_itself_it_looks_who_reads(self, written, terminal, json_lines):
        [line] = written(lambda log: log.info("hello"), terminal)
        assert line.startswith("{") == json_lines

    @pytest.mark.parametrize("no_color, coloured", [("", True), ("1", False)])
    def test_colours_follow_no_color(self, written, monkeypatch, no_color, coloured):
        monkeypatch.setenv("NO_COLOR", no_color)
        [line] = written(lambda log: log.info("hello"), terminal=True, LOG_FORMAT="console")
        assert ("\x1b[" in line) == coloured

    def test_the_level_is_held(self, written):
        def log(logger):
            logger.info("not this")
            logging.getLogger("other").warning("but this")

        lines = written(log, LOG_LEVEL="WARNING", LOG_FORMAT="json")
        assert [json.loads(line)["message"] for line in lines] == ["but this"]

    def test_twice_is_as_once(self, written):
        assert len(written(lambda log: log.info("hello"), times=2)) == 1

    @pytest.mark.parametrize("form", ["json", "console"])
    def test_configured_secrets_are_not_shown(self, written, form):
        """They are replaced wherever they are, and counted."""
        keys = "alice:key-of-alice-1,another-key-2"
        [line] = written(
            lambda log: log.info(
                "%s by %s", "key-of-alice-1", "alice", extra={"x": "another-key-2"}
            ),
            LOG_FORMAT=form,
            API_KEYS=keys,
        )
        assert "key-of-alice-1" not in line and "another-key-2" not in line
        assert "[redacted] by alice" in line
        assert logging_config.redactions() == 2

    @pytest.mark.parametrize("form", ["json", "console"])
    def test_a_line_that_standard_output_cannot_take_is_not_lost(self, written, form, capsys):
        """Whatever is in it: nothing is raised, and nothing but the line is written."""
        [line] = written(
            lambda log: log.info("voice %s", "\ud800ü", extra={"path": "\udcff"}), LOG_FORMAT=form
        )
        assert "voice" in line
        assert "Logging error" not in capsys.readouterr().err

    def test_time_keeps_up(self):
        """The second that was formatted last is not shown for another."""
        times = [1767225599.9, 1767225600.0, 1767225599.1, 1767225601.5]
        shown = [log_formats._timestamp(time, 5.0) for time in times]
        assert shown == [
            "2025-12-31T23:59:59.005Z",
            "2026-01-01T00:00:00.005Z",
            "2025-12-31T23:59:59.005Z",
            "2026-01-01T00:00:01.005Z",
        ]

    def test_names_that_are_no_text_become_text(self, written):
        [line] = written(
            lambda log: log.info("x", extra={"facts": {7: "seven", None: "none"}}),
            LOG_FORMAT="json",
        )
        assert {"7": "seven", "None": "none"}.items() <= json.loads(line).items()

    def test_an_output_that_fails_does_not_fail_who_logs(self, capsys):
        """As when the disk is full: standard error tells, and the work goes on."""

        class Full(io.StringIO):
            def write(self, text):
                raise OSError("No space left on device")

        handler = log_formats.LineHandler(Full())
        logger = logging.Logger("full")
        logger.addHandler(handler)
        logger.info("hello")
        assert "No space left on device" in capsys.readouterr().err
