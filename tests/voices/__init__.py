"""Piper voices of random weights in the true architecture, tiny: ``benchmarks/piper_export.py``.

``en-us`` is a tiny medium voice, ``people`` one of three people, ``fine`` a high one.
"""

import atexit
import functools
import gzip
import shutil
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def put(folder: Path, name: str = "*", renamed: str = "") -> Path:
    """Put a voice into a folder, or all of them; under another id, if that is given."""
    folder.mkdir(parents=True, exist_ok=True)
    for packed in HERE.glob(f"{name}.onnx.gz"):
        voice_id = packed.name.partition(".")[0]
        target = folder / f"{renamed or voice_id}.onnx"
        target.write_bytes(gzip.decompress(packed.read_bytes()))
        description = HERE / f"{voice_id}.onnx.json"
        shutil.copy(str(description), f"{target}.json")
    return folder


@functools.lru_cache(maxsize=None)
def folder() -> Path:
    """A folder with all of them, which is not to be changed, for as long as this process lives."""
    path = Path(tempfile.mkdtemp(prefix="autovoice-voices-"))
    atexit.register(shutil.rmtree, str(path), ignore_errors=True)
    return put(path)
