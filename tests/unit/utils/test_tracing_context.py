"""Trace headers are read as W3C Trace Context says, and what is passed on is always well-formed."""

import re
import sys
from subprocess import check_output

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auto_voice.utils.tracing_context import (
    RANDOM,
    SAMPLED,
    Context,
    Parent,
    clean_tracestate,
    current,
    parse_traceparent,
    received,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (TRACEPARENT, SAMPLED),
        (f"00-{TRACE}-{CALLER}-00", 0),
        (f"00-{TRACE}-{CALLER}-02", RANDOM),
        (f"00-{TRACE}-{CALLER}-03", SAMPLED | RANDOM),
        (f"00-{TRACE}-{CALLER}-ff", SAMPLED | RANDOM),
        (f"00-{TRACE}-{CALLER}-fc", 0),
        # A version to come: only the sampled flag is certain, and more may follow.
        (f"01-{TRACE}-{CALLER}-03", SAMPLED),
        (f"cc-{TRACE}-{CALLER}-01", SAMPLED),
        (f"cc-{TRACE}-{CALLER}-01-what-the-future-will-be-like", SAMPLED),
        (f"fe-{TRACE}-{CALLER}-00-", 0),
    ],
)
def test_a_good_traceparent_is_understood(header, flags):
    assert parse_traceparent(header) == Parent(TRACE, CALLER, flags)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        "-",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"cc-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{TRACE}-{CALLER.upper()}-01",
        f"00-{TRACE}-{CALLER}-0A",
        f"0X-{TRACE}-{CALLER}-01",
        f"00-{TRACE[:-1]}-{CALLER}-01",
        f"00-{TRACE}0-{CALLER}-01",
        f"00-{TRACE}-{CALLER[:-1]}-01",
        f"00-{TRACE}-{CALLER}0-01",
        f"00-{TRACE}-{CALLER}-1",
        f"00-{TRACE}-{CALLER}-001",
        f"00-{TRACE}-{CALLER}",
        f"00-{TRACE}-{CALLER}-01-",
        f"00-{TRACE}-{CALLER}-01-what-the-future-will-be-like",
        f"00-{TRACE}-{CALLER}-01.",
        f"cc-{TRACE}-{CALLER}-01.what-the-future-will-be-like",
        f"cc-{TRACE}-{CALLER}-011",
        f"00_{TRACE}_{CALLER}_01",
        f" {TRACEPARENT}",
        f"{TRACEPARENT} ",
        f"{TRACEPARENT}\n",
        f"{TRACEPARENT},{TRACEPARENT}",
        f"00-{TRACE[:-1]}\u0661-{CALLER}-01",
        f"00-{TRACE[:-1]}g-{CALLER}-01",
    ],
)
def test_a_bad_traceparent_begins_a_new_trace(header):
    assert parse_traceparent(header) is None
    context = received("", header)
    assert context.trace_id not in ("", TRACE)
    assert context.parent_id == ""


