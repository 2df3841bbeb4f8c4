"""state.json, there and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.errors import Unclear
from deployer.state import Release, State, Underway, loaded

slots = st.sampled_from(["blue", "green"])
releases = st.builds(Release, st.text(), st.text(), st.text())
underway = st.builds(
    Underway,
    *(st.text(), st.text(), st.text(), st.none() | slots, slots, st.text(), st.text()),
    st.booleans(),
)
states = st.builds(State, st.none() | slots, st.dictionaries(slots, releases), st.none() | underway)


@given(states)
def test_what_is_written_is_read(state):
    assert loaded(state.dumped()) == state


def test_a_host_without_one_is_new():
    assert loaded("") == State()


@given(st.text(min_size=1) | st.recursive(st.integers() | st.text(), st.lists).map(json.dumps))
def test_anything_else_is_damaged(text):
    if text.strip():
        with pytest.raises(Unclear):
            loaded(text)


def test_a_later_format_is_not_guessed_at():
    with pytest.raises(Unclear, match="format 2"):
        loaded(State().dumped().replace('"format": 1', '"format": 2'))


def test_a_new_version_counts_from_its_acceptance_on():
    begun = State("blue", {"blue": Release("v1", "i1", "d1")}).begun(
        Underway("d2", "v2", "i2", "blue", "green", "bake", "now")
    )
    assert begun.current.version == "v1"
    assert begun.accepted().current == Release("v2", "i2", "d2")
    assert begun.accepted().slots["blue"].version == "v1"
