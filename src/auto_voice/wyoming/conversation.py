"""One client's connection: what it says, and what is done about it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Optional

from wyoming.event import Event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop

from auto_voice.errors import AutoVoiceError, Draining, InvalidRequest, UnsupportedParameter
from auto_voice.synthesis.speech import outcome_of
from auto_voice.wyoming import incoming
from auto_voice.wyoming.offer import find, offer
from auto_voice.wyoming.outgoing import Outgoing
from auto_voice.wyoming.shared import Shared
from auto_voice.wyoming.speaker import Speaker, gone
from auto_voice.wyoming.utterance import Utterance

log = logging.getLogger(__name__)

MAX_WAITING = 16
"""Texts of one connection that may wait for their turn; then nothing more is read from it."""
_FORMATS = (None, "text", "ssml")


class Conversation:
    """Runs in the loop's thread."""

    def __init__(
        self, shared: Shared, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._shared = shared
        self._service = shared.service
        self._reader = reader
        self._out = Outgoing(writer)
        self._speaker = Speaker(shared.service, shared.threads, self._out)
        self._waiting: "asyncio.Queue[Utterance]" = asyncio.Queue(MAX_WAITING)
        self._growing: Optional[Utterance] = None
        """The one whose text is being written."""
        self._unfinished = 0
        """Utterances that have begun and are not over."""
        self._heard = time.monotonic()
        """When the last event came."""

    async def run(self) -> None:
        """Until the client leaves or is sent away."""
        speaking = asyncio.ensure_future(self._speak_all())
        try:
            while True:
                event = await incoming.read_event(self._reader, self._shared.max_data_bytes)
                if event is None:
                    break
                self._heard = time.monotonic()
                await self._handle(event)
        except InvalidRequest as error:  # where the next event would begin nobody knows
            facts = {"client": self._out.client, "error": error.code}
            log.info("a Wyoming client was not understood", extra=facts)
            self._speaker.is_gone = True
            await self._out.send_last(error, self._reader)
        except OSError:
            pass  # the connection broke
        finally:
            self._speaker.is_gone = True
            if self._growing is not None:
                self._growing.fail(gone())
            if not self._unfinished:
                speaking.cancel()
            await asyncio.wait({speaking})
            self._out.close()

    async def send_away(self, error: AutoVoiceError) -> None:
        """Instead of `run`."""
        await self._out.send_last(error, self._reader)
        self._out.close()

    def leave(self) -> None:
        """Hang up at once."""
        self._speaker.is_gone = True
        self._out.abort()

    def tick(self, now: float) -> None:
        """Look whether the client is still there; called now and then."""
        limits, blocked_since = self._shared.limits, self._out.blocked_since
        if blocked_since is not None:
            if now - blocked_since > limits.stall_s:
                log.info("a Wyoming client took no audio", extra={"client": self._out.client})
                self.leave()
        elif self._waits_for_client and now - max(self._heard, self._out.last) > limits.idle_s:
            self.leave()

    def drain(self) -> None:
        """Hang up, unless something has begun."""
        if not self._unfinished:
            self._out.close()

    @property
    def _waits_for_client(self) -> bool:
        return self._unfinished == 0 or (self._unfinished == 1 and self._growing is not None)

    async def _handle(self, event: Event) -> None:
        """Do as an event says; those that nobody here knows are left alone, as is the custom."""
        kind = event.type
        if Synthesize.is_type(kind):
            if self._growing is None:  # else it repeats what has been written
                await self._begin(event, growing=False)
        elif SynthesizeStart.is_type(kind):
            self._end_text()  # of one that its client has forgotten
            await self._begin(event, growing=True)
        elif SynthesizeChunk.is_type(kind):
            self._go_on(event)
        elif SynthesizeStop.is_type(kind):
            self._end_text()
        elif Describe.is_type(kind):
            await self._describe()
        elif Ping.is_type(kind):
            text = event.data.get("text")
            await self._out.send(Pong(text if isinstance(text, str) else None).event())

    async def _describe(self) -> None:
        synthesizer = self._service.synthesizer
        try:
            answer = await self._speaker.in_thread(
                lambda: offer(synthesizer.ensemble.versions, synthesizer.catalogue)
            )
        except AutoVoiceError as error:
            await self._out.send_error(error)
        else:
            await self._out.send(answer)

    async def _begin(self, event: Event, growing: bool) -> None:
        utterance = Utterance(growing, self._service.settings.max_input_chars)
        self._unfinished += 1
        self._shared.begun()
        if growing:
            self._growing = utterance
        try:
            await self._ask_for_voice(event, utterance)
        except AutoVoiceError as error:
            self._refuse(utterance, error)
        await self._waiting.put(utterance)

    async def _ask_for_voice(self, event: Event, utterance: Utterance) -> None:
        if self._shared.draining:
            raise Draining("The server is stopping.", retry_after_s=5)
        asked = incoming.understood(event, incoming.Start if utterance.growing else incoming.Whole)
        if asked.text_format not in _FORMATS:
            raise UnsupportedParameter(f"There is no text format {asked.text_format!r:.60}.")
        synthesizer, default = self._service.synthesizer, self._service.settings.default_voice
        voice = await self._speaker.in_thread(
            lambda: find(asked.voice, synthesizer.catalogue, default)
        )
        utterance.spoken_by(voice, asked.text_format == "ssml")
        if isinstance(asked, incoming.Whole):
            utterance.write(asked.text)
            utterance.end()

    def _go_on(self, event: Event) -> None:
        utterance = self._growing
        if utterance is not None:
            try:
                utterance.write(incoming.understood(event, incoming.Chunk).text)
            except AutoVoiceError as error:
                self._refuse(utterance, error)

    def _end_text(self) -> None:
        if self._growing is not None:
            self._growing.end()
            self._growing = None

    def _refuse(self, utterance: Utterance, error: AutoVoiceError) -> None:
        self._service.metrics.synthesis.refused(outcome_of(error))
        utterance.fail(error)

    async def _speak_all(self) -> None:
        while True:
            utterance = await self._waiting.get()
            try:
                await self._speaker.speak(utterance)
            finally:
                self._unfinished -= 1
                self._shared.finished()
            if not self._unfinished:
                if self._speaker.is_gone:
                    return
                if self._shared.draining:
                    self._out.close()
