"""A text is spoken in the order in which it is written, as soon as a sentence is whole."""

import asyncio

import pytest

from auto_voice.engines.engine import Voice
from auto_voice.errors import Cancelled, EmptyInput, InputTooLong
from auto_voice.utils.redaction import text_facts
from auto_voice.wyoming.utterance import Utterance

VOICE = Voice(id="en-us", name="", language="en-us", engine="stub", sample_rate=16000)


def begun(growing=True, max_chars=1000, ssml=False):
    utterance = Utterance(growing, max_chars)
    utterance.spoken_by(VOICE, ssml)
    return utterance


async def next_part(utterance):
    return await asyncio.wait_for(utterance.part(), 10)


async def all_parts(utterance):
    parts = []
    while True:
        part = await next_part(utterance)
        if part is None:
            return parts
        parts.append(part)


def test_a_whole_text_is_one_part():
    async def scenario():
        utterance = begun(growing=False)
        utterance.write("One. Two.\n\nThree.")
        utterance.end()
        (part,) = await all_parts(utterance)
        assert part == ("One. Two.\n\nThree.", True, False, False)

    asyncio.run(scenario())


def test_a_sentence_is_there_before_the_text_has_ended():
    async def scenario():
        utterance = begun()
        waiting = asyncio.ensure_future(utterance.part())
        for word in ("The first", " one", " is", " over. And"):
            await asyncio.sleep(0)
            assert not waiting.done()
            utterance.write(word)
        assert (await asyncio.wait_for(waiting, 10))[:3] == ("The first one is over.", True, True)
        utterance.write(" another.")
        utterance.end()
        (part,) = await all_parts(utterance)
        assert part == ("And another.", False, False, False)

    asyncio.run(scenario())


def test_a_sentence_that_is_clearly_over_waits_for_no_other():
    """A language model may think for seconds before the next word."""

    async def scenario():
        utterance = begun()
        utterance.write("Let me have a look.")
        assert (await next_part(utterance)).text == "Let me have a look."
        utterance.write(" It is here.")
        utterance.end()
        assert [part.text for part in await all_parts(utterance)] == ["It is here."]

    asyncio.run(scenario())


def test_a_new_paragraph_is_told():
    async def scenario():
        utterance = begun()
        utterance.write("One. Two.\n\nThree. Four.")
        utterance.end()
        parts = await all_parts(utterance)
        assert [(part.text, part.new_paragraph) for part in parts] == [
            ("One.", False),
            ("Two.", False),
            ("Three.", True),
            ("Four.", False),
        ]
        assert [part.continues for part in parts] == [True, True, True, False]

    asyncio.run(scenario())


def test_markup_is_spoken_as_a_whole():
    """It has no meaning before it is closed."""

    async def scenario():
        utterance = begun(ssml=True)
        for piece in ("<speak>One. ", "Two.", "</speak>"):
            utterance.write(piece)
        utterance.end()
        assert [part.text for part in await all_parts(utterance)] == ["<speak>One. Two.</speak>"]

    asyncio.run(scenario())


@pytest.mark.parametrize("pieces", [[], [""], ["  ", "\n"]])
def test_without_text_it_is_an_error(pieces):
    async def scenario():
        utterance = begun()
        for piece in pieces:
            utterance.write(piece)
        utterance.end()
        with pytest.raises(EmptyInput):
            await next_part(utterance)

    asyncio.run(scenario())


def test_no_more_is_kept_than_may_be():
    """What has been spoken does not count."""

    async def scenario():
        utterance = begun(max_chars=30)
        for number in range(100):
            utterance.write(f"Here is {number} again. ")
            utterance.write("A")
            assert str(number) in (await next_part(utterance)).text
        with pytest.raises(InputTooLong):
            utterance.write("too much of it, all in all, for anybody")

    asyncio.run(scenario())


def test_who_waits_is_told_of_a_failure():
    async def scenario():
        utterance = begun()
        waiting = asyncio.ensure_future(utterance.part())
        await asyncio.sleep(0)
        utterance.fail(Cancelled("The client has left."))
        with pytest.raises(Cancelled):
            await asyncio.wait_for(waiting, 10)
        utterance.write("Nobody hears this. ")  # and nothing is kept
        assert utterance.facts.facts()["characters"] == 0

    asyncio.run(scenario())


def test_the_log_can_tell_how_long_it_was():
    async def scenario():
        utterance = begun()
        for piece in ("One. ", "Two."):
            utterance.write(piece)
        assert utterance.facts.facts() == text_facts("One. Two.")

    asyncio.run(scenario())
