"""A tone per word: an engine with known output, for tests and for trying the API.

Words in capitals make it misbehave, so that a test can ask for a crash through
the front door: ``CRASH`` kills the process, ``HANG`` never returns, ``FAIL``
raises. ``PAUSE`` takes 50 ms of time before its tone, and ``STOP`` stops the
process until somebody sends it SIGCONT.

Voices that lie in the voice folder for it (``<id>/voice.json``) sound at their own
sample rate; one with a file called ``refuse`` in its folder cannot be loaded, and
one whose file says ``"load_s": 2`` takes two seconds at first.
"""

import json
import math
import os
import re
import signal
import struct
import time
from pathlib import Path
from typing import Dict, List, Set

from auto_voice.engines.engine import Capabilities, Emitter, Engine, Utterance, Voice, Word
from auto_voice.errors import EngineFailed, VoiceUnavailable

SAMPLE_RATE_HZ = 16_000
TONE_S = 0.05
"""Seconds a word sounds at speed 1.0."""
GAP_S = 0.025
"""Seconds of silence after each word at speed 1.0."""


def tone_hz(word: str) -> int:
    """Hertz that a word sounds at: 200 + 10 × (sum of its code points mod 150)."""
    return 200 + 10 * (sum(map(ord, word)) % 150)


class StubEngine(Engine):
    """Speaks each word as a sine whose frequency is known."""

    name = "stub"
    version = "1"

    def load(self) -> None:
        self._loaded: Set[str] = set()
        """Voices from the folder that have been spoken with."""

    def capabilities(self) -> Capabilities:
        return Capabilities(
            sample_rate=SAMPLE_RATE_HZ,
            languages=("en", "en-us"),
            speed=(0.25, 4.0),
            pitch=(0.5, 2.0),
            timestamps=True,
            streaming=True,
            instant=True,
            reproducible=True,
            tidy=True,
            levelled=True,  # tests know its tones to the sample
        )

    def voices(self) -> List[Voice]:
        return [
            Voice(
                id="en-us",
                name="Tones",
                language="en-us",
                engine=self.name,
                sample_rate=SAMPLE_RATE_HZ,
                languages=("en-us", "en"),
            )
        ]

    def preferred(self) -> Dict[str, str]:
        return {"en": "en-us", "en-us": "en-us"}

    def speak(self, utterance: Utterance, emitter: Emitter) -> None:
        rate_hz = self._rate_of(utterance.voice, emitter)
        position_s = 0.0
        for match in re.finditer(r"\w+", utterance.text):
            word = match.group()
            _misbehave(word)
            if utterance.timestamps:
                emitter.word(Word(position_s, match.start(), match.end()))
            pcm = _tone(tone_hz(word) * utterance.pitch, TONE_S / utterance.speed, rate_hz)
            pcm += bytes(2 * round(rate_hz * GAP_S / utterance.speed))
            position_s += len(pcm) / 2 / rate_hz
            if not emitter.audio(pcm):
                return

    def _rate_of(self, voice: str, emitter: Emitter) -> int:
        """Hertz."""
        if not self.options.voice_dir:
            return SAMPLE_RATE_HZ
        folder = Path(self.options.voice_dir, voice.partition("+")[0])
        if (folder / "refuse").exists():
            raise VoiceUnavailable("the stub was asked to refuse it")
        try:
            manifest = json.loads((folder / "voice.json").read_text("utf-8"))
        except FileNotFoundError:
            return SAMPLE_RATE_HZ
        if voice not in self._loaded:
            self._loaded.add(voice)
            emitter.loading()
            time.sleep(manifest.get("load_s", 0))
            emitter.loading(done=True)
        return int(manifest["sample_rate"])


def _tone(hz: float, duration_s: float, rate_hz: int) -> bytes:
    count = round(rate_hz * duration_s)
    step = 2 * math.pi * hz / rate_hz
    # The half sine around it makes both ends silent, so that no border clicks.
    return struct.pack(
        f"<{count}h",
        *(round(16_000 * math.sin(step * i) * math.sin(math.pi * i / count)) for i in range(count)),
    )


def _misbehave(word: str) -> None:
    if word == "CRASH":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "HANG":
        time.sleep(3600)
    elif word == "FAIL":
        raise EngineFailed("the stub was asked to fail")
    elif word == "PAUSE":
        time.sleep(0.05)
    elif word == "STOP":
        os.kill(os.getpid(), signal.SIGSTOP)
