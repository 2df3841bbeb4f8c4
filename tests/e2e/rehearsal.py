"""GitHub's part in a workflow, on this machine: checkouts, artifacts, and the steps themselves.

What a step runs is run as it stands in the YAML. What it `uses` is done by a method here,
and one that nobody wrote is an error: a rehearsal that leaves something out is none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

from tests.house.house import ROOT, files
from tests.house.workflows import FOLDER, evaluate, load

OLD = 946684800
"""The year 2000: older than everything that make made."""


def git(folder: Path, *arguments: str) -> str:
    """What git prints, with an author of its own and none of the user's settings."""
    known = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "A Rehearsal",
        "GIT_AUTHOR_EMAIL": "rehearsal@example.org",
        "GIT_COMMITTER_NAME": "A Rehearsal",
        "GIT_COMMITTER_EMAIL": "rehearsal@example.org",
    }
    done = subprocess.run(
        ["git", "-c", "advice.detachedHead=false", *arguments],
        cwd=folder,
        env={**os.environ, **known},
        check=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout.decode().strip()


def released(folder: Path, tag: str, version: str) -> Path:
    """A repository with this checkout as it is now, one commit ahead: the release of a version."""
    git(folder, "clone", "--quiet", "--no-hardlinks", str(ROOT), "repository")
    repository = folder / "repository"
    git(repository, "checkout", "--quiet", "-B", "main")
    for path in git(repository, "ls-files").splitlines():
        (repository / path).unlink()
    for path in files():
        target = repository / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    source = repository / "src/auto_voice/__init__.py"
    lines = source.read_text(encoding="utf-8").splitlines()
    lines = [f'__version__ = "{version}"' if "__version__ =" in line else line for line in lines]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    changelog = repository / "CHANGELOG.md"
    said = f"## [{tag[1:]}] - 2030-01-02\n\n### Added\n\n- What a rehearsal adds.\n\n"
    first, found, rest = changelog.read_text(encoding="utf-8").partition("## [Unreleased]\n")
    changelog.write_text(f"{first}{found}\n{said}{rest}", encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", f"Release {tag[1:]}")
    git(repository, "tag", "--annotate", "--message", tag, tag)
    return repository


class Runner:
    """Runs jobs of workflows at a tag, each in a checkout of its own."""

    def __init__(self, folder: Path, repository: Path, tag: str) -> None:
        self.folder, self.repository, self.tag = folder, repository, tag
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir()
        self.attested: List[Path] = []
        self.environment: Dict[str, str] = {}
        """What every step sees besides its own."""
        self.log: List[str] = []
        """Each step that was run, as it stands in the workflow."""
        self.contexts = {
            "github.event_name": "push",
            "github.ref": f"refs/tags/{tag}",
            "github.ref_name": tag,
            "github.ref_type": "tag",
            "github.token": "no-token",
            "inputs.version": "",
        }
        self.uses: Dict[str, Callable[[Path, Dict[str, str]], None]] = {
            "actions/checkout": self.checkout,
            "actions/setup-python": lambda workspace, given: None,
            "actions/upload-artifact": self.upload,
            "actions/download-artifact": self.download,
            "actions/attest": self.attest,
        }
        self.programs = folder / "programs"
        self.programs.mkdir()
        # What only GitHub's machine has, or what would publish to the world, says what it
        # was asked for: one line a call, in a file beside it.
        for name in ("gh", "cosign"):
            program = self.programs / name
            program.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >>"$0.calls"\n')
            program.chmod(0o755)

    def calls(self, name: str) -> List[str]:
        return (self.programs / f"{name}.calls").read_text(encoding="utf-8").splitlines()

    def job(self, workflow: str, name: str) -> Path:
        """Run a job from its first step to its last; return where."""
        data = load(self.repository / FOLDER / workflow)["jobs"][name]
        workspace = self.folder / f"{workflow}-{name}"
        workspace.mkdir()
        for step in data["steps"]:
            if "uses" in step:
                action = step["uses"].partition("@")[0]
                given = step.get("with", {}).items()
                inputs = {key: evaluate(value, self.contexts) for key, value in given}
                self.uses[action](workspace, inputs)
            else:
                env = {**data.get("env", {}), **step.get("env", {})}
                self.run(workspace, step["run"], env, step.get("id"))
        return workspace

    def run(self, workspace: Path, command: str, env: Dict[str, Any], name: "str | None") -> None:
        """Run a step as GitHub does, and keep what it says of itself for later ones."""
        self.log.append(command)
        output = self.folder / "output"
        output.write_text("")
        inherited = {key: value for key, value in os.environ.items() if key not in OWN}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
            cwd=workspace,
            env={
                **inherited,
                **self.environment,
                **{key: evaluate(value, self.contexts) for key, value in env.items()},
                "PATH": os.pathsep.join([str(self.programs), os.environ["PATH"]]),
                "PYTHON": sys.executable,
                "GITHUB_OUTPUT": str(output),
            },
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout.decode()[-5000:]}"
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self.contexts[f"steps.{name}.outputs.{key}"] = value

    def checkout(self, workspace: Path, given: Dict[str, str]) -> None:
        git(workspace, "clone", "--quiet", "--branch", self.tag, str(self.repository), ".")
        # The tools of this checkout serve there, too: making them anew takes minutes and shows
        # nothing. make looks at the times; with these there is nothing to install.
        (workspace / ".venv").symlink_to(Path(sys.executable).parents[1])
        os.utime(workspace / "pyproject.toml", (OLD, OLD))

    def upload(self, workspace: Path, given: Dict[str, str]) -> None:
        """As GitHub does, paths begin where those of all that is uploaded part."""
        found = [path for pattern in given["path"].split() for path in _found(workspace, pattern)]
        assert found, f"nothing is at {given['path']}"
        top = Path(os.path.commonpath([path.parent for path in found]))
        for path in found:
            target = self.artifacts / given["name"] / path.relative_to(top)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    def download(self, workspace: Path, given: Dict[str, str]) -> None:
        source = self.artifacts / given["name"]
        shutil.copytree(source, workspace / given.get("path", "."), dirs_exist_ok=True)

    def attest(self, workspace: Path, given: Dict[str, str]) -> None:
        """What is attested has to be there."""
        for key in ("subject-path", "subject-checksums", "sbom-path"):
            if key in given:
                (path,) = workspace.glob(given[key])
                self.attested.append(path)


OWN = {"CI", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VERSION", "VIRTUAL_ENV", "COVERAGE_PROCESS_START"}
"""What this run's own make, pytest and .venv have set, and no step should see. With CI set,
a Python that is not here would be an error."""


def _found(workspace: Path, pattern: str) -> List[Path]:
    found = []
    for path in workspace.glob(pattern.rstrip("/")):
        found += [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]
    return found
