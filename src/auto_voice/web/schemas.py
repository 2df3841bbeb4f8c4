"""What requests and answers look like: validated, and described in /openapi.json, from here."""

from typing import Dict, List, Literal, Optional

import msgspec
from typing_extensions import Annotated

from auto_voice.voices.catalogue import BrokenVoice, ListedVoice


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
    named: Annotated[
        bool, msgspec.Meta(description="Only voices and variants that have an alias (`alloy`).")
    ] = False


class VoiceList(msgspec.Struct):
    """The voices that pass the filters."""

    voices: List[ListedVoice]
    broken: Annotated[
        List[BrokenVoice],
        msgspec.Meta(description="Installed, but of no use; whatever the filters are."),
    ] = []


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
    status: Literal["pass", "warn", "fail"]
    output: Optional[str] = None


class HealthBody(msgspec.Struct):
    """The shape of draft-inadarei-api-health-check."""

    status: Literal["pass", "warn", "fail"]
    version: str
    serviceId: str
    checks: Dict[str, List[HealthCheck]]


class ReadyBody(msgspec.Struct):
    """Whether requests should be sent here, and if not, why."""

    ready: bool
    reasons: List[str]
    degraded: List[str] = []
    """What does not work; the server goes on without it."""


class LiveBody(msgspec.Struct):
    """The process turns over."""

    status: Literal["pass"] = "pass"
