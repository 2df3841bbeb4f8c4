"""docs/ssml.md says what the code does."""

import math
import re

import pytest

from auto_voice.errors import InvalidSSML
from auto_voice.text.ssml import prosody, reader, values
from auto_voice.text.ssml.elements import BOUNDARIES, ELEMENTS
from tests.house.house import ROOT
from tests.unit.text.ssml.documents import items, style

TEXT = (ROOT / "docs/ssml.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```xml\n(.*?)```", TEXT, re.DOTALL)


def rows(head):
    """The cells of a table, by the beginning of its heads."""
    table = TEXT[TEXT.index(f"| {head} |") :].split("\n\n")[0]
    return [[c.strip() for c in line.strip("| ").split("|")] for line in table.splitlines()[2:]]


def decibels(cell):
    return -math.inf if cell == "silence" else float(cell.replace(" dB", ""))


def test_elements_are_listed():
    listed = {name for row in rows("element") for name in re.findall("`(.*?)`", row[0])}
    # A lookup is one of the elements that are skipped; many expect more of it.
    assert listed == {*ELEMENTS, *BOUNDARIES, "lookup"}


def test_needed_attributes_are_said_to_be():
    for row in rows("element"):
        for name in re.findall("`(.*?)`", row[0]):
            needed = re.findall("`([^`]*)`, needed", row[1])
            if not needed:
                assert items(f"<x>x<{name}>y</{name}></x>")
                continue
            with pytest.raises(InvalidSSML, match=f"<{name}> needs the attribute {needed[0]}"):
                items(f"<{name}>x</{name}>")


def test_strengths_are_listed():
    listed = {row[0].strip("`"): float(row[1]) for row in rows("strength")}
    assert listed == values.STRENGTHS_S


def test_words_for_pace_pitch_and_volume_are_listed():
    # The first columns are empty in the last row.
    table = [re.findall(r"`([\w-]+)` \| ([^|]*)", " | ".join(row)) for row in rows("word")]
    cells = [(word, value.strip()) for row in table for word, value in row]
    by_value = {
        "rate": [(w, float(v)) for w, v in cells if w in prosody.RATES and "dB" not in v],
        "pitch": [(w, float(v)) for w, v in cells if w in prosody.PITCHES and "dB" not in v],
        "volume": [(w, decibels(v)) for w, v in cells if "dB" in v or v == "silence"],
    }
    assert dict(by_value["rate"]) == prosody.RATES
    assert dict(by_value["pitch"]) == prosody.PITCHES
    assert dict(by_value["volume"]) == prosody.VOLUMES_DB


def test_levels_of_emphasis_are_listed():
    listed = {
        row[0].strip("`"): (float(row[1]), float(row[2]), decibels(row[3]))
        for row in rows("emphasis")
    }
    assert listed == prosody.EMPHASES


@pytest.mark.parametrize("row", rows("attribute | value"), ids=" ".join)
def test_values_mean_what_is_said(row):
    attribute, shown, meaning = row[0].strip("`"), re.findall("`(.*?)`", row[1]), row[2]
    factors = [float(n) for n in re.findall(r"\d+\.\d+", meaning)]
    for number, value in enumerate(shown):
        found = style(f'<prosody {attribute}="{value}">x</prosody>')
        if "as it was" in meaning and value != "0":
            assert found == style("x")
        elif attribute in ("rate", "pitch") and factors:
            assert getattr(found, attribute) == pytest.approx(factors[number])
        else:
            assert found != style("x")


def test_limits_are_listed():
    listed = [re.sub(r"[^\d]", "", row[1]) for row in rows("what")]
    assert listed == [
        str(limit)
        for limit in (
            reader.MAX_CHARACTERS,
            reader.MAX_DEPTH,
            reader.MAX_ELEMENTS,
            reader.MAX_ATTRIBUTES,
            reader.MAX_ATTRIBUTE_CHARACTERS,
            round(values.MAX_BREAK_S),
        )
    ]


def test_bounds_are_told():
    assert f"from {prosody.MIN_RATE:g} to {prosody.MAX_RATE:g}, the pitch" in TEXT
    assert f"from {prosody.MIN_PITCH:g} to {prosody.MAX_PITCH:g}, and" in TEXT
    assert f"at most {prosody.MAX_VOLUME_DB:g} dB up; {-prosody.MIN_VOLUME_DB:g} dB down" in TEXT
    assert f"{prosody.NOMINAL_HZ:g} Hz count" in TEXT


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_valid(example):
    assert items(example)


def test_the_error_is_shown_as_it_is():
    with pytest.raises(InvalidSSML) as caught:
        items('<speak>\na, <prosody rate="quick">b</prosody></speak>')
    assert caught.value.message in TEXT
