"""The workflows keep to what a careful repository asks of them, and to the rest of this house."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.house.house import ROOT, pyproject
from tests.house.test_packaging import pythons_of_the_classifiers
from tests.house.test_tree import makefile_targets
from tests.house.workflows import FOLDER, Step, expressions, jobs, load, paths, steps, workflows

GUIDE = (ROOT / "docs/deployment-guide.md").read_text(encoding="utf-8")
PINNED = re.compile(r"uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")
OWN = re.compile(r"uses: \$/\.github/workflows/[a-z-]+\.yml$")
PASSED_TO_ALL = {"GITHUB_TOKEN"}


def lines():
    for path in paths():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{path.name}:{number}", line.strip()


def section(title):
    """A section of the deployment guide."""
    return re.split(r"^##+ ", GUIDE.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def test_there_are_the_four():
    assert {path.name for path in paths()} == {
        "ci.yml",
        "deploy.yml",
        "docker-build.yml",
        "release.yml",
    }


def test_the_matrix_is_of_the_pythons_that_are_promised():
    """Each classifier has its job, from the one that `requires-python` begins with."""
    matrix = load(ROOT / FOLDER / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == pythons_of_the_classifiers()
    assert pyproject()["project"]["requires-python"] == f">={matrix[0]}"


def test_a_release_tries_every_python_that_is_promised():
    """The wheel is installed on all of them before it is published."""
    wanted = set(pythons_of_the_classifiers())
    for step in load(ROOT / FOLDER / "release.yml")["jobs"]["packages"]["steps"]:
        if "setup-python" in step.get("uses", ""):
            assert set(step["with"]["python-version"].split()) == wanted


@pytest.mark.parametrize("step", [step for step in steps() if "run" in step.data], ids=str)
def test_each_step_is_something_that_one_can_type(step: Step):
    """A target of make or a script of this repository, so that it can be tried without GitHub."""
    (command,) = step.data["run"].splitlines()
    first, *rest = shlex.split(command)
    if first == "make":
        targets = [word for word in rest if not word.startswith("-")]
        assert targets and set(targets) <= makefile_targets()
        return
    script = ROOT / (rest[0] if first == "python3" else first)
    assert script.parent == ROOT / "scripts" and script.is_file()
    assert first == "python3" or os.access(script, os.X_OK)


def test_nothing_is_filled_into_a_command():
    """What comes from outside reaches a shell as a variable: it can be no command."""
    assert [str(step) for step in steps() if expressions(step.data.get("run", ""))] == []


def test_each_action_is_one_commit_with_its_version_beside_it():
    """A tag can be moved by whoever breaks in there; a commit cannot."""
    used = [(place, line) for place, line in lines() if re.match(r"(- )?uses:", line)]
    assert used
    for place, line in used:
        found = line[2:] if line.startswith("- ") else line
        assert PINNED.match(found) or OWN.match(found), f"{place}: {line}"


def test_each_action_has_one_commit_everywhere_and_its_row_in_the_guide():
    """Who raises a version says there where its commit was looked up."""
    found = {PINNED.search(line).groups() for _, line in lines() if PINNED.search(line)}
    names = [name for name, _, _ in found]
    assert len(names) == len(set(names)), sorted(found)
    rows = re.findall(
        r"^\| `([^`]+)` \| (v[\d.]+) \| `([0-9a-f]{40})` \| (\S.*) \|$", section("Actions"), re.M
    )
    assert {(name, commit, version) for name, version, commit, _ in rows} == found


def test_nobody_has_a_right_by_default():
    """Each job says what it needs, and each of its rights says what for."""
    for name, workflow in workflows().items():
        assert workflow["permissions"] == {}, name
    for name, job, data in jobs():
        assert "permissions" in data, f"{name}, {job}"
    writes = {
        (name, job, right)
        for name, job, data in jobs()
        for right, level in data["permissions"].items()
        if level == "write"
    }
    assert {(name, right) for name, _, right in writes if name in ("ci.yml", "deploy.yml")} == set()
    for place, line in lines():
        if re.match(r"[a-z-]+: (read|write)\b", line):
            assert re.search(r"# \w+", line), f"{place} does not say what for: {line}"


def test_checkouts_leave_no_token_behind():
    """What runs later in the job cannot push with it."""
    found = [step for step in steps() if step.data.get("uses", "").startswith("actions/checkout@")]
    assert found
    for step in found:
        assert step.data["with"]["persist-credentials"] is False, str(step)


def test_every_job_ends():
    """A job that hangs is stopped; one that calls a workflow has that workflow's limits."""
    for name, job, data in jobs():
        assert "uses" in data or 0 < data["timeout-minutes"] <= 90, f"{name}, {job}"


