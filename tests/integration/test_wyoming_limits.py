"""What one of Wyoming's clients may keep from the others: nothing, for long."""

import asyncio

import pytest
from wyoming.audio import AudioStop
from wyoming.ping import Ping
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart

from auto_voice.bootstrap import build
from auto_voice.settings import load
from auto_voice.wyoming.server import WyomingServer, listen
from auto_voice.wyoming.shared import Limits
from tests.integration.assistant import Assistant
from tests.integration.pools import until

TEXT = "word " * 800
"""A minute of audio, which no socket's buffer holds."""


@pytest.fixture(scope="module")
def service():
    made = build(load({"AUTOVOICE_ENGINE": "stub", "AUTOVOICE_CACHE": "off"}))
    yield made
    made.close()


@pytest.fixture
def serve(service):
    """Starts a server with limits that a test can wait for."""
    running = []

    def begin(**limits):
        server = WyomingServer(service, listen("127.0.0.1", 0), Limits(tick_s=0.02, **limits))
        server.start()
        running.append(server)
        return server

    yield begin
    for server in running:
        server.close()


def talk(server, scenario):
    async def talking():
        async with Assistant(server.port) as assistant:
            return await scenario(assistant)

    return asyncio.run(talking())


@pytest.mark.parametrize("begun", [False, True])
def test_whoever_says_nothing_is_sent_away(serve, begun):
    """Also in the middle of a text, or of an event."""

    async def scenario(assistant):
        if begun:
            await assistant.write_event(SynthesizeStart().event())
            await assistant.write_event(SynthesizeChunk("Well,").event())
            await assistant.send_bytes(b'{"type": "synthesize-')
        assert await assistant.next() is None

    talk(serve(idle_s=0.2), scenario)


def test_whoever_listens_need_not_say_anything(serve):
    """The server speaks for longer than it would wait for a client."""
    server = serve(idle_s=0.2)

    async def scenario(assistant):
        heard = await assistant.say("PAUSE " * 20)
        assert len(heard.pcm) == 20 * 0.075 * 16000 * 2
        assert await assistant.next() is None

    talk(server, scenario)


def test_whoever_takes_nothing_is_sent_away(serve, service):
    """And frees its place for others."""
    server = serve(stall_s=0.3)

    async def scenario(assistant):
        for _ in range(16):
            await assistant.write_event(Synthesize(TEXT).event())
        await assistant.begin_to_hear()
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, server.wait_until_idle, 30.0)
        until(lambda: service.synthesizer.scheduler.requests == 0, "its place is free")
        async with Assistant(server.port) as other:
            assert (await other.say("Hello.")).errors == []

    talk(server, scenario)


def test_no_more_clients_are_let_in_than_there_is_room_for(serve):
    server = serve(connections=2)

    async def scenario(assistant):
        async with Assistant(server.port) as second, Assistant(server.port) as third:
            for welcome in (assistant, second):
                await welcome.write_event(Ping().event())
                assert (await welcome.next()).type == "pong"
            await third.write_event(Ping().event())  # which is not read
            refused = await third.next()
            assert (refused.type, refused.data["code"]) == ("error", "overloaded")
            assert await third.next() is None
            assert (await second.say("Hello.")).errors == []
        while True:
            async with Assistant(server.port) as fourth:
                await fourth.write_event(Ping().event())
                if (await fourth.next()).type == "pong":
                    break

    talk(server, scenario)


def test_closing_cuts_everybody_off(serve):
    server = serve()

    async def scenario(assistant):
        await assistant.write_event(Synthesize("PAUSE " * 600).event())
        await assistant.begin_to_hear()
        await asyncio.get_running_loop().run_in_executor(None, server.close)
        with pytest.raises((AssertionError, ConnectionError)):
            await assistant.hear(AudioStop)

    talk(server, scenario)
    assert server.wait_until_idle(5)
