"""The tree in the docstring is the tree."""

import re

import pytest

from auto_voice import errors
from auto_voice.errors import AutoVoiceError

LINE = re.compile(
    r"^ {4}(?P<branch>[│├└─ ]*)(?P<name>\w+) +(?P<status>\d{3}|\(at start\)) +(?P<code>\w+)"
    r"(?P<retryable> +retryable)?$",
    re.MULTILINE,
)


def drawn():
    """(name, parent's name, status, code, retryable) of each line of the docstring's tree."""
    path = []
    for match in LINE.finditer(errors.__doc__):
        depth = len(match["branch"]) // 4
        path[depth:] = [match["name"]]
        status = int(match["status"]) if match["status"].isdigit() else None
        parent = path[depth - 1] if depth else "Exception"
        yield match["name"], parent, status, match["code"], bool(match["retryable"])


def defined():
    return {
        value.__name__: value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, AutoVoiceError)
    }


def test_every_error_is_drawn():
    names = [name for name, *_ in drawn()]
    assert sorted(names) == sorted(defined())


@pytest.mark.parametrize("name, parent, status, code, retryable", list(drawn()))
def test_an_error_is_as_drawn(name, parent, status, code, retryable):
    error = defined()[name]
    assert error.__base__.__name__ == parent
    assert error.code == code
    assert error.retryable == retryable
    assert status in (None, error.status)


def test_codes_are_unique():
    """A client can tell errors apart by their code."""
    codes = [error.code for error in defined().values()]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", list(defined().values()))
def test_types_are_openais(error):
    assert error.type in ("invalid_request_error", "server_error", "rate_limit_error")
    assert (error.type == "server_error") == (error.status >= 500)


def test_facts_travel_with_an_error():
    error = errors.Overloaded("full", param="input", retry_after_s=3)
    assert (str(error), error.message) == ("full", "full")
    assert (error.param, error.retry_after_s) == ("input", 3)
    assert (AutoVoiceError("x").param, AutoVoiceError("x").retry_after_s) == (None, None)


def test_errors_leave_the_package_a_leaf():
    """Any room may import them: they import nothing of ours."""
    text = open(errors.__file__, encoding="utf-8").read()
    assert not re.search(r"^\s*(from|import) auto_voice", text, re.MULTILINE)
