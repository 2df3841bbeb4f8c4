"""Sessions take turns with one piece of memory, and give it back when asked."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from auto_voice.engines.piper import memory, runtime
from auto_voice.engines.piper.runtime import Session
from auto_voice.errors import EngineFailed

SIZE = 16 << 20
"""Numbers, 64 MB."""


def session():
    """One that needs 64 MB and more to count to SIZE."""
    sound = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    count = helper.make_tensor_value_info("count", TensorProto.FLOAT, [])
    size = helper.make_tensor("size", TensorProto.INT64, [1], [SIZE])
    nodes = [
        helper.make_node("Expand", ["x", "size"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["count"], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "g", [sound], [count], [size])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    onnx.checker.check_model(model)
    return Session(model.SerializeToString())


def run(one):
    (count,) = one.run({"x": np.ones(1, np.float32)})
    assert count == pytest.approx(SIZE, rel=1e-3)


def grown_mb(before):
    return (memory.resident_bytes() - before) / 1e6


def test_what_sessions_compute_with_is_shared_and_given_back():
    first, second = session(), session()
    runtime.give_back()
    before = memory.resident_bytes()
    run(first)
    kept = grown_mb(before)
    assert kept > 60
    run(second)
    run(first)
    assert grown_mb(before) < kept + 20
    runtime.give_back()
    assert grown_mb(before) < 20
    run(second)


def test_what_nobody_gives_is_named():
    with pytest.raises(EngineFailed, match="'x'"):
        session().run({})