def test_runs_do_not_get_into_each_others_way():
    """Each workflow has its group; a deploy, a release and a build for main are never cut off."""
    groups = {}
    for name, workflow in workflows().items():
        group = workflow.get("concurrency") or workflow["jobs"]["deploy"]["concurrency"]
        groups[name] = group["group"].split("${{")[0]
        stops = group["cancel-in-progress"]
        assert stops is False or stops == "${{ github.event_name == 'pull_request' }}", name
    assert len(set(groups.values())) == len(groups)
    deploy = load(ROOT / FOLDER / "deploy.yml")["jobs"]["deploy"]
    assert deploy["concurrency"]["group"] == "deploy-${{ inputs.environment }}"


def test_the_gate_waits_for_every_job():
    """No check can be left out of the one that the branch rule asks for."""
    for_ci = load(ROOT / FOLDER / "ci.yml")["jobs"]
    assert set(for_ci["gate"]["needs"]) == set(for_ci) - {"gate"}
    assert for_ci["gate"]["if"] == "always()"


def test_the_cache_is_not_for_tags():
    """What some branch left there cannot get into a release; no other step keeps anything."""
    cached = [(place, line) for place, line in lines() if re.match(r"cache(-\w+)?:", line)]
    for place, line in cached:
        off = re.search(r': "?false"?$', line)
        assert off or "github.ref_type == 'branch' &&" in line, f"{place}: {line}"
    assert len([line for _, line in cached if "type=gha" in line]) == 2


def test_the_scanner_has_nothing_to_steal():
    """It is pinned, as is what it fetches, and its job has no secret, no right and no variable."""
    job = load(ROOT / FOLDER / "docker-build.yml")["jobs"]["scan"]
    assert job["permissions"] == {"contents": "read"}
    assert not re.search(r"secrets\.|vars\.|github\.token", yaml.safe_dump(job))
    (trivy,) = [step for step in job["steps"] if "trivy" in step.get("uses", "")]
    given = trivy["with"]
    assert re.fullmatch(r"v\d+\.\d+\.\d+", given["version"])
    assert (given["severity"], given["ignore-unfixed"]) == ("HIGH,CRITICAL", "true")
    assert given["exit-code"] == "1"


def test_an_image_is_scanned_for_every_platform_it_is_built_for():
    """Both of a variant's processors, and nothing is pushed before all were."""
    jobs_of = load(ROOT / FOLDER / "docker-build.yml")["jobs"]
    built = {
        (entry["variant"], platform.partition("/")[2])
        for entry in jobs_of["build"]["strategy"]["matrix"]["include"]
        for platform in entry["platforms"].split(",")
    }
    scanned = jobs_of["scan"]["strategy"]["matrix"]["include"]
    assert built == {(entry["variant"], entry["architecture"]) for entry in scanned}
    assert built == {("cpu", "amd64"), ("cpu", "arm64"), ("cuda", "amd64")}
    assert set(jobs_of["publish"]["needs"]) == {"build", "scan"}


def test_a_pre_release_does_not_move_latest():
    """Versions come from semver alone, which gives a pre-release its own and no other."""
    (step,) = [
        step.data
        for step in steps()
        if step.data.get("uses", "").startswith("docker/metadata-action@")
    ]
    kinds = {line.split(",")[0] for line in step["with"]["tags"].splitlines()}
    assert kinds == {"type=semver", "type=sha", "type=ref"}
    assert "type=ref,event=branch" in step["with"]["tags"]
    assert "latest=auto" in step["with"]["flavor"].split()


def test_a_dry_run_publishes_nothing():
    """By hand, only the checks and the packages are made; and only one job may write contents."""
    release = load(ROOT / FOLDER / "release.yml")["jobs"]
    for name, data in release.items():
        if name not in ("ci", "packages"):
            assert "github.event_name == 'push'" in data["if"], name
    for name in ("ci", "packages"):
        assert set(release[name]["permissions"].values()) == {"read"}


def test_nothing_is_published_before_everything_was_tried():
    """The order of a release: checks and packages, then attestations and images, PyPI, GitHub."""
    release = load(ROOT / FOLDER / "release.yml")["jobs"]
    for name in ("images", "attest"):
        assert set(release[name]["needs"]) == {"ci", "packages"}
    assert set(release["pypi"]["needs"]) == {"images", "attest"}
    assert release["github"]["needs"] == "pypi"
    assert release["staging"]["needs"] == "github"


