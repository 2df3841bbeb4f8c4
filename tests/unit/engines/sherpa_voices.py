"""Small voices for sherpa-onnx: a tone for each token, in graphs with the signatures it expects.

Nobody may download the published ones here. These have no learnt weights, but all else is real: the
names and shapes of inputs and outputs, the metadata, the files beside them, and what speed, speaker
and noise do to the sound. So a test hears which tokens reached the model, and how.
"""

import itertools
import wave
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from auto_voice.engines.manifest import Manifest, Reference, write

RATE_HZ = 16_000
TOKEN_SAMPLES = 800
"""Samples of a token at speed 1."""
FRAME_SAMPLES = 800
"""Of Matcha's frames: whole periods of every tone. A token has two of them at speed 1."""
SYMBOLS = [*"_^$ .,!?;:…—", *"abcdefghijklmnopqrstuvwxyz", *"ˈˌəɪʊːɹɜɑɛæʌŋθðʃʒɔɾɐᵻɡɬχβʔ"]
WORDS = {"hello": "h e l o", "world": "w o r l d"}
LOUDNESS = 0.3
"""Of a tone, as a part of full scale."""

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
Shape = Sequence[Union[int, str]]


def tone_hz(symbol: str, speaker: int = 0) -> int:
    """What a symbol sounds like."""
    return 200 + 20 * SYMBOLS.index(symbol) + 10 * speaker


