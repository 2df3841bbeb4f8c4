"""What it costs to make voices equally loud, and to trim sentences, per second of audio.

Processor time, beside what the embedded engine takes to speak such a second.
``python benchmarks/level_cost.py`` measures only this.
"""

import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from auto_voice.audio.ends import Ends  # noqa: E402: after the line above
from auto_voice.audio.limiter import Gain  # noqa: E402
from auto_voice.audio.loudness import integrated_lufs  # noqa: E402
from auto_voice.engines import create  # noqa: E402
from auto_voice.engines.engine import PCM, Utterance, Word  # noqa: E402

TEXT = "The old town opens its gates, and the travellers walk its quiet streets until evening. "
PIECE_BYTES = 2 * 4410
"""Of PCM at a time: 0.2 s, as an engine sends it."""
ROUNDS = 40


class _Kept:
    """Takes an engine's samples."""

    def __init__(self) -> None:
        self.pieces: List[bytes] = []

    def audio(self, pcm: PCM) -> bool:
        self.pieces.append(bytes(pcm))
        return True

    def word(self, word: Word) -> None:
        """Nobody asks for words."""

    def loading(self, done: bool = False) -> None:
        """There is nothing to load."""


def measure(rounds: int = ROUNDS) -> Dict[str, float]:
    """Microseconds of processor time a second of audio, by what is done to it."""
    engine = create("espeak")
    engine.load()
    kept = _Kept()
    utterance = Utterance(TEXT * 2, "en-us")
    speak = _fastest(lambda: engine.speak(utterance, kept), rounds)
    kept.pieces.clear()
    engine.speak(utterance, kept)
    pcm = b"".join(kept.pieces)
    rate = engine.capabilities().sample_rate
    seconds = len(pcm) / 2 / rate

    def through(make: Callable[[], Any]) -> float:
        def run() -> None:
            step = make()
            for at in range(0, len(pcm), PIECE_BYTES):
                step.push(pcm[at : at + PIECE_BYTES])
            step.flush()

        return _fastest(run, rounds) / seconds

    return {
        "espeak-ng speaks": speak / seconds,
        "0 dB": 0.0,  # nothing is done
        "-6 dB": through(lambda: Gain(-6, rate)),
        "+2 dB, few peaks": through(lambda: Gain(2, rate)),
        "+12 dB, many peaks": through(lambda: Gain(12, rate)),
        "trimming": through(lambda: Ends(rate)),
        "measuring, once a voice": _fastest(lambda: integrated_lufs(pcm, rate), rounds) / seconds,
    }


def _fastest(run: Callable[[], Any], rounds: int) -> float:
    """Microseconds of processor time that the fastest round took: the others were disturbed."""
    took = []
    for _ in range(rounds):
        began = time.process_time()
        run()
        took.append(time.process_time() - began)
    return 1e6 * min(took)


def main() -> None:
    """Print the table."""
    for name, cost_us in measure().items():
        print(f"{name:28}{cost_us:8.0f} µs")


if __name__ == "__main__":
    main()
