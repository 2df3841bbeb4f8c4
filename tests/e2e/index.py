"""A package index on this machine."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Dict

from tests.e2e.containers import get, until
from tests.integration.serving import unused_port


class Index:
    """pypiserver on a free port of loopback; nobody else's packages are in it."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "packages"
        self.packages.mkdir()
        self.log = folder / "log"
        self.port = unused_port()

    @property
    def url(self) -> str:
        """Where `pip install --extra-index-url` finds it."""
        return f"http://127.0.0.1:{self.port}/simple/"

    def __enter__(self) -> "Index":
        # No keys: only this machine reaches it. No way on to another index, either.
        options = ["--interface", "127.0.0.1", "--port", str(self.port), "--disable-fallback"]
        command = [sys.executable, "-m", "pypiserver", "run", *options, "-P", ".", "-a", "."]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, str(self.packages)], stdout=log, stderr=subprocess.STDOUT
            )
        until(lambda: get(self.url) is not None, f"the index answers ({self.log})")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def publish(self, folder: Path) -> None:
        """What the action for PyPI does: every file of a folder, over HTTP."""
        uv = Path(sys.executable).parent / "uv"
        to = f"http://127.0.0.1:{self.port}/"
        options = ["--trusted-publishing", "never", "--username", "any", "--password", "any"]
        found = sorted(map(str, folder.iterdir()))
        subprocess.run(
            [uv, "publish", "--quiet", "--publish-url", to, *options, *found], check=True
        )

    def sums(self) -> Dict[str, str]:
        """Each package that was uploaded, and the SHA-256 of what the index gives for it."""
        found = {}
        for path in self.packages.iterdir():
            body = get(f"http://127.0.0.1:{self.port}/packages/{path.name}")
            assert body is not None
            found[path.name] = hashlib.sha256(body).hexdigest()
        return found
