"""A voice's neural network: symbols to samples, in pieces that together equal the whole."""

import hashlib
import logging
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from auto_voice.engines.piper import cuts, onnx_schema, planes
from auto_voice.engines.piper.graph import CannotSplit, Graph, Tensor, attribute
from auto_voice.engines.piper.pieces import Chain, Link
from auto_voice.engines.piper.runtime import Session
from auto_voice.errors import EngineFailed

log = logging.getLogger(__name__)

_DURATION_CHANNELS = 2
"""Of the noise that durations are made of: fixed in VITS' architecture."""
_MOST_FRAMES = 64
"""That a symbol lasts on average; more is a broken voice, whose sound would fill the memory."""


class Scales(NamedTuple):
    """How a voice is to speak."""

    noise: float
    """How much its sound varies."""
    length: float
    """How long it takes: twice the number, twice the time."""
    noise_w: float
    """How much its rhythm varies."""


class Speech:
    """One sentence, as far as it is known before its sound is computed."""

    def __init__(self, pieces: Iterator[Any], frames: Optional[List[int]], hop: int) -> None:
        self.pieces = pieces
        """Its samples, [S] each, from -1 to 1."""
        self.frames = frames
        """How many each symbol lasts; None where the graph does not tell."""
        self.hop = hop
        """Samples of a frame."""


class Network:
    """The graph of one voice, loaded."""

    def __init__(self, path: Path) -> None:
        """Raises:
        OSError: the file cannot be read.
        Exception: of onnxruntime's, it is no model.
        """
        graph = Graph(path.read_bytes())
        self._split: Optional[_Split] = None
        try:
            self._split = _Split(graph)
        except CannotSplit as error:
            log.warning("%s is spoken without pieces and times: %s", path.name, error)
            self._whole = _Whole(graph)

    @property
    def is_split(self) -> bool:
        """Whether its sound comes in pieces, and with times."""
        return self._split is not None

    def speak(
        self,
        ids: Sequence[int],
        scales: Scales,
        speaker: Optional[int] = None,
        speed: float = 1.0,
        threads: int = 1,
    ) -> Speech:
        """Symbols by their numbers to sound; the same request gives the same sound.

        Raises:
            EngineFailed: the network's answer cannot be sound.
        """
        given: Dict[str, Any] = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array(scales, np.float32),
        }
        if speaker is not None:
            given["sid"] = np.array([speaker], np.int64)
        seed = _seed(ids, scales, speaker, speed)
        if self._split is not None:
            speech = self._split.speak(given, speed, seed, threads)
        else:
            given["scales"][1] /= speed
            speech = Speech((self._whole.speak(given, seed) for _ in range(1)), None, 1)
        speech.pieces = _finite(speech.pieces)
        return speech


class _Split:
    """A graph in its parts."""

    def __init__(self, graph: Graph) -> None:
        """Raises:
        CannotSplit: it is not made as this engine knows it.
        """
        found = cuts.find(graph)
        self._cuts = found
        noise = "tensor(float)"
        given: List[Tensor] = []
        if found.durations_noise is not None:
            given.append(Tensor(found.durations_noise, noise, [1, _DURATION_CHANNELS, None]))
        self._text = _session(graph, given, [found.durations, *found.averages])
        known = {tensor.name: tensor for tensor in self._text.outputs}
        given = [known[name] for name in found.averages]
        given.append(known[found.durations]._replace(name=found.frames))
        given.append(Tensor(found.sound_noise, noise, [1, None, None]))
        first = found.stages[0].start
        self._align = _session(graph, given, [first, *found.sides])
        known.update((tensor.name, tensor) for tensor in self._align.outputs)
        links = []
        for stage in found.stages:
            given = [known[name] for name in (stage.start, *stage.sides)]
            session = _session(graph, given, [stage.end])
            known[stage.end] = session.outputs[0]
            links.append(Link(session, stage))
        self._chain = Chain(links)
        self._channels = known[first].shape[1]
        if not isinstance(self._channels, int):
            raise CannotSplit("nobody knows how many channels a frame has")

    def speak(self, given: Dict[str, Any], speed: float, seed: int, threads: int) -> Speech:
        random = np.random.Generator(np.random.PCG64(seed))
        names = self._cuts
        symbols = given["input"].shape[1]
        if names.durations_noise is not None:
            shape = (1, _DURATION_CHANNELS, symbols)
            given[names.durations_noise] = random.standard_normal(shape, np.float32)
        durations, *averages = self._text.run(given)
        given.update(zip(names.averages, averages))
        given[names.frames] = frames = _whole_frames(durations, speed)
        total = int(frames.sum())
        given[names.sound_noise] = random.standard_normal((1, self._channels, total), np.float32)
        start, *sides = self._align.run(given)
        if start.shape[2] != total or any(side.shape[-1] != total for side in sides):
            raise EngineFailed("the voice's graph does not keep to its own durations")
        given.update(zip(names.sides, sides))
        given[names.stages[0].start] = start
        return Speech(
            self._chain.pieces(given, total, threads),
            [int(count) for count in np.ravel(frames)],
            self._chain.hop,
        )


