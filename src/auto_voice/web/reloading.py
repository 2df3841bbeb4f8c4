"""`autovoice serve --reload`: the server begins anew when its source changes.

gunicorn itself would only fork another worker off the first process, which has
imported the modules as they were.
"""

import logging
import os
import signal
import subprocess  # nosec B404: runs this interpreter
import sys
from typing import Any

log = logging.getLogger(__name__)


def changed(worker: Any) -> None:
    """Called by gunicorn in the worker process once a module's file has changed."""
    os.kill(os.getppid(), signal.SIGUSR2)


def can_be_imported() -> bool:
    """Whether the source works so far: in the middle of an edit the server stays as it was."""
    command = [sys.executable, "-c", "import auto_voice.cli, auto_voice.web.server"]
    done = subprocess.run(  # nosec B603: no word of it is anybody's input
        command, check=False, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        log.error("the changed source cannot be imported: %s", last)
    return done.returncode == 0


def begin_anew() -> None:
    """Become a new process of the same command line; does not return."""
    command = [sys.executable, "-m", "auto_voice", *sys.argv[1:]]
    os.execv(sys.executable, command)  # nosec B606: this program itself
