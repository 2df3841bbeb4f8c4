"""A speech's steps are told to its request's span, and run in its request's context."""

import pytest

from auto_voice.engines.process import WorkerProcess
from auto_voice.errors import DeadlineExceeded
from auto_voice.synthesis.stream import SpeechStream
from auto_voice.utils.tracing_context import Context, current
from tests.unit.synthesis.service import TEXT, begin, said, wait_for


class FakeSpan:
    """A request's span that remembers what was done within it."""

    def __init__(self):
        self.steps = []
        self.links = []

    def record(self, name, began, ended, attributes, error=""):
        assert 0 < began <= ended
        self.steps.append((name, error))

    def link(self, other):
        self.links.append(other)


@pytest.fixture
def request_span():
    """The span of the request that the test is."""
    span = FakeSpan()
    token = current.set(Context(request_id="mine", span=span))
    yield span
    current.reset(token)


def test_every_sentence_waits_and_is_spoken(stub, request_span):
    said(stub, "One. Two. Three.", format="mp3")
    assert request_span.steps == 3 * [("queue", ""), ("engine", "")] + [("encode", "")]
    assert request_span.links == []


def test_one_that_waits_in_vain_has_waited_only(service, request_span):
    """Its error is that of the waiting."""
    busy = service(cache="off", start_deadline_s=0.3)
    hog = begin(busy, "First. " + "PAUSE " * 60)
    try:
        with pytest.raises(DeadlineExceeded):
            request_span.steps.clear()
            said(busy, "Second.")
        assert request_span.steps == [("queue", "deadline_exceeded")]
    finally:
        hog.close()


def test_one_that_is_left_has_no_error(stub, request_span):
    """What was under way is told all the same."""
    speech = begin(stub, "First. " + "PAUSE " * 60)
    next(speech)
    speech.close()
    assert {error for _, error in request_span.steps} == {""}
    assert {name for name, _ in request_span.steps} == {"queue", "engine", "encode"}


def test_an_encoder_that_fails_is_told(stub, request_span, monkeypatch):
    class Broken:
        def encode(self, pcm):
            raise ValueError

        def close(self):
            pass

    monkeypatch.setattr("auto_voice.synthesis.stream.encoder", lambda *args, **options: Broken())
    with pytest.raises(ValueError):
        said(stub, "One.")
    assert request_span.steps[-1] == ("encode", "ValueError")


def test_who_gets_what_another_one_makes_points_there(service):
    """While it is being made; and makes nothing itself."""
    sharing = service()
    spans = FakeSpan(), FakeSpan()
    speeches = []
    for span in spans:
        token = current.set(Context(span=span))
        speeches.append(begin(sharing, TEXT + "PAUSE " * 20))
        current.reset(token)
    for speech in speeches:
        assert b"".join(speech)
        speech.close()
    assert (spans[0].links, spans[1].links) == ([], [spans[0]])
    assert spans[0].steps and not spans[1].steps


def test_without_a_collector_nothing_is_measured_for_one(stub, monkeypatch):
    """The encoder itself is at work, and nobody around it."""
    made = []
    plain = SpeechStream._encoder

    def noting(self, *arguments, **options):
        made.append(plain(self, *arguments, **options))
        return made[-1]

    monkeypatch.setattr(SpeechStream, "_encoder", noting)
    said(stub, "One. Two.")
    assert [type(each).__module__ for each in made] == ["auto_voice.audio.uncompressed"]


def test_the_engines_threads_work_in_the_context_of_the_request(stub, monkeypatch):
    """So that what they log can be found by its id; the thread itself keeps nothing of it."""
    seen = []
    speak = WorkerProcess.speak

    def noting(self, *arguments, **options):
        context = current.get()
        seen.append(context and context.request_id)
        return speak(self, *arguments, **options)

    monkeypatch.setattr(WorkerProcess, "speak", noting)
    for identity in ("one", "two"):
        token = current.set(Context(request_id=identity))
        said(stub, "A sentence. And another one.")
        current.reset(token)
        wait_for(lambda: len(seen) == 2)
        assert seen == [identity, identity]
        seen.clear()
    said(stub, "A sentence. And another one.")
    wait_for(lambda: len(seen) == 2)
    assert seen == [None, None]
