"""A server of voices that misbehaves on demand, and small voices for it."""

import hashlib
import io
import json
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from auto_voice.voices.listing import FORMAT

CONFIG = {
    "audio": {"sample_rate": 22050, "quality": "medium"},
    "espeak": {"voice": "en-us"},
    "language": {"code": "en_US"},
    "num_speakers": 1,
    "phoneme_id_map": {},
}


class Seen(NamedTuple):
    """A request as it came."""

    path: str
    range: Optional[str]
    if_range: Optional[str]


class Mirror:
    """Files over HTTP, with ranges and ETags, and a fault for each of the next requests.

    `faults` has, for a path, what its next requests meet, one after the other: a function that
    gets the handler and the file's bytes and answers in place of the server. `always` is the same
    for every request. `server` may be told to know no ranges.
    """

    def __init__(self) -> None:
        self.files: Dict[str, bytes] = {}
        self.faults: Dict[str, List[Callable[[Any, bytes], None]]] = {}
        self.always: Dict[str, Callable[[Any, bytes], None]] = {}
        self.seen: List[Seen] = []
        self.ranges = True
        self.etags = True
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:  # noqa: N802
                mirror.answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler: Any) -> None:
        path = handler.path
        if path.startswith("http://"):  # as a proxy is asked
            path = "/" + path.split("/", 3)[3]
        name = path[1:].partition("?")[0]
        headers = handler.headers
        self.seen.append(Seen(handler.path, headers.get("Range"), headers.get("If-Range")))
        data = self.files.get(name)
        fault = self.always.get(name)
        if self.faults.get(name):
            fault = self.faults[name].pop(0)
        if fault is not None:
            fault(handler, data or b"")
        elif data is None:
            status(404)(handler, b"")
        else:
            self.send(handler, data)

    def send(self, handler: Any, data: bytes, upto: Optional[int] = None) -> None:
        """The file as it should come, or the connection cut after ``upto`` bytes of it."""
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        start = 0
        wanted = handler.headers.get("Range")
        if self.ranges and wanted and handler.headers.get("If-Range", etag) == etag:
            start = int(wanted[len("bytes=") : -1])
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if self.etags:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        handler.wfile.write(data[start : len(data) if upto is None else max(start, upto)])
        if upto is not None:
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.shutdown(2)

    def cut(self, upto: int) -> Callable[[Any, bytes], None]:
        """Breaks the connection after so many bytes of the file."""
        return lambda handler, data: self.send(handler, data, upto)

    def list(self, *entries: Dict[str, Any], name: str = "autovoice-voices.json") -> str:
        """Serves a list of these voices; returns its URL."""
        self.files[name] = json.dumps({"format": FORMAT, "voices": list(entries)}).encode()
        return self.base + name

    def voice(
        self, voice: str, model: bytes = b"", config: Any = None, **changes: Any
    ) -> Dict[str, Any]:
        """Serves a voice's files; returns its entry."""
        model = model or piper_model()
        config_data = json.dumps(CONFIG if config is None else config).encode()
        entry: Dict[str, Any] = {"id": voice, "engine": "piper", "language": "en-us"}
        for role, name, data in (
            ("model", f"{voice}.onnx", model),
            ("config", f"{voice}.onnx.json", config_data),
        ):
            self.files[name] = data
            entry[role] = {"url": name, "size_bytes": len(data), "sha256": sha256(data)}
        return {**entry, **changes}

    def folder_voice(self, voice: str, data: bytes, **changes: Any) -> Dict[str, Any]:
        """Serves a voice's archive; returns its entry."""
        self.files[f"{voice}.tar.bz2"] = data
        return {
            "id": voice,
            "engine": "sherpa",
            "language": "en",
            "archive": {
                "url": f"{voice}.tar.bz2",
                "size_bytes": len(data),
                "sha256": sha256(data),
                "unpacked_bytes": 1 << 20,
            },
            "manifest": {"kind": "kokoro", "files": {"model": "model.onnx"}},
            **changes,
        }


def piper_model(size: int = 200_000) -> bytes:
    """Bytes that look like an ONNX file from outside, each with its place in it."""
    body = b"".join(index.to_bytes(4, "big") for index in range(size // 4))
    length, number = len(body), b""
    while length > 0x7F:
        number += bytes([length & 0x7F | 0x80])
        length >>= 7
    return b"\x08\x08\x3a" + number + bytes([length]) + body


def archive(files: Dict[str, bytes], mode: str = "w:bz2") -> bytes:
    """A tar archive of these files."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as made:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return held.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def status(code: int, **headers: str) -> Callable[[Any, bytes], None]:
    """Answers with a status and nothing else."""

    def answer(handler: Any, data: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def redirect(target: str) -> Callable[[Any, bytes], None]:
    return status(302, Location=target)


def drip(handler: Any, data: bytes) -> None:
    """A byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    try:
        for at in range(len(data)):
            handler.wfile.write(data[at : at + 1])
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


def instead(other: bytes, length: Optional[int] = None) -> Callable[[Any, bytes], None]:
    """Other bytes, and a Content-Length that may lie."""

    def answer(handler: Any, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(other) if length is None else length))
        handler.end_headers()
        handler.wfile.write(other)
        handler.close_connection = True

    return answer


def chunked(data: bytes) -> Callable[[Any, bytes], None]:
    """These bytes, whose number nobody tells before."""

    def answer(handler: Any, _: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        try:
            for at in range(0, len(data), 4096):
                piece = data[at : at + 4096]
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            handler.close_connection = True

    return answer
