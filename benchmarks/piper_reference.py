"""What piper-tts makes of texts: runs under its own Python, and is talked to as a program.

It reads a JSON list of texts from its input and writes, for each, the phonemes of its sentences
and the numbers that it gives the network, as JSON.
"""

import json
import sys

from piper import PiperVoice


def main() -> None:
    """The voice's file is the first argument."""
    voice = PiperVoice.load(sys.argv[1])
    answers = []
    for text in json.load(sys.stdin):
        sentences = voice.phonemize(text)
        ids = [voice.phonemes_to_ids(phonemes) for phonemes in sentences]
        answers.append({"phonemes": ["".join(one) for one in sentences], "ids": ids})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
