"""The files of the house: what they may say, how long they get, what they promise."""

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.house.house import ROOT, pyproject, texts

LINES = 400
LONG_FILES = {
    "src/auto_voice/errors.py": "one error after the other, each with its words",
    "src/auto_voice/settings.py": "one field after the other, each with its words",
}
HOMES = re.compile(r"(?<![\w.~$}/])/(?:home|Users)/(?!user/)[a-z][\w.-]*/|(?<![\w.])/root/\w")
"""Folders of somebody's machine. /home/user/ is an example's."""
MAKE = re.compile(r"(?:^|`|\n)\s*(?:\$ )?make ([a-z][a-z-]*)")
PUBLIC_HOSTS = {"pypi.org", "deb.debian.org", "security.debian.org", "archive.ubuntu.com"}


def package_hosts():
    """Hosts that this machine's pip and apt ask for packages, if they are not the public ones."""
    pip = [sys.executable, "-m", "pip", "config", "list"]
    settings = subprocess.run(pip, stdout=subprocess.PIPE, check=False).stdout.decode()
    lines = [line for line in settings.splitlines() if re.search("index-url|find-links", line)]
    lines += [os.environ.get("PIP_INDEX_URL", ""), os.environ.get("PIP_EXTRA_INDEX_URL", "")]
    apt = Path("/etc/apt")
    for path in [apt / "sources.list", *apt.glob("sources.list.d/*"), *apt.glob("apt.conf.d/*")]:
        try:
            lines += re.findall("^(?!#|//).*$", path.read_text(encoding="utf-8"), re.MULTILINE)
        except (OSError, UnicodeDecodeError):
            continue
    urls = re.findall(r"https?://[^\s'\"\],;]+", "\n".join(lines))
    hosts = {urlsplit(url).hostname for url in urls}
    return {host for host in hosts if host and "." in host} - PUBLIC_HOSTS


def test_no_file_names_a_folder_of_somebodys_machine():
    """A clone works anywhere: no path of the machine it was written on is in it."""
    here = {str(ROOT), str(Path.home())} - {"/", "/app", "/root"}
    found = [
        f"{path}: {match}"
        for path, text in texts()
        for match in [*HOMES.findall(text), *(folder for folder in here if f"{folder}/" in text)]
    ]
    assert found == []


def test_no_file_names_the_host_that_packages_come_from():
    """Where packages come from is the machine's own setting."""
    hosts = package_hosts()
    assert [(str(path), host) for path, text in texts() for host in hosts if host in text] == []


def test_no_source_file_holds_two_ideas():
    """A file past 400 lines usually does; one that does not is listed with its reason."""
    long = {
        path.as_posix()
        for path, text in texts()
        if path.parts[0] == "src" and path.suffix == ".py" and text.count("\n") > LINES
    }
    assert long == set(LONG_FILES), "split it, or say in LONG_FILES why not"
    assert all(LONG_FILES.values())


def makefile_targets():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_make_targets_in_documents_exist(name):
    """Every `make …` that a document tells somebody to type can be typed."""
    named = set(MAKE.findall((ROOT / name).read_text(encoding="utf-8")))
    assert named - makefile_targets() == set()


def test_make_lists_its_targets():
    """`make` alone tells what there is, and changes nothing."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    shown = subprocess.run(["make"], cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    for target in ("setup", "run", "say", "test", "test-matrix", "lint", "bench"):
        assert f"make {target} " in shown.stdout.decode()


def test_hooks_call_what_make_installs():
    """A commit is checked by the versions in pyproject.toml, without a network."""
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    for entry in re.findall(r"entry: (.*)", text):
        target = re.fullmatch(r"make --silent ([a-z-]+)", entry)
        assert entry.startswith(".venv/bin/") or (target and target[1] in makefile_targets()), entry


def test_flake8_and_black_agree_on_the_line():
    """The formatter never writes a line that the checker refuses."""
    flake8 = configparser.ConfigParser()
    flake8.read(ROOT / ".flake8")
    assert flake8.getint("flake8", "max-line-length") == pyproject()["tool"]["black"]["line-length"]


def test_the_map_shows_every_room():
    """docs/architecture.md names each room of the package, and nothing that is gone."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    tree = re.findall(
        r"^ +([\w./]+)", text[text.index("src/auto_voice/\n") :].split("config/")[0], re.M
    )
    package = ROOT / "src/auto_voice"
    modules = {path.name for path in package.rglob("*.py")}
    assert [name for name in tree if name.endswith(".py") and name not in modules] == []
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    rooms |= {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert rooms - set(tree) == set()
