"""/metrics on a port of its own, for networks where only Prometheus may reach that."""

import socket
import socketserver
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from auto_voice.errors import SettingsError
from auto_voice.settings import PREFIX, Settings
from auto_voice.web.access import is_bearer

_CLIENT_TIMEOUT_S = 10


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # While a server is exchanged for its successor, both listen.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a scrape every few seconds is no news."""


def listen(settings: Settings, registry: CollectorRegistry) -> WSGIServer:
    """A server for ``settings.metrics_port`` that has its socket already.

    Raises:
        SettingsError: the port cannot be listened on.
    """
    exposed = make_wsgi_app(registry)
    token = settings.metrics_token

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/metrics" or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        if token and not is_bearer(token, environ.get("HTTP_AUTHORIZATION", "")):
            start_response(
                "401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Length", "0")]
            )
            return []
        return exposed(environ, start_response)

    kind = _ServerV6 if ":" in settings.host else _Server
    try:
        return make_server(
            settings.host.strip("[]"), settings.metrics_port, app, kind, handler_class=_Handler
        )
    except OSError as error:
        raise SettingsError(
            f"{PREFIX}METRICS_PORT={settings.metrics_port} cannot be listened on: {error}"
        ) from None


def serve(settings: Settings, registry: CollectorRegistry) -> None:
    """Answer scrapes in a thread of its own until the process ends.

    Raises:
        SettingsError: the port cannot be listened on.
    """
    server = listen(settings, registry)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
