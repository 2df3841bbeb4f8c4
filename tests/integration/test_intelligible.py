"""A speech recogniser that knows nothing of AutoVoice hears what was said."""

from pathlib import Path

import numpy
import pocketsphinx
import pytest
import soxr

from tests.unit.audio.sound import ffmpeg_decode

DIGITS = "zero one two three four five six seven eight nine".split()
HEARD_AT_LEAST = 7
"""Of the ten digits: the recogniser's model is small, and espeak-ng's is no natural voice."""
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    """PocketSphinx with the English model that its package brings, for one digit at a time."""
    grammar = tmp_path_factory.mktemp("grammar") / "digits.gram"
    grammar.write_text(f"#JSGF V1.0;\ngrammar digits;\npublic <digit> = {' | '.join(DIGITS)};\n")
    model = Path(pocketsphinx.get_model_path()) / "en-us"
    return pocketsphinx.Decoder(
        jsgf=str(grammar),
        hmm=str(model / "en-us"),
        dict=str(model / "cmudict-en-us.dict"),
        samprate=RATE_HZ,
        loglevel="FATAL",
    )


def heard(recogniser, samples):
    """What was said in ``samples`` [S], 16-bit at `RATE_HZ`; None if it was nothing."""
    pause = numpy.zeros(RATE_HZ // 2)
    padded = numpy.concatenate([pause, 0.6 * samples, pause])
    # The recogniser's features are logarithms, and digital silence has none.
    padded += numpy.random.default_rng(1).integers(-12, 12, len(padded))
    recogniser.start_utt()
    recogniser.process_raw(padded.astype("<i2").tobytes(), full_utt=True)
    recogniser.end_utt()
    best = recogniser.hyp()
    return best.hypstr if best is not None else None


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize("name", ["wav", "mp3", "opus"])
def test_spoken_digits_are_understood(server, recogniser, name):
    """Most are; a wrong sample rate or byte order leaves none."""
    understood = []
    for digit in DIGITS:
        answer = server.speak(f"{digit}.", response_format=name, sample_rate=RATE_HZ)
        samples = numpy.frombuffer(ffmpeg_decode(answer.content), "<i2")
        if name == "opus":  # is always decoded at 48 kHz
            samples = soxr.resample(samples, 48_000, RATE_HZ)
        if heard(recogniser, samples) == digit:
            understood.append(digit)
    assert len(understood) >= HEARD_AT_LEAST, understood