class Graph:
    """An ONNX graph, node by node."""

    def __init__(self) -> None:
        self._nodes: List[Any] = []
        self._constants: List[Any] = []
        self._numbers = itertools.count()

    def constant(self, value: Any, kind: Any = numpy.float32) -> str:
        name = f"c{next(self._numbers)}"
        self._constants.append(numpy_helper.from_array(numpy.array(value, kind), name))
        return name

    def ints(self, value: Any) -> str:
        return self.constant(value, numpy.int64)

    def __call__(self, op: str, *inputs: str, out: Optional[str] = None, **attributes: Any) -> str:
        name = out or f"n{next(self._numbers)}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def tones(self, hz: str, samples: str, out: str, shape: Sequence[int]) -> None:
        """A tone of ``samples`` samples for each of ``hz``."""
        count = self("Cast", samples, to=INT)
        clock = self("Range", self.ints(0), self("Squeeze", count), self.ints(1))
        clock = self("Reshape", self("Cast", clock, to=FLOAT), self.ints([1, -1]))
        step = self("Mul", self("Reshape", hz, self.ints([-1, 1])), self.constant(2 * numpy.pi))
        phase = self("Mul", self("Div", step, self.constant(RATE_HZ)), clock)
        wave_ = self("Mul", self("Sin", phase), self.constant(LOUDNESS))
        self("Reshape", wave_, self.ints(shape), out=out)

    def save(
        self,
        path: Path,
        inputs: Dict[str, Tuple[int, Shape]],
        outputs: Dict[str, Shape],
        facts: Dict[str, Any],
    ) -> None:
        graph = helper.make_graph(
            self._nodes,
            "tones",
            [helper.make_tensor_value_info(name, *of) for name, of in inputs.items()],
            [helper.make_tensor_value_info(name, FLOAT, of) for name, of in outputs.items()],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        for key, value in facts.items():
            model.metadata_props.add(key=key, value=str(value))
        onnx.save(model, str(path))


def vits(folder: Path, count: int = 1, **manifest: Any) -> None:
    """As piper exports it, and sherpa-onnx describes it."""
    graph = Graph()
    hz = _hz(graph, "input", "sid" if count > 1 else None)
    scale = graph("Gather", "scales", graph.ints([1]))
    length = graph("Mul", scale, graph.constant(TOKEN_SAMPLES))
    graph.tones(hz, length, "output", [1, 1, -1])
    inputs: Dict[str, Any] = {
        "input": (INT, (1, "T")),
        "input_lengths": (INT, (1,)),
        "scales": (FLOAT, (3,)),
    }
    if count > 1:
        inputs["sid"] = (INT, (1,))
    facts = {"language": "English", "comment": "piper", "voice": "en-us", "has_espeak": 1}
    folder.mkdir(parents=True)
    graph.save(folder / "model.onnx", inputs, {"output": (1, 1, "N")}, _facts(count, facts))
    _finish(folder, "vits", {"model": "model.onnx"}, manifest)


def vits_with_lexicon(folder: Path, **manifest: Any) -> None:
    """As icefall exports it: sherpa-onnx itself finds the words' tokens."""
    graph = Graph()
    length = graph("Mul", "length_scale", graph.constant(TOKEN_SAMPLES))
    graph.tones(_hz(graph, "x"), length, "audio", [1, -1])
    scales = dict.fromkeys(("noise_scale", "length_scale", "noise_scale_w"), (FLOAT, (1,)))
    inputs: Dict[str, Any] = {"x": (INT, (1, "T")), "x_length": (INT, (1,)), **scales}
    facts = {"language": "English", "comment": "ljspeech", "add_blank": 0, "punctuation": ". , !"}
    folder.mkdir(parents=True)
    graph.save(folder / "model.onnx", inputs, {"audio": (1, "N")}, _facts(1, facts))
    _lexicon(folder)
    _finish(folder, "vits", {"model": "model.onnx", "lexicon": "lexicon.txt"}, manifest)


def kokoro(folder: Path, count: int = 2, longest: int = 512, **manifest: Any) -> None:
    """Kokoro 0.19: a style for each speaker and length.

    Args:
        longest: tokens of a text for which there is a style; at longer ones sherpa-onnx ends the
            process.
    """
    _styled(folder, count, [longest, 1, 4], {"model_type": "kokoro"})
    _finish(folder, "kokoro", {"model": "model.onnx", "voices": "voices.bin"}, manifest)


def kitten(folder: Path, count: int = 2, **manifest: Any) -> None:
    """KittenTTS: a style for each speaker."""
    _styled(folder, count, [1, 4], {"model_type": "kitten-tts"})
    _finish(folder, "kitten", {"model": "model.onnx", "voices": "voices.bin"}, manifest)


def matcha(folder: Path, vocoder_hz: int = RATE_HZ, **manifest: Any) -> None:
    """Matcha: frames with the tone's frequency in them, and a HiFi-GAN to hear them."""
    graph = Graph()
    per_token = graph("Mul", "length_scale", graph.constant(2))
    count = graph("Cast", per_token, to=INT)
    hz = graph("Reshape", _hz(graph, "x"), graph.ints([-1, 1]))
    frames = graph("Expand", hz, graph("Concat", graph.ints([1]), count, axis=0))
    graph("Reshape", frames, graph.ints([1, 1, -1]), out="mel")
    scales = dict.fromkeys(("noise_scale", "length_scale"), (FLOAT, (1,)))
    inputs: Dict[str, Any] = {"x": (INT, (1, "T")), "x_length": (INT, (1,)), **scales}
    facts = {"use_eos_bos": 0, "pad_id": 0, "has_espeak": 1, "voice": "en-us"}
    folder.mkdir(parents=True)
    path = folder / "model-steps-3.onnx"
    graph.save(path, inputs, {"mel": (1, 1, "F")}, _facts(1, facts))
    vocoder = Graph()
    vocoder.tones("mel", vocoder.constant(FRAME_SAMPLES), "audio", [1, -1])
    mel: Dict[str, Any] = {"mel": (FLOAT, (1, 1, "F"))}
    kind = {"model_type": "hifigan", "sample_rate": vocoder_hz}
    vocoder.save(folder / "hifigan.onnx", mel, {"audio": (1, "N")}, kind)
    files = {"acoustic_model": path.name, "vocoder": "hifigan.onnx"}
    _finish(folder, "matcha", files, manifest)


def zipvoice(folder: Path, **manifest: Any) -> None:
    """ZipVoice: a flow from noise to the text's frames, after those of a recording."""
    features, bins = 100, 513
    folder.mkdir(parents=True)
    encoder = Graph()
    depth, values = encoder.ints(features), encoder.constant([0, 1])
    hot = encoder(
        "OneHot", encoder("Reshape", "tokens", encoder.ints([-1])), depth, values
    )  # [T,F]
    hot = encoder("Unsqueeze", hot, encoder.ints([1]))
    per_token = encoder("Div", encoder.constant([4]), "speed")
    sizes = encoder("Cast", per_token, to=INT)
    sizes = encoder("Concat", encoder.ints([1]), sizes, encoder.ints([1]), axis=0)
    said = encoder("Reshape", encoder("Expand", hot, sizes), encoder.ints([1, -1, features]))
    before = encoder("Unsqueeze", "prompt_features_len", encoder.ints([0]))
    before = encoder("Reshape", before, encoder.ints([1]))
    before = encoder("Concat", encoder.ints([1]), before, encoder.ints([features]), axis=0)
    silent = encoder("ConstantOfShape", before)
    encoder("Concat", silent, said, axis=1, out="text_condition")
    inputs: Dict[str, Any] = {
        "tokens": (INT, (1, "T")),
        "prompt_tokens": (INT, (1, "P")),
        "prompt_features_len": (INT, ()),
        "speed": (FLOAT, ()),
    }
    text: Dict[str, Any] = {"text_condition": (1, "F", features)}
    encoder.save(folder / "encoder.onnx", inputs, text, {"use_espeak": 0})
    decoder = Graph()
    way = decoder("Sub", "text_condition", "x")
    decoder("Div", way, decoder("Sub", decoder.constant(1), "t"), out="v")
    frames: Any = (FLOAT, (1, "F", features))
    inputs = {"t": (FLOAT, ()), "x": frames, "text_condition": frames, "speech_condition": frames}
    inputs["guidance_scale"] = (FLOAT, ())
    facts = {"sample_rate": 24_000, "feat_dim": features, "num_mels": features}
    decoder.save(folder / "decoder.onnx", inputs, {"v": (1, "F", features)}, facts)
    _vocos(folder / "vocos.onnx", features, bins)
    with wave.open(str(folder / "me.wav"), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(b"\x00\x10\x00\xf0" * 12_000)
    _lexicon(folder)
    manifest.setdefault("references", {"me": Reference("me.wav", "hello")})
    roles = ("encoder", "decoder")
    files = {role: f"{role}.onnx" for role in roles}
    files.update(vocoder="vocos.onnx", lexicon="lexicon.txt")
    _finish(folder, "zipvoice", files, manifest)


def _vocos(path: Path, features: int, bins: int) -> None:
    """A vocoder whose feature k is the frequency of bin 20 + k."""
    graph = Graph()
    placing = numpy.zeros((bins, features))
    placing[20 : 20 + features] = 10 * numpy.eye(features)
    magnitude = graph("MatMul", graph.constant(placing), "mels", out="mag")
    graph("Sub", magnitude, magnitude, out="y")
    graph("Add", "y", graph.constant(1), out="x")
    shape: Any = (1, bins, "F")
    outputs = {"mag": shape, "x": shape, "y": shape}
    facts = {"model_type": "vocos", "sample_rate": 24_000, "n_fft": 1024, "hop_length": 256}
    graph.save(path, {"mels": (FLOAT, (1, features, "F"))}, outputs, facts)


def _styled(folder: Path, count: int, dims: List[int], facts: Dict[str, Any]) -> None:
    graph = Graph()
    length = graph("Div", graph.constant([TOKEN_SAMPLES]), "speed")
    offset = graph("Slice", "style", graph.ints([0]), graph.ints([1]), graph.ints([1]))
    hz = graph("Add", _hz(graph, "tokens"), graph("Reshape", offset, graph.ints([1])))
    graph.tones(hz, length, "audio", [-1])
    inputs: Dict[str, Any] = {"tokens": (INT, (1, "T")), "style": (FLOAT, (1, dims[-1]))}
    inputs["speed"] = (FLOAT, (1,))
    shape = ",".join(map(str, dims))
    more = {"has_espeak": 1, "voice": "en-us", "style_dim": shape, "max_token_len": 500, **facts}
    folder.mkdir(parents=True)
    graph.save(folder / "model.onnx", inputs, {"audio": ("N",)}, _facts(count, more))
    styles = numpy.zeros([count, *dims], numpy.float32)
    styles[..., 0] = 10 * numpy.arange(count).reshape([-1] + [1] * (len(dims) - 1))
    (folder / "voices.bin").write_bytes(styles.tobytes())


def _hz(graph: Graph, ids: str, speaker: Optional[str] = None) -> str:
    numbers = graph("Reshape", graph("Cast", ids, to=FLOAT), graph.ints([-1]))
    hz = graph("Add", graph("Mul", numbers, graph.constant(20)), graph.constant(200))
    if speaker is None:
        return hz
    offset = graph("Mul", graph("Cast", speaker, to=FLOAT), graph.constant(10))
    return graph("Add", hz, offset)


def _facts(count: int, more: Dict[str, Any]) -> Dict[str, Any]:
    return {"sample_rate": RATE_HZ, "n_speakers": count, "add_blank": 0, **more}


def _lexicon(folder: Path) -> None:
    lines = (f"{word} {tokens}\n" for word, tokens in WORDS.items())
    (folder / "lexicon.txt").write_text("".join(lines), encoding="utf-8")


def _finish(folder: Path, kind: str, files: Dict[str, Any], manifest: Dict[str, Any]) -> None:
    lines = (f"{symbol} {number}\n" for number, symbol in enumerate(SYMBOLS))
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")
    files["tokens"] = "tokens.txt"
    manifest.setdefault("languages", ("en-us",))
    write(folder, Manifest("sherpa", kind, files, **manifest))
