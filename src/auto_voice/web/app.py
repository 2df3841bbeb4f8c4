"""The Flask app: what holds for every endpoint."""

import logging
import math
from typing import Any, Dict, Optional

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed

from auto_voice.bootstrap import Service
from auto_voice.errors import (
    AutoVoiceError,
    BodyTimeout,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)
from auto_voice.web.access import KeyRing, rate_limit
from auto_voice.web.api import API
from auto_voice.web.observe import FACTS, Observed

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


def create_app(service: Service) -> Flask:
    """The WSGI application of one service."""
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    settings = service.settings
    keys = KeyRing(settings.keys())
    limit = rate_limit(settings.rate_limit)
    api = API(service)
    open_routes = {"/"} | {e.path for e in api.endpoints if e.public}
    if settings.public_listings == "on":
        open_routes |= {e.path for e in api.endpoints if e.listing}

    @app.before_request
    def admit() -> None:
        rule = request.url_rule
        if rule is None:
            return
        facts: Dict[str, Any] = request.environ[FACTS]
        facts["route"] = rule.rule
        if keys and rule.rule not in open_routes:
            headers = request.headers
            name = keys.name_of(headers.get("Authorization", ""), headers.get("X-API-Key", ""))
            facts["key"] = name
        if limit is not None and rule.rule == "/v1/audio/speech":
            limit.check(facts.get("key") or request.remote_addr or "")

    @app.errorhandler(AutoVoiceError)
    def expected(error: AutoVoiceError) -> Response:
        return _answer(error)

    @app.errorhandler(HTTPException)
    def of_flask(error: HTTPException) -> Response:
        return _answer(_translated(error))

    @app.errorhandler(OSError)
    def of_socket(error: OSError) -> Response:
        # The server gives a client a limited time to send its body.
        if isinstance(error, (TimeoutError, BlockingIOError)):
            return _answer(BodyTimeout("The request's body did not arrive in time."))
        return unexpected(error)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.exception("a request failed unexpectedly")
        return _answer(AutoVoiceError("An internal error occurred; the log has the details."))

    for endpoint in api.endpoints:
        app.add_url_rule(endpoint.path, endpoint.name, endpoint.function, methods=[endpoint.method])
    app.wsgi_app = Observed(app.wsgi_app, service.metrics)  # type: ignore[method-assign]
    return app


def _answer(error: AutoVoiceError) -> Response:
    """An error in OpenAI's shape."""
    detail = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    facts: Optional[Dict[str, Any]] = request.environ.get(FACTS)
    if facts is not None:
        facts["error"] = error.code
    response = Response(
        _encode({"error": detail}), status=error.status, mimetype="application/json"
    )
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed) and "allowed_methods" in g:
        response.headers["Allow"] = ", ".join(sorted(g.allowed_methods))
    return response


def _translated(error: HTTPException) -> AutoVoiceError:
    if isinstance(error, WerkzeugMethodNotAllowed):
        g.allowed_methods = error.valid_methods or ()
        return MethodNotAllowed(f"{request.path} does not answer to {request.method}.")
    if error.code == 404:
        return NotFound(f"There is nothing at {request.path[:200]!r}; /docs lists what there is.")
    return InvalidRequest(error.description or "The request cannot be understood.")
