"""WebSockets: how soon a text that is being written is heard, and what sessions take."""

import asyncio
import itertools
import json
import resource
import time
from typing import Any, Awaitable, Callable, Dict, List

from benchmarks.figures import percentile
from benchmarks.servers import WEB, Server
from benchmarks.texts import VOICE, sentences
from websockets.asyncio.client import ClientConnection, connect

PATH = "/v1/audio/speech/stream"
RATE_HZ = 24_000
WORD_S = 0.02
"""Between two words, as a language model writes them."""
SESSIONS, SPEAKING = 1_000, 50
SOAK_SESSIONS = 8
_OPENING = 50
"""Sessions that are being opened at once."""
_GIVE_UP_S = 30.0


def measure(server: Server, quick: bool) -> Dict[str, Any]:
    """All figures about WebSockets, on a server without load."""
    _allow_files(2 * SESSIONS + 256)
    return {
        "first_audio_ms": _run(_first_audio(server, 10 if quick else 100)),
        "cancel_ms": _run(_cancel(server, 5 if quick else 40)),
        **_run(_many(server, 3.0 if quick else 20.0)),
        "soak": _run(_soak(server, 300.0 if quick else 3_600.0)),
    }


def _run(task: Awaitable[Any]) -> Any:
    async def run() -> Any:
        return await task

    return asyncio.run(run())


class _Session:
    """A client that knows no more of the protocol than it needs."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws

    @classmethod
    async def open(cls, server: Server) -> "_Session":
        url = f"ws://127.0.0.1:{server.port}{PATH}"
        session = cls(await connect(url, compression=None, proxy=None, ping_interval=None))
        await session.send("session.config", voice=VOICE, sample_rate=RATE_HZ)
        return session

    async def send(self, kind: str, **fields: Any) -> None:
        await self.ws.send(json.dumps({"type": kind, **fields}))

    async def next(self) -> Any:
        message = await asyncio.wait_for(self.ws.recv(), _GIVE_UP_S)
        if isinstance(message, bytes):
            return message
        event = json.loads(message)
        if event["type"] == "error":
            raise RuntimeError(event["code"])
        return event

    async def write(self, sentence: str) -> float:
        """Write a sentence word by word; the time of its last character."""
        words = sentence.split(" ")
        for word in words[:-1]:
            await self.send("input.text", text=word + " ")
            await asyncio.sleep(WORD_S)
        began = time.perf_counter()
        await self.send("input.text", text=words[-1])
        return began

    async def first_audio(self) -> float:
        """The time of the next audio."""
        while not isinstance(await self.next(), bytes):
            pass
        return time.perf_counter()

    async def done(self) -> Dict[str, Any]:
        """The end of the utterance."""
        while True:
            event = await self.next()
            if not isinstance(event, bytes) and event["type"] == "audio.done":
                return dict(event)


async def _first_audio(server: Server, times: int) -> Dict[str, float]:
    """From the last character of a sentence to its first audio; nothing is written after it."""
    session = await _Session.open(server)
    seen = []
    for sentence in itertools.islice(itertools.cycle(sentences()), times):
        began = await session.write(sentence)
        seen.append(1e3 * (await session.first_audio() - began))
        await session.send("input.done")
        await session.done()
    await session.ws.close()
    return _quantiles(seen)


async def _cancel(server: Server, times: int) -> Dict[str, float]:
    """From a cancel to the last audio that comes nevertheless, or to the answer if none does."""
    session = await _Session.open(server)
    text = " ".join(sentences()[:60])
    seen = []
    for _ in range(times):
        await session.send("input.text", text=text)
        await session.first_audio()
        began = time.perf_counter()
        await session.send("input.cancel")
        await session.done()
        seen.append(1e3 * (time.perf_counter() - began))
    await session.ws.close()
    return _quantiles(seen)


async def _many(server: Server, seconds: float) -> Dict[str, Any]:
    """`SESSIONS` are open, and in `SPEAKING` of them somebody is being spoken to all the time."""
    few = [await _Session.open(server) for _ in range(_OPENING)]
    before_mb = server.memory_mb()[WEB]
    silent: List[_Session] = []
    while len(silent) < SESSIONS - len(few):
        opening = [_Session.open(server) for _ in range(min(_OPENING, SESSIONS - len(silent)))]
        silent += await asyncio.gather(*opening)
    await asyncio.sleep(0.5)
    session_kb = 1e3 * (server.memory_mb()[WEB] - before_mb) / len(silent)
    seen: List[float] = []
    failures: List[str] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(
        *(
            _listen(few[index % len(few)], index, until, seen.append, failures.append)
            for index in range(SPEAKING)
        )
    )
    for session in silent[::100]:  # those that were silent are still there
        await session.send("input.done")
        await session.done()
    await asyncio.gather(*(session.ws.close() for session in few + silent))
    return {
        "sessions": len(few) + len(silent),
        "speaking": SPEAKING,
        "session_kb": session_kb,
        "busy_ms": {**_quantiles(seen), "times": len(seen)},
        "errors": len(failures),
    }


async def _listen(
    session: _Session,
    index: int,
    until: float,
    note: Callable[[float], None],
    fail: Callable[[str], None],
) -> None:
    """A conversation: a sentence is written, heard for as long as it sounds, and so on."""
    said = itertools.cycle(sentences()[10 * index :])
    await asyncio.sleep(index * 3.0 / SPEAKING)  # people do not start to speak all at once
    try:
        while time.perf_counter() < until:
            began = await session.write(next(said))
            heard = await session.first_audio()
            note(1e3 * (heard - began))
            await session.send("input.done")
            done = await session.done()
            await asyncio.sleep(max(0.0, heard + done["duration_ms"] / 1e3 - time.perf_counter()))
    except Exception as error:
        fail(repr(error))


async def _soak(server: Server, audio_s: float) -> Dict[str, Any]:
    """So many seconds of speech as fast as they are made, in sessions that come and go."""
    memory: List[float] = []
    spoken = 0.0
    began = time.perf_counter()

    async def converse(said: "itertools.cycle[str]") -> None:
        nonlocal spoken
        while spoken < audio_s:
            session = await _Session.open(server)
            for _ in range(5):
                await session.send("input.text", text=next(said))
                await session.send("input.done")
                spoken += (await session.done())["duration_ms"] / 1e3
            await session.send("input.text", text=next(said))
            await session.send("input.cancel")
            await session.ws.close()
            memory.append(server.memory_mb()[WEB])

    await asyncio.gather(
        *(converse(itertools.cycle(sentences()[60 * index :])) for index in range(SOAK_SESSIONS))
    )
    # The first third fills pools and caches that then stay as they are.
    third = len(memory) // 3
    early, late = max(memory[third : 2 * third]), max(memory[2 * third :])
    return {
        "audio_s": spoken,
        "seconds": time.perf_counter() - began,
        "early_mb": early,
        "late_mb": late,
        "growth": late / early,
    }


def _quantiles(values: List[float]) -> Dict[str, float]:
    return {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95)}


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
