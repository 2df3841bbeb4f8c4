"""Pace, pitch and volume are read as SSML and its vendors write them."""

import math

import pytest

from auto_voice.errors import InvalidSSML
from auto_voice.text.script import Style
from tests.unit.text.ssml.documents import items, style, words

db = math.log10


def change(attributes):
    return style(f"<prosody {attributes}>x</prosody>")


@pytest.mark.parametrize(
    ("value", "factor"),
    [
        ("x-slow", 0.5),
        ("slow", 0.64),
        ("medium", 1),
        ("fast", 1.55),
        ("x-fast", 2),
        ("default", 1),
        ("80%", 0.8),
        ("+20%", 1.2),
        ("-10.5%", 0.895),
        ("1.5", 1.5),
        (".5", 0.5),
        (" FAST ", 1.55),
        ("0%", 1),
        ("+0.00%", 1),
        ("-100%", 0.25),
        ("-500%", 0.25),
        ("1000%", 4),
        ("9" * 999, 4),
    ],
)
def test_rates(value, factor):
    assert change(f'rate="{value}"') == Style(rate=pytest.approx(factor))


@pytest.mark.parametrize(
    ("value", "factor"),
    [
        ("x-low", 0.55),
        ("low", 0.8),
        ("medium", 1),
        ("high", 1.2),
        ("x-high", 1.45),
        ("default", 1),
        ("+10%", 1.1),
        ("-15.2%", 0.848),
        ("0%", 1),
        ("+12st", 2),
        ("-2st", 2 ** (-1 / 6)),
        ("+0.5 St", 2 ** (1 / 24)),
        ("+30Hz", 1.25),
        ("-30hz", 0.75),
        ("150Hz", 1.25),
        ("1Hz", 0.5),
        ("+999999st", 2),
        ("-200%", 0.5),
    ],
)
def test_pitches(value, factor):
    assert change(f'pitch="{value}"') == Style(pitch=pytest.approx(factor))


@pytest.mark.parametrize(
    ("value", "decibels"),
    [
        ("silent", -math.inf),
        ("x-soft", -12),
        ("soft", -6),
        ("medium", 0),
        ("loud", 4),
        ("x-loud", 8),
        ("default", 0),
        ("+6dB", 6),
        ("-6.5 db", -6.5),
        ("6dB", 6),
        ("100", 0),
        ("50", 20 * db(0.5)),
        ("0", -math.inf),
        ("+10", 20 * db(1.1)),
        ("-10", 20 * db(0.9)),
        ("+20.00%", 20 * db(1.2)),
        ("-100%", -math.inf),
        ("0%", 0),
        ("+900dB", 20),
        ("-61dB", -math.inf),
    ],
)
def test_volumes(value, decibels):
    assert change(f'volume="{value}"') == Style(volume_db=pytest.approx(decibels))


@pytest.mark.parametrize(
    "attributes",
    [
        'rate="quick"',
        'rate=""',
        'rate="0"',
        'rate="+0.5"',
        'rate="5dB"',
        'rate="1e3"',
        'rate="٥%"',
        'rate="nan"',
        'pitch="10%"',
        'pitch="2"',
        'pitch="loud"',
        'pitch="high pitch"',
        'volume="101"',
        'volume="50%"',
        'volume="inf"',
        'volume="+6dBm"',
    ],
)
def test_what_means_nothing_is_refused_with_what_would_be_right(attributes):
    with pytest.raises(InvalidSSML, match=r"line 1, column 3: \w+=.* of <prosody>: must be one of"):
        items(f"a <prosody {attributes}>x</prosody>")


def test_the_refusal_shows_a_long_value_only_in_part():
    with pytest.raises(InvalidSSML) as caught:
        items(f'<prosody rate="{"y" * 900}">x</prosody>')
    assert len(caught.value.message) < 250


def test_attributes_come_together():
    found = change(
        'rate="2" pitch="+10%" volume="-3dB" contour="(0%,+20Hz)" range="x" duration="y"'
    )
    assert found == Style(rate=2, pitch=pytest.approx(1.1), volume_db=-3)


def test_nested_prosody_multiplies_and_ends_with_its_element():
    source = (
        '<prosody rate="50%" pitch="+10%" volume="-3dB">a'
        '<prosody rate="150%" pitch="+20%" volume="-3dB">b</prosody>c</prosody>d'
    )
    a, b, c, d = (item.style for item in words(source))
    assert a == c == Style(rate=0.5, pitch=pytest.approx(1.1), volume_db=-3)
    assert b == Style(rate=0.75, pitch=pytest.approx(1.32), volume_db=-6)
    assert d == Style()


def test_default_takes_back_what_is_around():
    inner = '<prosody rate="default" pitch="default" volume="default">x</prosody>'
    assert style(f'<prosody rate="2" pitch="high" volume="silent">{inner}</prosody>') == Style()


def test_products_keep_within_bounds():
    for value, rate, pitch, volume in (("x-fast x-high x-loud", 4, 2, 20),):
        names = value.split()
        tag = f'<prosody rate="{names[0]}" pitch="{names[1]}" volume="{names[2]}">'
        assert style(tag * 10 + "x" + "</prosody>" * 10) == Style(
            rate=rate, pitch=pitch, volume_db=volume
        )
    tag = '<prosody rate="x-slow" pitch="x-low" volume="x-soft">'
    assert style(tag * 10 + "x" + "</prosody>" * 10) == Style(
        rate=0.25, pitch=0.5, volume_db=-math.inf
    )


def test_silence_stays_silent_whatever_is_added():
    assert style(
        '<prosody volume="silent"><prosody volume="+999999999dB">x</prosody></prosody>'
    ) == Style(volume_db=-math.inf)


def test_emphasis_is_slower_higher_and_louder_the_stronger_it_is():
    def level(name):
        return style(f'<emphasis level="{name}">x</emphasis>')

    strong, moderate, reduced = map(level, ("strong", "moderate", "reduced"))
    assert level("none") == Style()
    assert style("<emphasis>x</emphasis>") == moderate
    assert strong.rate < moderate.rate < 1 < reduced.rate
    assert strong.pitch > moderate.pitch > 1 > reduced.pitch
    assert strong.volume_db > moderate.volume_db > 0 > reduced.volume_db


@pytest.mark.parametrize("level", ["", "very", "2"])
def test_a_level_of_emphasis_that_is_none_is_refused(level):
    with pytest.raises(InvalidSSML, match="must be one of strong, moderate, none, reduced"):
        items(f'<emphasis level="{level}">x</emphasis>')
