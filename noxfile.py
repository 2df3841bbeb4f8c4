"""Tests on every Python of the classifiers: `make test-matrix`.

An interpreter that this machine lacks is skipped and said so, unless a wheel was handed
over to be tested; those that pyenv keeps are found without being on the PATH.
"""

import os
import re
from pathlib import Path
from typing import List

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
TESTS = ["tests/unit", "tests/integration"]
WHEEL = os.environ.get("WHEEL")
"""A folder with the wheel to test, which was built before; without it, each session builds one."""
FAST = bool(os.environ.get("FAST"))
"""Whether what is slow is left out."""
AGAIN = bool(os.environ.get("AGAIN"))
"""Whether what did not pass is run once more."""

# uv needs seconds where pip needs minutes; virtualenv's newest no longer makes one for 3.8.
nox.options.default_venv_backend = "uv|venv"
nox.options.download_python = "never"
# Who hands a wheel over wants it tested on that very Python: none is passed over.
nox.options.error_on_missing_interpreters = WHEEL is not None
nox.options.reuse_existing_virtualenvs = True


def pyenv_folders() -> List[str]:
    """The folders of the newest interpreter that pyenv has for each version.

    Its shims are on the PATH under every name, but work for one version only.
    """
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = []
    for version in PYTHONS:
        found = [path.parent for path in root.glob(f"{version}.*/bin/python{version}")]
        found.sort(key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])
        folders += [str(path) for path in found[-1:]]
    return folders


os.environ["PATH"] = os.pathsep.join([*pyenv_folders(), os.environ["PATH"]])


def run_tests(session: nox.Session) -> None:
    """First what must have the machine for itself, then the rest, as in `make test`."""
    chosen = any(Path(argument).exists() for argument in session.posargs)
    again = ["scripts/again.py", "python"] if AGAIN else []
    pytest = ["python", *again, "-m", "pytest", *([] if chosen else TESTS), *session.posargs]
    none_is_fine = [0, 5]
    if FAST:
        session.run(*pytest, "-m", "not serial and not slow", "-n", "2")
        return
    session.run(*pytest, "-m", "serial", success_codes=none_is_fine)
    some = none_is_fine if session.posargs else [0]
    session.run(*pytest, "-m", "not serial", "-n", "2", success_codes=some)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests against the built package, with the newest of what it needs."""
    (package,) = ["."] if WHEEL is None else map(str, Path(WHEEL).glob("*.whl"))
    session.install(package, *nox.project.dependency_groups(PYPROJECT, "test"))
    run_tests(session)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The tests against the lower bounds in pyproject.toml, on the oldest Python."""
    bounds = Path(session.create_tmp()) / "lowest.txt"
    needs = PYPROJECT["project"]["dependencies"]
    bounds.write_text("".join(f"{need.replace('>=', '==')}.*\n" for need in needs))
    session.install(
        ".", *nox.project.dependency_groups(PYPROJECT, "test"), "--constraint", str(bounds)
    )
    run_tests(session)
