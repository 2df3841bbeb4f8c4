"""Around every request: its id, its trace, its one line, its metrics, whatever happens inside."""

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_voice.monitoring.metrics import Metrics
from auto_voice.monitoring.recent_errors import RecentErrors
from auto_voice.utils.tracing_context import current
from auto_voice.web.observe import FACTS, Observed


def environ(**more):
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "REMOTE_ADDR": "192.0.2.7", **more}


@pytest.fixture
def metrics():
    return Metrics("stub")


def count(metrics, **labels):
    value = metrics.registry.get_sample_value("autovoice_http_requests_total", labels)
    return value or 0.0


def call(app, metrics, errors=None, **more):
    """Serve one request; returns its body and the headers it started with."""
    started = []
    body = Observed(app, metrics, errors=errors)(
        environ(**more), lambda line, headers, *rest: started.append(headers)
    )
    try:
        return b"".join(body), dict(started[0])
    finally:
        body.close()


def simple(environ, start_response):
    environ[FACTS]["route"] = "/x"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"one", b"two"]


def test_an_answer_passes_through_with_its_id(metrics):
    body, headers = call(simple, metrics, HTTP_X_REQUEST_ID="given-1")
    assert body == b"onetwo"
    assert headers.pop("traceparent")
    assert headers == {"Content-Type": "text/plain", "X-Request-ID": "given-1"}


@pytest.mark.parametrize(
    "given", ["", "a b", "a\nb", "a\x00", "x" * 129, "é", "{}", '"', "a,b", "\u2028"]
)
def test_an_id_that_is_not_plain_is_replaced(metrics, given):
    _, headers = call(simple, metrics, HTTP_X_REQUEST_ID=given)
    assert headers["X-Request-ID"] != given
    assert len(headers["X-Request-ID"]) == 16


@pytest.mark.parametrize("given", ["a", "x" * 128, "A.b_c:d/e+f=g-1", "0123"])
def test_a_plain_id_is_kept(metrics, given):
    assert call(simple, metrics, HTTP_X_REQUEST_ID=given)[1]["X-Request-ID"] == given


TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


def test_an_answer_says_where_in_its_callers_trace_it_was_made(metrics):
    """The same trace, a span of ours."""
    _, headers = call(simple, metrics, HTTP_TRACEPARENT=f"00-{TRACE}-{CALLER}-01")
    version, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    assert len(span_id) == 16 and span_id != CALLER


@pytest.mark.parametrize("given_one", ["", f"00-{TRACE}-{CALLER}", "00-" + "0" * 32, "\x00"])
def test_a_request_without_a_trace_gets_one(metrics, given_one):
    _, headers = call(simple, metrics, HTTP_TRACEPARENT=given_one)
    _, trace_id, span_id, flags = headers["traceparent"].split("-")
    assert (len(trace_id), len(span_id), flags) == (32, 16, "02")
    assert trace_id != TRACE


def served():
    """Whom code serves that runs here."""
    context = current.get()
    return context and context.request_id


class Answer:
    """A body that is made while it is sent, and notes whom it is made for."""

    def __init__(self, seen):
        self._seen = seen

    def __iter__(self):
        return self

    def __next__(self):
        self._seen.append(served())
        return b"piece"

    def close(self):
        self._seen.append(served())


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["ask", "read", "close", "fail"])),
        max_size=30,
    )
)
def test_requests_that_take_turns_on_a_thread_do_not_see_each_other(steps):
    """Whatever runs for a request runs in its context, and what runs for none in none."""
    seen = {number: [] for number in range(3)}
    bodies, readers = {}, {}

    def app(environ, start_response):
        mine = seen[environ["number"]]
        mine.append(served())
        if environ["fails"]:
            raise ZeroDivisionError
        start_response("200 OK", [])
        return Answer(mine)

    observed = Observed(app, Metrics("stub"))
    for number, step in steps:
        if step in ("ask", "fail"):
            asked = environ(HTTP_X_REQUEST_ID=str(number), number=number, fails=step == "fail")
            try:
                bodies[number] = observed(asked, lambda *arguments: None)
                readers[number] = iter(bodies[number])
            except ZeroDivisionError:
                pass
        elif number in bodies and step == "read":
            assert next(readers[number]) == b"piece"
        elif number in bodies:
            readers.pop(number)
            bodies.pop(number).close()
        assert served() is None
    for number, identities in seen.items():
        assert set(identities) <= {str(number)}


def test_the_line_of_a_request_is_logged_in_its_context(metrics, caplog):
    """Also if another one has been served in between."""
    told = []
    caplog.handler.addFilter(lambda record: told.append((served(), record.name)) or True)
    with caplog.at_level(logging.INFO):
        first = Observed(simple, metrics)(environ(HTTP_X_REQUEST_ID="1"), lambda *rest: None)
        call(simple, metrics, HTTP_X_REQUEST_ID="2")
        first.close()
    assert told == [("2", "auto_voice.access"), ("1", "auto_voice.access")]


def lines(caplog):
    return [record for record in caplog.records if record.name == "auto_voice.access"]


def test_one_line_tells_of_each_request(metrics, caplog):
    with caplog.at_level(logging.INFO):
        call(simple, metrics)
    (line,) = lines(caplog)
    assert line.getMessage() == "GET /x 200"
    facts = line.facts
    assert (facts["bytes"], facts["status"], facts["client"]) == (6, 200, "192.0.2.7")


