"""A server process as an operator starts it, and what the tests ask of it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, NamedTuple, Optional

import requests
from prometheus_client.parser import text_string_to_metric_families

BIN = Path(sys.executable).parent
AUTOVOICE = str(BIN / "autovoice")
PATIENCE_S = 30.0
"""How long a condition may take to come true on a machine that is busy with other tests."""

SPEECH = "/v1/audio/speech"
SENTENCE = "The quick brown fox jumps over the lazy dog."
TEXT = (
    "The quick brown fox jumps over the lazy dog. How razorback jumping frogs can level six "
    "piqued gymnasts! Is that so? Sphinx of black quartz, judge my vow."
)
"""Four sentences, which are sent as they are spoken; `SENTENCE` is sent in one piece."""


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until ``condition`` returns something true, and return that."""
    give_up = time.monotonic() + patience_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < give_up, f"waited in vain until {what}"
        time.sleep(0.02)


def environment(settings: Dict[str, Any]) -> Dict[str, str]:
    """This process's environment with exactly these settings: `engine="stub"`, `cache="off"`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AUTOVOICE_")}
    env.update({f"AUTOVOICE_{name.upper()}": str(value) for name, value in settings.items()})
    return env


def unused_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def children(pid: int) -> Dict[int, str]:
    """The process ids and command lines of the processes that ``pid`` has started."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command.decode(errors="replace")
        except (OSError, IndexError):
            continue  # it has just ended
    return found


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def is_running(pid: int) -> bool:
    """Whether a process exists and is more than an entry that nobody has collected yet."""
    return _state(pid) != "Z"


