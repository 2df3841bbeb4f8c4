"""``python benchmarks/alignment.py``: monotonic alignment search, ours beside Glow-TTS' Cython.

Every contender gets the same batches and gives its own kind of answer: ours the 0/1 path of
`maximum_path`, the Cython its int32 path, from values that it may overwrite (so it is given a
copy, as its own wrapper makes one). Rounds go from one contender to the next, so that a busy
moment hits all of them. ``--write`` puts the table into docs/native.md.
"""

import argparse
import importlib.util
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks import machine, report  # noqa: E402
from benchmarks.figures import spread  # noqa: E402

from auto_voice.kernels import alignment, native  # noqa: E402
from auto_voice.kernels.alignment import maximum_path  # noqa: E402

PAGE = ROOT / "docs/native.md"


class Shape(NamedTuple):
    """One batch of training."""

    title: str
    batch: int
    text: int
    mel: int


SHAPES = (
    Shape("16 clips, up to 120 tokens, 500 frames", 16, 120, 500),
    Shape("32 clips, up to 200 tokens, 800 frames", 32, 200, 800),
    Shape("64 clips, up to 400 tokens, 1,600 frames", 64, 400, 1600),
)

Batch = Tuple[Any, Any, Any]
Contender = Callable[[Batch], Any]


def batch_of(shape: Shape) -> Batch:
    """Ragged: the lengths of a row are between half and all of the longest."""
    random = np.random.default_rng(1)
    mels = random.integers(shape.mel // 2, shape.mel + 1, shape.batch)
    texts = np.minimum(random.integers(shape.text // 2, shape.text + 1, shape.batch), mels)
    values = random.normal(-50, 20, (shape.batch, shape.text, shape.mel)).astype(np.float32)
    return values, texts, mels


def in_vits_layout(batch: Batch) -> Batch:
    """The same values as VITS has them in memory: [B, T_mel, T_text]."""
    values, texts, mels = batch
    return np.ascontiguousarray(values.transpose(0, 2, 1)).transpose(0, 2, 1), texts, mels


def contenders() -> Iterator[Tuple[str, Contender]]:
    """Each by its name; those that this machine lacks are left out."""
    yield "numpy", lambda batch: maximum_path(*batch, way="numpy")
    original = _original()
    if original is not None:
        yield "Glow-TTS' Cython", original
    library = native.library()
    if library is None:
        print("without libautovoice: make native", file=sys.stderr)
        return
    yield "C++, 1 thread", partial(_native, 1, False)
    yield f"C++, {machine.cores()} threads", partial(_native, machine.cores(), False)
    yield "C++, 1 thread, VITS' layout", partial(_native, 1, True)
    if library.cuda_devices():
        yield "CUDA, there and back", lambda batch: maximum_path(*batch, way="cuda")


def _native(threads: int, vits: bool, batch: Batch) -> Any:
    with mock.patch.object(alignment, "available_cores", return_value=threads):
        return maximum_path(*(_vits[id(batch)] if vits else batch), way="native")


_vits: Dict[int, Batch] = {}
"""Turned round beforehand: VITS has its values that way."""


def _original() -> Optional[Contender]:
    """The compiled core of monotonic-alignment-search, whose package would want torch."""
    package = importlib.util.find_spec("monotonic_alignment_search")
    if package is None or not package.submodule_search_locations:
        print("without monotonic-alignment-search", file=sys.stderr)
        return None
    (file,) = Path(package.submodule_search_locations[0]).glob("core.*.so")
    spec = importlib.util.spec_from_file_location("monotonic_alignment_search.core", file)
    assert spec is not None and spec.loader is not None
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)

    def run(batch: Batch) -> Any:
        values, texts, mels = batch
        path = np.zeros(values.shape, dtype=np.int32)
        core.maximum_path_c(path, values.copy(), texts.astype(np.int32), mels.astype(np.int32))
        return path

    return run


def measure(shape: Shape, rounds: int) -> Dict[str, List[float]]:
    """Milliseconds a batch takes each contender.

    Raises:
        RuntimeError: two of them give different paths.
    """
    batch = batch_of(shape)
    _vits.clear()
    _vits[id(batch)] = in_vits_layout(batch)
    running = dict(contenders())
    expected = running["numpy"](batch)
    for name, run in running.items():
        if not np.array_equal(run(batch), expected):
            raise RuntimeError(f"{name} gives another path")
    times: Dict[str, List[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, run in running.items():
            began = time.perf_counter()
            run(batch)
            times[name].append((time.perf_counter() - began) * 1e3)
    return times


def table(measured: Dict[str, Dict[str, List[float]]], others: float) -> str:
    """As it is in the document."""
    facts = machine.facts()
    lines = [
        f"Measured on {facts['cores']} cores ({facts['cpu']}), of which others took {others:.2f}.",
        "",
        "| ms a batch: median (min – max) | " + " | ".join(measured) + " |",
        "| --- |" + " --- |" * len(measured),
    ]
    for name in next(iter(measured.values())):
        cells = []
        for times in measured.values():
            middle, low, high = spread(times[name])
            cells.append(f"{middle:.1f} ({low:.1f} – {high:.1f})")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="the table into docs/native.md")
    options = parser.parse_args()
    watch = machine.Watch()
    measured = {shape.title: measure(shape, options.rounds) for shape in SHAPES}
    text = table(measured, watch.cores())
    print(text)
    if options.write:
        PAGE.write_text(report.insert(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
