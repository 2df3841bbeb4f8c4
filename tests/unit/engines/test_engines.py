import subprocess
import sys

import pytest

from auto_voice.engines import ENGINES, create
from auto_voice.engines.engine import Engine


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_engines_are_found_by_name(name):
    engine = create(name)
    assert isinstance(engine, Engine)
    assert engine.name == name


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
