"""What tests share that have a whole service speak."""

import time
from typing import Any, Callable, Optional

from auto_voice import settings
from auto_voice.audio.encoders import encoder
from auto_voice.audio.pcm import silence
from auto_voice.audio.resample import Resampler
from auto_voice.bootstrap import Service, build
from auto_voice.engines.stub import SAMPLE_RATE_HZ
from auto_voice.synthesis.speech import Speech, SpeechRequest
from auto_voice.synthesis.stream import PARAGRAPH_PAUSE_S
from auto_voice.synthesis.tape import SILENT_ANSWER_S
from auto_voice.text.sentences import segments
from tests.unit.engines.speaking import PATIENCE_S, loaded, speak

TEXT = """This is the first sentence. And a second one, with a comma! Is this the third?

A new paragraph begins here. It has: two sentences; the last one is longer than the others, so
that something is left to say.

The end."""


def start(**options: Any) -> Service:
    """A service that waits for nothing but its settings; the stub unless told otherwise."""
    options = {"engine": "stub", "engine_workers": 1, **options}
    return build(settings.load({}, **options))


def begin(
    service: Service, text: str, is_gone: Optional[Callable[[], bool]] = None, **options: Any
) -> Speech:
    """A request for speech; what is said is what is written, unless told otherwise."""
    options = {"voice": "en-us", "normalize": False, **options}
    request = SpeechRequest(text, **options)
    return service.synthesizer.speak(request, is_gone=is_gone or (lambda: False))


def said(service: Service, text: str, **options: Any) -> bytes:
    """All bytes of an answer."""
    speech = begin(service, text, **options)
    try:
        return b"".join(speech)
    finally:
        speech.close()


def expected_pcm(
    engine_name: str, text: str, sample_rate: int, voice: str = "en-us", speed: float = 1.0
) -> bytes:
    """What a text sounds like, sentence by sentence, from an engine in this process."""
    engine = loaded(engine_name)
    rate = engine.capabilities().sample_rate
    resampler = Resampler(rate, sample_rate)
    sentences = list(segments(text, "en-us"))
    pcm = b""
    for number, sentence in enumerate(sentences):
        continues = number + 1 < len(sentences)
        said = speak(engine, sentence.text, voice, speed=speed, continues=continues)
        pcm += resampler.push(said.pcm)
        if continues and sentence.paragraph_end:
            pcm += resampler.push(silence(PARAGRAPH_PAUSE_S, rate))
    pcm += resampler.flush()
    return pcm + bytes(max(0, 2 * round(SILENT_ANSWER_S * sample_rate) - len(pcm)))


def answer(text: str) -> bytes:
    """The stub's answer in PCM at its own sample rate."""
    return expected_pcm("stub", text, SAMPLE_RATE_HZ)


def encoded(pcm: bytes, format_name: str, sample_rate: int, whole: bool = False) -> bytes:
    """A file of samples, encoded in one go."""
    out = encoder(format_name, sample_rate, total_samples=len(pcm) // 2 if whole else None)
    return out.encode(pcm) + out.finish()


def wait_for(condition: Callable[[], Any]) -> Any:
    """Wait until something is so."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < give_up, "this has been waited for long enough"
        time.sleep(0.005)


def counted(service: Service, name: str, **labels: str) -> float:
    """The value of a metric."""
    value = service.metrics.registry.get_sample_value(f"autovoice_{name}", labels)
    assert value is not None, f"there is no {name} {labels}"
    return value
