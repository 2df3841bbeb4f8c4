"""The page at / and the files it is made of."""

import hashlib
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

from flask import render_template

from auto_voice import __version__
from auto_voice.audio.encoders import FORMATS
from auto_voice.bootstrap import Service
from auto_voice.errors import NotFound
from auto_voice.web import page
from auto_voice.web.endpoint import ASSET, HTML, NOTHING, Endpoint
from auto_voice.web.incoming import Environ
from auto_voice.web.reply import Reply
from auto_voice.web.schemas import ErrorBody

_FOLDER = Path(__file__).parent / "static" / "studio"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class _File(NamedTuple):
    body: bytes
    content_type: str
    tag: str
    """Its ETag: the same for the same content, on every server."""


class Studio:
    """The endpoints of the page; its files are read once."""

    def __init__(self, service: Service) -> None:
        self._settings = service.settings
        self._files = _files()
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint("GET", "/", self.studio, "A page to try it all", {200: HTML}, public=True),
            Endpoint(
                "GET",
                "/studio/<file>",
                self.studio_file,
                "A script or style of that page",
                {200: ASSET, 304: NOTHING, 404: ErrorBody},
                public=True,
            ),
        )

    def studio(self, environ: Environ) -> Reply:
        """It asks for a key where the server wants one."""
        scripts = sorted(name for name in self._files if name.endswith(".js"))
        html = render_template(
            "studio.html",
            version=__version__,
            formats=FORMATS,
            limit=self._settings.max_input_chars,
            voice=self._settings.default_voice,
            scripts=scripts,
            sessions=self._settings.studio_sessions,
        )
        return page.sealed(html, own_files=True)

    def studio_file(self, environ: Environ, file: str) -> Reply:
        """Browsers keep it, and ask by its `ETag` whether it is still the same."""
        found = self._files.get(file)
        if found is None:
            raise NotFound("The studio has no file of that name.")
        headers = [
            ("ETag", found.tag),
            ("Cache-Control", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        known = environ.get("HTTP_IF_NONE_MATCH", "")
        if {found.tag, "*"} & {tag.strip() for tag in known.replace("W/", "").split(",")}:
            return Reply(304, headers, b"")
        headers += [
            ("Content-Type", found.content_type),
            ("Content-Length", str(len(found.body))),
        ]
        return Reply(200, headers, found.body)


def _files() -> Dict[str, _File]:
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _TYPES:
            body = path.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            found[path.name] = _File(body, _TYPES[path.suffix], tag)
    return found
