"""Convolutions along time, written as convolutions of a picture that is one row high.

Both are the same sums. But onnxruntime's kernels for blocks of channels are for pictures only
(`NchwcTransformer` in its sources); along a line, each window of the input is copied first, so that
matrices can be multiplied.
"""

from typing import Any, Dict, List

from auto_voice.engines.piper.graph import taken
from auto_voice.engines.piper.onnx_schema import INT64

_OPSET = 13
"""Since then `Unsqueeze` and `Squeeze` take their axes as a tensor."""
_BLOCK = 16
"""Channels that a block has at most: 8 or 16, by what the processor can."""
_AXIS = 2
"""Where the row is put in: [N, C, T] becomes [N, C, 1, T]."""
_AXIS_NAME = "auto_voice/row"
_OF_A_ROW = {"kernel_shape": [1], "strides": [1], "dilations": [1], "pads": [0, 0]}
"""What attributes say of the axis; one number, or one for each of its ends."""


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
        name=_AXIS_NAME, data_type=INT64, dims=[1], raw_data=_AXIS.to_bytes(8, "little")
    )
    del graph.node[:]
    for index, node in enumerate(nodes):
        if index in chosen:
            _add_as_row(graph, node)
        else:
            graph.node.append(node)


def _opset(model: Any) -> int:
    return next((used.version for used in model.opset_import if not used.domain), 0)


def _is_faster(node: Any, weights: Dict[str, Any]) -> bool:
    """Whether it is a convolution along time, and its channels fill blocks."""
    if node.op_type != "Conv" or len(node.input) < 2 or node.input[1] not in weights:
        return False
    dims = weights[node.input[1]].dims
    groups = next((held.i for held in node.attribute if held.name == "group"), 1)
    # One step wide, it is a product of matrices as it is.
    return (
        len(dims) == 3
        and dims[2] > 1
        and groups == 1
        and dims[0] % _BLOCK == 0
        and dims[1] % _BLOCK == 0
    )


def _add_as_row(graph: Any, node: Any) -> None:
    line, result = node.input[0], node.output[0]
    row, result_row = f"{result}/row", f"{result}/result"
    before = graph.node.add(op_type="Unsqueeze", name=f"{node.name}/row")
    before.input.extend([line, _AXIS_NAME])
    before.output.append(row)
    node.input[0], node.output[0] = row, result_row
    for held in node.attribute:
        if held.name in _OF_A_ROW:
            held.ints[:] = _with_row(list(held.ints), _OF_A_ROW[held.name])
    graph.node.append(node)
    after = graph.node.add(op_type="Squeeze", name=f"{node.name}/line")
    after.input.extend([result_row, _AXIS_NAME])
    after.output.append(result)


def _with_row(along: List[int], row: List[int]) -> List[int]:
    """An attribute's numbers for both axes: those of all beginnings, then those of all ends."""
    numbers: List[int] = []
    for of_row, of_line in zip(row, along):
        numbers += [of_row, of_line]
    return numbers
