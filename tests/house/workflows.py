"""The workflows as data, and what their expressions come to."""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import yaml

from tests.house.house import ROOT

FOLDER = Path(".github/workflows")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


class Step(NamedTuple):
    """One step, and where it stands."""

    workflow: str
    job: str
    job_data: Dict[str, Any]
    data: Dict[str, Any]

    def __str__(self) -> str:
        return f"{self.workflow}, {self.job}: {self.data.get('run') or self.data.get('uses')}"


def paths(root: Path = ROOT) -> List[Path]:
    return sorted((root / FOLDER).glob("*.yml"))


def load(path: Path) -> Dict[Any, Any]:
    """A workflow. YAML takes its key `on` for a truth value; here it is `on` again."""
    data: Dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    data["on"] = data.pop(True)
    return data


def workflows() -> Dict[str, Dict[Any, Any]]:
    return {path.name: load(path) for path in paths()}


def jobs() -> Iterator["tuple[str, str, Dict[str, Any]]"]:
    for name, workflow in workflows().items():
        for job, data in workflow["jobs"].items():
            yield name, job, data


def steps() -> Iterator[Step]:
    for workflow, job, data in jobs():
        for step in data.get("steps", []):
            yield Step(workflow, job, data, step)


def expressions(text: str) -> List[str]:
    return [found.strip() for found in EXPRESSION.findall(text)]


def evaluate(value: Any, contexts: Dict[str, str]) -> str:
    """A value with its expressions filled in. An unknown name is an error, not nothing.

    `contexts` has the names that expressions may use: {"github.ref_name": "v1.2.3", …}.
    """
    return EXPRESSION.sub(lambda found: str(_evaluate(found[1], contexts)), str(value))


def _evaluate(expression: str, contexts: Dict[str, str]) -> Any:
    """GitHub's operators mean what Python's do, as far as they are used here."""
    names = re.compile(r"'[^']*'|[a-z]\w*(?:\.[\w-]+)+")
    text = names.sub(
        lambda found: found[0] if found[0][0] == "'" else repr(contexts[found[0]]), expression
    )
    text = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
    return eval(text.strip(), {"__builtins__": {}, "startsWith": str.startswith})
