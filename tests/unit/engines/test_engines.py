import subprocess
import sys

import pytest

from auto_voice import engines
from auto_voice.engines import ENGINES, chosen, create
from auto_voice.engines.engine import Engine
from auto_voice.errors import SettingsError
from auto_voice.settings import load


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_engines_are_found_by_name(name):
    engine = create(name)
    assert isinstance(engine, Engine)
    assert engine.name == name


def test_every_engine_can_be_named_in_the_settings():
    for name in ENGINES:
        assert load({}, engine=name).engine == name


def test_an_unknown_engine_is_an_error():
    with pytest.raises(KeyError):
        create("nobody")


def test_the_server_loads_no_engine_itself():
    """An engine's libraries and crashes stay in its worker processes."""
    script = (
        "import sys, auto_voice.engines.pool\n"
        "print([name for name in sys.modules if 'espeak' in name or name == 'elftools'])"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("espeak", ("espeak",)),
        ("stub, espeak", ("stub", "espeak")),
        ("espeak,,espeak ,stub", ("espeak", "stub")),
    ],
)
def test_engines_are_those_that_are_named_in_that_order(names, found):
    assert chosen(names) == found


@pytest.mark.parametrize("names", ["nobody", "espeak,nobody", ",", "Espeak", "auto,espeak"])
def test_an_engine_that_is_not_there_cannot_be_chosen(names):
    with pytest.raises(SettingsError, match="espeak, .*stub"):
        chosen(names)


def test_all_that_are_installed_are_those_whose_package_is_there(monkeypatch):
    """The embedded one last: for a language, the first one is taken."""
    monkeypatch.setattr(engines, "PACKAGES", {"stub": "json", "lost": "json", "espeak": "no_such"})
    assert chosen("auto") == ("stub", "espeak")


def test_to_see_what_is_installed_nothing_is_imported():
    """Some packages look around in the network when they are loaded."""
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nfrom auto_voice.engines import PACKAGES, chosen\nchosen('auto')\n"
            "print([name for name in PACKAGES.values() if name in sys.modules])",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "[]"
