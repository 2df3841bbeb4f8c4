"""Installs the wheel in a folder on each Python, and has it speak.

    python scripts/speaks.py DIST             every Python of the classifiers that is here
    python scripts/speaks.py DIST 3.8 3.13    these; one that is missing is an error

In CI a missing one is always an error. Environments are made and gone with the run.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import wave
from array import array
from pathlib import Path
from typing import List, Optional

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venv/bin/uv"
TEXT = "This is the version that is about to be released."


def promised() -> List[str]:
    """The Pythons of the classifiers."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r"Python :: (3\.\d+)\"", text)


def interpreter(version: str) -> Optional[str]:
    """Where it is: where pyenv keeps it, or on the PATH.

    pyenv's shims are on the PATH under every name, but work for one version only.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    for found in [*map(str, kept[-1:]), f"python{version}"]:
        try:
            subprocess.run([found, "--version"], check=True, stdout=subprocess.DEVNULL)
            return found
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


def hold(condition: bool, otherwise: str) -> None:
    if not condition:
        sys.exit(otherwise)


def listen(path: Path, at_least_s: float = 1.0) -> None:
    """Stop unless it lasts as long as the text takes and can be heard."""
    with wave.open(str(path)) as recording:
        length_s = recording.getnframes() / recording.getframerate()
        hold(length_s >= at_least_s, f"{path} is too short")
        samples = array("h", recording.readframes(recording.getnframes()))
    hold(max(samples) > 1000, f"{path} is silent")


def speak(python: str, wheel: Path, folder: Path) -> None:
    """Install the wheel into a new environment, look at its version, and have it speak."""
    own = folder / "bin/python"
    subprocess.run([UV, "venv", "--quiet", "--python", python, folder], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--python", own, wheel], check=True)
    program = str(folder / "bin/autovoice")
    said = subprocess.run(
        [program, "--version"], check=True, stdout=subprocess.PIPE, cwd=folder
    ).stdout.decode()
    hold(wheel.name.split("-")[1] in said, f"{wheel.name} calls itself {said}")
    sound = folder / "sound.wav"
    command = [program, "say", "--output", str(sound), "--", TEXT]
    subprocess.run(command, check=True, cwd=folder, stderr=subprocess.DEVNULL)
    listen(sound)


def main(arguments: List[str]) -> None:
    """One line for each Python."""
    if not arguments:
        sys.exit(__doc__)
    (wheel,) = Path(arguments[0]).resolve().glob("*.whl")
    must = bool(arguments[1:]) or os.environ.get("CI") == "true"
    for version in arguments[1:] or promised():
        python, began = interpreter(version), time.monotonic()
        if python is None and must:
            sys.exit(f"There is no Python {version} here.")
        if python is None:
            print(f"Python {version}: not here")
            continue
        with tempfile.TemporaryDirectory() as folder:
            speak(python, wheel, Path(folder))
        print(f"Python {version}: speaks ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
