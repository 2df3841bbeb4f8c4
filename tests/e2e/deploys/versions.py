"""Versions to deploy: the image of this checkout, built on as a new commit builds on it.

A bad version has its fault in the server's own code, so that its health checks, metrics and log
tell of it exactly what they would tell of a real one. What gets bad later does so after `AFTER`
requests for speech, which the checks before the switch are too few for.
"""

import tempfile
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

from tests.e2e.containers import docker
from tests.integration.serving import unused_port

AFTER = 2
SLOW_S = 1.0
GOOD, GOOD_TOO = "v1.0.0", "v1.1.0"
NEVER_HEALTHY, CRASHES, FAILS, SLOW = "v1.2.0", "v1.2.1", "v1.2.2", "v1.2.3"


class Fault(NamedTuple):
    """Code at the end of a module."""

    module: str
    """Path in the package."""
    code: str


_LATER = f"""
import itertools, os

_begin, _asked = Synthesizer._begin, itertools.count()

def _begin_with_a_fault(self, *args):
    if next(_asked) >= {AFTER}:
        %s
    return _begin(self, *args)

Synthesizer._begin = _begin_with_a_fault
"""
_SYNTHESIZER = "synthesis/synthesizer.py"

FAULTS: Dict[str, Fault] = {
    NEVER_HEALTHY: Fault(
        "engines/espeak.py",
        """
def _load_with_a_fault(self, *args, **kwargs):
    raise RuntimeError("its data is not there")

EspeakEngine.load = _load_with_a_fault
""",
    ),
    # gunicorn's master takes status 3 for a server that cannot run, and ends with it.
    CRASHES: Fault(_SYNTHESIZER, _LATER % "os._exit(3)"),
    FAILS: Fault(_SYNTHESIZER, _LATER % 'raise EngineFailed("the engine has a fault")'),
    SLOW: Fault(_SYNTHESIZER, _LATER % f"time.sleep({SLOW_S})"),
}
VERSIONS = (GOOD, GOOD_TOO, *FAULTS)

# The image's bytecode holds whatever its source says, so it is made anew. Answers of more than
# a megabyte are not cached: what the load client streams is spoken each time.
_DOCKERFILE = """
FROM {image}
USER 0:0
{fault}
USER 10001:10001
ENV AUTOVOICE_REVISION={version} AUTOVOICE_CACHE_ENTRY_MB=1
LABEL org.opencontainers.image.version={version}
"""
_ADD_FAULT = """
COPY fault.py /tmp/fault.py
RUN cd /opt/autovoice/lib/python3.12/site-packages/auto_voice \\
    && cat /tmp/fault.py >>{module} \\
    && python -m compileall -q -f --invalidation-mode unchecked-hash {module}
"""


def build(image: str, repository: str, version: str) -> str:
    """Build a version from the image of this checkout; returns its name with its tag."""
    fault = FAULTS.get(version)
    name = f"{repository}:{version}"
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        addition = _ADD_FAULT.format(module=fault.module) if fault else ""
        text = _DOCKERFILE.format(image=image, fault=addition, version=version)
        (context / "Dockerfile").write_text(text, encoding="utf-8")
        (context / "fault.py").write_text(fault.code if fault else "", encoding="utf-8")
        docker("build", "--quiet", "--tag", name, folder)
    return name


def push(name: str) -> None:
    """Into its registry."""
    docker("push", "--quiet", name)


def start_registry(image: str = "registry:2") -> Tuple[str, str]:
    """A registry; its container and its address, to which Docker speaks plainly."""
    # Its port is chosen here: it stays the same when it is stopped and started again.
    address = f"127.0.0.1:{unused_port()}"
    published = ("--publish", f"{address}:5000")
    return docker("run", "--detach", *published, image).stdout.strip(), address
