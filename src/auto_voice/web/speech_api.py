"""Speech over REST, its captions, and what would be said: each is one call and back."""

import base64
from typing import Any, Callable, List, Tuple
from urllib.parse import quote

import msgspec

from auto_voice.bootstrap import Service
from auto_voice.engines import chosen
from auto_voice.engines.engine import Voice
from auto_voice.errors import ModelNotFound, UnsupportedParameter
from auto_voice.synthesis import captions
from auto_voice.synthesis.estimate import estimated_s
from auto_voice.synthesis.planning import Plan
from auto_voice.synthesis.speech import Speech, SpeechRequest
from auto_voice.synthesis.timing import TimedWord
from auto_voice.text.aligned import Aligned
from auto_voice.text.plan import Line
from auto_voice.text.script import Break
from auto_voice.web.answer import Answer, Events
from auto_voice.web.endpoint import AUDIO, CAPTIONS, SPEECH_PATH, Endpoint
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
from auto_voice.web.reply import Reply, bytes_reply, json_reply
from auto_voice.web.schemas import ErrorBody
from auto_voice.web.speech_schemas import (
    CaptionsBody,
    Change,
    PlannedSentence,
    PlanQuery,
    SpeechBody,
    TextPlan,
    TimedSpeech,
)

OPENAI_MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""OpenAI's names, for whichever engine has the voice."""

_decode_speech = msgspec.json.Decoder(SpeechBody).decode
_decode_captions = msgspec.json.Decoder(CaptionsBody).decode
_plan_query = query_decoder(PlanQuery)

_REFUSED = {status: ErrorBody for status in (400, 401, 404, 408, 413, 415, 429, 500, 503, 504)}