def test_pypi_trusts_the_workflow_and_no_token():
    """There is none that could be stolen."""
    job = load(ROOT / FOLDER / "release.yml")["jobs"]["pypi"]
    assert job["permissions"] == {"id-token": "write"}
    assert job["environment"]["name"] == "pypi"
    (publish,) = [step for step in job["steps"] if "pypi-publish" in step["uses"]]
    assert "with" not in publish


def documented():
    """The table's rows: each variable's kind and environment."""
    rows = re.findall(
        r"^\| `(\w+)` \| (secret|variable) \| ([^|]+) \|", section("Configure secrets"), re.M
    )
    return {name: (kind, environment.strip(" `")) for name, kind, environment in rows}


def test_each_secret_and_variable_is_documented_and_used():
    """In one table, with the environment it belongs to; and it has no row for nothing."""
    used = {}
    for path in paths():
        for kind, name in re.findall(
            r"\b(secrets|vars)\.([A-Z_]+)", path.read_text(encoding="utf-8")
        ):
            used[name] = {"secrets": "secret", "vars": "variable"}[kind]
    assert {name: kind for name, (kind, _) in documented().items()} == used


def test_each_secret_is_seen_by_the_environment_that_it_belongs_to():
    """A job that names no environment has no secret."""
    for name, job, data in jobs():
        text = yaml.safe_dump(data)
        environment = data.get("environment", {}).get("name")
        for secret in set(re.findall(r"secrets\.([A-Z_]+)", text)) - PASSED_TO_ALL:
            kind, wanted = documented()[secret]
            where = (
                "staging, production" if environment == "${{ inputs.environment }}" else environment
            )
            assert where == wanted.replace("`", ""), f"{name}, {job}: {secret}"


@pytest.mark.slow
def test_the_readers_of_workflows_find_nothing_and_are_awake(tmp_path):
    """zizmor at its strictest, actionlint and the schema: silent here, and loud where it is bad."""
    tools = Path(sys.executable).parent
    if not (tools / "zizmor").exists():
        pytest.skip("zizmor is among the tools, which need a newer Python")
    done = subprocess.run(
        ["make", "lint-workflows", "lint-shell"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout.decode()
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    bad.write_text(
        "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - uses: actions/checkout@v4\n      - run: echo ${{ github.event.issue.title }}\n"
    )
    readers = {
        "zizmor": ["--quiet", "--offline", "--persona", "auditor", str(bad)],
        "actionlint": ["-shellcheck", "", "-pyflakes", "", str(bad)],
    }
    for name, arguments in readers.items():
        found = subprocess.run([tools / name, *arguments], stdout=subprocess.PIPE)
        assert found.returncode != 0, name
    script = tmp_path / "bad.sh"
    script.write_text("#!/bin/bash\nrm -rf $1/*\n")
    assert subprocess.run([tools / "shellcheck", script], stdout=subprocess.PIPE).returncode != 0


def test_packages_actions_and_images_are_kept_fresh():
    """Dependabot looks after each kind, and waits a week before it believes a version."""
    data = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))
    kinds = {update["package-ecosystem"] for update in data["updates"]}
    assert {"github-actions", "pip", "docker"} <= kinds
    assert all(update["cooldown"]["default-days"] >= 7 for update in data["updates"])


def test_reports_of_bugs_bring_what_the_doctor_says():
    """The templates have a name and a description, and ask for what is asked for otherwise."""
    folder = ROOT / ".github/ISSUE_TEMPLATE"
    for name in ("bug_report.md", "feature_request.md"):
        _, head, body = (folder / name).read_text(encoding="utf-8").split("---\n", 2)
        assert {"name", "about", "labels"} <= set(yaml.safe_load(head))
        assert body.count("\n## ") >= 3, name
    assert "autovoice doctor" in (folder / "bug_report.md").read_text(encoding="utf-8")


def test_what_owners_own_is_there():
    """No pattern in CODEOWNERS is for something that is gone."""
    text = (ROOT / ".github/CODEOWNERS").read_text(encoding="utf-8")
    patterns = [line.split()[0] for line in text.splitlines() if line and line[0] != "#"]
    assert patterns[0] == "*"
    assert [each for each in patterns[1:] if not (ROOT / each.lstrip("/")).exists()] == []


def test_the_branch_rules_ask_for_the_gate():
    """The file that describes them names the job that the workflow has."""
    rules = json.loads((ROOT / ".github/rulesets/main.json").read_text(encoding="utf-8"))
    (checks,) = [rule for rule in rules["rules"] if rule["type"] == "required_status_checks"]
    names = [check["context"] for check in checks["parameters"]["required_status_checks"]]
    assert names == [load(ROOT / FOLDER / "ci.yml")["jobs"]["gate"]["name"]]
