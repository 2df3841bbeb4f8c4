"""Speech engines: each lives in its own module and in processes of its own."""

from importlib import import_module
from typing import Callable

from auto_voice.engines.engine import Engine, EngineOptions

ENGINES = {
    "espeak": "auto_voice.engines.espeak:EspeakEngine",
    "sherpa": "auto_voice.engines.sherpa:SherpaEngine",
    "stub": "auto_voice.engines.stub:StubEngine",
}
"""Engine name to where its class is; importing it is left to the worker process."""


def create(name: str, options: EngineOptions = EngineOptions()) -> Engine:
    """A new, not yet loaded engine.

    Raises:
        KeyError: there is no engine of this name.
        MissingDependency: its package is not installed.
    """
    module, _, attribute = ENGINES[name].partition(":")
    factory: Callable[[EngineOptions], Engine] = getattr(import_module(module), attribute)
    return factory(options)
