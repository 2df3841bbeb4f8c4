"""The limit: a bare loop over espeak-ng, one process per core, and nothing else.

As a program it is one such process. It reads a number of seconds from each
line of its input, speaks for so long, and answers with a line of JSON.
"""

import ctypes
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import espeakng_loader

_SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class Espeak:
    """espeak-ng as one uses it without a second thought. Not safe for threads."""

    def __init__(self, voice: str) -> None:
        self._pieces: List[bytes] = []
        self._callback = _Callback(self._on_samples)
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT)
        """Hertz."""
        self._library.espeak_Info.restype = ctypes.c_char_p
        self.version: str = self._library.espeak_Info(None).decode()
        self._library.espeak_SetSynthCallback(self._callback)
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice}")

    def speak(self, text: str) -> bytes:
        """16-bit samples."""
        self._pieces.clear()
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        return b"".join(self._pieces)

    def _on_samples(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, 2 * count))
        return 0


class RawEngine:
    """That many processes that do nothing but speak."""

    def __init__(self, processes: int) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.raw_engine", str(97 * index)],
                cwd=str(Path(__file__).resolve().parents[1]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                universal_newlines=True,
            )
            for index in range(processes)
        ]

    def run(self, seconds: float) -> List[Dict[str, Any]]:
        """What each process did: ``sentences``, ``seconds``, ``cpu_s``, ``ms`` of each."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        answers = []
        for process in self._processes:
            assert process.stdout is not None
            answers.append(json.loads(process.stdout.readline()))
        return answers

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.communicate()


def _main(first: int) -> None:
    from benchmarks.texts import ENGINE_VOICE, sentences

    engine = Espeak(ENGINE_VOICE)
    # Each process, and each run, goes on where it was: all sentences get their turn.
    texts = itertools.islice(itertools.cycle(sentences()), first, None)
    for line in sys.stdin:
        spoken_ms = []
        cpu, began = time.process_time(), time.perf_counter()
        now, end = began, began + float(line)
        while now < end:
            engine.speak(next(texts))
            then, now = now, time.perf_counter()
            spoken_ms.append(1e3 * (now - then))
        answer = {
            "sentences": len(spoken_ms),
            "seconds": now - began,
            "cpu_s": time.process_time() - cpu,
            "ms": spoken_ms,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
