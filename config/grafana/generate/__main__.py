"""Writes Grafana's dashboards as JSON; `make dashboards` runs it."""

import json
import sys
from pathlib import Path

from engines import engines
from gpu import gpu
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from http_websocket import http_websocket
from jobs_deploys import jobs_deploys
from overview import overview


def main(folder: Path) -> None:
    """Write every dashboard into ``folder``, named by its uid."""
    for make in (overview, http_websocket, engines, gpu, jobs_deploys):
        made = make().build()
        text = json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / f"{made.uid}.json").write_text(text + "\n", encoding="utf-8")


main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "dashboards")
