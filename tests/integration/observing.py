"""`make observe` as the tests use it: a server under load and the Prometheus that watches it."""

import math
import re
import signal
import subprocess
import sys
from typing import Any, Dict, List, Mapping, NamedTuple

import requests

from tests.house.house import ROOT
from tests.integration.serving import children, environment


class Observed(NamedTuple):
    """The script, running."""

    process: "subprocess.Popen[str]"
    urls: Dict[str, str]

    @classmethod
    def start(cls, variables: Mapping[str, str]) -> "Observed":
        """On free ports, with the stub engine, which can be made to fail.

        Args:
            variables: of the environment, besides those that there are.
        """
        command = [sys.executable, str(ROOT / "scripts/observe.py"), "--interval", "1s"]
        for option in ("--port", "--prometheus-port", "--alertmanager-port"):
            command += [option, "0"]
        env = {**environment({"engine": "stub", "engine_workers": 1}), **variables}
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env=env, universal_newlines=True
        )
        urls = {}
        assert process.stdout is not None
        for line in iter(process.stdout.readline, ""):
            found = re.match(r"(\w+) +(http://[\d.:]+)", line)
            if found:
                urls[found.group(1)] = found.group(2)
            if line.startswith("Ctrl-C"):
                break
        assert {"AutoVoice", "Prometheus"} <= set(urls)
        return cls(process, urls)

    def stop(self) -> int:
        """As Ctrl-C does; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def folder(self) -> str:
        """Where its programs have their files."""
        for command in children(self.process.pid).values():
            found = re.search(r"--config\.file=(\S+)/prometheus\.yml", command)
            if found:
                return found.group(1)
        raise AssertionError("no Prometheus runs")

    def api(self, path: str, **parameters: str) -> Any:
        """What Prometheus answers."""
        url = f"{self.urls['Prometheus']}/api/v1/{path}"
        answer = requests.get(url, params=parameters, timeout=30).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def values(self, query: str) -> List[float]:
        """The numbers that a query gives now; what is not a number is not among them."""
        result = self.api("query", query=query)["result"]
        found = [float(one["value"][1]) for one in result]
        return [value for value in found if not math.isnan(value)]
