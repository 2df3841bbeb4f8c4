"""Docker as a user types it: commands, and containers that are gone when a test is done."""

import http.client
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
SPEECH = "/v1/audio/speech"


def docker(
    *arguments: str, check: bool = True, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run `docker …` in the checkout; ``settings`` are of its environment."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env={**os.environ, "DOCKER_BUILDKIT": "1", **settings},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr[-3000:]}"
    return done


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until ``condition`` returns something true, and return that."""
    give_up = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < give_up, f"waited in vain until {what}"
        time.sleep(0.02)


def get(url: str) -> Optional[bytes]:
    """What is there, or None if nothing is or it is an error."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except (OSError, urllib.error.URLError, http.client.HTTPException):
        return None


def speak(base: str, text: str = "Hello from a container.", **fields: Any) -> bytes:
    """Speech as wav; an answer that is none is an error."""
    body = json.dumps({"input": text, "response_format": "wav", **fields}).encode()
    request = urllib.request.Request(
        base + SPEECH, body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


class Container:
    """`docker run` of an image, with its port on a free one of this machine."""

    def __init__(self, image: str, *options: str, command: "tuple[str, ...]" = ()) -> None:
        self.id = docker(
            "run", "--detach", "--publish", "127.0.0.1::5000", *options, image, *command
        ).stdout.strip()

    @property
    def base(self) -> str:
        """Its URL."""
        address = docker("port", self.id, "5000/tcp").stdout.split()[0]
        return f"http://{address}"

    def inspect(self) -> Dict[str, Any]:
        found: List[Dict[str, Any]] = json.loads(docker("inspect", self.id).stdout)
        return found[0]

    def wait_until_ready(self) -> "Container":
        base = self.base
        until(
            lambda: get(f"{base}/health/ready"),
            f"the container is ready ({docker('logs', self.id, check=False)})",
        )
        return self

    def exec(self, *command: str) -> str:
        """What a command in it prints."""
        return docker("exec", self.id, *command).stdout

    def stop(self) -> int:
        """Its exit status, after the stop that an operator asks for."""
        docker("stop", "--time", "40", self.id)
        status: int = self.inspect()["State"]["ExitCode"]
        return status

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.id, check=False)
