"""Files elsewhere: over HTTP, with redirects that lead nowhere they must not, or in a folder."""

import contextlib
import os
import stat
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Optional
from urllib.parse import unquote, urljoin, urlsplit

from auto_voice import __version__
from auto_voice.errors import DownloadFailed, DownloadRefused
from auto_voice.voices.names import shown_url

CHUNK_BYTES = 1 << 16
MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which another try makes sense."""
_REASONS = {
    "IncompleteRead": "the connection broke",
    "RemoteDisconnected": "the connection broke",
    "NameResolution": "nobody knows its host",
    "gaierror": "nobody knows its host",
    "ConnectionRefused": "nobody answers there",
    "SSL": "its certificate is not accepted",
    "Certificate": "its certificate is not accepted",
}
"""An error's type to a few words."""


class Answer(NamedTuple):
    """The beginning of a file's answer, and the rest as it comes."""

    status: int
    """200: the whole file; 206: from where it was asked; 416: there is nothing from there on."""
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Remote:
    """Gets files by their URLs. Proxies and certificates are those of the environment.

    ``file:`` URLs are for lists and mirrors that the settings name; what a list on
    the network says never becomes one.
    """

    def __init__(
        self, timeout_s: float, received: Callable[[int], None] = lambda count: None
    ) -> None:
        """
        Args:
            timeout_s: for the connection, and for each wait for more bytes.
            received: told how many more bytes have come over the network.
        """
        self._timeout_s = timeout_s
        self._received = received

    @contextlib.contextmanager
    def get(self, url: str, start: int = 0, if_range: Optional[str] = None) -> Iterator[Answer]:
        """The file from byte ``start`` on.

        Args:
            if_range: an ETag or date that the file has to have still; otherwise it comes whole.

        Raises:
            DownloadFailed: it cannot be reached now.
            DownloadRefused: it is not there, or a redirect leads where it must not.
        """
        if url.startswith("file:"):
            with _local(url, start) as answer:
                yield answer
            return
        # Not before it is needed: it costs a tenth of a second and some megabytes.
        import requests
        from urllib3.exceptions import HTTPError

        headers = {"Accept-Encoding": "identity", "User-Agent": f"autovoice/{__version__}"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if if_range:
                headers["If-Range"] = if_range
        try:
            with requests.Session() as session:
                response = self._follow(session, url, headers)
                with response:
                    _refuse_bad_status(response.status_code, url)
                    # What has come, and not a whole chunk: one that comes slowly is noticed.
                    chunks = iter(
                        lambda: self._counted(response.raw.read1(CHUNK_BYTES, False)), b""
                    )
                    yield Answer(response.status_code, response.headers, chunks)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise DownloadRefused(f"{shown_url(url)} cannot be asked for: {error}.") from None
        except (requests.RequestException, HTTPError) as error:
            raise DownloadFailed(f"{shown_url(url)} did not arrive: {_reason(error)}.") from None

    def _counted(self, data: bytes) -> bytes:
        self._received(len(data))
        return data

    def _follow(self, session: Any, url: str, headers: Dict[str, str]) -> Any:
        at = url
        for _ in range(MAX_REDIRECTS + 1):
            scheme = urlsplit(at).scheme
            if scheme not in ("http", "https"):
                raise DownloadRefused(
                    f"{shown_url(url)} leads to {shown_url(at)}, which is neither http nor https."
                )
            response = session.get(
                at,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(self._timeout_s, self._timeout_s),
            )
            place = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not place:
                return response
            response.close()
            target = urljoin(at, place)
            if scheme == "https" and urlsplit(target).scheme != "https":
                raise DownloadRefused(f"{shown_url(url)} leads away from https.")
            at = target
        raise DownloadRefused(f"{shown_url(url)} leads from one place to the next without an end.")


@contextlib.contextmanager
def _local(url: str, start: int) -> Iterator[Answer]:
    path = file_path(url)
    try:
        file = open(path, "rb")
    except OSError as error:
        raise DownloadRefused(f"{path} cannot be read: {error.strerror}.") from None
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise DownloadRefused(f"{path} is not a file.")
        headers = {"Content-Length": str(max(0, status.st_size - start))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{status.st_size - 1}/{status.st_size}"
            file.seek(start)
        yield Answer(206 if start else 200, headers, iter(lambda: file.read(CHUNK_BYTES), b""))


def file_path(url: str) -> Path:
    """The path that a ``file:`` URL means."""
    return Path(unquote(urlsplit(url).path))


def _refuse_bad_status(status: int, url: str) -> None:
    if status in (200, 206, 416):
        return
    error = DownloadFailed if status in _LATER else DownloadRefused
    raise error(f"{shown_url(url)} was answered with status {status}.")


def _reason(error: Exception) -> str:
    """An error of the network in a few words, without the URLs that it repeats."""
    cause: Any = error
    for _ in range(6):
        inner = next((one for one in cause.args if isinstance(one, Exception)), None)
        inner = inner or getattr(cause, "reason", None)
        if not isinstance(inner, Exception):
            break
        cause = inner
    name = type(cause).__name__
    for part, words in _REASONS.items():
        if part in name:
            return words
    if "timed out" in str(cause).lower():
        return "it took too long"
    if isinstance(cause, ConnectionError):
        return "the connection broke"
    return str(getattr(cause, "strerror", None) or name)
