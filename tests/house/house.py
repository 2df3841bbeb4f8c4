"""What the house's tests share: where it is, what it holds, what it says of itself."""

import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

try:
    import tomllib
except ImportError:  # Python 3.10 and older; pytest brings tomli there
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]


def pyproject() -> Dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def files() -> List[Path]:
    """Every file that is committed or about to be; of an unpacked archive, every file."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(
            command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout.decode()
        paths = [ROOT / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(part in (".venv", ".nox", "__pycache__") for part in path.parts)
        ]
    return sorted(path for path in paths if path.is_file())


def texts() -> Iterator[Tuple[Path, str]]:
    """Each text file's path from the root, and its text."""
    for path in files():
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # audio, pictures and the like
