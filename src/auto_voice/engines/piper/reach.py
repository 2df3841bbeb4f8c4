"""How far a part of a graph looks along time: what makes decoding in pieces exact.

A part qualifies if all its operations are local in time: convolutions, which look at a few steps
to either side, and operations on single values. Then a piece of its output is determined by the
same piece of its input and a margin on either side, whose size follows from the convolutions.
"""

import math
from fractions import Fraction
from typing import Any, Dict, Iterable, List, NamedTuple, Set

from auto_voice.engines.piper.graph import CannotSplit, Graph, attribute, integers

# Tensors are [batch, channel, time].
_WITHOUT_END = 2**31 - 1
"""The least that exporters write for the end of a slice that goes to the end."""
_EACH_FOR_ITSELF = frozenset(
    "Abs Add Cast Clip Div Elu Erf Exp Gelu Identity LeakyRelu Log Mul Neg Pow PRelu Relu Sigmoid"
    " Sin Cos Softplus Sqrt Sub Tanh Where".split()
)
"""Operations on single values; what they take besides must be as long, or one for all."""


class Reach(NamedTuple):
    """What a part needs to compute a piece."""

    before: int
    """Steps of its input before the piece's first."""
    after: int
    """Steps of its input after the piece's last."""
    rate: int
    """Steps of its output for each step of its input."""


class _Seen(NamedTuple):
    """How far one tensor looks, in steps of the part's input, and how many steps it has for one."""

    before: Fraction
    after: Fraction
    rate: Fraction


def reach(graph: Graph, start: Iterable[str], end: str) -> Reach:
    """How far ``end`` looks at the tensors ``start``, which have equally many steps.

    Raises:
        CannotSplit: something between them is not local in time.
    """
    seen = {name: _Seen(Fraction(0), Fraction(0), Fraction(1)) for name in start}
    # Of a tensor's size only.
    sizes: Set[str] = set()
    for index in sorted(graph.before([end], seen)):
        node = graph.nodes[index]
        known = [seen[name] for name in node.input if name in seen]
        if node.op_type == "Shape" and known:
            sizes.add(node.output[0])
            seen[node.output[0]] = known[0]
        elif known:
            made = _through(graph, node, known, seen, sizes)
            seen.update(dict.fromkeys(filter(None, node.output), made))
    last = seen.get(end)
    if last is None or last.rate.denominator != 1 or end in sizes:
        raise CannotSplit(f"{end} does not follow from {', '.join(start)} step by step")
    # A piece begins with a step of the input, and ends just before one.
    return Reach(math.floor(last.before), math.ceil(last.after), int(last.rate))


def _through(
    graph: Graph, node: Any, known: List[_Seen], seen: Dict[str, _Seen], sizes: Set[str]
) -> _Seen:
    """How far the outputs of ``node`` look."""
    if any(other.rate != known[0].rate for other in known):
        raise CannotSplit(f"{node.op_type} takes tensors of different lengths")
    widest = _Seen(max(one.before for one in known), max(one.after for one in known), known[0].rate)
    if any(name in sizes for name in node.input):
        if node.op_type != "ConstantOfShape":
            raise CannotSplit(f"{node.op_type} reckons with a length")
        return widest
    if node.op_type in ("Conv", "ConvTranspose"):
        if node.input[0] not in seen or any(name in seen for name in node.input[1:]):
            raise CannotSplit("a convolution's weights depend on the sound")
        return _convolved(graph, node, widest)
    if node.op_type in _EACH_FOR_ITSELF:
        return widest
    if node.op_type == "Concat" and _number(node, "axis", 0) in (1, -2):
        return widest
    if node.op_type == "Split" and _number(node, "axis", 0) in (1, -2):
        return widest
    if node.op_type == "Slice" and _keeps_time(graph, node):
        return widest
    if node.op_type in ("Unsqueeze", "Squeeze") and _listed(graph, node, "axes", 1) == [1]:
        return widest  # between sound [batch, time] and [batch, channel, time]
    raise CannotSplit(f"{node.op_type} is not known to be local in time")


def _convolved(graph: Graph, node: Any, seen: _Seen) -> _Seen:
    weights = graph.constant(node.input[1])
    padding = attribute(node, "auto_pad")
    if weights is None or len(weights.dims) != 3 or (padding and padding.s != b"NOTSET"):
        raise CannotSplit(f"a {node.op_type} is unlike those of Piper's voices")
    kernel = weights.dims[2]
    stride, dilation = (_first(node, name, 1) for name in ("strides", "dilations"))
    pads = attribute(node, "pads")
    left, right = pads.ints if pads else (0, 0)
    span = dilation * (kernel - 1)
    if node.op_type == "Conv":
        if stride != 1 or left + right != span:
            raise CannotSplit("a convolution changes the number of steps")
        return _Seen(seen.before + left / seen.rate, seen.after + right / seen.rate, seen.rate)
    # Step t of the output is made of the inputs s for which t + left - s * stride lies in the
    # kernel; and there are exactly `stride` times as many of them.
    if left + right != span + 1 + _first(node, "output_padding", 0) - stride:
        raise CannotSplit("a transposed convolution adds a few steps")
    before = Fraction(max(span - left, 0), stride) / seen.rate
    after = Fraction(left, stride) / seen.rate
    return _Seen(seen.before + before, seen.after + after, seen.rate * stride)


def _number(node: Any, name: str, default: int) -> int:
    found = attribute(node, name)
    return default if found is None else int(found.i)


def _first(node: Any, name: str, default: int) -> int:
    found = attribute(node, name)
    return default if found is None else int(found.ints[0])


def _keeps_time(graph: Graph, node: Any) -> bool:
    """Whether a Slice takes all steps."""
    axes = _listed(graph, node, "axes", 3)
    starts, ends = _listed(graph, node, "starts", 1), _listed(graph, node, "ends", 2)
    steps = _listed(graph, node, "steps", 4) or [1] * len(axes)
    if not axes or not len(axes) == len(starts) == len(ends) == len(steps):
        return False
    return all(
        axis in (0, 1) or (start == 0 and end >= _WITHOUT_END and step == 1)
        for axis, start, end, step in zip(axes, starts, ends, steps)
    )


def _listed(graph: Graph, node: Any, name: str, position: int) -> List[int]:
    """Whole numbers from an attribute, as in older sets of operators, or from a constant input."""
    found = attribute(node, name)
    if found is not None:
        return list(found.ints)
    if len(node.input) <= position or not node.input[position]:
        return []
    tensor = graph.constant(node.input[position])
    return [] if tensor is None else integers(tensor)
