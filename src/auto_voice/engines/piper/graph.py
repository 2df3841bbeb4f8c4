"""A voice's graph: what comes from what, and parts of it as graphs of their own."""

import struct
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Set

from auto_voice.engines.piper import onnx_schema


class CannotSplit(Exception):
    """The graph is not made as this engine knows it."""


class Tensor(NamedTuple):
    """What is known of a tensor that goes from one part to another."""

    name: str
    type: str
    """In onnxruntime's words: ``tensor(float)``."""
    shape: List[Any]
    """A number for each dimension of known size, something else for the others."""


class Graph:
    """A model, as one asks it. It is not changed."""

    def __init__(self, data: bytes) -> None:
        """Raises:
        CannotSplit: this is no model.
        """
        self._rest = onnx_schema.Model()
        """The model without its graph: versions, sets of operators."""
        try:
            self._rest.ParseFromString(data)
        except Exception as error:  # a class of its own in each of protobuf's implementations
            raise CannotSplit(f"it cannot be read: {error}") from None
        graph = self._rest.graph
        self._rest.ClearField("graph")
        self.nodes: List[Any] = list(graph.node)
        self.initializers: Dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
        self.inputs: Dict[str, Any] = {
            info.name: info for info in graph.input if info.name not in self.initializers
        }
        self.outputs: List[str] = [info.name for info in graph.output]
        self.producer: Dict[str, int] = {}
        """A tensor's name to the index of the node that makes it."""
        self.consumers: Dict[str, List[int]] = {}
        """A tensor's name to those of the nodes that take it."""
        self._needs: List[List[str]] = []
        for index, node in enumerate(self.nodes):
            if not node.name:
                # onnxruntime 1.19 names what it makes of two nodes after one of them, and refuses
                # a graph in which that name is not the only one.
                node.name = f"node_{index}"
            self.producer.update(dict.fromkeys(filter(None, node.output), index))
            self._needs.append(list(dict.fromkeys(taken(node))))
            for name in self._needs[-1]:
                self.consumers.setdefault(name, []).append(index)

    def of_type(self, op_type: str) -> List[int]:
        """The nodes of a type."""
        return [index for index, node in enumerate(self.nodes) if node.op_type == op_type]

    def random(self) -> List[int]:
        """The nodes that draw something at random, themselves or in a graph inside them."""
        return [index for index, node in enumerate(self.nodes) if _draws(node)]

    def needs(self, index: int) -> List[str]:
        """The tensors that a node takes, those that a graph inside it takes included."""
        return self._needs[index]

    def after(self, tensors: Iterable[str]) -> Set[int]:
        """The nodes that somehow depend on one of the tensors."""
        reached = set(tensors)
        found = set()
        for index in range(len(self.nodes)):  # nodes stand in the order in which they can run
            if not reached.isdisjoint(self._needs[index]):
                found.add(index)
                reached.update(self.nodes[index].output)
        return found

    def before(self, tensors: Iterable[str], stop: Iterable[str] = ()) -> Set[int]:
        """The nodes that the tensors depend on, without looking past those in ``stop``."""
        found: Set[int] = set()
        stops = set(stop)
        waiting = [name for name in tensors if name not in stops]
        while waiting:
            index = self.producer.get(waiting.pop())
            if index is not None and index not in found:
                found.add(index)
                waiting.extend(name for name in self._needs[index] if name not in stops)
        return found

    def constant(self, name: str) -> Any:
        """The tensor of a constant or a weight, or None where the value depends on something."""
        if name in self.initializers:
            return self.initializers[name]
        index = self.producer.get(name)
        if index is None or self.nodes[index].op_type != "Constant":
            return None
        return attribute(self.nodes[index], "value").t

    def part(self, inputs: Iterable[Tensor], outputs: Iterable[str]) -> Any:
        """A model of its own: from ``inputs``, and what it needs of the graph's, to ``outputs``."""
        given = {tensor.name: tensor for tensor in inputs}
        wanted = list(outputs)
        nodes = sorted(self.before(wanted, given))
        needed = {name for index in nodes for name in self._needs[index]}
        part = onnx_schema.Model()
        part.CopyFrom(self._rest)
        part.graph.name = "part"
        part.graph.node.extend(self.nodes[index] for index in nodes)
        part.graph.initializer.extend(
            tensor for name, tensor in self.initializers.items() if name in needed
        )
        part.graph.input.extend(info for name, info in self.inputs.items() if name in needed)
        part.graph.input.extend(value_info(given[name]) for name in sorted(given) if name in needed)
        part.graph.output.extend(onnx_schema.ValueInfo(name=name) for name in wanted)
        return part


def attribute(node: Any, name: str) -> Any:
    """An attribute of a node, or None."""
    return next((found for found in node.attribute if found.name == name), None)


def integers(tensor: Any) -> List[int]:
    """The values of a tensor of 64-bit integers.

    Raises:
        CannotSplit: they are something else.
    """
    if tensor.data_type != onnx_schema.INT64:
        raise CannotSplit("a constant is no whole number")
    raw = tensor.raw_data
    if raw:
        return list(struct.unpack(f"<{len(raw) // 8}q", raw))
    return list(tensor.int64_data)


def taken(node: Any) -> Iterator[str]:
    """The tensors that a node takes, those that a graph inside it takes included."""
    yield from filter(None, node.input)
    for held in node.attribute:
        if held.HasField("g"):  # the branches of an If take what they like from around them
            own = {name for inner in held.g.node for name in inner.output}
            own.update(tensor.name for tensor in held.g.initializer)
            own.update(info.name for info in held.g.input)
            for inner in held.g.node:
                yield from (name for name in taken(inner) if name not in own)
            yield from (info.name for info in held.g.output if info.name not in own)


def _draws(node: Any) -> bool:
    return (
        node.op_type.startswith("Random")
        or node.op_type in ("Bernoulli", "Multinomial")
        or any(_draws(inner) for held in node.attribute for inner in held.g.node)
    )


def value_info(tensor: Tensor) -> Any:
    """What a model says of one of its inputs or outputs."""
    info = onnx_schema.ValueInfo(name=tensor.name)
    kind = info.type.tensor_type
    kind.elem_type = onnx_schema.ELEMENT_TYPES[tensor.type]
    for index, size in enumerate(tensor.shape):
        if isinstance(size, int):
            kind.shape.dim.add(dim_value=size)
        else:
            kind.shape.dim.add(dim_param=f"{tensor.name}_{index}")
    return info
