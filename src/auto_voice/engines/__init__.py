"""Speech engines: each lives in its own module and in processes of its own."""

from importlib import import_module
from importlib.util import find_spec
from typing import Callable, Tuple

from auto_voice.engines.engine import Engine, EngineOptions
from auto_voice.errors import SettingsError
from auto_voice.settings import PREFIX

ENGINES = {
    "espeak": "auto_voice.engines.espeak:EspeakEngine",
    "piper": "auto_voice.engines.piper.engine:PiperEngine",
    "sherpa": "auto_voice.engines.sherpa:SherpaEngine",
    "stub": "auto_voice.engines.stub:StubEngine",
}
"""Engine name to where its class is; importing it is left to the worker process."""
PACKAGES = {"piper": "onnxruntime", "sherpa": "sherpa_onnx"}
"""Each engine whose voices are files, with the package that it needs, the preferred one first."""
EMBEDDED = "espeak"
"""The engine that is always there."""


def chosen(names: str) -> Tuple[str, ...]:
    """The engines that the setting means, the preferred one first.

    Args:
        names: comma-separated, or ``auto``: all that are installed.

    Raises:
        SettingsError: there is no engine of such a name.
    """
    if names == "auto":
        # Not by importing them: that takes time, and some packages look around when they load.
        found = (name for name, needed in PACKAGES.items() if name in ENGINES and find_spec(needed))
        return (*found, EMBEDDED)
    wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in ENGINES]
    if unknown or not wanted:
        known = ", ".join(sorted(ENGINES))
        raise SettingsError(
            f"{PREFIX}ENGINE={names!r}: there is no engine {', '.join(unknown) or names!r}, only "
            f"{known}; `auto` stands for all that are installed"
        )
    return wanted


def lacking(name: str) -> str:
    """What an engine misses here, as a sentence's end; empty if it can be switched on."""
    if name not in ENGINES:
        return f"there is no engine {name[:60]!r}"
    if name in PACKAGES and find_spec(PACKAGES[name]) is None:
        return f"the engine {name} needs a package: pip install 'autovoice[{name}]'"
    return ""


def create(name: str, options: EngineOptions = EngineOptions()) -> Engine:
    """A new, not yet loaded engine.

    Raises:
        KeyError: there is no engine of this name.
        MissingDependency: its package is not installed.
    """
    module, _, attribute = ENGINES[name].partition(":")
    factory: Callable[[EngineOptions], Engine] = getattr(import_module(module), attribute)
    return factory(options)
