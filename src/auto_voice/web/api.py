"""REST: each endpoint translates HTTP to one call and back."""

import base64
import errno
import re
import socket
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Tuple, Type
from urllib.parse import parse_qsl

import msgspec
from prometheus_client.exposition import choose_encoder

from auto_voice.bootstrap import Service
from auto_voice.engines.engine import Voice
from auto_voice.errors import (
    AutoVoiceError,
    BodyTooLarge,
    Cancelled,
    InvalidJSON,
    InvalidRequest,
    ModelNotFound,
    UnsupportedMediaType,
)
from auto_voice.synthesis.synthesizer import Speech, SpeechRequest
from auto_voice.web import openapi
from auto_voice.web.observe import FACTS
from auto_voice.web.reply import Reply, encode_json, error_detail
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

Environ = Dict[str, Any]
"""WSGI's."""

OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""OpenAI's names for the default model."""
_MODELS_SINCE = 1_700_000_000
TOKENS_PER_AUDIO_SECOND = 20
"""How usage is counted in server-sent events, as OpenAI's speech models roughly do."""

SPEECH_PATH = "/v1/audio/speech"

_decode_speech = msgspec.json.Decoder(SpeechBody).decode
_FIELD = re.compile(r" - at `\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")


class Endpoint(NamedTuple):
    """A route, and all that its documentation needs."""

    method: str
    path: str
    """Flask's rule."""
    function: Callable[..., Reply]
    """Takes the WSGI environment and the path's parameters."""
    summary: str
    answers: Dict[int, Any]
    """Status to schema type, or to a content type with raw bytes."""
    body: Optional[Type[msgspec.Struct]] = None
    query: Optional[Type[msgspec.Struct]] = None
    public: bool = False
    """Whether it never needs a key."""
    listing: bool = False
    """Whether it needs no key while listings are public."""

    @property
    def name(self) -> str:
        """Flask's endpoint name and OpenAPI's operationId."""
        return self.function.__name__


class API:
    """The endpoints over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._synthesizer = service.synthesizer
        self._body_limit = service.settings.body_limit_bytes
        self._models = (service.settings.engine, *OPENAI_MODELS)
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint(
                "POST",
                SPEECH_PATH,
                self.create_speech,
                "Speak a text",
                {
                    200: openapi.AUDIO,
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
                {200: Voice, 401: ErrorBody, 404: ErrorBody, 503: ErrorBody},
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
                {200: openapi.TEXT},
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
            Endpoint("GET", "/docs", self.docs, "This page", {200: openapi.HTML}, public=True),
            Endpoint("GET", "/", self.home, "Leads to /docs", {302: openapi.HTML}, public=True),
        )

    # --- speech ---------------------------------------------------------------------------------

    def create_speech(self, environ: Environ) -> Reply:
        """Speak a text; the answer streams while later sentences are being spoken."""
        body = _validated(_decode_speech, self._read_body(environ))
        if body.model not in self._models:
            raise _unknown_model(body.model, self._models)
        events = body.stream_format == "sse"
        speech = self._synthesizer.speak(
            SpeechRequest(
                text=body.input,
                voice=body.voice_name or self._service.settings.default_voice,
                format=body.response_format,
                speed=body.speed,
                sample_rate=body.sample_rate,
            ),
            is_gone=_gone_check(environ),
            transport="sse" if events else "http",
        )
        answer = _Answer(speech, environ[FACTS], len(body.input), events)
        headers = [
            ("X-Cache", speech.cache),
            ("X-Voice", speech.voice.id),
            ("X-Sample-Rate", str(speech.sample_rate)),
        ]
        if events:
            headers += [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")]
            return Reply(200, headers, _Events(answer, len(body.input.split())))
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
        query = _validated(_query(VoicesQuery), _query_string(environ))
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

    def ready(self, environ: Environ) -> Reply:
        """For load balancers and deploys."""
        reasons = self._service.health.reasons()
        return _json(ReadyBody(not reasons, reasons), 200 if not reasons else 503)

    def metrics(self, environ: Environ) -> Reply:
        """In the text format that the scraper prefers."""
        encode, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        return _bytes(encode(self._service.metrics.registry), content_type)

    def openapi(self, environ: Environ) -> Reply:
        """The OpenAPI 3.1 description of all this."""
        return _json(openapi.document(self.endpoints))

    def docs(self, environ: Environ) -> Reply:
        """The same for people, without any network."""
        return _bytes(openapi.page(self.endpoints).encode(), "text/html; charset=utf-8")

    def home(self, environ: Environ) -> Reply:
        """To the documentation."""
        return Reply(302, [("Location", "/docs"), ("Content-Length", "0")], b"")

    # --- helpers --------------------------------------------------------------------------------

    def _read_body(self, environ: Environ) -> bytes:
        """The body, of bounded size.

        Raises:
            UnsupportedMediaType, BodyTooLarge
        """
        kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if kind and kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType(
                "Send the body as JSON, with the header 'Content-Type: application/json'."
            )
        limit = self._body_limit
        length = environ.get("CONTENT_LENGTH")
        if length and length.isascii() and length.isdigit():
            if int(length) > limit:
                raise BodyTooLarge(f"The body has {length} bytes; this server accepts {limit}.")
            data: bytes = environ["wsgi.input"].read(int(length))
            return data
        # Without a length the server ends the stream itself, as chunked bodies are sent.
        if not environ.get("wsgi.input_terminated"):
            return b""
        data = environ["wsgi.input"].read(limit + 1)
        if len(data) > limit:
            raise BodyTooLarge(f"The body is larger than {limit} bytes.")
        return data


class _Answer:
    """A speech's bytes for the WSGI server; accounts for what was sent."""

    def __init__(
        self, speech: Speech, facts: Dict[str, Any], characters: int, events: bool
    ) -> None:
        self.speech = speech
        self._events = events
        self._facts = facts
        self._characters = characters

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self.speech)
        except AutoVoiceError as error:
            if self._events:
                raise
            # Too late for a status. This error makes the WSGI server hang up without the closing
            # chunk, so that the client notices that audio is missing.
            self._facts["error"] = error.code
            raise BrokenPipeError(errno.EPIPE, error.message) from None

    def close(self) -> None:
        speech = self.speech
        speech.close()
        stats = speech.stats
        self._facts.update(
            engine=speech.voice.engine,
            voice=speech.voice.id,
            format=speech.format.name,
            characters=self._characters,
            audio_s=round(speech.made.audio_s, 3),
            cache=speech.cache,
            outcome=speech.outcome,
            queue_wait_ms=round(1e3 * stats.queue_wait_s, 3),
            first_audio_ms=round(1e3 * (stats.first_audio_s or 0.0), 3),
        )


