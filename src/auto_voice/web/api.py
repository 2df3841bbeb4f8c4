"""REST: each endpoint translates HTTP to one call and back."""

from typing import Any, Dict, Tuple

import msgspec
from flask import render_template
from prometheus_client.exposition import choose_encoder

from auto_voice.bootstrap import Service
from auto_voice.errors import InvalidAPIKey, ModelNotFound, NotFound, UnsupportedParameter
from auto_voice.monitoring.status import Status
from auto_voice.synthesis.synthesizer import SpeechRequest
from auto_voice.voices.catalogue import ListedVoice
from auto_voice.web import openapi, page
from auto_voice.web.access import is_bearer
from auto_voice.web.answer import Answer, Events
from auto_voice.web.endpoint import AUDIO, HTML, SPEECH_PATH, TEXT, Endpoint
from auto_voice.web.incoming import (
    Environ,
    gone_check,
    nested_within_reason,
    query_decoder,
    query_string,
    read_body,
    validated,
)
from auto_voice.web.observe import FACTS
from auto_voice.web.reply import Reply, encode_json
from auto_voice.web.schemas import (
    AudioModelList,
    ErrorBody,
    HealthBody,
    LiveBody,
    Model,
    ModelId,
    ModelList,
    ReadyBody,
    SpeechBody,
    VoiceList,
    VoicesQuery,
)

OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""OpenAI's names for the default model."""
_MODELS_SINCE = 1_700_000_000

_decode_speech = msgspec.json.Decoder(SpeechBody).decode
_voices_query = query_decoder(VoicesQuery)


