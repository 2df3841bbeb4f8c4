"""Who is being served: a request's id and its place in a trace (W3C Trace Context, level 2).

`current` holds it while code runs for a request. It is one immutable object, so
that it can be handed to a thread or a job as it is; `instrument.py` has the
helpers for that.
"""

import os
import random
import re
from contextvars import ContextVar
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Protocol

import msgspec

SAMPLED = 0x01
"""Flag: the caller may have recorded its part of the trace."""
RANDOM = 0x02
"""Flag: the trace's id is random."""

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_MAX_MEMBERS = 32
_MAX_STATE_CHARS = 512
_LONG_MEMBER_CHARS = 128
_MEMBER = re.compile(
    r"([a-z0-9][a-z0-9_\-*/@]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]"  # no comma, no "="
)

# Unique, not secret; and unlike os.urandom it is no system call.
_source = random.Random()  # nosec B311
_random = _source.getrandbits
# A server process that is started anew must not give out the ids of the one before.
os.register_at_fork(after_in_child=_source.seed)


class Span(Protocol):
    """A step of a request that is sent to a collector when it ends."""

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits."""

    def child(self, name: str) -> "Span":
        """A step within this one, which begins now."""

    def record(
        self,
        name: str,
        began: float,
        ended: float,
        attributes: Mapping[str, Any],
        error: str = "",
    ) -> None:
        """A step within this one that is over already; times are time.monotonic()'s."""

    def link(self, other: Any) -> None:
        """Part of the work was done in another trace, by the span ``other``."""

    def update(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Give it another name and more attributes."""

    def end(self, error: str = "") -> None:
        """It is over; ``error`` names the kind of failure, if it is one."""


class Context(msgspec.Struct, frozen=True, eq=False):
    """What is known of the request, or the job, that code runs for."""

    request_id: str = ""
    trace_id: str = ""
    """32 hexadecimal digits."""
    span_id: str = ""
    """This step's own, 16 hexadecimal digits."""
    parent_id: str = ""
    """The step that this one is within, which may be the caller's; empty if there is none."""
    flags: int = 0
    """`SAMPLED` and `RANDOM`, or none of them."""
    tracestate: str = ""
    """As the caller sent it; `outgoing` passes on what is well-formed."""
    span: Optional[Span] = None
    """Where spans are sent to a collector, and this trace is among those that are."""
    fields: Mapping[str, Any] = {}
    """What else is put on every log line."""

    @property
    def traceparent(self) -> str:
        """The header for those who are called, or answered, from here."""
        return f"00-{self.trace_id}-{self.span_id}-0{self.flags}"

    def log_fields(self) -> Dict[str, Any]:
        """What every log line of this request has."""
        found: Dict[str, Any] = {}
        if self.request_id:
            found["request_id"] = self.request_id
        if self.trace_id:
            found["trace_id"] = self.trace_id
        found.update(self.fields)
        return found

    def outgoing(self) -> Dict[str, str]:
        """The headers that continue this trace elsewhere: in a called service or a queued job."""
        headers = {"traceparent": self.traceparent}
        state = clean_tracestate(self.tracestate)
        if state:
            headers["tracestate"] = state
        return headers


current: "ContextVar[Optional[Context]]" = ContextVar("auto_voice", default=None)
"""Whom this code runs for; None: nobody in particular."""


class Parent(NamedTuple):
    """What a ``traceparent`` says."""

    trace_id: str
    parent_id: str
    flags: int


def received(request_id: str = "", traceparent: str = "", tracestate: str = "") -> Context:
    """The context of a new request, given what its headers say; empty: nothing.

    A ``traceparent`` that is missing or malformed begins a new trace. A request
    without an id gets that of its span.
    """
    if traceparent:
        parent = parse_traceparent(traceparent)
        if parent is not None:
            span_id = new_span_id()
            trace_id, parent_id, flags = parent
            return Context(request_id or span_id, trace_id, span_id, parent_id, flags, tracestate)
    digits = _random(192).to_bytes(24, "big").hex()  # both ids in one go
    span_id = digits[32:]
    return Context(request_id or span_id, digits[:32], span_id, "", RANDOM)


def new_span_id() -> str:
    """16 random hexadecimal digits."""
    return _random(64).to_bytes(8, "big").hex()


def parse_traceparent(header: str) -> Optional[Parent]:
    """What a ``traceparent`` says; None if it is malformed."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "00":
        # Other flags have no meaning yet, and are not to be passed on.
        return None if more else Parent(trace_id, parent_id, int(flags, 16) & (SAMPLED | RANDOM))
    # Of a version to come, no more is certain.
    return Parent(trace_id, parent_id, int(flags, 16) & SAMPLED)


def clean_tracestate(header: str) -> str:
    """A ``tracestate`` to be passed on: the same, cut to 512 characters; empty if malformed."""
    members: List[str] = []
    keys = set()
    for part in header.split(","):
        member = part.strip(" \t")
        if not member:
            continue
        found = _MEMBER.fullmatch(member)
        if found is None or found.group(1) in keys or len(members) == _MAX_MEMBERS:
            return ""
        keys.add(found.group(1))
        members.append(member)
    if _joined_chars(members) > _MAX_STATE_CHARS:
        # Long members go first, then those at the end: the specification says so.
        for member in [each for each in members[::-1] if len(each) > _LONG_MEMBER_CHARS]:
            if _joined_chars(members) > _MAX_STATE_CHARS:
                members.remove(member)
        while _joined_chars(members) > _MAX_STATE_CHARS:
            members.pop()
    return ",".join(members)


def _joined_chars(members: List[str]) -> int:
    return sum(map(len, members)) + max(0, len(members) - 1)
