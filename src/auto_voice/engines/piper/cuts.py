"""Where a voice's graph is cut, found by what its operations are, never by their names.

A VITS model, which Piper's voices are, goes from symbols to sound in four steps:

    text     symbols → how long each lasts, and what it is like on average
    align    these, with whole numbers of frames for each symbol → a frame each
    flow     such frames → what the decoder takes
    decoder  → samples

Two things mark the borders: ``Ceil`` makes whole numbers of the durations, and the second of the
two noises is added where the flow begins. From there on everything is local in time (`reach`),
and the chain is cut wherever a single tensor holds all that goes on: so each of its stages looks
only a little to either side, and little is computed twice where pieces meet.
"""

from typing import Dict, Iterable, List, NamedTuple, Optional, Set

from auto_voice.engines.piper.graph import CannotSplit, Graph
from auto_voice.engines.piper.reach import Reach, reach

_NOISES = ("RandomNormalLike", "RandomNormal")
_FREE = frozenset({"scales", "sid"})
"""Inputs of the graph that any part may take for itself."""


class Stage(NamedTuple):
    """A part of the chain from frames to samples."""

    start: str
    """The tensor that it makes its output of."""
    end: str
    sides: List[str]
    """Tensors as long as ``start`` that it takes besides, made by align."""
    reach: Reach


class Cuts(NamedTuple):
    """How a graph falls apart; names are tensors."""

    durations: str
    """Frames that each symbol lasts, not yet whole: text makes it."""
    frames: str
    """The same, whole: align takes it."""
    averages: List[str]
    """What else goes from text to align."""
    durations_noise: Optional[str]
    """What text takes as noise; None: it takes none."""
    sound_noise: str
    """What align takes as noise."""
    sides: List[str]
    """What align makes for stages, besides the first one's ``start``."""
    stages: List[Stage]


def find(graph: Graph) -> Cuts:
    """Where to cut.

    Raises:
        CannotSplit: it is not such a graph.
    """
    ceil = graph.nodes[_only(graph.of_type("Ceil"), "Ceil")]
    durations, frames = ceil.input[0], ceil.output[0]
    after_durations = graph.after([frames])
    noises = [index for kind in _NOISES for index in graph.of_type(kind)]
    late = _only([index for index in noises if index in after_durations], "late noise")
    early = [index for index in noises if index not in after_durations]
    if len(early) > 1:
        raise CannotSplit(f"there are {len(early)} noises before the durations")
    sound_noise = graph.nodes[late].output[0]
    start = _where_added(graph, sound_noise)
    chain = graph.before(graph.outputs[:1]) & graph.after([start])
    sides = _taken(graph, chain, {start})
    if any(graph.producer[name] not in after_durations for name in sides):
        raise CannotSplit("the chain takes something of the text")
    align = graph.before([start, *sides], [frames, sound_noise]) & after_durations
    return Cuts(
        durations=durations,
        frames=frames,
        averages=_taken(graph, align, {frames, sound_noise}),
        durations_noise=graph.nodes[early[0]].output[0] if early else None,
        sound_noise=sound_noise,
        sides=sides,
        stages=_stages(graph, chain, start, sides),
    )


def _stages(graph: Graph, chain: Set[int], start: str, sides: List[str]) -> List[Stage]:
    """The chain, in stages that each hold a convolution or more."""
    stages: List[Stage] = []
    end = graph.outputs[0]
    steps = 1
    borders = [*_borders(graph, chain, start), end]
    for number, border in enumerate(borders):
        taken = [name for name in sides if name in _between(graph, chain, start, border)]
        if taken and steps != 1:
            raise CannotSplit("something of the frames is taken where there are samples")
        looks = reach(graph, [start, *taken], border)
        following = borders[number + 1] if number + 1 < len(borders) else None
        further = following and reach(graph, [start, *sides], following)
        # Up to the last border before something looks further, there is nothing to gain. What
        # looks at the many steps that a stage itself has made looks at few of its input, and
        # stays: to carry these steps from stage to stage costs more than to make a few anew.
        same = further == looks if looks.rate == 1 else further and further.rate == looks.rate
        if (looks.before or looks.after or looks.rate > 1) and not same:
            stages.append(Stage(start, border, taken, looks))
            start = border
            steps *= looks.rate
    if not stages or stages[-1].end != end:
        raise CannotSplit("there is no decoder")
    return stages


def _borders(graph: Graph, chain: Set[int], start: str) -> List[str]:
    """Tensors each of which alone holds what goes on in the chain."""
    left = {name: len(chain.intersection(users)) for name, users in graph.consumers.items()}
    alive = {start}
    borders: List[str] = []
    for index in sorted(chain):
        for name in graph.needs(index):
            left[name] -= 1
            if not left[name]:
                alive.discard(name)
        alive.update(name for name in graph.nodes[index].output if left.get(name))
        if len(alive) == 1:
            borders.extend(alive)
    return list(dict.fromkeys(borders))


def _between(graph: Graph, chain: Set[int], start: str, end: str) -> Set[str]:
    """What the nodes take that lie between two tensors of the chain."""
    nodes = graph.before([end], [start]) & chain
    return {name for index in nodes for name in graph.needs(index)}


def _taken(graph: Graph, nodes: Set[int], start: Set[str]) -> List[str]:
    """What nodes take from elsewhere that is neither constant nor free for all."""
    found: Dict[str, None] = {}
    for index in sorted(nodes):
        for name in graph.needs(index):
            made_by = graph.producer.get(name)
            if name in start or made_by in nodes or graph.constant(name) is not None:
                continue
            if made_by is None and name not in _FREE:
                raise CannotSplit(f"{name} is needed late")
            if made_by is not None and not _is_free(graph, name):
                found[name] = None
    return list(found)


def _is_free(graph: Graph, name: str) -> bool:
    """Whether a tensor follows from nothing but constants and free inputs."""
    needed = {taken for index in graph.before([name]) for taken in graph.needs(index)}
    return needed.isdisjoint(set(graph.inputs) - _FREE) and not any(
        graph.nodes[index].op_type in _NOISES for index in graph.before([name])
    )


def _where_added(graph: Graph, noise: str) -> str:
    """The tensor that holds the noise, scaled and added to something."""
    for _ in range(4):
        users = graph.consumers.get(noise, [])
        node = graph.nodes[_only(users, "use of the noise")]
        noise = node.output[0]
        if node.op_type == "Add":
            return str(noise)
        if node.op_type != "Mul":
            break
    raise CannotSplit("the noise is not added to anything")


def _only(found: Iterable[int], what: str) -> int:
    indices = list(found)
    if len(indices) != 1:
        raise CannotSplit(f"there are {len(indices)} of it instead of one: {what}")
    return indices[0]