class _Events:
    """A speech as server-sent events."""

    def __init__(self, answer: _Answer, words: int) -> None:
        self._answer = answer
        self._input_tokens = words
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._ended:
            raise StopIteration
        try:
            audio = base64.b64encode(next(self._answer)).decode()
            return _event({"type": "speech.audio.delta", "audio": audio})
        except StopIteration:
            self._ended = True
            made = round(self._answer.speech.made.audio_s * TOKENS_PER_AUDIO_SECOND)
            usage = {
                "input_tokens": self._input_tokens,
                "output_tokens": made,
                "total_tokens": self._input_tokens + made,
            }
            return _event({"type": "speech.audio.done", "usage": usage})
        except Cancelled:
            raise
        except AutoVoiceError as error:
            # Too late for a status: an event says that this is not the whole.
            self._ended = True
            return _event({"type": "error", "error": error_detail(error)})

    def close(self) -> None:
        self._answer.close()


def _event(data: Dict[str, Any]) -> bytes:
    return b"data: " + encode_json(data) + b"\n\n"


def _json(data: Any, status: int = 200) -> Reply:
    return _bytes(encode_json(data), "application/json", status)


def _bytes(body: bytes, content_type: str, status: int = 200) -> Reply:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    return Reply(status, headers, body)


def _query_string(environ: Environ) -> Dict[str, str]:
    """The last value of each parameter."""
    return dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))


def _query(kind: Type[msgspec.Struct]) -> Callable[[Dict[str, str]], Any]:
    return lambda values: msgspec.convert(values, kind, strict=False)


def _validated(decode: Callable[[Any], Any], data: Any) -> Any:
    """``decode(data)``, with a clear error that names the field."""
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        message = str(error)
        found = _FIELD.search(message) or _MISSING.search(message)
        param = found.group(1) if found else None
        raise InvalidRequest(message.replace("`$.", "`"), param=param) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidJSON(f"The body is not valid JSON: {error}") from None
    except RecursionError:
        raise InvalidJSON("The body is nested too deeply.") from None


def _unknown_model(name: str, known: Tuple[str, ...]) -> ModelNotFound:
    shown = name if len(name) <= 60 else name[:60] + "…"
    return ModelNotFound(f"There is no model {shown!r}, only {', '.join(known)}.", param="model")


def _gone_check(environ: Environ) -> Callable[[], bool]:
    """A function that tells whether the client has closed its connection."""
    connection: Optional[socket.socket] = environ.get("gunicorn.socket")
    if connection is None:  # another WSGI server, or a test's client
        return lambda: False

    def gone() -> bool:
        try:
            return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, ValueError):
            return True

    return gone
