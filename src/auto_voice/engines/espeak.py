"""The embedded engine: espeak-ng through the wheel ``espeakng-loader``.

The wheel brings the library and its data, so nothing has to be installed or
downloaded. The library keeps global state and is used through ctypes in
synchronous mode: `espeak_Synth` calls back with samples and returns at the end.
"""

import ctypes
import math
from typing import Dict, List, Optional, Tuple

from auto_voice.engines.engine import (
    PCM,
    Capabilities,
    Emitter,
    Engine,
    EngineOptions,
    Utterance,
    Voice,
    Word,
)
from auto_voice.engines.espeak_library import (
    CHARS_UTF8,
    COMMANDS,
    ENDPAUSE,
    EVENT_LIST_TERMINATED,
    EVENT_WORD,
    PHONEMES,
    PITCH,
    RATE,
    Callback,
    EspeakLibrary,
    Event,
)
from auto_voice.engines.espeak_state import HiddenState
from auto_voice.engines.espeak_text import LibraryText
from auto_voice.errors import EngineFailed

_NORMAL_WPM = 175
_SLOWEST_WPM, _FASTEST_WPM = 80, 449
"""What the library does by itself. Past 449 it stretches, too, but forgets to in its word times."""
_NORMAL_PITCH = 50
_SILENT = " .,;:…-–—\u2028\u2029\ufeff"
"""A text of nothing but these is silence."""
_UNSTEADY = frozenset({"caleb", "Reed"})
"""Variants that sound different each time: espeak-ng's second synthesizer keeps more to itself."""


