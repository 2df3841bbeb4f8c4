"""A convolution that is rewritten gives what it gave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.engines.piper import onnx_schema, planes
from auto_voice.engines.piper.runtime import Session
from tests.examples import examples

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper

RANDOM = np.random.default_rng(1)


def tensor(name, *shape):
    return numpy_helper.from_array(RANDOM.standard_normal(shape).astype(np.float32), name)


def model_of(nodes, weights, outputs=("y",), opset=15, channels=16):
    """A model from x [1, C, T], as this package reads it."""
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", floats, [1, channels, None])],
        [helper.make_tensor_value_info(name, floats, None) for name in outputs],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    model = onnx_schema.Model()
    model.ParseFromString(made.SerializeToString())
    return model


def rewritten(model):
    """How many convolutions are rewritten; the model is, then."""
    planes.use(model)
    return sum(node.op_type == "Unsqueeze" for node in model.graph.node)


def holds(model, count, steps=80, channels=16):
    """So many are rewritten, and what comes out is the same."""
    x = RANDOM.standard_normal((1, channels, steps)).astype(np.float32)
    before = Session(model.SerializeToString()).run({"x": x})
    assert rewritten(model) == count
    after = Session(model.SerializeToString()).run({"x": x})
    for expected, got in zip(before, after):
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()


@settings(max_examples=examples(100))
@given(
    st.sampled_from([16, 32, 48]),
    st.integers(2, 11),
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
)
def test_whatever_its_numbers_are_the_sound_is_the_same(
    out, width, stride, dilation, left, right, bias
):
    names = ["x", "w", "b"] if bias else ["x", "w"]
    node = helper.make_node(
        "Conv",
        names,
        ["y"],
        name="conv",
        kernel_shape=[width],
        strides=[stride],
        dilations=[dilation],
        pads=[left, right],
    )
    holds(model_of([node], [tensor("w", out, 16, width), tensor("b", out)][: len(names) - 1]), 1)


def test_what_it_does_not_say_goes_without_saying():
    """No attribute at all is a valid convolution."""
    holds(
        model_of([helper.make_node("Conv", ["x", "w"], ["y"], name="c")], [tensor("w", 16, 16, 3)]),
        1,
    )


def test_one_after_the_other_with_others_between():
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first", pads=[1, 1]),
        helper.make_node("LeakyRelu", ["a"], ["b"], name="relu", alpha=0.1),
        helper.make_node("Conv", ["b", "w"], ["c"], name="second", pads=[2, 2], dilations=[2]),
        helper.make_node("Add", ["c", "x"], ["y"], name="sum"),
    ]
    holds(model_of(nodes, [tensor("w", 16, 16, 3)], ("y", "a")), 2)


@pytest.mark.parametrize(
    ("shape", "more", "why"),
    [
        ((16, 16, 1), {}, "one step wide"),
        ((24, 16, 3), {}, "no whole blocks"),
        ((16, 8, 3), {"group": 2}, "in groups"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_no_faster_stays(shape, more, why):
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", **more)
    holds(model_of([node], [tensor("w", *shape)]), 0)


@pytest.mark.parametrize(
    "more", [{"pads": [-1, 0]}, {"pads": [-60, 60]}, {"dilations": [0]}], ids=str
)
def test_what_cuts_instead_of_padding_stays(more):
    """onnxruntime 1.19 crashes at that in a picture."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", **more)
    assert rewritten(model_of([node], [tensor("w", 16, 16, 3)])) == 0


@pytest.mark.parametrize(
    "more", [{"pads": [1, 2, 3]}, {"strides": [1, 2]}, {"kernel_shape": [1, 3]}], ids=str
)
def test_what_is_refused_along_a_line_is_not_made_right(more):
    model = model_of(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", **more)], [tensor("w", 16, 16, 3)]
    )
    assert rewritten(model) == 0


def test_an_operator_of_somebody_else_is_no_convolution():
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", domain="theirs")
    assert rewritten(model_of([node], [tensor("w", 16, 16, 3)])) == 0


def test_names_that_are_taken_are_not_taken_again():
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="conv"),
        helper.make_node("Relu", ["a"], ["a/row"], name="conv/row"),
        helper.make_node("Neg", ["a/row"], ["y"], name="conv/line"),
    ]
    holds(model_of(nodes, [tensor("w", 16, 16, 3)]), 1)


def test_an_older_set_of_operators_stays():
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    holds(model_of([node], [tensor("w", 16, 16, 3)], opset=12), 0)


def test_weights_that_others_need_as_they_are_stay():
    """As an input of theirs, as the model's output, or in the branch of an If."""
    conv = helper.make_node("Conv", ["x", "w"], ["y"], name="conv")
    weights = [tensor("w", 16, 16, 3)]
    other = helper.make_node("ReduceSum", ["w"], ["z"], name="other", keepdims=0)
    holds(model_of([conv, other], weights, ("y", "z")), 0)
    twice = helper.make_node("Conv", ["w", "w"], ["z"], name="twice")
    holds(model_of([conv, twice], weights, ("y", "z")), 0)
    same = helper.make_node("Identity", ["w"], ["z"], name="same")
    branch = helper.make_graph(
        [same], "branch", [], [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)]
    )
    choice = helper.make_node(
        "If", ["yes"], ["z"], name="if", then_branch=branch, else_branch=branch
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    holds(model_of([conv, choice], [*weights, yes], ("y", "z")), 0)


def test_weights_that_are_computed_stay():
    nodes = [
        helper.make_node("Add", ["v", "v"], ["w"], name="sum"),
        helper.make_node("Conv", ["x", "w"], ["y"], name="conv"),
    ]
    holds(model_of(nodes, [tensor("v", 16, 16, 3)]), 0)
