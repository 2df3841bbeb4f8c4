"""Around a piece of work: what its log lines say, its place in the trace, its time.

`bind`, `traced` and `timed` are context managers for one use each, and
decorators of functions and of generator functions. A generator so decorated
runs each of its steps in a context of its own, which it has from where it was
made: whichever thread asks for its next item, whatever runs in between and
however it ends, it sees its own request, and nobody else does.

A generator that is not decorated runs in whatever context asks for its next
item, and a ``with bind(…):`` around its ``yield`` would leak to there: decorate it.
"""

import contextlib
import contextvars
import copy
import functools
import inspect
import logging
import sys
import time
from types import TracebackType
from typing import Any, Callable, ContextManager, Dict, Generator, Optional, Type, TypeVar, cast

import msgspec

from auto_voice.utils.tracing_context import Context, Span, current, new_span_id, received

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

_LINE = frozenset({"time", "level", "logger", "message", "exception", "request_id", "trace_id"})
"""What a log line has already."""


_MARK = "_auto_voice_stepwise"
"""The attribute by which functions that make decorated generators are known."""


class _Around:
    """A context manager that is a decorator, too."""

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        raise NotImplementedError

    def step(self, run: Callable[..., Any], *arguments: Any) -> Any:
        """Run a generator until it yields or ends."""
        return run(*arguments)

    def __call__(self, function: Function) -> Function:
        if _makes_generators(function):

            def begin(*args: Any, **kwargs: Any) -> Any:
                own = copy.copy(self)
                context = contextvars.copy_context()
                return _stepwise(function(*args, **kwargs), context, own, own.step)

            return _dressed(begin, function, stepwise=True)

        def call(*args: Any, **kwargs: Any) -> Any:
            with copy.copy(self):
                return function(*args, **kwargs)

        return _dressed(call, function)


class bind(_Around):
    """Puts fields on every log line of what is within: ``with bind(job_id=7):``.

    Raises:
        ValueError: a line has a field of that name already.
    """

    def __init__(self, **fields: Any) -> None:
        self._fields = _checked(fields)

    def __enter__(self) -> Context:
        before = current.get() or Context()
        within = _changed(before, fields={**before.fields, **self._fields})
        self._token = current.set(within)
        return within

    def __exit__(self, *exc_info: object) -> None:
        _restore(self._token)


class traced(_Around):
    """A named step of the current trace; where there is none, the first one of a new trace.

    Its log lines have the name as ``span`` besides ``fields``. Where the trace is
    sent to a collector, the step is a span of it.
    """

    def __init__(self, name: str, **fields: Any) -> None:
        self._name = name
        self._bound = {"span": name, **_checked(fields)}
        self._span: Optional[Span] = None

    def __enter__(self) -> Context:
        before = current.get()
        if before is None or not before.trace_id:
            fields = before.fields if before is not None else {}
            within = received()
            parent_id = ""
        else:
            fields, within, parent_id = before.fields, before, before.span_id
            if before.span is not None:
                self._span = before.span.child(self._name)
        within = _changed(
            within,
            fields={**fields, **self._bound},
            span=self._span,
            parent_id=parent_id,
            span_id=self._span.span_id if self._span is not None else new_span_id(),
        )
        self._token = current.set(within)
        return within

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        _restore(self._token)
        if self._span is not None:
            self._span.end(_failure(kind))


class timed(_Around):
    """Measures, and logs at DEBUG, how long something takes; ``seconds`` holds it afterwards.

    Of a generator, the time that it ran itself; how long its reader took is none of it.
    """

    def __init__(self, name: str, report: Optional[Callable[[float], object]] = None) -> None:
        """``report``: gets the seconds, such as a histogram's ``observe``; must not raise."""
        self.seconds = 0.0
        self._name = name
        self._report = report
        self._stepwise = False

    def __enter__(self) -> "timed":
        self._began = time.perf_counter()
        return self

    def step(self, run: Callable[..., Any], *arguments: Any) -> Any:
        self._stepwise = True
        began = time.perf_counter()
        try:
            return run(*arguments)
        finally:
            self.seconds += time.perf_counter() - began

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if not self._stepwise:
            self.seconds = time.perf_counter() - self._began
        if self._report is not None:
            self._report(self.seconds)
        if log.isEnabledFor(logging.DEBUG):
            facts = {"timed": self._name, "duration_ms": round(1e3 * self.seconds, 3)}
            failure = _failure(kind)
            if failure:
                facts["error"] = failure
            log.debug("%s took %.3f ms", self._name, 1e3 * self.seconds, extra={"facts": facts})


def carry(function: Function) -> Function:
    """``function`` for another thread: it runs there in the context that there is here now.

    What it changes of the context does not come back. Any number of threads may
    call it, and of a generator function, each generator has its own copy.
    """
    context = contextvars.copy_context()
    if _makes_generators(function):

        def begin(*args: Any, **kwargs: Any) -> Any:
            inner = function(*args, **kwargs)
            return _stepwise(inner, context.copy(), contextlib.nullcontext(), _run)

        return _dressed(begin, function, stepwise=True)

    def call(*args: Any, **kwargs: Any) -> Any:
        return context.copy().run(function, *args, **kwargs)  # one can be entered only once

    return _dressed(call, function)


def _stepwise(
    inner: Generator[Any, Any, Any],
    context: contextvars.Context,
    manager: ContextManager[Any],
    step: Callable[..., Any],
) -> Generator[Any, Any, Any]:
    """``inner`` within ``manager``, each step of it in ``context``."""
    context.run(manager.__enter__)
    try:
        result = yield from _steps(inner, functools.partial(step, context.run))
    except BaseException:
        context.run(manager.__exit__, *sys.exc_info())
        raise
    context.run(manager.__exit__, None, None, None)
    return result


def _steps(inner: Generator[Any, Any, Any], step: Callable[..., Any]) -> Generator[Any, Any, Any]:
    """``yield from inner``, but for how its steps are called."""
    resume: Callable[[Any], Any] = inner.send
    argument: Any = None
    while True:
        try:
            item = step(resume, argument)
        except StopIteration as stop:
            return stop.value
        try:
            resume, argument = inner.send, (yield item)
        except GeneratorExit:
            step(inner.close)
            raise
        except BaseException as thrown:
            resume, argument = inner.throw, thrown


def _run(run: Callable[..., Any], *arguments: Any) -> Any:
    return run(*arguments)


def _checked(fields: Dict[str, Any]) -> Dict[str, Any]:
    taken = _LINE.intersection(fields)
    if taken:
        raise ValueError(f"log lines have these already: {', '.join(sorted(taken))}")
    return fields


def _changed(context: Context, **changes: Any) -> Context:
    changed: Context = msgspec.structs.replace(context, **changes)
    return changed


def _restore(token: "contextvars.Token[Optional[Context]]") -> None:
    try:
        current.reset(token)
    except ValueError:
        pass  # the garbage collector ends a generator in whatever context it finds itself in


def _failure(kind: Optional[Type[BaseException]]) -> str:
    """The name of an error; a generator that is closed early has not failed."""
    return kind.__name__ if kind is not None and kind is not GeneratorExit else ""


def _makes_generators(function: Callable[..., Any]) -> bool:
    # Whoever wraps one of ours copies its attributes, but makes something else of it.
    return inspect.isgeneratorfunction(function) or getattr(function, _MARK, None) is function


def _dressed(outer: Callable[..., Any], function: Function, stepwise: bool = False) -> Function:
    functools.update_wrapper(outer, function)
    if stepwise:
        setattr(outer, _MARK, outer)
    return cast(Function, outer)
