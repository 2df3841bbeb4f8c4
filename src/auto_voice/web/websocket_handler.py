"""AutoVoice's own protocol over WebSocket: text in as it is written, audio out as it is spoken.

docs/api-documentation.md tells what each message means.
"""

import logging
from abc import ABC, abstractmethod
from typing import Any, Callable, ClassVar, Dict, List, Literal, Optional, Tuple, Union

import msgspec
from typing_extensions import Annotated

from auto_voice.errors import AutoVoiceError, WrongOrder
from auto_voice.monitoring.recent_errors import RecentErrors
from auto_voice.synthesis.timing import TimedWord
from auto_voice.utils.tracing_context import current
from auto_voice.web.incoming import nested_within_reason, validated
from auto_voice.web.live.manner import Manner, manner_of
from auto_voice.web.live.text import LiveText
from auto_voice.web.live.turn import Stage
from auto_voice.web.reply import encode_json
from auto_voice.web.speech_schemas import MAX_LEXICONS, FormatName, LexiconName
from auto_voice.web.websocket.link import ERROR_COST, Link

log = logging.getLogger("auto_voice.websocket")

STREAM_PATH = "/v1/audio/speech/stream"


class SessionConfig(msgspec.Struct, tag="session.config", tag_field="type"):
    """How what follows is to be spoken. What is left out is as in a new session."""

    voice: Annotated[
        Optional[Annotated[str, msgspec.Meta(min_length=1, max_length=200)]],
        msgspec.Meta(description="A voice's id or alias, or a language tag."),
    ] = None
    response_format: Annotated[
        FormatName,
        msgspec.Meta(description="Each utterance is one file; `pcm` has nothing but samples."),
    ] = "pcm"
    sample_rate: Annotated[
        Optional[Annotated[int, msgspec.Meta(ge=8000, le=48000)]],
        msgspec.Meta(description="Hertz."),
    ] = None
    timestamps: Annotated[
        Literal["none", "word"], msgspec.Meta(description="`word` also sends words' times.")
    ] = "none"
    speed: Annotated[float, msgspec.Meta(ge=0.25, le=4.0, description="Factor.")] = 1.0
    pitch: Annotated[float, msgspec.Meta(ge=0.5, le=2.0, description="Factor.")] = 1.0
    lexicon: Annotated[
        Optional[
            Union[LexiconName, Annotated[List[LexiconName], msgspec.Meta(max_length=MAX_LEXICONS)]]
        ],
        msgspec.Meta(description="Names of lexicons; where two know a word, the first."),
    ] = None
    ssml: Annotated[
        bool, msgspec.Meta(description="`true`: what comes up to a flush is one SSML document.")
    ] = False
    normalize: Annotated[
        bool, msgspec.Meta(description="`false` leaves numbers and the like to the engine.")
    ] = True


class InputText(msgspec.Struct, tag="input.text", tag_field="type"):
    """The next piece of the text."""

    text: str


class InputFlush(msgspec.Struct, tag="input.flush", tag_field="type"):
    """Speak what is there, though the text goes on."""


class InputCancel(msgspec.Struct, tag="input.cancel", tag_field="type"):
    """Say no more of what has been written."""


class InputDone(msgspec.Struct, tag="input.done", tag_field="type"):
    """The utterance ends here."""


class SessionClose(msgspec.Struct, tag="session.close", tag_field="type"):
    """Say what is left, then close."""


Message = Union[SessionConfig, InputText, InputFlush, InputCancel, InputDone, SessionClose]
_decode = msgspec.json.Decoder(Message).decode
_decode_type = msgspec.json.Decoder(Dict[str, msgspec.Raw]).decode


def fault_of(error: Exception) -> str:
    """The metrics' word for why a message could not be handled."""
    if isinstance(error, WrongOrder):
        return "order"
    if isinstance(error, AutoVoiceError):
        if error.code == "input_too_long":
            return "too_large"
        return "invalid" if error.status < 500 else "rate" if error.status == 503 else "engine"
    return "internal"


