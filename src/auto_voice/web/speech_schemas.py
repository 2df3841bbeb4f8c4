"""What requests for speech and their answers look like; see also `schemas.py`."""

from typing import List, Literal, Optional, Tuple, Union

import msgspec
from typing_extensions import Annotated

from auto_voice.synthesis.timing import TimedMark, TimedWord

FormatName = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
LexiconName = Annotated[str, msgspec.Meta(max_length=100)]
MAX_LEXICONS = 8


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
    pitch: Annotated[
        float, msgspec.Meta(description="Factor; 1.0 is the voice's own pitch.", ge=0.5, le=2.0)
    ] = 1.0
    stream_format: Annotated[
        Optional[Literal["audio", "sse", "json"]],
        msgspec.Meta(
            description="`audio`: bytes; `sse`: server-sent events with base64 audio; `json`: one "
            "object with base64 audio. Without it: `json` where timestamps are asked for."
        ),
    ] = None
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
    ssml: Annotated[Optional[bool], msgspec.Meta(description="Whether `input` is SSML.")] = None
    timestamps: Annotated[
        Optional[Literal["none", "word"]],
        msgspec.Meta(description="`word`: also tell when each word is heard."),
    ] = None
    lexicon: Annotated[
        Optional[
            Union[LexiconName, Annotated[List[LexiconName], msgspec.Meta(max_length=MAX_LEXICONS)]]
        ],
        msgspec.Meta(
            description="Names of lexicons, see /v1/lexicons; where two know a word, the first."
        ),
    ] = None
    normalize: Annotated[
        Optional[bool],
        msgspec.Meta(
            description="Whether numbers, dates, addresses, markdown, emoji and the like are put "
            "into words before the engine sees them. Without it: true."
        ),
    ] = None

    @property
    def voice_name(self) -> Optional[str]:
        """The voice as one string."""
        return self.voice.id if isinstance(self.voice, VoiceReference) else self.voice

    @property
    def lexicons(self) -> Tuple[str, ...]:
        """The lexicons' names."""
        if not self.lexicon:
            return ()
        return (self.lexicon,) if isinstance(self.lexicon, str) else tuple(self.lexicon)


class CaptionsBody(SpeechBody):
    """What to say and how, and how its captions are wanted."""

    captions_format: Annotated[
        Literal["srt", "vtt"], msgspec.Meta(description="`srt`: SubRip; `vtt`: WebVTT.")
    ] = "vtt"


class TimedSpeech(msgspec.Struct):
    """Speech in one object."""

    audio: str
    """Base64 of the file."""
    format: str
    sample_rate: int
    """Hertz."""
    duration_s: float
    words: List[TimedWord]
    """Empty where no timestamps were asked for."""
    marks: List[TimedMark]


class PlanQuery(msgspec.Struct):
    """What would be said; the fields are those of a request for speech."""

    input: Annotated[str, msgspec.Meta(min_length=1)]
    voice: Optional[Annotated[str, msgspec.Meta(min_length=1, max_length=200)]] = None
    ssml: bool = False
    lexicon: Annotated[
        Optional[Annotated[str, msgspec.Meta(max_length=1000)]],
        msgspec.Meta(description="Names of lexicons, with commas between them."),
    ] = None
    normalize: bool = True


class Change(msgspec.Struct):
    """Something that is said in another way than it is written."""

    written: str
    said: str
    char_start: int
    char_end: int
    ipa: Optional[str] = None
    """How it is pronounced, where that was told."""


class PlannedSentence(msgspec.Struct):
    """A sentence, or a part of one that is said in a style of its own."""

    text: str
    """As the client wrote it."""
    char_start: int
    char_end: int
    said: str
    """What the engine is given."""
    voice: str
    speed: float
    """Factor on the request's."""
    pitch: float
    volume_db: Optional[float]
    """Decibels on the request's; null is silence."""
    seconds: float
    """Estimated, at the request's own speed."""
    pause_s: float
    """Silence after it that the markup asks for."""
    changes: List[Change]


class TextPlan(msgspec.Struct):
    """How a text is going to be said."""

    voice: str
    language: str
    characters: int
    seconds: float
    """Estimated."""
    sentences: List[PlannedSentence]
