"""Piper's networks for tests: in parts, as the engine runs them, and whole, as they are."""

import functools
from typing import Any, List, Optional

import numpy as np

from auto_voice.engines.piper import cuts, network
from auto_voice.engines.piper.graph import Graph, Tensor
from auto_voice.engines.piper.network import Network, Scales
from auto_voice.engines.piper.runtime import Session
from tests.voices import folder

SCALES = Scales(0.667, 1.0, 0.8)


def ids_of(count: int) -> List[int]:
    """Numbers of symbols, always the same."""
    return [1, *(int(number) for number in np.random.default_rng(count).integers(0, 130, count)), 2]


@functools.lru_cache(maxsize=None)
def split(voice: str) -> Network:
    """A voice as the engine runs it."""
    return Network(folder() / f"{voice}.onnx")


class Whole:
    """The graph in one piece, with the same noises as inputs."""

    def __init__(self, voice: str) -> None:
        graph = Graph((folder() / f"{voice}.onnx").read_bytes())
        self._cuts = cuts.find(graph)
        noises = [self._cuts.durations_noise, self._cuts.sound_noise]
        given = [Tensor(str(name), "tensor(float)", [1, None, None]) for name in noises]
        part = graph.part(given, [graph.outputs[0], self._cuts.frames])
        self._session = Session(part.SerializeToString())

    def speak(
        self, ids: List[int], frames: List[int], speaker: Optional[int], scales: Scales
    ) -> Any:
        """Samples [S] and frames of each symbol."""
        random = np.random.Generator(np.random.PCG64(network._seed(ids, scales, speaker, 1.0)))
        given = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array(scales, np.float32),
            "sid": np.array([speaker or 0], np.int64),
            self._cuts.durations_noise: random.standard_normal((1, 2, len(ids)), np.float32),
            self._cuts.sound_noise: random.standard_normal((1, 8, sum(frames)), np.float32),
        }
        sound, own = self._session.run(given)
        return np.ravel(sound), [int(count) for count in np.ravel(own)]