def is_stopped(pid: int) -> bool:
    """Whether a process waits for SIGCONT, as the stub's does at the word STOP."""
    return _state(pid) == "T"


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, if it still is there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Server:
    """`autovoice serve` on a free port."""

    def __init__(self, folder: Path, settings: Dict[str, Any], command: List[str]) -> None:
        self.log_file = folder / "stdout"
        self.stderr_file = folder / "stderr"
        with self.log_file.open("wb") as out, self.stderr_file.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment({"log_format": "json", **settings}),
            )
        self.session = requests.Session()
        self.session.trust_env = False
        self.port = until(self._port, "the server listens")
        self.base = f"http://127.0.0.1:{self.port}"

    def _port(self) -> int:
        assert self.process.poll() is None, f"the server ended: {self.output()}"
        found = re.search(r"Listening at: http://[^ ]+:(\d+)", self.output())
        return int(found.group(1)) if found else 0

    # --- HTTP -----------------------------------------------------------------------------------

    def request(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", 60)
        return self.session.request(method, self.base + path, **kwargs)

    def get(self, path: str, **kwargs: Any) -> requests.Response:
        return self.request("GET", path, **kwargs)

    def speak(self, text: str = SENTENCE, **fields: Any) -> requests.Response:
        """Ask for speech; ``headers`` and ``stream`` are of the request, the rest of its body."""
        options = {name: fields.pop(name) for name in ("headers", "stream") if name in fields}
        return self.request("POST", SPEECH, json=speech_body(text, **fields), **options)

    def speak_of(self, fields: Dict[str, Any]) -> requests.Response:
        return self.speak(**fields)

    def connect(self) -> "Connection":
        return Connection(self.port)

    def is_ready(self) -> bool:
        try:
            return self.get("/health/ready").status_code == 200
        except requests.ConnectionError:
            return False

    def wait_until_ready(self) -> "Server":
        until(self.is_ready, f"the server is ready ({self.output()[-2000:]})")
        return self

    # --- what an operator sees ------------------------------------------------------------------

    def output(self) -> str:
        return self.log_file.read_text(encoding="utf-8") + self.stderr_file.read_text(
            encoding="utf-8"
        )

    def log(self) -> List[Dict[str, Any]]:
        """Every line of the log so far, each of which has to be a JSON object."""
        lines = self.log_file.read_text(encoding="utf-8").split("\n")
        assert lines.pop() == "" or self.process.poll() is None
        return [json.loads(line) for line in lines]

    def troubles(self) -> List[Dict[str, Any]]:
        """What the log calls an error."""
        return [line for line in self.log() if line["level"] in ("ERROR", "CRITICAL")]

    def access_line(self, request_id: str) -> Dict[str, Any]:
        """The one line about the request of this id, once it has been written."""

        def lines() -> List[Dict[str, Any]]:
            return [
                line
                for line in self.log()
                if line["logger"] == "auto_voice.access" and line.get("request_id") == request_id
            ]

        until(lines, f"the log tells of request {request_id}")
        assert len(lines()) == 1
        return lines()[0]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a series over all labels that are not given."""
        return metric_sum(self.get("/metrics").text, name, **labels)

    def in_progress(self) -> int:
        return int(self.metric("autovoice_synthesis_in_progress"))

    # --- processes ------------------------------------------------------------------------------

    def serving_pid(self) -> int:
        """The process that answers requests; its parent starts it anew when it dies."""
        return until(lambda: next(iter(children(self.process.pid)), 0), "a worker serves")

    def engine_pids(self) -> List[int]:
        found = children(self.serving_pid())
        return [pid for pid, command in found.items() if "auto_voice.engines.worker" in command]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Have it end, and return its exit status."""
        self.session.close()
        kill(self.process.pid, number)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End all of it at once; the first process comes first, as it starts the others anew."""
        for pid in [self.process.pid, *children(self.process.pid)]:
            kill(pid)
        self.process.wait()


def speech_body(text: str, **fields: Any) -> Dict[str, Any]:
    return {"model": "tts-1", "voice": "alloy", "response_format": "wav", "input": text, **fields}


def events(answer: requests.Response) -> List[Dict[str, Any]]:
    """The server-sent events of an answer."""
    lines = answer.text.split("\n\n")
    return [json.loads(line[len("data: ") :]) for line in lines if line]


def metric_sum(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
        and all(sample.labels.get(key) == value for key, value in labels.items())
    )


def assert_error(answer: Any, status: int, code: Optional[str] = None) -> Dict[str, Any]:
    """The answer (of `requests` or `Connection`) is an error with all four keys."""
    content = answer.content if hasattr(answer, "content") else answer.body
    found = answer.status_code if hasattr(answer, "status_code") else answer.status
    assert found == status, content[:500]
    assert answer.headers["Content-Type"] == "application/json", content[:500]
    body = json.loads(content)
    assert set(body) == {"error"}
    error: Dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"] and isinstance(error["message"], str)
    assert error["type"] and isinstance(error["type"], str)
    assert error["param"] is None or isinstance(error["param"], str)
    assert error["code"] and isinstance(error["code"], str)
    if code is not None:
        assert error["code"] == code
    return error


# --- HTTP by hand ---------------------------------------------------------------------------------


class Headers(Dict[str, str]):
    """Header fields whose names' case does not matter; `lines` has them as they came."""

    def __init__(self, lines: List[str]) -> None:
        super().__init__()
        self.lines = lines
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and name and name == name.strip(), line
            self[name.lower()] = value.strip()

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


class Connection:
    """HTTP by hand: what no client library would send, and what all of them hide."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._in: BinaryIO = self.socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, body: Dict[str, Any], *lines: str, path: str = SPEECH) -> "Connection":
        """Send a request for speech."""
        self.send(post(json.dumps(body).encode(), *lines, path=path))
        return self

    def head(self) -> Answer:
        """Read an answer's status and headers; the body is not read."""
        status_line = self._in.readline()
        assert status_line, "the server hung up instead of answering"
        version, status, _ = status_line.decode("latin-1").split(" ", 2)
        assert version in ("HTTP/1.0", "HTTP/1.1")
        lines = []
        while True:
            line = self._in.readline()
            assert line.endswith(b"\r\n"), line
            if line == b"\r\n":
                return Answer(int(status), Headers(lines), b"")
            lines.append(line.decode("latin-1").rstrip("\r\n"))

    def chunk(self) -> bytes:
        """Read one chunk of a chunked body; empty at its proper end.

        Raises:
            EOFError: the server hung up before that.
        """
        line = self._in.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        assert re.fullmatch(rb"[0-9A-Fa-f]+\r\n", line), line
        size = int(line, 16)
        data = self._in.read(size + 2)
        if len(data) < size + 2:
            raise EOFError
        assert data[size:] == b"\r\n"
        return data[:size]

    def chunks(self) -> Iterator[bytes]:
        """All chunks that are left."""
        while True:
            data = self.chunk()
            if not data:
                return
            yield data

    def answer(self, to_head: bool = False) -> Answer:
        """Read a whole answer."""
        answer = self.head()
        headers = answer.headers
        if to_head or answer.status in (204, 304) or answer.status < 200:
            body = b""
        elif "Transfer-Encoding" in headers:
            assert headers["Transfer-Encoding"] == "chunked"
            assert "Content-Length" not in headers
            body = b"".join(self.chunks())
        elif "Content-Length" in headers:
            body = self._in.read(int(headers["Content-Length"]))
            assert len(body) == int(headers["Content-Length"])
        else:
            body = self._in.read()
        return answer._replace(body=body)

    def at_end(self) -> bool:
        """Whether the server has closed the connection and sent nothing else; waits for it."""
        try:
            return self._in.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._in.close()
        self.socket.close()

    def reset(self) -> None:
        """Close at once, as a crashed client does."""
        linger = b"\x01\0\0\0\0\0\0\0"
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close()


def post(body: bytes, *lines: str, path: str = SPEECH) -> bytes:
    """A request's bytes with the usual headers and these ``lines``."""
    usual = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*usual, *lines, "", ""]).encode("latin-1") + body