class LiveSession(ABC):
    """What sessions of every protocol have in common. All in the loop's thread."""

    route: ClassVar[str]

    def __init__(
        self,
        link: Link,
        stage: Stage,
        errors: RecentErrors,
        facts: Dict[str, Any],
        run: Callable[..., Any],
        permit: Callable[[], None],
    ) -> None:
        """
        Args:
            errors: remembers what failed.
            facts: what the session's line in the log shall say.
            run, permit: as for `LiveText`.
        """
        self._link = link
        self._stage = stage
        self._errors = errors
        self._facts = facts
        self._run = run
        self._text = LiveText(stage, link, self, run, permit)
        self._closing = False
        self._draining = False
        self._messages = 0
        served = run(current.get)
        self._request_id = served.request_id if served is not None else ""

    @property
    def is_busy(self) -> bool:
        """Whether something is being said, or about to be."""
        return self._text.is_busy

    def received(self, data: bytes) -> None:
        """A message has come."""
        if self._closing:
            return
        self._messages += 1
        kind, handle = self._read(data)
        try:
            with self._link.metrics.handling(kind, len(data), fault_of):
                handle()
        except AutoVoiceError as error:
            self._link.charge(ERROR_COST)
            self.refuse(error)
        self._maybe_leave()

    def sent(self) -> None:
        """The client has taken something of what is queued."""
        self._text.sent()

    def drain(self) -> None:
        """The server stops: what is being said may be finished."""
        self._draining = True
        self._text.drain()
        self._maybe_leave()
        if self._link.is_open:
            self._link.loop.call_later(0.1, self.drain)

    def stop(self) -> None:
        """Nobody listens any more."""
        self._closing = True
        self._text.stop()

    def over(self, code: int, reason: str, duration_s: float) -> None:
        """The one line in the log about the session."""
        line = {
            "route": self.route,
            "close_code": code,
            "duration_ms": round(1e3 * duration_s, 3),
            "messages": self._messages,
            "utterances": self._text.utterances,
            "characters": self._text.characters,
            "audio_s": round(self._text.audio_s, 3),
            **self._facts,
        }
        if reason:
            line["reason"] = reason
        self._run(log.info, "WebSocket closed: %d", code, extra={"facts": line})

    @abstractmethod
    def began(self, utterance: int, sentence: int, text: str, manner: Manner) -> None:
        """See `Listener`."""

    @abstractmethod
    def heard(self, audio: bytes, words: List[TimedWord], text_start: int) -> None:
        """See `Listener`."""

    @abstractmethod
    def failed(self, error: AutoVoiceError, utterance: int, sentence: int) -> None:
        """See `Listener`."""

    @abstractmethod
    def ended(self, utterance: int, cancelled: bool, duration_ms: int) -> None:
        """See `Listener`."""

    @abstractmethod
    def refuse(self, error: AutoVoiceError) -> None:
        """Tell the client of an error with one of its messages."""

    @abstractmethod
    def _read(self, data: bytes) -> "Tuple[str, Callable[[], None]]":
        """A message's kind for the metrics, and what to do about it."""

    def _maybe_leave(self) -> None:
        """Close, if that is what is waited for."""
        if self._draining and not self._closing and not self.is_busy:
            self._closing = True
            self._link.queue_call(self._link.go_away)

    def _note(self, error: AutoVoiceError, status: Optional[int] = None) -> None:
        self._errors.note(
            code=error.code,
            status=error.status if status is None else status,
            method="GET",
            route=self.route,
            request_id=self._request_id,
        )