@given(st.one_of(st.text(), st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")))
@example(TRACEPARENT)
@example("ff-" + TRACEPARENT[3:])
def test_whatever_comes_in_what_goes_out_is_well_formed(header):
    context = received("", header)
    found = parse_traceparent(context.traceparent)
    assert found == (context.trace_id, context.span_id, context.flags)
    assert len(context.traceparent) == 55
    assert context.span_id != context.parent_id


def test_a_request_goes_on_with_its_callers_trace():
    context = received("mine", TRACEPARENT, "a=1")
    assert (context.request_id, context.trace_id, context.parent_id) == ("mine", TRACE, CALLER)
    assert re.fullmatch("[0-9a-f]{16}", context.span_id) and context.span_id != CALLER
    assert context.outgoing() == {
        "traceparent": f"00-{TRACE}-{context.span_id}-01",
        "tracestate": "a=1",
    }


def test_a_request_without_a_trace_gets_one():
    """Its id is random and says so; nobody has been asked to record it, and a state is nobody's."""
    context = received("", "", "a=1")
    assert context.flags == RANDOM
    assert context.parent_id == ""
    assert context.request_id == context.span_id
    assert context.outgoing() == {"traceparent": context.traceparent}


def test_ids_do_not_come_twice():
    contexts = [received() for _ in range(1000)]
    assert len({context.trace_id for context in contexts}) == 1000
    assert len({context.span_id for context in contexts}) == 1000


def test_a_process_that_is_forked_gives_out_ids_of_its_own():
    """gunicorn forks a new worker out of the same master whenever one has died."""
    code = (
        "import os\n"
        "from auto_voice.utils.tracing_context import received\n"
        "for _ in range(2):\n"
        "    if not os.fork():\n"
        "        print(received().trace_id, flush=True)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    first, second = check_output([sys.executable, "-c", code]).split()
    assert first != second


# --- tracestate -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "passed_on"),
    [
        ("", ""),
        ("a=1", "a=1"),
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("a=1 , b=2,\t c=3", "a=1,b=2,c=3"),
        ("a=1,,b=2,", "a=1,b=2"),
        ("tenant@system=1", "tenant@system=1"),
        ("0a-_*/=1", "0a-_*/=1"),
        ("a= 1 2", "a= 1 2"),
        ("a=~!-+;:", "a=~!-+;:"),
        (f"{'a' * 256}={'b' * 255}", f"{'a' * 256}={'b' * 255}"),
        (",".join(f"k{i}=v" for i in range(32)), ",".join(f"k{i}=v" for i in range(32))),
    ],
)
def test_a_good_tracestate_is_passed_on(header, passed_on):
    assert clean_tracestate(header) == passed_on


@pytest.mark.parametrize(
    "header",
    [
        "a",
        "a=",
        "=1",
        "A=1",
        "a=1=2",
        "a=1,a=2",
        "a=é",
        "a=1\x7f",
        "a =1",
        "@a=1",
        "a=1,b",
        "a.b=1",
        f"{'a' * 257}=1",
        f"a={'1' * 257}",
        ",".join(f"k{i}=v" for i in range(33)),
    ],
)
def test_a_bad_tracestate_is_dropped_whole(header):
    assert clean_tracestate(header) == ""
    context = received("", TRACEPARENT, header)
    assert context.trace_id == TRACE
    assert "tracestate" not in context.outgoing()


def test_a_long_tracestate_loses_its_long_members_first():
    """Then those at its end: the first one is the latest."""
    long_one = "x" * 130
    header = ",".join([f"a={'1' * 100}", f"b={long_one}", *(f"c{i}={'2' * 60}" for i in range(9))])
    kept = clean_tracestate(header).split(",")
    assert kept[0] == f"a={'1' * 100}"
    assert f"b={long_one}" not in kept
    assert kept[1:] == [f"c{i}={'2' * 60}" for i in range(len(kept) - 1)]
    assert 512 - 64 < len(",".join(kept)) <= 512


MEMBERS = st.tuples(
    st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,40}", fullmatch=True),
    st.from_regex(r"[ -+\--<>-~]{0,200}[!-+\--<>-~]", fullmatch=True),
)


@given(st.lists(MEMBERS, max_size=40, unique_by=lambda member: member[0]))
def test_what_is_passed_on_is_never_longer_than_promised(members):
    """And is itself passed on as it is."""
    written = [f"{key}={value.strip(' ')}" for key, value in members if value.strip(" ")]
    cleaned = clean_tracestate(",".join(written))
    assert len(cleaned) <= 512
    assert clean_tracestate(cleaned) == cleaned
    assert [member for member in written if member in cleaned.split(",")] == [
        member for member in cleaned.split(",") if member
    ]


@given(st.text())
def test_no_tracestate_is_too_strange(header):
    assert clean_tracestate(clean_tracestate(header)) == clean_tracestate(header)


# --- what lines say -------------------------------------------------------------------------------


def test_nobody_is_served_at_first():
    assert current.get() is None


def test_a_line_says_what_is_known():
    assert Context().log_fields() == {}
    context = Context(request_id="a", trace_id=TRACE, fields={"job": 7})
    assert context.log_fields() == {"request_id": "a", "trace_id": TRACE, "job": 7}