class SpeechAPI:
    """The endpoints that take a text."""

    def __init__(self, service: Service) -> None:
        self._synthesizer = service.synthesizer
        self._body_limit = service.settings.body_limit_bytes
        self._default_voice = service.settings.default_voice
        self._engines = chosen(service.settings.engine)
        self.models: Tuple[str, ...] = (*self._engines, *OPENAI_MODELS)
        """Every name that a request may call its model by."""
        self.endpoints: Tuple[Endpoint, ...] = (
            Endpoint(
                "POST",
                SPEECH_PATH,
                self.create_speech,
                "Speak a text",
                {200: AUDIO, **_REFUSED},
                body=SpeechBody,
                limited=True,
            ),
            Endpoint(
                "POST",
                "/v1/audio/captions",
                self.create_captions,
                "Captions for a text as it would be spoken",
                {200: CAPTIONS, **_REFUSED},
                body=CaptionsBody,
                limited=True,
            ),
            Endpoint(
                "GET",
                "/v1/text/plan",
                self.get_plan,
                "What would be said, sentence by sentence",
                {200: TextPlan, 400: ErrorBody, 401: ErrorBody, 404: ErrorBody, 503: ErrorBody},
                query=PlanQuery,
            ),
            Endpoint(
                "POST",
                "/v1/text/plan",
                self.create_plan,
                "The same for a text of any length",
                {200: TextPlan, **_REFUSED},
                body=SpeechBody,
            ),
        )

    def create_speech(self, environ: Environ) -> Reply:
        """The answer streams: its beginning is sent while later sentences are being spoken."""
        body = self._body(environ, _decode_speech)
        timed = body.timestamps == "word"
        shape = body.stream_format or ("json" if timed else "audio")
        if timed and shape == "audio":
            raise UnsupportedParameter(
                "Audio bytes have no room for timestamps; ask for `stream_format` `json` or `sse`.",
                param="timestamps",
            )
        speech = self._synthesizer.speak(
            self._request(body, timed),
            is_gone=gone_check(environ),
            transport="sse" if shape == "sse" else "http",
        )
        answer = Answer(speech, environ[FACTS], body.input, shape != "audio")
        headers = [
            ("X-Cache", speech.cache),
            ("X-Voice", header_text(speech.voice.id)),
            ("X-Sample-Rate", str(speech.sample_rate)),
        ]
        if shape == "sse":
            headers += [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")]
            return Reply(200, headers, Events(answer, len(body.input.split())))
        if shape == "json":
            return json_reply(_whole(answer, speech), headers=headers)
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

    def create_captions(self, environ: Environ) -> Reply:
        """The text is spoken for it, and the audio kept in the cache."""
        body = self._body(environ, _decode_captions)
        speech = self._synthesizer.speak(
            self._request(body, True), is_gone=gone_check(environ), transport="http"
        )
        answer = Answer(speech, environ[FACTS], body.input, True)
        words: List[TimedWord] = []
        try:
            for _ in answer:
                words += speech.new_words()
            words += speech.new_words()
        finally:
            answer.close()
        text = captions.render(body.captions_format, words, body.input, bool(body.ssml))
        content_type = f"{captions.FORMATS[body.captions_format]}; charset=utf-8"
        return bytes_reply(text.encode("utf-8", "replace"), content_type)

    def get_plan(self, environ: Environ) -> Reply:
        """For looking at it; nothing is spoken."""
        query = validated(_plan_query, query_string(environ))
        names = [name.strip() for name in (query.lexicon or "").split(",")]
        return self._planned(
            SpeechRequest(
                text=query.input,
                voice=query.voice or self._default_voice,
                ssml=query.ssml,
                lexicons=tuple(name for name in names if name),
                normalize=query.normalize,
            )
        )

    def create_plan(self, environ: Environ) -> Reply:
        """Takes the body of a request for speech."""
        return self._planned(self._request(self._body(environ, _decode_speech), False))

    def _planned(self, request: SpeechRequest) -> Reply:
        plan = self._synthesizer.plan(request)
        sentences, seconds = [], 0.0
        for step in plan.steps():
            if isinstance(step, Line):
                sentences.append(_sentence(request, plan, step))
                seconds += sentences[-1].seconds
            elif isinstance(step, Break):
                seconds += step.duration_s
                if sentences:
                    sentences[-1].pause_s += step.duration_s
        voice: Voice = plan.voice
        return json_reply(
            TextPlan(voice.id, voice.language, len(request.text), round(seconds, 2), sentences)
        )

    def _body(self, environ: Environ, decode: Callable[[Any], Any]) -> Any:
        body = validated(decode, nested_within_reason(read_body(environ, self._body_limit)))
        if body.model not in self.models:
            raise unknown_model(body.model, self.models)
        return body

    def _request(self, body: SpeechBody, timestamps: bool) -> SpeechRequest:
        return SpeechRequest(
            text=body.input,
            voice=body.voice_name or self._default_voice,
            format=body.response_format,
            speed=body.speed,
            sample_rate=body.sample_rate,
            pitch=body.pitch,
            ssml=bool(body.ssml),
            timestamps=timestamps,
            lexicons=body.lexicons,
            normalize=body.normalize is not False,
            engine=body.model if body.model in self._engines else "",
        )


def header_text(text: str) -> str:
    """As a header can have it: what is not ASCII is percent-encoded, as in a URL."""
    return text if text.isascii() else quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~")


def unknown_model(name: str, known: Tuple[str, ...]) -> ModelNotFound:
    """What to answer where a model is called ``name``."""
    shown = name if len(name) <= 60 else name[:60] + "…"
    return ModelNotFound(f"There is no model {shown!r}, only {', '.join(known)}.", param="model")


def _whole(answer: Answer, speech: Speech) -> TimedSpeech:
    try:
        data = b"".join(answer)
    finally:
        answer.close()
    return TimedSpeech(
        audio=base64.b64encode(data).decode(),
        format=speech.format.name,
        sample_rate=speech.sample_rate,
        duration_s=round(speech.made.audio_s, 3),
        words=speech.new_words(),
        marks=speech.new_marks(),
    )


def _sentence(request: SpeechRequest, plan: Plan, line: Line) -> PlannedSentence:
    seconds = estimated_s(line.said.text) / (request.speed * line.style.rate)
    return PlannedSentence(
        text=request.text[line.start : line.end],
        char_start=line.start,
        char_end=line.end,
        said=line.said.text,
        voice=plan.voice_for(line.style).id,
        speed=line.style.rate,
        pitch=line.style.pitch,
        volume_db=line.style.volume_db,
        seconds=round(seconds, 2),
        pause_s=0.0,
        changes=_changes(line.said, request.text),
    )


def _changes(said: Aligned, text: str) -> List[Change]:
    return [
        Change(text[piece.start : piece.end], piece.text, piece.start, piece.end, piece.ipa)
        for piece in said.pieces
        if piece.ipa or piece.text != text[piece.start : piece.end]
    ]
