"""One host, reached by SSH: commands, the proxy's socket, and its ports.

Everything goes through one connection, and that connection is the lock.
"""

import http.client
import json
import socket
import subprocess  # nosec B404: ssh is a program
import threading
import time
from pathlib import Path
from typing import IO, Any, Dict, List, NamedTuple, Optional, Protocol, Tuple

from deployer import files, ssh
from deployer.command import Command
from deployer.environment import Host
from deployer.errors import DeployError, Locked

_COMMAND_S = 600.0
_PROXY_S = 5.0


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class Answer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes
    first_byte_s: float
    """From the request to the first byte of the body."""


class Request(NamedTuple):
    """What a server is asked, as seen from a host."""

    method: str
    port: int
    path: str
    body: Optional[Dict[str, Any]] = None
    key: str = ""
    address: str = "127.0.0.1"

    def shown(self) -> str:
        """For people, without the key."""
        body = f" {json.dumps(self.body)}" if self.body is not None else ""
        return f"{self.method} http://{self.address}:{self.port}{self.path}{body}"


class Machine(Protocol):
    """What a deploy needs of a host."""

    host: Host
    user: Tuple[int, int]
    dry: bool

    def run(self, command: Command, check: bool = True) -> Done:
        """Run a command there; its failure is a `DeployError` if it is checked."""

    def proxy(self, text: str, changes: bool) -> str:
        """Tell HAProxy something, and hear what it answers."""

    def ask(self, request: Request, timeout_s: float) -> Answer:
        """Send a request from there. `OSError` where that does not work."""

    def close(self) -> None:
        """Let go of it, and of the lock."""


class SSHMachine:
    """A host, for real."""

    dry = False

    def __init__(self, host: Host, folder: Path, locks: bool = True) -> None:
        """Connect, and take the lock.

        Args:
            folder: for sockets; nobody else's.
            locks: or only connect.

        Raises:
            Locked: another deploy has it.
            DeployError: it does not answer, or is not who it should be.
        """
        self.host = host
        self._control = str(folder / f"{host.name[:20]}.ssh")
        self._admin = str(folder / f"{host.name[:20]}.ha")
        words = ssh.connect(
            host, self._control, self._admin, files.lock(host) if locks else files.GREET
        )
        self._session = _start(list(words), subprocess.PIPE, subprocess.PIPE)
        assert self._session.stdout is not None  # nosec B101: it is a pipe
        greeting = self._session.stdout.readline().split()
        if greeting[:1] != ["held"]:
            self._refused()
        self.user = (int(greeting[1]), int(greeting[2]))

    def _refused(self) -> None:
        _, said = self._session.communicate()
        if self._session.returncode == 75:
            raise Locked(f"another deploy is running on {self.host.name}")
        said = said.strip() or f"ssh ended with {self._session.returncode}"
        raise DeployError(f"{self.host.name} cannot be reached: {said}")

    def run(self, command: Command, check: bool = True) -> Done:
        """See `Machine`."""
        words = ssh.through(self.host, self._control, command)
        process = _start(list(words), subprocess.PIPE, subprocess.PIPE)
        try:
            out, err = process.communicate(command.stdin, timeout=_COMMAND_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise DeployError(f"{self.host.name}: no end of {command.shown()}") from None
        except BaseException:
            process.kill()
            process.wait()
            raise
        if check and process.returncode != 0:
            said = err.strip() or out.strip() or "nothing"
            shown = command.shown()
            raise DeployError(f"{self.host.name}: {shown} ended with {process.returncode}: {said}")
        return Done(process.returncode, out, err)

    def pour(self, command: Command, source: Optional[IO[bytes]], to: Optional[IO[bytes]]) -> None:
        """Run a command between files.

        Raises:
            DeployError: it failed.
        """
        words = ssh.through(self.host, self._control, command)
        done = subprocess.run(  # nosec B603: words, no shell
            words,
            stdin=source or subprocess.DEVNULL,
            stdout=to or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise DeployError(f"{self.host.name}: {command.shown()}: {said}")

    def proxy(self, text: str, changes: bool) -> str:
        """See `Machine`."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_PROXY_S)
                connection.connect(self._admin)
                connection.sendall(text.encode() + b"\n")
                answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except OSError as error:
            raise DeployError(f"{self.host.name}: HAProxy does not answer: {error}") from None
        # Its silence may also be that nobody listens at the other end.
        if not answer:
            raise DeployError(f"{self.host.name}: HAProxy does not answer")
        return answer.decode(errors="replace").strip()

    def ask(self, request: Request, timeout_s: float) -> Answer:
        """See `Machine`."""
        here, there = socket.socketpair()
        words = ssh.pipe(self.host, self._control, request.address, request.port)
        process = subprocess.Popen(  # nosec B603: words, no shell
            words,
            stdin=there.fileno(),
            stdout=there.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        there.close()
        try:
            here.settimeout(timeout_s)
            return exchange(here, request, timeout_s)
        finally:
            here.close()
            process.kill()
            process.wait()

    def close(self) -> None:
        """See `Machine`."""
        if self._session.stdin is not None and not self._session.stdin.closed:
            self._session.stdin.close()
        try:
            self._session.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._session.kill()
            self._session.wait()
        for stream in (self._session.stdout, self._session.stderr):
            if stream is not None:
                stream.close()


class DryMachine(SSHMachine):
    """A host that is looked at and not changed: what would change something is printed."""

    dry = True

    def __init__(self, host: Host, folder: Path, out: IO[str]) -> None:
        """Connect; the lock is not taken."""
        self._out = out
        super().__init__(host, folder, locks=False)
        self._print("would", files.lock(host).shown())

    def run(self, command: Command, check: bool = True) -> Done:
        """Run it if it only reads."""
        if command.changes:
            self._print("would", command.shown())
            return Done(0, "", "")
        self._print("looks", command.shown())
        return super().run(command, check)

    def proxy(self, text: str, changes: bool) -> str:
        """Ask it if that only asks."""
        self._print("would" if changes else "looks", f"haproxy <<< {text}")
        return "" if changes else super().proxy(text, changes)

    def ask(self, request: Request, timeout_s: float) -> Answer:
        """Nothing has started that could be asked."""
        self._print("would", request.shown())
        return Answer(200, b"", 0.0)

    def _print(self, kind: str, text: str) -> None:
        print(f"[{self.host.name}] {kind}: {text}", file=self._out, flush=True)


def exchange(connection: socket.socket, request: Request, timeout_s: float) -> Answer:
    """One request and its answer on an open connection.

    Raises:
        OSError: it broke, or took longer in all.
    """
    began = time.monotonic()
    # A trickle would outlast a time-out of single reads.
    timer = threading.Timer(timeout_s, connection.shutdown, (socket.SHUT_RDWR,))
    timer.daemon = True
    timer.start()
    try:
        body = json.dumps(request.body).encode() if request.body is not None else b""
        lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {request.address}"]
        lines += ["Connection: close", "User-Agent: autovoice-deploy"]
        lines += [f"Authorization: Bearer {request.key}"] if request.key else []
        if request.body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        response = http.client.HTTPResponse(connection, method=request.method)
        response.begin()
        first = response.read(1)
        first_byte_s = time.monotonic() - began
        return Answer(response.status, first + response.read(), first_byte_s)
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"no answer: {error!r}") from None
    finally:
        timer.cancel()


def _start(words: List[str], stdin: int, stderr: int) -> "subprocess.Popen[str]":
    # In a session of its own: Ctrl-C is for the deployer, which still needs the connection.
    return subprocess.Popen(  # nosec B603: words, no shell
        words,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
