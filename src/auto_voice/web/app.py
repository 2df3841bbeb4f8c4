"""The Flask app: what holds for every endpoint."""

import logging
from typing import TYPE_CHECKING, Any, Dict, Iterable, Tuple

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed

from auto_voice.bootstrap import Service
from auto_voice.errors import (
    AutoVoiceError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)
from auto_voice.web.access import Gate
from auto_voice.web.api import API
from auto_voice.web.endpoint import SPEECH_PATH, Endpoint
from auto_voice.web.incoming import BODY_READ
from auto_voice.web.lexicon_api import LexiconAPI
from auto_voice.web.observe import FACTS, Observed
from auto_voice.web.reply import STATUS_LINES, Reply, error_reply
from auto_voice.web.request_span import RequestSpans
from auto_voice.web.sessions import SessionAPI
from auto_voice.web.upgrade import WebSockets
from auto_voice.web.voice_api import VoiceAPI

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

HUB = "autovoice.hub"
"""The key of the application's ``extensions`` for where its WebSockets are."""


def create_app(service: Service) -> Flask:
    """The WSGI application of one service."""
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    settings = service.settings
    websockets = WebSockets(service)
    app.extensions[HUB] = websockets.hub
    api = API(service, _others(service, websockets))
    public = {endpoint.path for endpoint in api.endpoints if endpoint.public}
    if settings.public_listings == "on":
        public |= {endpoint.path for endpoint in api.endpoints if endpoint.listing}
    limited = {endpoint.path for endpoint in api.endpoints if endpoint.limited}
    administered = {
        (endpoint.method, endpoint.path) for endpoint in api.endpoints if endpoint.admin
    }
    gate = Gate(
        settings.keys(),
        settings.rate_limit,
        public,
        limited,
        service.redis,
        settings.admins(),
        administered,
    )
    websockets.count = gate.count

    @app.before_request
    def admit() -> None:
        if request.url_rule is not None:
            facts = request.environ[FACTS]
            facts["route"] = request.url_rule.rule
            if facts["route"] in websockets.paths:
                websockets.take_key(request.environ)
            gate.admit(request.environ, facts)
        elif isinstance(request.routing_exception, WerkzeugMethodNotAllowed):
            # The path exists all the same; one of its methods tells its rule.
            method = next(iter(request.routing_exception.valid_methods or ("GET",)))
            adapter = app.create_url_adapter(request)
            if adapter is not None:
                rule, _ = adapter.match(method=method, return_rule=True)
                request.environ[FACTS]["route"] = rule.rule

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        known = _known(error)
        if request.environ[FACTS]["route"] in websockets.paths:
            websockets.refused(known)
        response = _response(_refusal(known, request.environ))
        if isinstance(error, WerkzeugMethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return response

    def view(function: Any) -> Any:
        def call(**arguments: str) -> Response:
            return _response(function(request.environ, **arguments))

        return call

    for endpoint in api.endpoints:
        called = view(endpoint.function)
        app.add_url_rule(endpoint.path, endpoint.name, called, methods=[endpoint.method])
        if endpoint.path in websockets.paths:
            # To Flask, a path that is asked to become a WebSocket is another one.
            app.add_url_rule(
                endpoint.path, endpoint.name, called, methods=[endpoint.method], websocket=True
            )
    lane = _SpeechLane(app.wsgi_app, api, gate)
    spans = RequestSpans(service.tracing) if service.tracing is not None else None
    app.wsgi_app = Observed(  # type: ignore[method-assign]
        lane, service.metrics, spans, service.errors
    )
    return app


def _others(service: Service, websockets: WebSockets) -> Tuple[Endpoint, ...]:
    sessions = SessionAPI(service).endpoints if service.settings.studio_sessions == "on" else ()
    kept = (*LexiconAPI(service).endpoints, *VoiceAPI(service).endpoints)
    return (*kept, *sessions, *websockets.endpoints)


class _SpeechLane:
    """Answers speech requests without Flask's own work around each request.

    That work (contexts, routing, signals, a response object) takes longer than
    all that AutoVoice does for a short sentence; at some hundred requests a
    second it is a fifth of what the server takes beside its engine. Every other
    request goes to Flask, through the same gate and the same error shape.
    """

    def __init__(self, app: "WSGIApplication", api: API, gate: Gate) -> None:
        self._app = app
        self._api = api
        self._gate = gate

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if environ["PATH_INFO"] != SPEECH_PATH or environ["REQUEST_METHOD"] != "POST":
            return self._app(environ, start_response)
        facts = environ[FACTS]
        facts["route"] = SPEECH_PATH
        try:
            self._gate.admit(environ, facts)
            reply = self._api.create_speech(environ)
        except Exception as error:
            reply = _refusal(_known(error), environ)
        start_response(STATUS_LINES[reply.status], reply.headers)
        return (reply.body,) if isinstance(reply.body, bytes) else reply.body


def _known(error: Exception) -> AutoVoiceError:
    """The error in AutoVoice's words; logs those that nobody expected."""
    if isinstance(error, AutoVoiceError):
        return error
    if isinstance(error, WerkzeugMethodNotAllowed):
        return MethodNotAllowed(f"{request.path[:200]} does not answer to {request.method}.")
    if isinstance(error, HTTPException):
        if error.code == 404:
            return NotFound(
                f"There is nothing at {request.path[:200]!r}; /docs lists what there is."
            )
        return InvalidRequest(error.description or "The request cannot be understood.")
    log.error("a request failed unexpectedly", exc_info=error)
    return AutoVoiceError("An internal error occurred; the log has the details.")


def _refusal(error: AutoVoiceError, environ: Dict[str, Any]) -> Reply:
    environ[FACTS]["error"] = error.code
    reply = error_reply(error)
    has_body = environ.get("CONTENT_LENGTH", "0") not in ("", "0") or (
        "HTTP_TRANSFER_ENCODING" in environ
    )
    if has_body and not environ.get(BODY_READ):
        reply.headers.append(("Connection", "close"))  # rather than take in what nobody reads
    return reply


def _response(reply: Reply) -> Response:
    return Response(reply.body, status=reply.status, headers=reply.headers)