class SpeechSession(LiveSession):
    """A client of `STREAM_PATH`."""

    route = STREAM_PATH

    def __init__(self, *args: Any, default_voice: str) -> None:
        super().__init__(*args)
        self._default_voice = default_voice
        self._manner: Optional[Manner] = None

    # --- messages in ----------------------------------------------------------------------------

    def _read(self, data: bytes) -> "Tuple[str, Callable[[], None]]":
        try:
            message = validated(_decode, nested_within_reason(data))
        except AutoVoiceError as error:
            wrong = error
            return _kind_of(data), lambda: self._raise(wrong)
        kind: str = message.__struct_config__.tag
        return kind, lambda: self._handle(message)

    def _handle(self, message: Message) -> None:
        if isinstance(message, InputText):
            if message.text:
                self._text.write(message.text, self._chosen())
        elif isinstance(message, InputFlush):
            self._text.flush()
        elif isinstance(message, InputCancel):
            self._text.cancel()
        elif isinstance(message, InputDone):
            self._text.done(self._chosen())
        elif isinstance(message, SessionClose):
            if self._text.is_being_written:
                self._text.done(self._chosen())
            self._closing = True
            self._link.loop.call_soon(self._leave_when_done)
        else:
            self._configure(message)

    def _configure(self, config: SessionConfig) -> None:
        if self._text.is_being_written:
            raise WrongOrder(
                "session.config comes between utterances; send input.done or input.cancel first."
            )
        lexicons = config.lexicon or ()
        self._manner = manner_of(
            self._stage.synthesizer,
            config.voice or self._default_voice,
            config.response_format,
            config.sample_rate,
            timestamps=config.timestamps == "word",
            speed=config.speed,
            pitch=config.pitch,
            ssml=config.ssml,
            lexicons=(lexicons,) if isinstance(lexicons, str) else tuple(lexicons),
            normalize=config.normalize,
        )

    def _chosen(self) -> Manner:
        if self._manner is None:
            self._configure(SessionConfig())
        assert self._manner is not None  # nosec B101: it has just been chosen
        return self._manner

    def _leave_when_done(self) -> None:
        """After session.close: say what is left, then goodbye."""
        if not self._link.is_open or self._text.is_busy:
            return
        self._link.queue("session.done", encode_json({"type": "session.done"}))
        self._link.queue_call(lambda: self._link.close(1000, "", "client"))

    @staticmethod
    def _raise(error: Exception) -> None:
        raise error

    # --- messages out ---------------------------------------------------------------------------

    def refuse(self, error: AutoVoiceError) -> None:
        """Tell the client of an error with one of its messages."""
        self._note(error)
        self._error(error)

    def began(self, utterance: int, sentence: int, text: str, manner: Manner) -> None:
        """See `Listener`."""
        self._queue(
            "audio.start",
            utterance=utterance,
            sentence_index=sentence,
            text=text,
            format=manner.format,
            sample_rate=manner.sample_rate,
        )

    def heard(self, audio: bytes, words: List[TimedWord], text_start: int) -> None:
        """See `Listener`."""
        if words:
            self._queue("audio.timestamps", words=words)
        if audio:
            self._link.queue("audio", audio, binary=True)

    def failed(self, error: AutoVoiceError, utterance: int, sentence: int) -> None:
        """See `Listener`."""
        self._link.metrics.failed("input.text", fault_of(error))
        self._note(error)
        self._error(error, utterance=utterance, sentence_index=sentence)

    def ended(self, utterance: int, cancelled: bool, duration_ms: int) -> None:
        """See `Listener`."""
        self._link.send(
            "audio.done",
            encode_json(
                {
                    "type": "audio.done",
                    "utterance": utterance,
                    "cancelled": cancelled,
                    "duration_ms": duration_ms,
                }
            ),
        )
        if self._closing:
            self._link.loop.call_soon(self._leave_when_done)
        self._maybe_leave()

    def _queue(self, event: str, **fields: Any) -> None:
        self._link.queue(event, encode_json({"type": event, **fields}))

    def _error(self, error: AutoVoiceError, **fields: Any) -> None:
        message = {
            "type": "error",
            "code": error.code,
            "message": error.message,
            "retryable": error.retryable,
            **fields,
        }
        if error.param:
            message["param"] = error.param
        self._link.send("error", encode_json(message))


def _kind_of(data: bytes) -> str:
    """The type that a message says it is of, if it does."""
    try:
        return str(msgspec.json.decode(_decode_type(data)["type"]))
    except (msgspec.DecodeError, KeyError):
        return ""