@pytest.mark.parametrize(
    ("route", "status", "level"),
    [
        ("/health", "200 OK", logging.DEBUG),
        ("/health/ready", "503 Service Unavailable", logging.INFO),
        ("/metrics", "200 OK", logging.DEBUG),
        ("/v1/status", "200 OK", logging.DEBUG),
        ("/v1/status", "401 Unauthorized", logging.INFO),
        ("/studio/<file>", "200 OK", logging.DEBUG),
        ("/studio/<file>", "404 Not Found", logging.INFO),
        ("/v1/models", "200 OK", logging.INFO),
        ("/v1/models", "500 Internal Server Error", logging.INFO),
    ],
)
def test_probes_are_quiet_unless_they_fail(metrics, caplog, route, status, level):
    def app(environ, start_response):
        environ[FACTS]["route"] = route
        start_response(status, [])
        return [b""]

    with caplog.at_level(logging.DEBUG):
        call(app, metrics)
    (line,) = lines(caplog)
    assert line.levelno == level


def test_an_application_that_fails_is_counted_as_500(metrics, caplog):
    """And the error goes on to the server."""

    def app(environ, start_response):
        raise ZeroDivisionError

    with caplog.at_level(logging.INFO), pytest.raises(ZeroDivisionError):
        Observed(app, metrics)(environ(), lambda *arguments: None)
    assert count(metrics, method="GET", route="<unmatched>", code="500") == 1
    assert metrics.registry.get_sample_value("autovoice_http_requests_in_progress") == 0
    assert len(lines(caplog)) == 1


def test_a_body_that_fails_is_counted_once_and_closed(metrics, caplog):
    """The server closes what it could not send."""

    class Body:
        closed = 0

        def __iter__(self):
            yield b"one"
            raise BrokenPipeError

        def close(self):
            self.closed += 1

    body = Body()

    def app(environ, start_response):
        start_response("200 OK", [])
        return body

    with caplog.at_level(logging.INFO):
        counted = Observed(app, metrics)(environ(), lambda *arguments: None)
        with pytest.raises(BrokenPipeError):
            list(counted)
        counted.close()
        counted.close()
    assert body.closed == 1
    assert count(metrics, method="GET", route="<unmatched>", code="200") == 1
    assert metrics.registry.get_sample_value("autovoice_http_requests_in_progress") == 0
    (line,) = lines(caplog)
    assert line.facts["bytes"] == 3


def test_a_request_is_in_progress_until_its_last_byte(metrics):
    counted = Observed(simple, metrics)(environ(), lambda *arguments: None)
    in_progress = "autovoice_http_requests_in_progress"
    assert metrics.registry.get_sample_value(in_progress) == 1
    list(counted)
    assert metrics.registry.get_sample_value(in_progress) == 1
    counted.close()
    assert metrics.registry.get_sample_value(in_progress) == 0


@pytest.mark.parametrize("method", ["BREW", "get", "", "X" * 1000])
def test_methods_that_nobody_knows_share_a_series(metrics, method):
    """A client cannot make up labels."""
    call(simple, metrics, REQUEST_METHOD=method)
    assert count(metrics, method="other", route="/x", code="200") == 1


# --- the last errors ------------------------------------------------------------------------------


def failing(status, **facts):
    """An application whose every answer is this error."""

    def app(environ, start_response):
        environ[FACTS].update(facts)
        start_response(f"{status} Whatever", [])
        return [b""]

    return app


def test_an_error_is_remembered_with_what_finds_it_in_the_log(metrics):
    errors = RecentErrors()
    app = failing(404, route="/v1/models/<model>", error="model_not_found")
    call(app, metrics, errors, HTTP_X_REQUEST_ID="find-me", PATH_INFO="/v1/models/secret")
    (error,) = errors.newest_first()
    assert (error.code, error.status) == ("model_not_found", 404)
    assert (error.method, error.route) == ("GET", "/v1/models/<model>")
    assert error.request_id == "find-me"
    assert error.at == pytest.approx(time.time(), abs=60)
    assert "secret" not in repr(error)


def test_what_goes_well_is_not_remembered(metrics):
    errors = RecentErrors()
    call(simple, metrics, errors)
    assert errors.newest_first() == []


def test_a_method_that_a_client_makes_up_is_not_remembered(metrics):
    errors = RecentErrors()
    call(failing(405, error="method_not_allowed"), metrics, errors, REQUEST_METHOD="X" * 1000)
    assert [error.method for error in errors.newest_first()] == ["other"]


def test_an_answer_that_breaks_off_is_remembered_too(metrics):
    """Although its status was 200."""
    errors = RecentErrors()

    def body():
        yield b"one"
        raise ZeroDivisionError

    def app(environ, start_response):
        start_response("200 OK", [])
        return body()

    with pytest.raises(ZeroDivisionError):
        call(app, metrics, errors)
    assert [(error.code, error.status) for error in errors.newest_first()] == [
        ("internal_error", 200)
    ]


def test_an_application_that_fails_is_remembered(metrics):
    errors = RecentErrors()

    def app(environ, start_response):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(app, metrics, errors)
    assert [(error.code, error.status) for error in errors.newest_first()] == [
        ("internal_error", 500)
    ]
