"""Voices in Piper's architecture, made once: ``python -m benchmarks.piper_voices medium``.

Torch and Piper's trainer are installed into a virtual environment of their own (2 GB), which is
kept, with the voices, in the folder AUTOVOICE_BENCH_CACHE, or else in ~/.cache/autovoice-bench.
"""

import os
import subprocess
import sys
from pathlib import Path

PACKAGES = ("piper-tts[train,http]==1.8.0", "torch==2.13.0", "onnx", "onnxruntime")
_EXPORT = Path(__file__).with_name("piper_export.py")


def cache() -> Path:
    """Where all that lies."""
    return Path(os.environ.get("AUTOVOICE_BENCH_CACHE") or Path.home() / ".cache/autovoice-bench")


def trainer() -> str:
    """The Python that has the trainer, and piper-tts itself."""
    python = cache() / "trainer/bin/python"
    if not python.exists():
        print("Installing torch and Piper's trainer", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(cache() / "trainer")], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, check=True)
    return str(python)


def voice(kind: str) -> Path:
    """The graph of the generated voice of this kind; its description is beside it."""
    path = cache() / f"voices/{kind}.onnx"
    if not path.with_name(path.name + ".json").exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([trainer(), str(_EXPORT), kind, str(path)], check=True)
    return path


if __name__ == "__main__":
    for kind_ in sys.argv[1:] or ("medium",):
        print(voice(kind_))
