"""What the runbook tells somebody to type at three in the morning can be typed."""

import os
import re
import subprocess
from urllib.parse import urlsplit

import pytest

from tests.house.house import ROOT
from tests.integration.serving import until

pytestmark = [
    pytest.mark.needs("cc", "curl", "jq", "prometheus", "promtool", "ps", "ss"),
    pytest.mark.slow,
]

TEXT = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")

QUIET = r"api/v1/alerts|the-id|\.key // empty|test\(.GPU.\)"
"""What may well show nothing on a server that is well, and has no keys."""


def blocks(language):
    """Each code block in that language, with the heading that it is under."""
    found = []
    for section in re.split(r"^(?=##+ )", TEXT, flags=re.MULTILINE):
        title = section.split("\n")[0].lstrip("# ")
        for indent, text in re.findall(
            rf"^( *)```{language}\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL
        ):
            text = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
            found.append(pytest.param(text, id=f"{title}-{len(found)}"))
    return found


@pytest.mark.parametrize("text", blocks("sh"))
def test_a_command_that_only_looks_works(text, observed):
    """As it is typed, on a server that is well."""
    until(
        lambda: observed.values("job_engine:autovoice_synthesis_realtime_factor:rate10m"), "rates"
    )
    for name, port in (("AutoVoice", 5000), ("Prometheus", 9090)):
        address = urlsplit(observed.urls[name])
        text = text.replace(f"localhost:{port}", address.netloc)
        text = text.replace(f"sport = :{port}", f"sport = :{address.port}")
    text = text.replace("/tmp/autovoice.log", f"{observed.folder()}/autovoice.log")
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", text],
        env={**os.environ, "KEY": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    assert done.stderr == b""
    assert done.stdout or re.search(QUIET, text), "it shows nothing"


@pytest.mark.parametrize("text", blocks("console"))
def test_a_command_that_does_something_can_be_read_by_a_shell(text):
    """At least its quotes are closed."""
    subprocess.run(["sh", "-n", "-c", text], check=True)


def test_the_heading_of_each_block_is_found():
    """The tests above look at all blocks there are."""
    listed = len(blocks("sh")) + len(blocks("console")) + len(blocks("ini"))
    assert listed == len(re.findall("^ *```[a-z]+$", TEXT, re.MULTILINE)) > 40
