"""The WebSocket that clients of ElevenLabs speak, for those who bring such a client along.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-stream-input:
messages of JSON with text in, messages of JSON with base64 audio out.
"""

import base64
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

import msgspec
from typing_extensions import Annotated

from auto_voice.errors import AutoVoiceError, UnsupportedParameter
from auto_voice.synthesis.synthesizer import Synthesizer
from auto_voice.synthesis.timing import TimedWord
from auto_voice.web.incoming import nested_within_reason, validated
from auto_voice.web.live.manner import Manner, manner_of
from auto_voice.web.reply import encode_json
from auto_voice.web.websocket_handler import LiveSession, fault_of

ELEVENLABS_PATH = "/v1/text-to-speech/<voice_id>/stream-input"

_OUTPUT_FORMAT = re.compile(r"(mp3|pcm|opus|wav)_(\d{4,6})(?:_\d{1,3})?")
_CLOSES = {400: 1008, 401: 1008, 403: 1008, 404: 1008, 429: 1008, 503: 1013}
"""HTTP's status of an error that ends the session to WebSocket's code."""


class VoiceSettings(msgspec.Struct):
    """What of ElevenLabs' voice settings means something here."""

    speed: Optional[Annotated[float, msgspec.Meta(ge=0.25, le=4.0)]] = None


class TextMessage(msgspec.Struct):
    """Each message of such a client."""

    text: Optional[str] = None
    flush: bool = False
    try_trigger_generation: bool = False
    """Makes no difference: each sentence is spoken when it is whole."""
    voice_settings: Optional[VoiceSettings] = None


_decode = msgspec.json.Decoder(TextMessage).decode


class ElevenLabsQuery(msgspec.Struct):
    """What such a client says in its URL; the rest of ElevenLabs' parameters changes nothing."""

    output_format: Annotated[
        Annotated[str, msgspec.Meta(max_length=30)],
        msgspec.Meta(description="`mp3_44100_128`, `pcm_16000`, `opus_48000_64` and the like."),
    ] = "mp3_44100_128"


def elevenlabs_manner(synthesizer: Synthesizer, voice_id: str, output_format: str) -> Manner:
    """How a session speaks, given its URL.

    Raises:
        VoiceNotFound, VoiceUnavailable, UnsupportedParameter
    """
    found = _OUTPUT_FORMAT.fullmatch(output_format)
    if found is None:
        raise UnsupportedParameter(
            f"There is no output format {output_format!r} here, only mp3_…, pcm_…, opus_… and "
            "wav_… with a sample rate.",
            param="output_format",
        )
    voice = synthesizer.catalogue.find(voice_id)
    times = synthesizer.ensemble.capabilities(voice).timestamps
    return manner_of(synthesizer, voice_id, found.group(1), int(found.group(2)), timestamps=times)


class ElevenLabsSession(LiveSession):
    """A client of `ELEVENLABS_PATH`: one utterance, then goodbye."""

    route = ELEVENLABS_PATH

    def __init__(self, *args: Any, manner: Manner) -> None:
        super().__init__(*args)
        self._manner = manner
        self._begun = False
        self._written = ""
        """What is being spoken, from `_written_at` on: alignments are made of its characters."""
        self._written_at = 0
        self._told_ms = 0

    # --- messages in ----------------------------------------------------------------------------

    def _read(self, data: bytes) -> "Tuple[str, Callable[[], None]]":
        try:
            message: TextMessage = validated(_decode, nested_within_reason(data))
        except AutoVoiceError as error:
            wrong = error
            return "other", lambda: self._raise(wrong)
        if not self._begun:
            kind = "session.config"
        else:
            kind = "input.text" if message.text else "input.done"
        return kind, lambda: self._handle(message)

    def _handle(self, message: TextMessage) -> None:
        if message.voice_settings is not None and not self._begun:
            speed = message.voice_settings.speed
            if speed is not None:
                self._manner = msgspec.structs.replace(self._manner, speed=speed)
        first, self._begun = not self._begun, True
        if message.text:
            if not (first and message.text == " "):  # what opens a session is no text
                self._text.write(message.text, self._manner)
                self._written += message.text
            if message.flush:
                self._text.flush()
        elif message.text == "":
            self._closing = True
            self._text.done(self._manner)
        elif message.flush:
            self._text.flush()

    @staticmethod
    def _raise(error: Exception) -> None:
        raise error

    # --- messages out ---------------------------------------------------------------------------

    def refuse(self, error: AutoVoiceError) -> None:
        """Tell the client of an error; the session ends with it."""
        self._note(error)
        body: Dict[str, Any] = {
            "message": error.message,
            "error": error.code,
            "code": _CLOSES.get(error.status, 1011),
        }
        self._link.send("error", encode_json(body))
        ended_by = "client" if error.status < 500 else "error"
        self._link.close(body["code"], error.code, ended_by)

    def began(self, utterance: int, sentence: int, text: str, manner: Manner) -> None:
        """See `Listener`; such a client is not told."""

    def heard(self, audio: bytes, words: List[TimedWord], text_start: int) -> None:
        """See `Listener`."""
        if not audio and not words:
            return
        alignment = self._alignment(words) if words else None
        body = {
            "audio": base64.b64encode(audio).decode() if audio else None,
            "isFinal": None,
            "normalizedAlignment": alignment,
            "alignment": alignment,
        }
        self._link.queue("audio", encode_json(body))

    def failed(self, error: AutoVoiceError, utterance: int, sentence: int) -> None:
        """See `Listener`."""
        self._link.metrics.failed("input.text", fault_of(error))
        self.refuse(error)

    def ended(self, utterance: int, cancelled: bool, duration_ms: int) -> None:
        """See `Listener`."""
        self._link.send("audio.done", encode_json({"audio": None, "isFinal": True}))
        self._link.loop.call_soon(self._link.close, 1000, "")

    def _alignment(self, words: List[TimedWord]) -> Dict[str, Any]:
        """When each character is heard: within a word all take the same time."""
        chars: List[str] = []
        starts: List[int] = []
        durations: List[int] = []
        for word in words:
            before = self._written[: word.char_start - self._written_at]
            for char in before:  # white space and marks up to the word take the time between
                chars.append(char)
                starts.append(self._told_ms)
                durations.append(0)
            if before:
                durations[-1] = max(0, word.start_ms - self._told_ms)
            text = self._written[len(before) : word.char_end - self._written_at]
            length_ms = word.end_ms - word.start_ms
            for index, char in enumerate(text):
                begins = word.start_ms + length_ms * index // len(text)
                chars.append(char)
                starts.append(begins)
                durations.append(word.start_ms + length_ms * (index + 1) // len(text) - begins)
            self._written = self._written[len(before) + len(text) :]
            self._written_at += len(before) + len(text)
            self._told_ms = word.end_ms
        return {"chars": chars, "charStartTimesMs": starts, "charDurationsMs": durations}
