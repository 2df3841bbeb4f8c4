"""REST: each endpoint translates HTTP to one call and back."""

from typing import Any, Dict, Tuple

from flask import render_template
from prometheus_client.exposition import choose_encoder

from auto_voice.bootstrap import Service
from auto_voice.errors import InvalidAPIKey, NotFound
from auto_voice.monitoring.health import said
from auto_voice.monitoring.status import Status
from auto_voice.voices.catalogue import ListedVoice
from auto_voice.web import openapi, page
from auto_voice.web.access import is_bearer
from auto_voice.web.endpoint import HTML, TEXT, Endpoint
from auto_voice.web.incoming import Environ, query_decoder, query_string, validated
from auto_voice.web.reply import Reply, bytes_reply, encode_json, json_reply
from auto_voice.web.schemas import (
    AudioModelList,
    ErrorBody,
    HealthBody,
    LiveBody,
    Model,
    ModelId,
    ModelList,
    ReadyBody,
    VoiceList,
    VoicesQuery,
)
from auto_voice.web.speech_api import SpeechAPI, unknown_model
from auto_voice.web.studio import Studio

_MODELS_SINCE = 1_700_000_000

_voices_query = query_decoder(VoicesQuery)


class API:
    """The endpoints over one service."""

    def __init__(self, service: Service, others: Tuple[Endpoint, ...] = ()) -> None:
        """``others``: endpoints that are described beside these."""
        self._service = service
        self._synthesizer = service.synthesizer
        self._speech = SpeechAPI(service)
        self._models = self._speech.models
        settings = service.settings
        self._status_is_locked = settings.public_status == "off" and bool(settings.keys())
        self.create_speech = self._speech.create_speech
        self.endpoints: Tuple[Endpoint, ...] = (
            *self._speech.endpoints,
            Endpoint(
                "GET",
                "/v1/audio/voices",
                self.list_voices,
                "List voices",
                {200: VoiceList, 400: ErrorBody, 401: ErrorBody, 503: ErrorBody},
                query=VoicesQuery,
                listing=True,
            ),
            Endpoint(
                "GET",
                "/v1/audio/voices/<voice>",
                self.get_voice,
                "Describe the voice that a name stands for",
                {200: ListedVoice, 401: ErrorBody, 404: ErrorBody, 503: ErrorBody},
                listing=True,
            ),
            Endpoint(
                "GET",
                "/v1/audio/models",
                self.list_audio_models,
                "List models (Open WebUI's shape)",
                {200: AudioModelList, 401: ErrorBody},
                listing=True,
            ),
            Endpoint(
                "GET",
                "/v1/models",
                self.list_models,
                "List models",
                {200: ModelList, 401: ErrorBody},
            ),
            Endpoint(
                "GET",
                "/v1/models/<model>",
                self.get_model,
                "Describe a model",
                {200: Model, 401: ErrorBody, 404: ErrorBody},
            ),
            Endpoint(
                "GET",
                "/health",
                self.health,
                "Everything about the server's health",
                {200: HealthBody, 503: HealthBody},
                public=True,
            ),
            Endpoint(
                "GET",
                "/health/live",
                self.live,
                "Whether the process turns over",
                {200: LiveBody},
                public=True,
            ),
            Endpoint(
                "GET",
                "/health/startup",
                self.startup,
                "Whether the server has been ready at some time since its start",
                {200: ReadyBody, 503: ReadyBody},
                public=True,
            ),
            Endpoint(
                "GET",
                "/health/ready",
                self.ready,
                "Whether requests should be sent here",
                {200: ReadyBody, 503: ReadyBody},
                public=True,
            ),
            Endpoint(
                "GET",
                "/metrics",
                self.metrics,
                "Prometheus metrics",
                {200: TEXT, 401: ErrorBody, 404: ErrorBody},
                public=True,
            ),
            Endpoint(
                "GET",
                "/v1/status",
                self.status,
                "What the server does now",
                {200: Status, 401: ErrorBody},
                public=settings.public_status == "on",
            ),
            Endpoint(
                "GET",
                "/status",
                self.status_page,
                "The same for people, kept up to date",
                {200: HTML},
                public=True,
            ),
            Endpoint(
                "GET",
                "/openapi.json",
                self.openapi,
                "This description",
                {200: Dict[str, Any]},
                public=True,
            ),
            Endpoint("GET", "/docs", self.docs, "This page", {200: HTML}, public=True),
            *Studio(service).endpoints,
            *others,
        )

    # --- listings -------------------------------------------------------------------------------

    def list_voices(self, environ: Environ) -> Reply:
        """Voices in the order of their engines, and of their ids."""
        query = validated(_voices_query, query_string(environ))
        catalogue = self._synthesizer.catalogue
        voices = catalogue.list(
            language=query.language,
            gender=query.gender,
            engine=query.engine,
            query=query.q,
            variants=query.variants,
            named=query.named,
        )
        return json_reply(VoiceList(list(voices), list(catalogue.broken)))

    def get_voice(self, environ: Environ, voice: str) -> Reply:
        """The voice itself, whatever name it was called by."""
        return json_reply(self._synthesizer.catalogue.find(voice))

    def list_audio_models(self, environ: Environ) -> Reply:
        """Models in the shape that Open WebUI reads."""
        return json_reply(AudioModelList([ModelId(name) for name in self._models]))

    def list_models(self, environ: Environ) -> Reply:
        """Models in OpenAI's shape."""
        return json_reply(ModelList([Model(name, _MODELS_SINCE) for name in self._models]))

    def get_model(self, environ: Environ, model: str) -> Reply:
        """One model."""
        if model not in self._models:
            raise unknown_model(model, self._models)
        return json_reply(Model(model, _MODELS_SINCE))

    # --- operation ------------------------------------------------------------------------------

    def health(self, environ: Environ) -> Reply:
        """Everything, for people and dashboards."""
        report = self._service.health.report()
        status = 503 if report["status"] == "fail" else 200
        return bytes_reply(encode_json(report), "application/health+json", status)

    def live(self, environ: Environ) -> Reply:
        """For restarting a process that is stuck."""
        return json_reply(LiveBody())

    def startup(self, environ: Environ) -> Reply:
        """For waiting before the other checks count."""
        started = self._service.health.started
        reasons = [] if started else self._service.health.reasons()
        return json_reply(ReadyBody(started, reasons), 200 if started else 503)

    def ready(self, environ: Environ) -> Reply:
        """For load balancers and deploys."""
        checks = self._service.health.checks()
        reasons = said(checks, "fail")
        body = ReadyBody(not reasons, reasons, said(checks, "warn"))
        return json_reply(body, 200 if not reasons else 503)

    def metrics(self, environ: Environ) -> Reply:
        """In the text format that the scraper prefers."""
        settings = self._service.settings
        if settings.metrics_port:
            raise NotFound(f"The metrics are on port {settings.metrics_port}.")
        token = settings.metrics_token
        if token and not is_bearer(token, environ.get("HTTP_AUTHORIZATION", "")):
            raise InvalidAPIKey("The metrics need their own token, as 'Authorization: Bearer …'.")
        encode, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        return bytes_reply(encode(self._service.metrics.registry), content_type)

    def status(self, environ: Environ) -> Reply:
        """Figures of the last minute and since the start, all out of /metrics; the last errors."""
        return json_reply(self._service.status.read())

    def status_page(self, environ: Environ) -> Reply:
        """It asks for a key where /v1/status needs one."""
        return page.sealed(render_template("status.html", locked=self._status_is_locked))

    def openapi(self, environ: Environ) -> Reply:
        """The OpenAPI 3.1 description of all this."""
        return json_reply(openapi.document(self.endpoints))

    def docs(self, environ: Environ) -> Reply:
        """The same for people, without any network."""
        return page.sealed(openapi.page(self.endpoints))
