"""Speaks one client's utterances, one after the other."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from concurrent.futures import Executor
from functools import partial
from typing import Any, Callable, Optional

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.tts import SynthesizeStopped

from auto_voice.audio.pcm import BYTES_PER_SAMPLE, silence
from auto_voice.bootstrap import Service
from auto_voice.errors import AutoVoiceError, Cancelled, Overloaded
from auto_voice.synthesis.speech import Speech, SpeechRequest
from auto_voice.synthesis.stream import PARAGRAPH_PAUSE_S
from auto_voice.utils.tracing_context import current
from auto_voice.voices.catalogue import ListedVoice
from auto_voice.wyoming.account import Account
from auto_voice.wyoming.outgoing import Outgoing
from auto_voice.wyoming.utterance import Part, Utterance

log = logging.getLogger(__name__)

CHUNK_BYTES = 8192
"""Of audio, in one event."""
_RETRY_S = 0.05
"""Between two attempts to get a place for the rest of a text where the server is full."""


class Speaker:
    """Used in the loop's thread; what waits for the engine runs in threads of a pool."""

    def __init__(self, service: Service, threads: Executor, out: Outgoing) -> None:
        self._service = service
        self._threads = threads
        self._out = out
        self.is_gone = False
        """Whether nobody listens any more; then speaking ends by itself."""

    async def in_thread(self, function: Callable[[], Any]) -> Any:
        """Call it in the pool, in the present context."""
        run = contextvars.copy_context().run
        return await asyncio.get_event_loop().run_in_executor(self._threads, run, function)

    async def speak(self, utterance: Utterance) -> None:
        """All of it. Whatever happens, the client is told that it is over."""
        account = Account(self._service, utterance, self._out.client)
        token = current.set(account.context)
        error: Optional[AutoVoiceError] = None
        try:
            await self._speak_parts(utterance, account)
        except AutoVoiceError as known:
            error = known
        except OSError:
            self.is_gone = True
        except Exception:
            log.exception("an utterance failed")
            error = AutoVoiceError("An internal error occurred; the log has the details.")
        try:
            if not self.is_gone:
                await self._end(utterance, account, error)
        except OSError:
            self.is_gone = True
        finally:
            if self.is_gone:
                error = gone()
            utterance.fail(error or gone())  # what may still be written is of no use
            account.close(error)
            current.reset(token)

    async def _speak_parts(self, utterance: Utterance, account: Account) -> None:
        while not self.is_gone:
            part = await utterance.part()
            voice = utterance.voice
            if part is None or voice is None:
                return
            if part.new_paragraph:
                pause = silence(PARAGRAPH_PAUSE_S, voice.sample_rate)
                await self._send_audio(pause, voice, account)
            speech = await self.in_thread(partial(self._begin, voice, utterance.ssml, part))
            try:
                while True:
                    piece = await self.in_thread(partial(next, speech, b""))
                    if not piece:
                        break
                    await self._send_audio(piece, voice, account)
            finally:
                await self.in_thread(speech.close)
                account.spoke(speech)

    def _begin(self, voice: ListedVoice, ssml: bool, part: Part) -> Speech:
        """A part's speech, once the server has a place for it; in a thread of the pool."""
        request = SpeechRequest(
            text=part.text,
            voice=voice.id,
            format="pcm",
            sample_rate=voice.sample_rate,
            ssml=ssml,
            continues=part.continues,
        )
        give_up = time.monotonic() + self._service.settings.start_deadline_s
        while True:
            try:
                return self._service.synthesizer.speak(
                    request, is_gone=lambda: self.is_gone, transport="wyoming", begun=True
                )
            except Overloaded:
                if part.is_first or time.monotonic() > give_up:
                    raise
            if self.is_gone:
                raise gone()
            time.sleep(_RETRY_S)

    async def _send_audio(self, pcm: bytes, voice: ListedVoice, account: Account) -> None:
        rate = voice.sample_rate
        if not account.samples:
            await self._out.send(AudioStart(rate, BYTES_PER_SAMPLE, 1, timestamp=0).event())
        for at in range(0, len(pcm), CHUNK_BYTES):
            audio = bytes(pcm[at : at + CHUNK_BYTES])
            timestamp_ms = round(1e3 * account.samples / rate)
            chunk = AudioChunk(rate, BYTES_PER_SAMPLE, 1, audio, timestamp=timestamp_ms)
            account.heard(len(audio) // BYTES_PER_SAMPLE)
            await self._out.send(chunk.event())

    async def _end(
        self, utterance: Utterance, account: Account, error: Optional[AutoVoiceError]
    ) -> None:
        """Also after an error: Home Assistant waits for the end, and takes no notice of errors."""
        timestamp_ms = 0
        voice = utterance.voice
        if error is not None:
            await self._out.send_error(error)
        if voice is not None:
            timestamp_ms = round(1e3 * account.samples / voice.sample_rate)
            if error is None and not account.samples:
                start = AudioStart(voice.sample_rate, BYTES_PER_SAMPLE, 1, timestamp=0)
                await self._out.send(start.event())
        await self._out.send(AudioStop(timestamp=timestamp_ms).event())
        if utterance.growing:
            await self._out.send(SynthesizeStopped().event())


def gone() -> Cancelled:
    """Why an utterance ended whose client has left."""
    return Cancelled("The client has left.")
