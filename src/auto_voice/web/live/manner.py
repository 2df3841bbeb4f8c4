"""How a live text is to be spoken: what a session's configuration comes to."""

from typing import Any, Dict, Optional, Tuple

import msgspec

from auto_voice.audio.encoders import sample_rate_for
from auto_voice.errors import UnsupportedParameter
from auto_voice.synthesis.speech import SpeechRequest
from auto_voice.synthesis.synthesizer import Synthesizer


class Manner(msgspec.Struct, frozen=True):
    """A configuration that can be carried out."""

    voice: str
    """Its id."""
    language: str
    """BCP 47, of the voice."""
    format: str
    sample_rate: int
    """Hertz."""
    timestamps: bool
    speed: float
    pitch: float
    ssml: bool
    lexicons: Tuple[str, ...]
    normalize: bool

    def request(self, text: str, continues: bool) -> SpeechRequest:
        """For a sentence, as samples: files are made of whole utterances."""
        return SpeechRequest(
            text=text,
            voice=self.voice,
            format="pcm",
            speed=self.speed,
            sample_rate=self.sample_rate,
            pitch=self.pitch,
            ssml=self.ssml,
            timestamps=self.timestamps,
            lexicons=self.lexicons,
            normalize=self.normalize,
            continues=continues,
        )


def manner_of(
    synthesizer: Synthesizer,
    voice: str,
    format_name: str,
    sample_rate: Optional[int] = None,
    **rest: Any,
) -> Manner:
    """The manner of a configuration.

    Raises:
        AutoVoiceError: it cannot be carried out.
    """
    found = synthesizer.catalogue.find(voice)
    values: Dict[str, Any] = {
        "timestamps": False,
        "speed": 1.0,
        "pitch": 1.0,
        "ssml": False,
        "lexicons": (),
        "normalize": True,
        **rest,
    }
    if values["timestamps"] and not synthesizer.ensemble.capabilities(found).timestamps:
        raise UnsupportedParameter(
            "The engine does not tell when words are heard.", param="timestamps"
        )
    rate = sample_rate_for(format_name, found.sample_rate, sample_rate)
    return Manner(found.id, found.language, format_name, rate, **values)
