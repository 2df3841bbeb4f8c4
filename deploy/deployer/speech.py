"""Asking a server to speak, and hearing whether it did."""

import array
import sys
from typing import Optional

from deployer.machine import Answer, Request

_LEAST_SAMPLES = 1000
_LEAST_PEAK = 100
"""Of 32767: quieter than that is silence."""


def speech_request(port: int, text: str, key: str) -> Request:
    """Speech as plain samples, sent as they come."""
    body = {"input": text, "response_format": "pcm"}
    return Request("POST", port, "/v1/audio/speech", body, key)


def fault_of(answer: Answer) -> Optional[str]:
    """What is wrong with an answer; None if one would hear something."""
    if answer.status != 200:
        return f"{answer.status} {answer.body[:300].decode(errors='replace')}"
    samples = array.array("h")
    samples.frombytes(answer.body[: len(answer.body) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    if len(samples) < _LEAST_SAMPLES:
        return f"{len(samples)} samples are no speech"
    if max(max(samples), -min(samples)) < _LEAST_PEAK:
        return "it was silent"
    return None
