"""`make observe`: a server under a little load, watched by a real Prometheus.

Rules, alerts and receivers are those of config/; only the addresses of the targets
are written anew. Everything else lies in a temporary folder and goes with Ctrl-C.
"""

import argparse
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROMETHEUS = ("prometheus",)
ALERTMANAGER = ("alertmanager", "prometheus-alertmanager")
HOST = "127.0.0.1"
READY_S = 60.0
STOP_S = 40.0
"""A server may take its 30 seconds to finish what it has begun."""

SPEECH = "/v1/audio/speech"
LONG = "This text is much longer than anybody who asks for it wants to hear. " * 50
ROUND: List[Dict[str, Any]] = [
    {"input": "Sentence number {n}."},
    {"input": "The same again."},
    {"input": "First sentence of text {n}. Second sentence. And a third one."},
    {"input": "Told as events, number {n}. In two sentences.", "stream_format": "sse"},
    {"input": "Nobody has this voice.", "voice": "nobody"},
    {"input": LONG, "hang up": True},
    # With AUTOVOICE_ENGINE=stub these go wrong; other engines just say them.
    {"input": "FAIL", "every": 5},
    {"input": "CRASH {n}", "every": 20},
]
"""What the load asks for, once a second: new, cached, streamed, wrong, given up."""


def free_port(wanted: int) -> int:
    """``wanted``, or any free one for 0."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, wanted))
        except OSError:
            sys.exit(f"Port {wanted} is taken; another one: --help")
        return int(trial.getsockname()[1])


def program(names: Any) -> Optional[str]:
    """The first of these programs that is installed."""
    return next(filter(None, map(shutil.which, names)), None)


def configure(folder: Path, ports: Dict[str, int], interval: Optional[str]) -> Path:
    """Copy what Prometheus reads into ``folder``; returns the path of its configuration.

    Args:
        ports: job to the port that it is scraped at.
        interval: how often to scrape and evaluate everything; None: as config/ says.
    """
    shutil.copytree(str(ROOT / "config/rules"), str(folder / "rules"))
    shutil.copytree(str(ROOT / "config/alerts"), str(folder / "alerts"))
    (folder / "targets").mkdir()
    for job, port in ports.items():
        (folder / f"targets/{job}.yml").write_text(
            yaml.safe_dump([{"targets": [f"{HOST}:{port}"]}])
        )
    made = folder / "prometheus.yml"
    config = yaml.safe_load((ROOT / "config/prometheus.yml").read_text(encoding="utf-8"))
    if interval:
        config["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
        config["global"]["scrape_timeout"] = interval
        for path in folder.glob("rules/*.yml"):
            rules = yaml.safe_load(path.read_text(encoding="utf-8"))
            for group in rules["groups"]:
                group["interval"] = interval
            path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    made.write_text(yaml.safe_dump(config), encoding="utf-8")
    return made


class Parts:
    """The programs that run, ended in the reverse order of their start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: Dict[str, "subprocess.Popen[bytes]"] = {}

    def start(self, name: str, command: List[str], ready: str, port: int) -> None:
        """Start a program, and wait until it answers ``ready`` with 200."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as file:
            # In a session of its own: Ctrl-C is ours alone, and we end them in order.
            process = subprocess.Popen(
                command, stdout=file, stderr=file, cwd=str(self._folder), start_new_session=True
            )
        self._running[name] = process
        give_up = time.monotonic() + READY_S
        while fetch(port, "GET", ready) != 200:
            if process.poll() is not None or time.monotonic() > give_up:
                tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                sys.exit(f"{name} does not come up:\n{tail}")
            time.sleep(0.1)

    def ended(self) -> Optional[str]:
        """The name of one that has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                return name
        return None

    def stop(self) -> None:
        """End all of them."""
        for process in reversed(list(self._running.values())):
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def fetch(port: int, method: str, path: str, body: Any = None, hang_up: bool = False) -> int:
    """Make a request and read its answer, or (``hang_up``) only its beginning.

    Returns:
        The status; 0 where there was no answer.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read(1) if hang_up else answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def load(port: int, stop: threading.Event) -> None:
    """Ask the server for a little of everything, until told to stop."""
    for n in itertools.count():
        for wish in ROUND:
            if stop.is_set():
                return
            if n % wish.get("every", 1):
                continue
            body = {"model": "tts-1", "voice": "alloy", "response_format": "wav", **wish}
            body["input"] = body["input"].format(n=n)
            hang_up = bool(body.pop("hang up", False))
            body.pop("every", None)
            fetch(port, "POST", SPEECH, body, hang_up)
        fetch(port, "GET", "/v1/audio/voices?language=en")
        fetch(port, "GET", f"/nothing/{n}")
        stop.wait(1)


def main() -> int:
    """Run until Ctrl-C, SIGTERM, or until one of the parts ends."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=5000, help="the server's; 0: any")
    parser.add_argument("--prometheus-port", type=int, default=9090)
    parser.add_argument("--alertmanager-port", type=int, default=9093)
    parser.add_argument("--interval", help="scrape and evaluate this often, such as 1s")
    arguments = parser.parse_args()
    prometheus = program(PROMETHEUS)
    if prometheus is None:
        sys.exit("There is no prometheus here (Debian's package prometheus).")
    ports = {
        "autovoice": free_port(arguments.port),
        "prometheus": free_port(arguments.prometheus_port),
    }
    if program(ALERTMANAGER):
        ports["alertmanager"] = free_port(arguments.alertmanager_port)
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())

    with tempfile.TemporaryDirectory(prefix="autovoice-observe-") as name:
        folder = Path(name)
        config = configure(folder, ports, arguments.interval)
        parts = Parts(folder)
        try:
            port = ports["autovoice"]
            serve = [sys.executable, "-m", "auto_voice", "serve", "--port", str(port)]
            parts.start("autovoice", serve, "/health/ready", port)
            if "alertmanager" in ports:
                port = ports["alertmanager"]
                command = ["sh", str(ROOT / "config/alertmanager.sh")]
                command += [f"--web.listen-address={HOST}:{port}", "--cluster.listen-address="]
                command += [f"--storage.path={folder / 'alertmanager'}"]
                parts.start("alertmanager", command, "/-/ready", port)
            port = ports["prometheus"]
            command = [prometheus, f"--config.file={config}", f"--web.listen-address={HOST}:{port}"]
            command += [f"--storage.tsdb.path={folder / 'data'}"]
            parts.start("prometheus", command, "/-/ready", port)
            asking = threading.Thread(target=load, args=(ports["autovoice"], ending), daemon=True)
            asking.start()
            tell(ports)
            while not ending.wait(0.5):
                if parts.ended():
                    print(f"{parts.ended()} has ended by itself.", file=sys.stderr)
                    return 1
            return 0
        finally:
            ending.set()
            parts.stop()


def tell(ports: Dict[str, int]) -> None:
    """Print where to look."""
    at = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    print(f"AutoVoice     {at['autovoice']}/docs and {at['autovoice']}/metrics")
    print(f"Prometheus    {at['prometheus']}/graph, {at['prometheus']}/alerts")
    if "alertmanager" in at:
        print(f"Alertmanager  {at['alertmanager']}/")
    print("Ctrl-C ends all of it.", flush=True)


if __name__ == "__main__":
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = HOST
    sys.exit(main())
