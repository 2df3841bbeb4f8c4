"""onnxruntime, imported so that it keeps to itself, and one thread a session."""

import os
from typing import Any, List, Mapping, Sequence

from auto_voice.engines.piper.graph import Tensor
from auto_voice.errors import EngineFailed, MissingDependency


def load() -> Any:
    """The module ``onnxruntime``, without its telemetry.

    Only a variable that is set before the first import keeps the library from looking up a host
    and from writing an id of this machine under the home folder.

    Raises:
        MissingDependency: it is not installed.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependency(
            "Piper's voices need a package: pip install 'autovoice[piper]'"
        ) from None
    # Errors come as exceptions; the rest would be lines that nobody asked for.
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


class Session:
    """A graph, or a part of one, ready to run. Any number of threads may run it."""

    def __init__(self, model: bytes) -> None:
        """Raises whatever onnxruntime raises."""
        library = load()
        options = library.SessionOptions()
        # A session with threads of its own is no faster on a loaded machine, and on an idle one
        # several threads run it at once.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The arena keeps the most that any request took, for each of a voice's sessions.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.log_severity_level = 4
        self._session = library.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        # It would keep a second copy of the voice, for execution providers that fail.
        if hasattr(self._session, "_model_bytes"):
            self._session._model_bytes = b""
        self.inputs: List[str] = [info.name for info in self._session.get_inputs()]
        self.outputs = [
            Tensor(info.name, info.type, list(info.shape or []))
            for info in self._session.get_outputs()
        ]

    def run(self, given: Mapping[str, Any], wanted: Sequence[str] = ()) -> List[Any]:
        """The outputs; of what is given, it takes what it needs.

        Raises:
            EngineFailed: the graph does not take what is given, or fails at it.
        """
        missing = [name for name in self.inputs if name not in given]
        if missing:
            raise EngineFailed(f"the voice's graph wants {missing[0][:60]!r}, which nobody gives")
        try:
            inputs = {name: given[name] for name in self.inputs}
            return list(self._session.run(list(wanted) or None, inputs))
        except Exception as error:  # onnxruntime has many kinds of errors, and no base of them
            raise EngineFailed(f"the voice's graph fails: {short(error)}") from None


def short(error: Exception) -> str:
    """An error of others, fit for a message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "…"
