"""Who did what, when, and how it ended: the audit log, the webhook and Grafana's annotation.

None of them changes how a deploy ends: what cannot be told is warned of, and that is all.
"""

import getpass
import hashlib
import hmac
import json
import os
import queue
import socket
import sys
import threading
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from deployer import files
from deployer.environment import Environment
from deployer.errors import DeployError
from deployer.machine import Machine

_TELL_S = 3.0


def now() -> str:
    """UTC, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def operator() -> str:
    """Who runs this: for the log, not for access."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"


class Chronicle:
    """What is told of one deploy."""

    def __init__(self, environment: Environment, deploy: str, version: str, dry: bool) -> None:
        """``version``: the one asked for; of a rollback, what it turns out to be."""
        self.environment = environment
        self.deploy = deploy
        self.version = version
        self.before = ""
        """The version that served when it began."""
        self._dry = dry
        self._operator = operator()
        self._began = time.time()
        self._writers: Dict[
            str, Tuple["queue.Queue[Optional[Dict[str, Any]]]", threading.Thread]
        ] = {}

    def note(
        self,
        machine: Optional[Machine],
        phase: str,
        outcome: str,
        seconds: float,
        slot: str = "",
        detail: str = "",
        **more: Any,
    ) -> None:
        """A line in the audit log: here, and on the host that it is about."""
        line: Dict[str, Any] = {"time": now(), "deploy": self.deploy}
        line.update(environment=self.environment.name, host=machine.host.name if machine else "")
        line.update(phase=phase, outcome=outcome, seconds=round(seconds, 3))
        line.update({"version": self.version, "from": self.before, "slot": slot})
        line.update(operator=self._operator, detail=detail, **more)
        self._show(line)
        if self._dry:
            return
        try:
            path = self._path()
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a", encoding="utf-8") as log:
                log.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            warn(f"the audit log here cannot be written: {error}")
        if machine is not None:
            self._note_there(machine, line)

    def end(self, machines: List[Machine], status: int, detail: str) -> None:
        """The last line of a deploy, here and on all its hosts."""
        seconds = time.time() - self._began
        outcome = "ok" if status == 0 else "failed"
        self.note(None, "end", outcome, seconds, detail=detail, status=status)
        for machine in machines:
            line: Dict[str, Any] = {"time": now(), "deploy": self.deploy}
            line.update(environment=self.environment.name, host=machine.host.name, phase="end")
            line.update(outcome=outcome, seconds=round(seconds, 3), version=self.version)
            line.update({"from": self.before, "slot": "", "operator": self._operator})
            line.update(detail=detail, status=status)
            self._note_there(machine, line)

    def close(self) -> None:
        """Wait until everything is written."""
        for lines, thread in self._writers.values():
            lines.put(None)
            thread.join()
        self._writers.clear()

    def _note_there(self, machine: Machine, line: Dict[str, Any]) -> None:
        """A line in a host's audit log: in its turn, while the deploy goes on."""
        if self._dry:
            return
        if machine.host.name not in self._writers:
            lines: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue()
            thread = threading.Thread(target=_write, args=(machine, lines), daemon=True)
            thread.start()
            self._writers[machine.host.name] = (lines, thread)
        self._writers[machine.host.name][0].put(line)

    def tell(self, event: str, status: Optional[int] = None, detail: str = "") -> None:
        """Call the webhook."""
        settings = self.environment.settings
        content = {"event": event, "deploy": self.deploy, "environment": self.environment.name}
        message: Dict[str, Any] = {**content, "version": self.version, "from": self.before}
        message["hosts"] = [host.name for host in self.environment.hosts]
        message.update(operator=self._operator, time=now(), status=status, detail=detail)
        try:
            url = settings.webhook_url
            if settings.webhook_url_file:
                url = Path(settings.webhook_url_file).read_text(encoding="utf-8").strip()
            if not url:
                return
            body = json.dumps(message, ensure_ascii=False).encode()
            headers = {"X-AutoVoice-Timestamp": str(int(time.time()))}
            if settings.webhook_secret_file:
                secret = Path(settings.webhook_secret_file).read_bytes().strip()
                stamp = headers["X-AutoVoice-Timestamp"]
                headers["X-AutoVoice-Signature"] = signature(secret, stamp, body)
            self._post(url, body, headers, f"webhook: {event}")
        except (OSError, ValueError) as error:
            warn(f"the webhook was not told of {event}: {_without_url(error)}")

    def annotate(self, text: str) -> None:
        """Mark the deploy's time in Grafana."""
        settings = self.environment.settings
        if not settings.grafana_url:
            return
        body = {"time": int(self._began * 1000), "timeEnd": int(time.time() * 1000), "text": text}
        tags = ["deploy", self.environment.name, self.version]
        try:
            headers = {}
            if settings.grafana_token_file:
                token = Path(settings.grafana_token_file).read_text(encoding="utf-8").strip()
                headers["Authorization"] = f"Bearer {token}"
            url = settings.grafana_url.rstrip("/") + "/api/annotations"
            self._post(url, json.dumps({**body, "tags": tags}).encode(), headers, "annotation")
        except (OSError, ValueError) as error:
            warn(f"Grafana was not told: {_without_url(error)}")

    def _post(self, url: str, body: bytes, headers: Dict[str, str], what: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("its URL is not http or https")
        if self._dry:
            print(f"would: POST {what}", flush=True)
            return
        headers = {**headers, "Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=_TELL_S):  # nosec B310: http, see above
            pass

    def _path(self) -> Path:
        chosen = self.environment.settings.audit_log
        if chosen:
            return Path(chosen)
        base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        return Path(base) / "autovoice" / f"{self.environment.name}.jsonl"

    def _show(self, line: Dict[str, Any]) -> None:
        where = line["host"] or self.environment.name
        detail = f"  {line['detail']}" if line["detail"] else ""
        text = f"{where:<12} {line['phase']:<8} {line['outcome']:<12} {line['seconds']:6.1f} s"
        print(text + detail, flush=True)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What tells the webhook's receiver that a message is ours, and when it was sent."""
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256)
    return "sha256=" + digest.hexdigest()


def _write(machine: Machine, lines: "queue.Queue[Optional[Dict[str, Any]]]") -> None:
    for line in iter(lines.get, None):
        try:
            machine.run(files.note(machine.host, line))
        except DeployError as error:
            warn(f"the audit log there cannot be written: {error}")


def warn(text: str) -> None:
    """Say what went wrong and does not matter for the deploy."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


def _without_url(error: Exception) -> str:
    # A webhook's URL is often the secret itself, and some errors quote it.
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or getattr(error, "code", "") or type(error).__name__)
