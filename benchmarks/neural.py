"""``python benchmarks/neural.py``: the Piper engine beside a raw onnxruntime loop and piper-tts.

All of them speak the same sentences with the same generated voice (`piper_voices.py`). The raw
loop runs the whole graph, with numbers made beforehand, and does nothing with the samples: no
phonemes, no PCM, no process to hand it to. Rounds go from one contender to the next, so that a busy
moment hits all of them. ``--write`` puts the table into docs/performance.md.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # instead of this folder: `benchmarks` is a package

from benchmarks import machine, neural_servers, piper_voices  # noqa: E402
from benchmarks.figures import percentile  # noqa: E402
from benchmarks.texts import sentences  # noqa: E402

from auto_voice.engines.engine import EngineOptions, Utterance  # noqa: E402
from auto_voice.engines.piper import config, runtime  # noqa: E402
from auto_voice.engines.piper.engine import PiperEngine  # noqa: E402
from auto_voice.engines.piper.phonemes import numbers  # noqa: E402
from auto_voice.engines.process import WorkerProcess  # noqa: E402

PAGE = ROOT / "docs/performance.md"
BEGIN, END = "<!-- neural:begin -->", "<!-- neural:end -->"
LONG = (
    "The quick brown fox jumps over the lazy dog and then it runs away into the deep dark forest"
    " where nobody has ever seen it again for a very long time, which is a pity"
)
COMPARED = [
    "Hello, world! How are you (today)?",
    "Fine; see: it. well – a 3.14 and of the 123 people",
    "Wait -- what?! no. Version 1.5",
    'He said (in 1990, or so) that "yes." Then; left, at 10:30 a.m.',
    *sentences()[:20],
]


class Took(NamedTuple):
    """One sentence."""

    first_s: float
    whole_s: float
    cpu_s: float
    audio_s: float


class Ours:
    """The engine in its worker process."""

    def __init__(self, voice: Path, cores: int) -> None:
        self._voice = voice.name[: -len(".onnx")]
        options = EngineOptions(voice_dir=str(voice.parent), cores=cores)
        self.process = WorkerProcess("piper", options)
        self.process.wait_until_loaded()
        self.speak("Hello.")
        machine.forget_peak(self.process.pid)

    def speak(self, text: str, most_bytes: Optional[int] = None) -> Took:
        """A sentence, or its beginning."""
        got, first = 0, 0.0
        began, used = time.perf_counter(), machine.cpu_s(self.process.pid)

        def audio(pcm: bytes, last: bool) -> bool:
            nonlocal got, first
            first = first or time.perf_counter() - began
            got += len(pcm)
            return most_bytes is None or got < most_bytes

        utterance = Utterance(text, self._voice)
        self.process.speak(utterance, audio, print, lambda: None, 60.0)
        whole_s = time.perf_counter() - began
        return Took(first, whole_s, machine.cpu_s(self.process.pid) - used, got / 2 / 22050)

    def close(self) -> None:
        self.process.kill()
        self.process.close()


class Raw:
    """The whole graph in a bare loop, in this process."""

    def __init__(self, voice: Path, threads: int) -> None:
        library = runtime.load()
        options = library.SessionOptions()
        if threads:
            options.intra_op_num_threads = threads
        self._session = library.InferenceSession(
            str(voice), options, providers=["CPUExecutionProvider"]
        )
        self._config = config.read(voice.with_name(voice.name + ".json"))
        self._ids: Dict[str, List[List[int]]] = {}
        self._engine = PiperEngine(EngineOptions(voice_dir=str(voice.parent)))
        self._engine.load()

    def ids(self, text: str) -> List[List[int]]:
        """The numbers of each sentence."""
        if text not in self._ids:
            spoken = self._engine._phonemes.sentences(Utterance(text, ""), "en-us")
            ids, replaced = self._config.phoneme_id_map, self._config.phoneme_map
            self._ids[text] = [numbers(one.phonemes, ids, replaced)[0] for one in spoken]
        return self._ids[text]

    def speak(self, text: str) -> Took:
        """A text of one sentence."""
        (ids,) = self.ids(text)
        given = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([0.667, 1.0, 0.8], np.float32),
        }
        began, used = time.perf_counter(), time.process_time()
        (sound,) = self._session.run(None, given)
        whole = time.perf_counter() - began
        return Took(whole, whole, time.process_time() - used, sound.size / 22050)


def agreement(voice: Path, raw: Raw) -> Tuple[int, int]:
    """For how many texts the numbers equal those of piper-tts, and of how many."""
    done = subprocess.run(
        [piper_voices.trainer(), str(ROOT / "benchmarks/piper_reference.py"), str(voice)],
        input=json.dumps(COMPARED).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    answers = json.loads(done.stdout)
    same = 0
    for text, answer in zip(COMPARED, answers):
        equal = answer["ids"] == raw.ids(text)
        same += equal
        if not equal:
            print(f"differs: {text!r}: {answer['phonemes']}", file=sys.stderr)
    return same, len(COMPARED)


def measure(voice: Path, rounds: int) -> Iterator[Tuple[str, str, float, str]]:
    """Rows: what, its bound, the figure, and how it is shown."""
    ours, raw = Ours(voice, 1), Raw(voice, 1)
    watch = machine.Watch()
    spoken = sentences()[:6]
    ratios, raw_s = [], []
    for turn in range(2 * rounds):
        rates = {}
        for contender in (ours, raw) if turn % 2 else (raw, ours):
            # Several in a row, as under load: a worker that rests gives its memory back.
            speak = raw.speak if contender is raw else ours.speak
            took = [speak(text) for text in spoken]
            rates[contender] = sum(one.audio_s for one in took) / sum(one.cpu_s for one in took)
            if contender is raw:
                raw_s += [one.whole_s for one in took]
        ratios.append(rates[ours] / rates[raw])
    ratio = percentile(ratios, 0.5)
    yield "audio a CPU second, of the raw loop's with one thread", "≥ 0.95", ratio, f"{ratio:.2f}"
    every = Raw(voice, 0)
    firsts, wholes = [], []
    for _ in range(rounds):
        firsts.append(ours.speak(LONG).first_s)
        wholes.append(every.speak(LONG).whole_s)
    first = percentile(firsts, 0.5) / percentile(wholes, 0.5)
    yield "first audio of a 13 s sentence, of its whole time on all cores", "≤ 0.45", first, (
        f"{first:.2f} ({1e3 * percentile(firsts, 0.5):.0f} of"
        f" {1e3 * percentile(wholes, 0.5):.0f} ms)"
    )
    stopped = ours.speak(LONG, 1).whole_s
    whole = ours.speak(LONG).whole_s
    yield "a client that leaves at the first sound: computing, of the whole", "≤ 0.25", (
        stopped / whole
    ), f"{stopped / whole:.2f}"
    size = voice.stat().st_size / 1e6
    bound = 150 + 1.3 * size
    most = machine.peak_mb(ours.process.pid)
    yield f"the most memory of a worker with a voice of {size:.0f} MB", f"≤ {bound:.0f} MB", most, (
        f"{most:.0f} MB"
    )
    same, of = agreement(voice, raw)
    yield "texts with the same symbols as piper-tts makes of them", f"{of}", same, f"{same}"
    ours.close()
    yield from neural_servers.measure(voice, rounds, percentile(raw_s, 0.5))
    print(f"others took {watch.cores():.2f} cores", file=sys.stderr)
    yield "cores that others took meanwhile", "", watch.cores(), f"{watch.cores():.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="medium")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="the table into docs/performance.md")
    options = parser.parse_args()
    lines = ["| Piper, medium, generated weights | limit | measured |", "| --- | --- | --- |"]
    for what, limit, _, shown in measure(piper_voices.voice(options.kind), options.rounds):
        lines.append(f"| {what} | {limit} | {shown} |")
        print(lines[-1], flush=True)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        text = "\n".join(lines)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
