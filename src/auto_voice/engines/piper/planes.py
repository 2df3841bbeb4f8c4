"""Convolutions along time, written as convolutions of a picture that is one row high.

Both are the same sums. But onnxruntime's kernels for blocks of channels are for pictures only
(`NchwcTransformer` in its sources); along a line, each window of the input is copied first, so that
matrices can be multiplied.
"""

from operator import lt
from typing import Any, Dict, List

from auto_voice.engines.piper.graph import taken
from auto_voice.engines.piper.onnx_schema import INT64

_OPSET = 13
"""Since then `Unsqueeze` and `Squeeze` take their axes as a tensor."""
_BLOCK = 16
"""Channels that a block has at most: 8 or 16, by what the processor can."""
_AXIS = 2
"""Where the row is put in: [N, C, T] becomes [N, C, 1, T]."""
_PREFIX = "auto_voice/row/"
"""Of the names of what is added."""
_OF_A_ROW = {"kernel_shape": [1], "strides": [1], "dilations": [1], "pads": [0, 0]}
"""What attributes say of the axis; one number, or one for each of its ends. They are also the least
that an attribute says of any axis: onnxruntime 1.19 crashes at negative padding."""


def use(model: Any) -> None:
    """Rewrite those convolutions of a model that become faster by it.

    Only such as nobody else shares the weights with.
    """
    graph = model.graph
    if _opset(model) < _OPSET:
        return
    weights = {tensor.name: tensor for tensor in graph.initializer}
    nodes = list(graph.node)
    chosen = {index for index, node in enumerate(nodes) if _is_faster(node, weights)}
    shared = {info.name for info in graph.output}
    for index, node in enumerate(nodes):
        names = list(taken(node))
        if index in chosen:
            names.remove(node.input[1])
        shared.update(names)
    chosen = {index for index in chosen if nodes[index].input[1] not in shared}
    if not chosen:
        return
    for name in {nodes[index].input[1] for index in chosen}:
        weights[name].dims.insert(_AXIS, 1)
    graph.initializer.add(
        name=f"{_PREFIX}axis", data_type=INT64, dims=[1], raw_data=_AXIS.to_bytes(8, "little")
    )
    del graph.node[:]
    for index, node in enumerate(nodes):
        if index in chosen:
            _add_as_row(graph, node, f"{_PREFIX}{index}/")
        else:
            graph.node.append(node)


def _opset(model: Any) -> int:
    return min((used.version for used in model.opset_import if not used.domain), default=0)


def _is_faster(node: Any, weights: Dict[str, Any]) -> bool:
    """Whether it is a convolution along time, and its channels fill blocks."""
    if node.op_type != "Conv" or node.domain or len(node.input) < 2:
        return False
    dims: Any = weights[node.input[1]].dims if node.input[1] in weights else ()
    # One step wide, it is a product of matrices as it is.
    if len(dims) != 3 or dims[2] < 2 or any(size < 1 or size % _BLOCK for size in dims[:2]):
        return False
    for held in node.attribute:
        if held.name == "group" and held.i != 1:
            return False
        least = _OF_A_ROW.get(held.name)
        # What is no attribute of a convolution along one axis is for onnxruntime to refuse.
        if least and (len(held.ints) != len(least) or any(map(lt, held.ints, least))):
            return False
    return True


def _add_as_row(graph: Any, node: Any, prefix: str) -> None:
    line, result = node.input[0], node.output[0]
    before = graph.node.add(op_type="Unsqueeze", name=f"{prefix}before")
    before.input.extend([line, f"{_PREFIX}axis"])
    before.output.append(f"{prefix}given")
    node.input[0], node.output[0] = f"{prefix}given", f"{prefix}made"
    for held in node.attribute:
        if held.name in _OF_A_ROW:
            held.ints[:] = _with_row(list(held.ints), _OF_A_ROW[held.name])
    graph.node.append(node)
    after = graph.node.add(op_type="Squeeze", name=f"{prefix}after")
    after.input.extend([f"{prefix}made", f"{_PREFIX}axis"])
    after.output.append(result)


def _with_row(along: List[int], row: List[int]) -> List[int]:
    """An attribute's numbers for both axes: those of all beginnings, then those of all ends."""
    numbers: List[int] = []
    for of_row, of_line in zip(row, along):
        numbers += [of_row, of_line]
    return numbers