class _Whole:
    """A graph in one piece, but for the noises: they are made here, so that they have a seed.

    How much noise there is nobody knows before what it is added to has been computed. So that is
    computed first, by itself, and then once more with the rest.
    """

    def __init__(self, graph: Graph) -> None:
        """Raises:
        CannotSplit: it draws noise in a way that nobody can repeat.
        """
        drawing = sorted(graph.random())
        given: List[Tensor] = []
        self._noises: List[Tuple[str, Session, float, float]] = []
        for index in drawing:
            node = graph.nodes[index]
            if node.op_type != "RandomNormalLike":
                raise CannotSplit(f"{node.op_type} draws what cannot be drawn again")
            mean, scale = attribute(node, "mean"), attribute(node, "scale")
            like = _session(graph, given, [node.input[0]])
            self._noises.append(
                (node.output[0], like, mean.f if mean else 0.0, scale.f if scale else 1.0)
            )
            given.append(Tensor(node.output[0], "tensor(float)", []))
        self._sound = _session(graph, given, graph.outputs[:1])

    def speak(self, given: Dict[str, Any], seed: int) -> Any:
        """Samples [S]."""
        random = np.random.Generator(np.random.PCG64(seed))
        for name, like, mean, scale in self._noises:
            noise = random.standard_normal(like.run(given)[0].shape, np.float32)
            given[name] = noise * np.float32(scale) + np.float32(mean)
        return np.ravel(self._sound.run(given)[0])


def _finite(pieces: Iterator[Any]) -> Iterator[Any]:
    """The same pieces; of a voice whose numbers have gone astray none is handed out as silence."""
    for piece in pieces:
        if not np.isfinite(piece).all():
            raise EngineFailed("the voice's sound has what is no number")
        yield piece


def _session(graph: Graph, given: List[Tensor], wanted: List[str]) -> Session:
    unknown = [tensor.type for tensor in given if tensor.type not in onnx_schema.ELEMENT_TYPES]
    if unknown:
        raise CannotSplit(f"a {unknown[0]} goes from one part to another")
    part = graph.part(given, wanted)
    planes.use(part)
    model = part.SerializeToString()
    del part  # a copy of the weights, which onnxruntime copies once more
    return Session(model)


def _whole_frames(durations: Any, speed: float) -> Any:
    """The frames of each symbol, as the graph itself rounds them; at another pace than the
    voice's own, so many that the whole becomes faster by exactly that factor.

    Rounding up adds half a frame to each symbol, whatever the pace; left to itself, a fast voice
    would be slower than was asked for.
    """
    if not np.isfinite(durations).all() or durations.sum() > _MOST_FRAMES * durations.size:
        raise EngineFailed("the voice's durations are out of all bounds")
    frames = np.ceil(durations)
    if speed == 1.0:
        return frames
    wanted = max(frames.sum() / speed, 1.0)
    low, high = 0.0, 2.0 / speed
    for _ in range(24):
        middle = (low + high) / 2
        if np.ceil(durations * np.float32(middle)).sum() < wanted:
            low = middle
        else:
            high = middle
    return np.ceil(durations * np.float32(high))


def _seed(ids: Sequence[int], scales: Scales, speaker: Optional[int], speed: float) -> int:
    said = repr((list(ids), tuple(scales), speaker, speed)).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")
