"""What requests and answers look like: validated, and described in /openapi.json, from here."""

from typing import Any, Dict, List, Literal, Optional, Tuple, Union

import msgspec
from typing_extensions import Annotated

from auto_voice.voices.catalogue import ListedVoice

_CHANGES_NOTHING: Tuple[object, ...] = (None, False, "", "none", [], {})
_NOT_YET = ("ssml", "timestamps", "lexicon")
"""Fields of a request whose any other value is refused."""

FormatName = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


class VoiceReference(msgspec.Struct):
    """A voice by its id, in an object."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class SpeechBody(msgspec.Struct):
    """What to say and how. Fields that are not listed are ignored."""

    input: Annotated[str, msgspec.Meta(description="The text to speak.", min_length=1)]
    model: Annotated[
        str, msgspec.Meta(description="A model's id; see /v1/models.", max_length=200)
    ] = "tts-1"
    voice: Annotated[
        Optional[Union[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], VoiceReference]],
        msgspec.Meta(
            description="A voice's id or alias, a language tag (`de`), or any of these with a "
            "variant (`de+f3`); see /v1/audio/voices. Without it, the server's default voice."
        ),
    ] = None
    response_format: Annotated[
        FormatName, msgspec.Meta(description="`pcm`: 24 kHz, 16-bit little-endian, mono.")
    ] = "mp3"
    speed: Annotated[
        float, msgspec.Meta(description="Factor; 1.0 is the voice's own pace.", ge=0.25, le=4.0)
    ] = 1.0
    stream_format: Annotated[
        Literal["audio", "sse"],
        msgspec.Meta(description="`sse`: server-sent events with base64 audio."),
    ] = "audio"
    instructions: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=4096)]],
        msgspec.Meta(description="Accepted and ignored: no engine here follows instructions yet."),
    ] = None
    sample_rate: Annotated[
        Optional[Annotated[int, msgspec.Meta(ge=8000, le=48000)]],
        msgspec.Meta(
            description="Hertz. Without it: 24000 for pcm, what suits voice and format else."
        ),
    ] = None
    ssml: Annotated[
        Any, msgspec.Meta(description="Whether `input` is SSML. Not yet: `true` is refused.")
    ] = None
    timestamps: Annotated[
        Any, msgspec.Meta(description="Times of words. Not yet: all but `none` is refused.")
    ] = None
    lexicon: Annotated[
        Any, msgspec.Meta(description="How words are pronounced. Not yet: any is refused.")
    ] = None

    @property
    def unsupported(self) -> Optional[str]:
        """A field that asks for something which would be left undone; None if there is none."""
        for name in _NOT_YET:
            if getattr(self, name) not in _CHANGES_NOTHING:
                return name
        return None

    @property
    def voice_name(self) -> Optional[str]:
        """The voice as one string."""
        return self.voice.id if isinstance(self.voice, VoiceReference) else self.voice


class VoicesQuery(msgspec.Struct):
    """Filters of the voice listing; all of them have to match."""

    language: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=50)]],
        msgspec.Meta(description="A language tag; `en` also finds `en-gb`."),
    ] = None
    gender: Optional[Literal["female", "male"]] = None
    engine: Optional[Annotated[str, msgspec.Meta(max_length=50)]] = None
    q: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=100)]],
        msgspec.Meta(description="Part of an id, a name or an alias."),
    ] = None
    variants: Annotated[
        bool, msgspec.Meta(description="Also list each voice's variants (`en-us+f3`).")
    ] = False


class VoiceList(msgspec.Struct):
    """The voices that pass the filters."""

    voices: List[ListedVoice]


class Model(msgspec.Struct):
    """A model, in OpenAI's shape."""

    id: str
    created: int
    """Unix time."""
    object: Literal["model"] = "model"
    owned_by: str = "autovoice"


class ModelList(msgspec.Struct):
    """All models, in OpenAI's shape."""

    data: List[Model]
    object: Literal["list"] = "list"


class ModelId(msgspec.Struct):
    """A model's id."""

    id: str


class AudioModelList(msgspec.Struct):
    """All models, in the shape that Open WebUI reads."""

    models: List[ModelId]


class ErrorDetail(msgspec.Struct):
    """What went wrong."""

    message: str
    type: str
    param: Optional[str]
    code: str


class ErrorBody(msgspec.Struct):
    """Every error, in OpenAI's shape."""

    error: ErrorDetail


class HealthCheck(msgspec.Struct):
    """One thing that was looked at."""

    componentType: str
    status: Literal["pass", "fail"]
    output: Optional[str] = None


class HealthBody(msgspec.Struct):
    """The shape of draft-inadarei-api-health-check."""

    status: Literal["pass", "fail"]
    version: str
    serviceId: str
    checks: Dict[str, List[HealthCheck]]


class ReadyBody(msgspec.Struct):
    """Whether requests should be sent here, and if not, why."""

    ready: bool
    reasons: List[str]


class LiveBody(msgspec.Struct):
    """The process turns over."""

    status: Literal["pass"] = "pass"