class EspeakEngine(Engine):
    """espeak-ng: more than 100 languages, about 500 times real time on one core."""

    name = "espeak"

    def __init__(self, options: EngineOptions = EngineOptions()) -> None:
        super().__init__(options)
        self._selected: Optional[Tuple[str, int, int]] = None
        """Voice, words a minute and pitch that the library is set to; None: not known."""
        self._files: Dict[str, str] = {}
        self._preferred: Dict[str, Tuple[int, str]] = {}
        self._emitter: Optional[Emitter] = None
        self._stretch: Optional["_Stretch"] = None
        self._failure: Optional[BaseException] = None
        self._words = False
        self._text: Optional[LibraryText] = None
        """What the library reads where some of it is phonemes; None: the utterance's text."""
        self._length = 0
        self._wanted = True
        self._callback = Callback(self._on_samples)

    def load(self) -> None:
        self._espeak = EspeakLibrary()
        self._library = self._espeak.functions
        self._rate = self._espeak.rate
        self.version = self._espeak.version
        self._can_stretch = hasattr(self._library, "sonicCreateStream")
        self._state = HiddenState(self._library, self._espeak.path)
        self._voices = self._list_voices()
        self._variants = {
            identifier.split("/", 1)[1]: gender
            for _, identifier, gender, _ in self._espeak.list("variant")
            if identifier.split("/", 1)[1] not in _UNSTEADY
        }

    def capabilities(self) -> Capabilities:
        own = _SLOWEST_WPM / _NORMAL_WPM, _FASTEST_WPM / _NORMAL_WPM
        range_ = (0.25, 4.0) if self._can_stretch else own
        return Capabilities(
            sample_rate=self._rate,
            languages=tuple(sorted({tag for voice in self._voices for tag in voice.languages})),
            speed=range_,
            pitch=(0.5, 2.0),
            # The library reads SSML, but an open tag would reach into the next utterance.
            ssml=False,
            timestamps=True,
            streaming=True,
            instant=True,
            reproducible=self._state.known,
            tidy=True,
            ipa=self._espeak.tables is not None,
        )

    def voices(self) -> List[Voice]:
        return self._voices

    def variants(self) -> Dict[str, Optional[str]]:
        return self._variants

    def preferred(self) -> Dict[str, str]:
        return {tag: voice_id for tag, (_, voice_id) in self._preferred.items()}

    def speak(self, utterance: Utterance, emitter: Emitter) -> None:
        text = utterance.text.translate(COMMANDS)
        marked = self._marked(text, utterance)
        if marked is None and not text.strip(_SILENT):
            return
        wpm = utterance.speed * _NORMAL_WPM
        own_wpm = round(min(max(wpm, _SLOWEST_WPM), _FASTEST_WPM))
        stretched = self._can_stretch and not _SLOWEST_WPM <= wpm <= _FASTEST_WPM
        # espeak-ng's pitch is an octave per 50 steps.
        pitch = round(_NORMAL_PITCH + 50 * math.log2(utterance.pitch))
        self._select(utterance.voice, own_wpm, min(max(pitch, 0), 99))
        self._state.reset()
        data = (marked.text if marked else text).encode("utf-8", "replace") + b"\x00"
        flags = CHARS_UTF8 | (PHONEMES if marked else 0)
        flags |= ENDPAUSE if utterance.continues else 0
        self._emitter, self._words = emitter, utterance.timestamps
        self._text, self._length = marked, len(text)
        self._failure, self._wanted = None, True
        self._stretch = _Stretch(self._library, self._rate, wpm / own_wpm) if stretched else None
        try:
            status = self._library.espeak_Synth(data, len(data), 0, 0, 0, flags, None, None)
            if self._stretch is not None and self._wanted:
                emitter.audio(self._stretch.flush())
        finally:
            if self._stretch is not None:
                self._stretch.close()
            self._emitter = self._stretch = None
        if not self._wanted:
            self._forget()
        if self._failure is not None:
            raise self._failure
        if status != 0:
            raise EngineFailed(f"espeak-ng answered with status {status}")

    def close(self) -> None:
        self._library.espeak_Terminate()

    def _on_samples(self, samples: Optional[int], count: int, events: "ctypes.Array[Event]") -> int:
        """Called by the library; returns 1 to make it stop."""
        emitter, stretch = self._emitter, self._stretch
        if emitter is None:
            return 1
        try:
            if self._words:
                self._emit_words(events, emitter, stretch.factor if stretch else 1.0)
            if not samples or count <= 0:
                return 0
            pcm = ctypes.string_at(samples, 2 * count)
            if stretch is not None:
                pcm = stretch.push(pcm)
            self._wanted = emitter.audio(pcm)
        except BaseException as error:  # ctypes would print and swallow it
            self._failure, self._wanted = error, False
        return 0 if self._wanted else 1

    def _emit_words(self, events: "ctypes.Array[Event]", emitter: Emitter, factor: float) -> None:
        index = 0
        while events[index].type != EVENT_LIST_TERMINATED:
            event = events[index]
            if event.type == EVENT_WORD:
                # The library counts from 1, and where it reads a symbol's name, past the end.
                start = min(event.text_position - 1, self._length)
                place: Optional[Tuple[int, int]] = (start, min(start + event.length, self._length))
                if self._text is not None:
                    place = self._text.own(event.text_position - 1, event.length)
                if place is not None:
                    emitter.word(Word(event.sample / self._rate / factor, *place))
            index += 1

    def _marked(self, text: str, utterance: Utterance) -> Optional[LibraryText]:
        """The text with the phonemes that the library can say; None if there are none."""
        file = self._files.get(utterance.voice.partition("+")[0])
        if not utterance.phonemes or file is None:
            return None
        phonology = self._espeak.phonology(file)
        if phonology is None:
            return None
        marked = LibraryText(text, utterance.phonemes, phonology)
        return marked if marked.has_phonemes else None

    def _forget(self) -> None:
        """Get rid of what an utterance that was broken off has left in the library."""
        self._emitter, self._words = _Nobody(), False
        self._library.espeak_Synth(b"a\x00", 2, 0, 0, 0, CHARS_UTF8, None, None)
        self._emitter = self._selected = None

    def _select(self, voice: str, wpm: int, pitch: int) -> None:
        base, plus, variant = voice.partition("+")
        if not self._espeak.claim(self):
            self._library.espeak_SetSynthCallback(self._callback)
            self._selected = None
        # A variant may have an echo, which an utterance leaves behind.
        if self._selected == (voice, wpm, pitch) and not plus:
            return
        file = self._files.get(base)
        # The library would take an unknown variant for none.
        if file is None or (plus and variant not in self._variants):
            raise EngineFailed(f"espeak-ng has no voice {voice!r}")
        self._selected = None
        # Loading the voice again, which takes 0.1 ms, also makes the library forget the pace and
        # the pitch of before; setting them alone leaves traces.
        if self._library.espeak_SetVoiceByName((file + plus + variant).encode()) != 0:
            raise EngineFailed(f"espeak-ng cannot load the voice {voice!r}")
        self._library.espeak_SetParameter(RATE, wpm, 0)
        self._library.espeak_SetParameter(PITCH, pitch, 0)
        self._selected = (voice, wpm, pitch)

    def _list_voices(self) -> List[Voice]:
        voices: Dict[str, Voice] = {}
        for name, identifier, gender, ranked in self._espeak.list(None):
            # Best first; those equally good stay in the order of the voice's file.
            tags = [tag for _, tag in sorted(ranked, key=lambda tag: tag[0])]
            if not self._espeak.has_dictionary(identifier, tags):
                continue
            # The file's first tag names the voice, but for the few that share one.
            own = ranked[0][1]
            voice_id = own if own not in voices else identifier.rsplit("/", 1)[-1].lower()
            self._files[voice_id] = identifier
            for priority, tag in ranked:
                best = self._preferred.get(tag)
                if best is None or priority < best[0]:
                    self._preferred[tag] = (priority, voice_id)
            voices[voice_id] = Voice(
                id=voice_id,
                name=name.strip(),
                language=own,
                engine=self.name,
                sample_rate=self._rate,
                gender=gender,
                languages=tuple(dict.fromkeys(tags)),
            )
        return sorted(voices.values(), key=lambda voice: voice.id)


class _Nobody:
    """Takes samples that nobody wants."""

    def audio(self, pcm: PCM) -> bool:
        return True

    def word(self, word: Word) -> None:
        pass

    def loading(self, done: bool = False) -> None:
        pass


class _Stretch:
    """Makes speech slower or faster than espeak-ng does by itself, keeping its pitch.

    Uses the Sonic library (Bill Cox's pitch-synchronous overlap-add), which
    espeak-ng carries for its own fast paces.
    """

    def __init__(self, library: ctypes.CDLL, rate_hz: int, factor: float) -> None:
        self.factor = factor
        self._library = library
        library.sonicCreateStream.restype = ctypes.c_void_p
        self._stream = ctypes.c_void_p(library.sonicCreateStream(rate_hz, 1))
        if not self._stream:
            raise EngineFailed("out of memory")
        library.sonicSetSpeed(self._stream, ctypes.c_float(factor))

    def push(self, pcm: bytes) -> bytes:
        self._library.sonicWriteShortToStream(self._stream, pcm, len(pcm) // 2)
        return self._read()

    def flush(self) -> bytes:
        self._library.sonicFlushStream(self._stream)
        return self._read()

    def close(self) -> None:
        self._library.sonicDestroyStream(self._stream)

    def _read(self) -> bytes:
        available = self._library.sonicSamplesAvailable(self._stream)
        buffer = ctypes.create_string_buffer(2 * available)
        count = self._library.sonicReadShortFromStream(self._stream, buffer, available)
        return buffer.raw[: 2 * count]
