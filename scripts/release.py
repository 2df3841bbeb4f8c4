"""What a release is checked by and consists of, besides the packages themselves.

    python scripts/release.py check v1.2.3        is this commit that version?
    python scripts/release.py sbom DIST           DIST/autovoice.cdx.json
    python scripts/release.py notes v1.2.3 FILE   the notes for people

`make release-check` and its neighbours call it, and .github/workflows/release.yml calls those.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venv/bin/uv"
CLIFF = ROOT / ".venv/bin/git-cliff"

TAG = re.compile(r"v(\d+\.\d+\.\d+)(?:-(alpha|beta|rc)\.(\d+))?")
"""As Semantic Versioning spells it; `v1.2.3-rc.1` is Python's 1.2.3rc1."""
STAGES = {"alpha": "a", "beta": "b", "rc": "rc"}

VERIFY = """\
## Is it what was built here?

```sh
sha256sum --check --ignore-missing SHA256SUMS
gh attestation verify {wheel} --repo autovoice/autovoice
cosign verify ghcr.io/autovoice/autovoice:{version} \\
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \\
    --certificate-identity \\
    https://github.com/autovoice/autovoice/.github/workflows/docker-build.yml@refs/tags/{tag}
```
"""


class Stop(Exception):
    """A reason not to release."""


def git(*arguments: str) -> str:
    """What git prints, or nothing where it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def python_version(tag: str) -> str:
    """The version that a tag is of, as Python spells it."""
    parts = TAG.fullmatch(tag)
    if not parts:
        raise Stop(f"{tag!r} is no version: VERSION=v1.2.3 or v1.2.3-rc.1 is one")
    number, stage, count = parts.groups()
    return f"{number}{STAGES[stage]}{count}" if stage else number


def source_version() -> str:
    text = (ROOT / "src/auto_voice/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if not found:
        raise Stop("src/auto_voice/__init__.py names no version")
    return found[1]


def changelog_section(tag: str) -> str:
    """What the changelog says of a version, without its heading.

    A pre-release or a dry run may still be described by what is unreleased. A release
    may not: its section has its number and its day.
    """
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    text = re.split(r"^\[[^\]]+\]: ", text, maxsplit=1, flags=re.MULTILINE)[0]
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    names = [rf"\[{re.escape(tag[1:])}\] - \d{{4}}-\d\d-\d\d"]
    if "-" in tag or os.environ.get("RELEASE_DRY_RUN"):
        names.append(r"\[Unreleased\]")
    for name in names:
        for section in sections:
            heading, _, body = section.partition("\n")
            if re.fullmatch(name, heading.strip()) and body.strip():
                return body.strip()
    raise Stop(f"CHANGELOG.md has no section '## [{tag[1:]}] - <day>' that says something")


def check(tag: str) -> None:
    """Stop unless source, changelog, tag and branch all mean the same version."""
    wanted, found = python_version(tag), source_version()
    if wanted != found:
        raise Stop(f"the tag {tag} means {wanted}, and src/auto_voice/__init__.py says {found}")
    changelog_section(tag)
    head, tagged = git("rev-parse", "HEAD"), git("rev-parse", "--verify", f"{tag}^{{commit}}")
    if tagged and tagged != head:
        raise Stop(f"the tag {tag} is at {tagged[:12]}, and this is {head[:12]}")
    # What never went through a review and its checks is not released, whoever tagged it.
    branch = os.environ.get("RELEASE_BRANCH")
    if branch and git("merge-base", head, branch) != head:
        raise Stop(f"{head[:12]} is not on {branch}")
    print(f"{head[:12]} is {tag}.")


def sbom(dist: Path) -> None:
    """List what an environment holds that has the wheel installed, and add the list's sum."""
    (wheel,) = dist.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:
        # Without pip: what is in there is there for the wheel's sake.
        python = Path(folder) / "bin/python"
        run([UV, "venv", "--quiet", "--python", sys.executable, folder])
        run([UV, "pip", "install", "--quiet", "--python", python, wheel])
        printed = subprocess.run(
            [python, "-I", ROOT / "scripts/sbom.py", "--python-only"],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
    bill = json.loads(printed)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    bill["metadata"]["component"]["hashes"] = [{"alg": "SHA-256", "content": digest}]
    target = dist / "autovoice.cdx.json"
    target.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")

    sums = dist / "SHA256SUMS"
    others = [line for line in sums.read_text().splitlines() if not line.endswith(target.name)]
    own = f"{hashlib.sha256(target.read_bytes()).hexdigest()}  {target.name}"
    sums.write_text("\n".join([*others, own]) + "\n")
    print(f"{target} has {len(bill['components'])} components.")


def notes(tag: str, target: Path) -> None:
    """The changelog's section, how to verify what was published, and the commits."""
    section = changelog_section(tag)
    # The tag that is about to be made may not be there yet: --tag says what HEAD is called.
    tagged = git("rev-parse", "--verify", f"{tag}^{{commit}}")
    commits = subprocess.run(
        [CLIFF, "--config", ".github/cliff.toml"]
        + (["--latest"] if tagged else ["--unreleased", "--tag", tag]),
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    wheel = f"autovoice-{python_version(tag)}-py3-none-any.whl"
    verify = VERIFY.format(tag=tag, version=tag[1:], wheel=wheel)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"{section}\n\n{verify}\n{commits.strip()}\n", encoding="utf-8")
    print(f"{target}:\n\n{target.read_text(encoding='utf-8')}")


def run(command: List[object]) -> None:
    subprocess.run([str(part) for part in command], check=True)


def main(arguments: List[str]) -> None:
    """Do what the first argument says."""
    try:
        if arguments[:1] == ["check"] and len(arguments) == 2:
            check(arguments[1])
        elif arguments[:1] == ["sbom"] and len(arguments) == 2:
            sbom(Path(arguments[1]))
        elif arguments[:1] == ["notes"] and len(arguments) == 3:
            notes(arguments[1], Path(arguments[2]))
        else:
            sys.exit(__doc__)
    except Stop as reason:
        sys.exit(f"release.py: {reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
