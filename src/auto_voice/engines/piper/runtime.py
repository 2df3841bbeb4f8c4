"""onnxruntime, imported so that it keeps to itself: one thread a session, one memory for all."""

import functools
import logging
import os
from typing import Any, List, Mapping

import numpy as np

from auto_voice.engines.piper import memory, onnx_schema
from auto_voice.engines.piper.graph import Tensor, value_info
from auto_voice.errors import EngineFailed, MissingDependency

log = logging.getLogger(__name__)

_IR_VERSION, _OPSET = 8, 15
"""Of the format, as old as Piper's voices, which any onnxruntime reads."""


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


@functools.lru_cache(maxsize=None)
def _share_arena(library: Any) -> None:
    """Have the sessions of this process take turns with one piece of memory for what they compute.

    An arena of each session's own would keep the most that any request took of it, and they are a
    dozen in a voice. Without any, the C library breaks its heap into pieces that fit the next
    tensor badly: it took four times what is needed at once, and a voice a twentieth longer.
    """
    cpu = library.OrtMemoryInfo(
        "Cpu", library.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, library.OrtMemType.DEFAULT
    )
    # Regions that double from 1 MB on, and all else as onnxruntime thinks best.
    arena = library.OrtArenaCfg({"arena_extend_strategy": 0})
    try:
        library.create_and_register_allocator(cpu, arena)
    except Exception as error:  # somebody else's code has done so: then it is that one
        log.info("The memory of voices is somebody else's: %s", short(error))


def give_back() -> None:
    """Return to the system what nothing needs any more, of the sessions' memory and of the rest;
    the next sentence takes it anew, page by page. It takes some milliseconds."""
    try:
        _nothing().run({"in": np.zeros(1, np.float32)}, shrink=True)
    except Exception as error:  # whoever was to speak can speak all the same
        log.warning("The memory of voices is not given back: %s", short(error))
    memory.give_back()


@functools.lru_cache(maxsize=None)
def _nothing() -> "Session":
    """A graph that does nothing: only after running one, memory is returned."""
    number = "tensor(float)"
    model = onnx_schema.Model(ir_version=_IR_VERSION)
    model.opset_import.add(version=_OPSET)
    model.graph.name = "nothing"
    model.graph.input.append(value_info(Tensor("in", number, [1])))
    model.graph.output.append(value_info(Tensor("out", number, [1])))
    model.graph.node.add(op_type="Identity", input=["in"], output=["out"])
    return Session(model.SerializeToString())


class Session:
    """A graph, or a part of one, ready to run. Any number of threads may run it."""

    def __init__(self, model: bytes) -> None:
        """Raises whatever onnxruntime raises."""
        library = load()
        _share_arena(library)
        options = library.SessionOptions()
        # A session with threads of its own is no faster on a loaded machine, and on an idle one
        # several threads run it at once.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.use_env_allocators", "1")
        # Weights stay: beside them, the arena's regions could never be returned.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
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

    def run(self, given: Mapping[str, Any], shrink: bool = False) -> List[Any]:
        """The outputs; of what is given, it takes what it needs.

        Args:
            shrink: the sessions' memory is returned afterwards, but for what is in use.

        Raises:
            EngineFailed: the graph does not take what is given, or fails at it.
        """
        missing = [name for name in self.inputs if name not in given]
        if missing:
            raise EngineFailed(f"the voice's graph wants {missing[0][:60]!r}, which nobody gives")
        options = None
        if shrink:
            options = load().RunOptions()
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        try:
            inputs = {name: given[name] for name in self.inputs}
            return list(self._session.run(None, inputs, options))
        except Exception as error:  # onnxruntime has many kinds of errors, and no base of them
            raise EngineFailed(f"the voice's graph fails: {short(error)}") from None


def short(error: Exception) -> str:
    """An error of others, fit for a message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "…"
