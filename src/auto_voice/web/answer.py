"""A speech on its way to the client, as bytes or as server-sent events."""

import base64
import errno
from typing import Any, Dict, Iterator, List

from auto_voice.errors import AutoVoiceError, Cancelled
from auto_voice.synthesis.speech import Speech
from auto_voice.utils.redaction import text_facts
from auto_voice.web.reply import encode_json, error_detail

TOKENS_PER_AUDIO_SECOND = 20
"""How usage is counted in server-sent events, as OpenAI's speech models roughly do."""


class Answer:
    """A speech's bytes for the WSGI server; accounts for what was sent."""

    def __init__(self, speech: Speech, facts: Dict[str, Any], text: str, events: bool) -> None:
        self.speech = speech
        self._events = events
        self._facts = facts
        self._text = text

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self.speech)
        except AutoVoiceError as error:
            self._facts["error"] = error.code
            if self._events and not isinstance(error, Cancelled):
                raise
            # Too late for a status. This error makes the WSGI server hang up without the closing
            # chunk, so that the client notices that audio is missing.
            raise BrokenPipeError(errno.EPIPE, error.message) from None

    def close(self) -> None:
        speech = self.speech
        speech.close()
        stats = speech.stats
        self._facts.update(
            engine=speech.voice.engine,
            voice=speech.voice.id,
            format=speech.format.name,
            **text_facts(self._text),
            audio_s=round(speech.made.audio_s, 3),
            cache=speech.cache,
            outcome=speech.outcome,
            queue_wait_ms=round(1e3 * stats.queue_wait_s, 3),
            first_audio_ms=round(1e3 * (stats.first_audio_s or 0.0), 3),
        )


class Events:
    """A speech as server-sent events."""

    def __init__(self, answer: Answer, words: int) -> None:
        self._answer = answer
        self._input_tokens = words
        self._ended = False
        self._waiting: List[bytes] = []
        """Events that come before the next piece."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._waiting:
            return self._waiting.pop(0)
        if self._ended:
            raise StopIteration
        try:
            audio = base64.b64encode(next(self._answer)).decode()
        except StopIteration:
            self._ended = True
            self._waiting = [*self._timestamps(), self._done()]
            return self._waiting.pop(0)
        except AutoVoiceError as error:
            # Too late for a status: an event says that this is not the whole.
            self._ended = True
            return _event({"type": "error", "error": error_detail(error)})
        self._waiting = self._timestamps()
        return _event({"type": "speech.audio.delta", "audio": audio})

    def _timestamps(self) -> List[bytes]:
        speech = self._answer.speech
        words, marks = speech.new_words(), speech.new_marks()
        if not words and not marks:
            return []
        return [_event({"type": "speech.audio.timestamps", "words": words, "marks": marks})]

    def _done(self) -> bytes:
        made = round(self._answer.speech.made.audio_s * TOKENS_PER_AUDIO_SECOND)
        usage = {
            "input_tokens": self._input_tokens,
            "output_tokens": made,
            "total_tokens": self._input_tokens + made,
        }
        return _event({"type": "speech.audio.done", "usage": usage})

    def close(self) -> None:
        self._answer.close()


def _event(data: Dict[str, Any]) -> bytes:
    return b"data: " + encode_json(data) + b"\n\n"
