"""A text that is to be spoken: all there, or still being written."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Deque, List, NamedTuple, Optional

from auto_voice.errors import AutoVoiceError, EmptyInput, InputTooLong
from auto_voice.text.plan import MAX_SENTENCE_CHARS
from auto_voice.text.sentences import Segment, Segmenter
from auto_voice.utils.redaction import GrowingTextFacts
from auto_voice.voices.catalogue import ListedVoice

SETTLE_S = 0.01
"""How long the next word may take where a sentence seems to be over."""
TYPED_SETTLE_S = 0.5
"""The same where single characters come: there "example." may well become "example.com"."""


class Part(NamedTuple):
    """What is spoken in one go."""

    text: str
    is_first: bool
    continues: bool
    """Whether more of the utterance follows."""
    new_paragraph: bool
    """Whether a paragraph has ended right before."""


class Utterance:
    """Filled by whoever reads from the client, emptied by whoever speaks. The loop's thread's."""

    def __init__(self, growing: bool, max_chars: int) -> None:
        """
        Args:
            growing: whether the text comes in pieces.
            max_chars: of a growing text that may wait to be spoken.
        """
        self.growing = growing
        self.voice: Optional[ListedVoice] = None
        self.ssml = False
        self.error: Optional[AutoVoiceError] = None
        """Why it cannot be spoken, or no further."""
        self.facts = GrowingTextFacts()
        self.began = time.monotonic()
        self._max_chars = max_chars
        self._ended = False
        self._changed = asyncio.Event()
        self._segmenter = Segmenter()
        self._ready: Deque[Segment] = deque()
        self._document: List[str] = []
        """Pieces of what is spoken as a whole: a text that is all there, or SSML."""
        self._chars = 0
        self._spoken_chars = 0
        self._paragraph_ended = False
        self._settling: Optional[asyncio.TimerHandle] = None
        self._typed = False

    def spoken_by(self, voice: ListedVoice, ssml: bool) -> None:
        """Say who speaks, before the first text."""
        self.voice, self.ssml = voice, ssml
        self._segmenter = Segmenter(voice.language, MAX_SENTENCE_CHARS)

    def write(self, text: str) -> None:
        """The next piece; it is of no use to one that has failed or ended.

        Raises:
            InputTooLong: more than can be kept would wait to be spoken.
        """
        if self.error is not None or self._ended:
            return
        if self.growing and self._chars - self._spoken_chars + len(text) > self._max_chars:
            raise InputTooLong(f"More than {self._max_chars} characters would wait to be spoken.")
        self.facts.add(text)
        self._chars += len(text)
        if self.ssml or not self.growing:
            self._document.append(text)
            return
        self._take(self._segmenter.push(text))
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        if self._segmenter.ends_clearly:
            delay_s = TYPED_SETTLE_S if len(text) == 1 and self._typed else SETTLE_S
            loop = asyncio.get_event_loop()
            self._settling = loop.call_later(delay_s, self._settle)
        self._typed = len(text) == 1

    def end(self) -> None:
        """All text is there."""
        if self._settling is not None:
            self._settling.cancel()
        if self._document:
            document = "".join(self._document)
            self._take([Segment(document, 0, len(document), False)])
        else:
            self._take(self._segmenter.finish())
        self._ended = True
        self._changed.set()

    def fail(self, error: AutoVoiceError) -> None:
        """It is not spoken any further."""
        if self.error is None:
            self.error = error
        self._changed.set()

    async def part(self) -> Optional[Part]:
        """What is spoken next, once it is there; None after the last.

        Raises:
            AutoVoiceError: it failed.
        """
        while True:
            if self.error is not None:
                raise self.error
            if self._ready:
                segment = self._ready.popleft()
                new_paragraph, self._paragraph_ended = self._paragraph_ended, segment.paragraph_end
                is_first = not self._spoken_chars
                self._spoken_chars = segment.end
                continues = bool(self._ready) or not self._ended
                return Part(segment.text, is_first, continues, new_paragraph)
            if self._ended:
                if not self._spoken_chars:
                    raise EmptyInput("There is no text to speak.", param="text")
                return None
            self._changed.clear()
            await self._changed.wait()

    def _settle(self) -> None:
        self._settling = None
        self._take(self._segmenter.settle())

    def _take(self, segments: List[Segment]) -> None:
        if segments:
            self._ready.extend(segments)
            self._changed.set()
