"""Writes a Piper voice of random weights: ``python piper_export.py KIND FILE.onnx``.

Runs under a Python of its own that has torch and Piper's trainer (`piper_voices.py` makes it),
and uses the trainer's own model, so that the graph is the very one that published voices have.
The weights are random, but tamed: sounds last about as long as in speech, and no part of the
graph is the identity, as some parts of an untrained model are.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any, Dict

import torch
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP
from piper.train.vits.lightning import VitsModel

OPSET = 15
MEAN_FRAMES = 3.4
"""That a symbol lasts, at 86 frames a second: half of the symbols are pads between the others."""
LOUDNESS = 0.1
"""Root mean square of its noise."""

_HIGH = {
    "resblock": "1",
    "resblock_kernel_sizes": (3, 7, 11),
    "resblock_dilation_sizes": ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    "upsample_rates": (8, 8, 2, 2),
    "upsample_initial_channel": 512,
    "upsample_kernel_sizes": (16, 16, 4, 4),
}
_X_LOW = {"inter_channels": 96, "hidden_channels": 96, "filter_channels": 384}
_TINY = {
    "inter_channels": 8,
    "hidden_channels": 8,
    "filter_channels": 16,
    "n_layers": 1,
    "upsample_initial_channel": 16,
}
KINDS: Dict[str, Dict[str, Any]] = {
    "tiny": _TINY,
    "tiny-high": {**_HIGH, **_TINY, "upsample_initial_channel": 32},
    "tiny-speakers": {**_TINY, "num_speakers": 3, "gin_channels": 8},
    "x_low": {**_X_LOW, "sample_rate": 16000},
    "low": {"sample_rate": 16000},
    "medium": {},
    "high": _HIGH,
    "speakers": {"num_speakers": 20, "gin_channels": 512},
}
"""The trainer's arguments for each kind; what is not named is as in a medium voice."""


def model_of(kind: str) -> Any:
    """An untrained model, ready to speak."""
    torch.manual_seed(20240229)
    model = VitsModel(dataset=None, **KINDS[kind]).model_g
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.02)
        affine = model.dp.flows[0]
        # The last step of the durations: log frames = (noise - m) * exp(-logs)
        affine.logs.fill_(1.5)
        affine.m.fill_(-torch.tensor(MEAN_FRAMES - 0.5).log().item() * 2.718281828**1.5)
        model.dec.remove_weight_norm()
        ids = torch.randint(low=0, high=model.n_vocab, size=(1, 50), dtype=torch.long)
        sid = torch.LongTensor([0]) if model.n_speakers > 1 else None
        sound = model.infer(ids, torch.LongTensor([50]), sid=sid)[0]
        model.dec.conv_post.weight.mul_(LOUDNESS / sound.std())
    return model


def export(model: Any, path: Path) -> None:
    """As the trainer exports, but with the exporter that works on today's torch, too."""

    def infer(text: Any, lengths: Any, scales: Any, sid: Any = None) -> Any:
        return model.infer(
            text,
            lengths,
            noise_scale=scales[0],
            length_scale=scales[1],
            noise_scale_w=scales[2],
            sid=sid,
        )[0].unsqueeze(1)

    model.forward = infer
    ids = torch.randint(low=0, high=model.n_vocab, size=(1, 50), dtype=torch.long)
    sid = torch.LongTensor([0]) if model.n_speakers > 1 else None
    torch.onnx.export(
        model=model,
        args=(ids, torch.LongTensor([50]), torch.FloatTensor([0.667, 1.0, 0.8]), sid),
        f=str(path),
        opset_version=OPSET,
        input_names=["input", "input_lengths", "scales", "sid"],
        output_names=["output"],
        dynamic_axes={
            "input": {0: "batch_size", 1: "phonemes"},
            "input_lengths": {0: "batch_size"},
            "output": {0: "batch_size", 2: "time"},
        },
        dynamo=False,
    )


def shorten(path: Path) -> None:
    """Give everything in a small graph a short name: the names are most of it."""
    import onnx

    model = onnx.load(str(path))
    graph = model.graph
    kept = {info.name for info in (*graph.input, *graph.output)} | {""}
    names: Dict[str, str] = {}

    def short(name: str) -> str:
        return name if name in kept else names.setdefault(name, f"{len(names):x}")

    for tensor in graph.initializer:
        tensor.name = short(tensor.name)
    for node in graph.node:
        node.ClearField("name")
        node.ClearField("doc_string")
        for held in (node.input, node.output):
            held[:] = [short(name) for name in held]
    del graph.value_info[:]
    onnx.save(model, str(path))


def config_of(kind: str) -> Dict[str, Any]:
    """What stands beside a published voice."""
    speakers = KINDS[kind].get("num_speakers", 1)
    return {
        "audio": {
            "sample_rate": KINDS[kind].get("sample_rate", 22050),
            "quality": kind.split("-")[0].replace("speakers", "medium").replace("tiny", "x_low"),
        },
        "espeak": {"voice": "en-us"},
        "language": {
            "code": "en_US",
            "family": "en",
            "region": "US",
            "name_native": "English",
            "name_english": "English",
            "country_english": "United States",
        },
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": DEFAULT_PHONEME_ID_MAP,
        "num_symbols": 256,
        "num_speakers": speakers,
        "speaker_id_map": {f"p{index}": index for index in range(speakers)} if speakers > 1 else {},
        "piper_version": "1.0.0",
        "dataset": kind,
    }


def main() -> None:
    """The voice of the kind in the first argument, into the file of the second."""
    kind, path = sys.argv[1], Path(sys.argv[2])
    warnings.filterwarnings("ignore")
    with torch.no_grad():
        export(model_of(kind), path)
    if kind.startswith("tiny"):
        shorten(path)
    config = json.dumps(config_of(kind), ensure_ascii=False, indent=2)
    path.with_name(path.name + ".json").write_text(config + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