class API:
    """The endpoints over one service."""

    def __init__(self, service: Service, others: Tuple[Endpoint, ...] = ()) -> None:
        """``others``: endpoints that are described beside these."""
        self._service = service
        self._synthesizer = service.synthesizer
        self._body_limit = service.settings.body_limit_bytes
        self._models = (service.settings.engine, *OPENAI_MODELS)
        settings = service.settings
        self._status_is_locked = settings.public_status == "off" and bool(settings.keys())
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint(
                "POST",
                SPEECH_PATH,
                self.create_speech,
                "Speak a text",
                {
                    200: AUDIO,
                    400: ErrorBody,
                    401: ErrorBody,
                    404: ErrorBody,
                    408: ErrorBody,
                    413: ErrorBody,
                    415: ErrorBody,
                    429: ErrorBody,
                    500: ErrorBody,
                    503: ErrorBody,
                    504: ErrorBody,
                },
                body=SpeechBody,
            ),
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
            Endpoint("GET", "/", self.home, "Leads to /docs", {302: HTML}, public=True),
            *others,
        )

    # --- speech ---------------------------------------------------------------------------------

    def create_speech(self, environ: Environ) -> Reply:
        """The answer streams: its beginning is sent while later sentences are being spoken."""
        body = validated(_decode_speech, nested_within_reason(read_body(environ, self._body_limit)))
        if body.model not in self._models:
            raise _unknown_model(body.model, self._models)
        unsupported = body.unsupported
        if unsupported is not None:
            raise UnsupportedParameter(
                f"`{unsupported}` is not supported yet; leave it out.", param=unsupported
            )
        events = body.stream_format == "sse"
        speech = self._synthesizer.speak(
            SpeechRequest(
                text=body.input,
                voice=body.voice_name or self._service.settings.default_voice,
                format=body.response_format,
                speed=body.speed,
                sample_rate=body.sample_rate,
            ),
            is_gone=gone_check(environ),
            transport="sse" if events else "http",
        )
        answer = Answer(speech, environ[FACTS], body.input, events)
        headers = [
            ("X-Cache", speech.cache),
            ("X-Voice", speech.voice.id),
            ("X-Sample-Rate", str(speech.sample_rate)),
        ]
        if events:
            headers += [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")]
            return Reply(200, headers, Events(answer, len(body.input.split())))
        headers.append(("Content-Type", speech.format.content_type))
        if not speech.whole:
            return Reply(200, headers, answer)
        try:
            data = b"".join(answer)
        finally:
            answer.close()
        headers += [
            ("Content-Length", str(len(data))),
            ("X-Audio-Duration-Seconds", f"{speech.made.audio_s:.3f}"),
        ]
        return Reply(200, headers, data)

    # --- listings -------------------------------------------------------------------------------

    def list_voices(self, environ: Environ) -> Reply:
        """Voices in the order of their ids."""
        query = validated(_voices_query, query_string(environ))
        voices = self._synthesizer.catalogue.list(
            language=query.language,
            gender=query.gender,
            engine=query.engine,
            query=query.q,
            variants=query.variants,
        )
        return _json(VoiceList(list(voices)))

    def get_voice(self, environ: Environ, voice: str) -> Reply:
        """The voice itself, whatever name it was called by."""
        return _json(self._synthesizer.catalogue.find(voice))

    def list_audio_models(self, environ: Environ) -> Reply:
        """Models in the shape that Open WebUI reads."""
        return _json(AudioModelList([ModelId(name) for name in self._models]))

    def list_models(self, environ: Environ) -> Reply:
        """Models in OpenAI's shape."""
        return _json(ModelList([Model(name, _MODELS_SINCE) for name in self._models]))

    def get_model(self, environ: Environ, model: str) -> Reply:
        """One model."""
        if model not in self._models:
            raise _unknown_model(model, self._models)
        return _json(Model(model, _MODELS_SINCE))

    # --- operation ------------------------------------------------------------------------------

    def health(self, environ: Environ) -> Reply:
        """Everything, for people and dashboards."""
        report = self._service.health.report()
        status = 200 if report["status"] == "pass" else 503
        return _bytes(encode_json(report), "application/health+json", status)

    def live(self, environ: Environ) -> Reply:
        """For restarting a process that is stuck."""
        return _json(LiveBody())

    def startup(self, environ: Environ) -> Reply:
        """For waiting before the other checks count."""
        started = self._service.health.started
        reasons = [] if started else self._service.health.reasons()
        return _json(ReadyBody(started, reasons), 200 if started else 503)

    def ready(self, environ: Environ) -> Reply:
        """For load balancers and deploys."""
        reasons = self._service.health.reasons()
        return _json(ReadyBody(not reasons, reasons), 200 if not reasons else 503)

    def metrics(self, environ: Environ) -> Reply:
        """In the text format that the scraper prefers."""
        settings = self._service.settings
        if settings.metrics_port:
            raise NotFound(f"The metrics are on port {settings.metrics_port}.")
        token = settings.metrics_token
        if token and not is_bearer(token, environ.get("HTTP_AUTHORIZATION", "")):
            raise InvalidAPIKey("The metrics need their own token, as 'Authorization: Bearer …'.")
        encode, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        return _bytes(encode(self._service.metrics.registry), content_type)

    def status(self, environ: Environ) -> Reply:
        """Figures of the last minute and since the start, all out of /metrics; the last errors."""
        return _json(self._service.status.read())

    def status_page(self, environ: Environ) -> Reply:
        """It asks for a key where /v1/status needs one."""
        return page.sealed(render_template("status.html", locked=self._status_is_locked))

    def openapi(self, environ: Environ) -> Reply:
        """The OpenAPI 3.1 description of all this."""
        return _json(openapi.document(self.endpoints))

    def docs(self, environ: Environ) -> Reply:
        """The same for people, without any network."""
        return page.sealed(openapi.page(self.endpoints))

    def home(self, environ: Environ) -> Reply:
        """To the documentation."""
        return Reply(302, [("Location", "/docs"), ("Content-Length", "0")], b"")


def _json(data: Any, status: int = 200) -> Reply:
    return _bytes(encode_json(data), "application/json", status)


def _bytes(body: bytes, content_type: str, status: int = 200) -> Reply:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return Reply(status, headers, body)


def _unknown_model(name: str, known: Tuple[str, ...]) -> ModelNotFound:
    shown = name if len(name) <= 60 else name[:60] + "…"
    return ModelNotFound(f"There is no model {shown!r}, only {', '.join(known)}.", param="model")
