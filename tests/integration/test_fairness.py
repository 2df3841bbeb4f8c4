"""Long texts hold nobody up. What is looked at is the order in which workers are given work.

The stub's PAUSE makes each long sentence take its time.
"""

import threading

import pytest

from auto_voice import settings
from auto_voice.bootstrap import build
from auto_voice.engines.job import Job
from auto_voice.errors import Cancelled
from auto_voice.synthesis.speech import SpeechRequest
from tests.integration.pools import until
from tests.unit.synthesis.service import expected_pcm

LONG = "PAUSE says long text {text} in its sentence number {number}. "
SENTENCES = 60


@pytest.fixture
def given(monkeypatch):
    """The texts that workers were given, in that order."""
    texts = []
    assign = Job.assign

    def noted(self, worker):
        texts.append(self.utterance.text)
        assign(self, worker)

    monkeypatch.setattr(Job, "assign", noted)
    return texts


class Service:
    """One worker, and clients that read as fast as they can."""

    def __init__(self):
        configured = settings.load({}, engine="stub", engine_workers=1, max_input_chars=1_000_000)
        self.service = build(configured)
        until(
            lambda: self.service.synthesizer.ensemble.pools["stub"].ready_workers,
            "the worker is ready",
        )
        self.over = threading.Event()
        self.readers = []
        self.received = {}

    def speak(self, text):
        request = SpeechRequest(text, "en-us", format="pcm", sample_rate=16000, normalize=False)
        return self.service.synthesizer.speak(request, is_gone=self.over.is_set)

    def say(self, text):
        speech = self.speak(text)
        try:
            return b"".join(speech)
        finally:
            speech.close()

    def read_long(self, name, sentences=SENTENCES):
        """Have a client read a long text, until it is closed."""
        text = "".join(LONG.format(text=name, number=number) for number in range(sentences))
        self.received[name] = b""

        def read():
            speech = self.speak(text)
            try:
                for piece in speech:
                    self.received[name] += piece
                    if self.over.is_set():
                        break
            except Cancelled:
                pass
            finally:
                speech.close()

        self.readers.append(threading.Thread(target=read))
        self.readers[-1].start()
        return text

    def close(self):
        self.over.set()
        for reader in self.readers:
            reader.join()
        self.service.close()


@pytest.fixture
def service():
    running = Service()
    yield running
    running.close()


def owner(text):
    """Which long text a sentence is of."""
    return text.split("long text ")[1].split()[0] if "long text" in text else None


@pytest.mark.parametrize("others", [1, 4, 12])
def test_one_sentence_waits_for_about_one_sentence_of_others(service, given, others):
    """However many long texts are being read: the one being spoken, and perhaps the one that
    began just as it came.
    """
    for number in range(others):
        service.read_long(f"T{number}")
    until(lambda: len({owner(text) for text in given}) == others, "all are being read")
    for number in range(8):
        short = f"Short {number}."
        before = len(given)
        assert service.say(short) == expected_pcm("stub", short, 16000)
        assert given.index(short) - before <= 2


def test_several_short_ones_are_served_in_the_order_they_came(service, given):
    service.read_long("T")
    until(lambda: len(given) > 2, "it is being read")
    scheduler = service.service.synthesizer.scheduler
    shorts = [f"Short {number}." for number in range(6)]
    clients = []
    for number, short in enumerate(shorts):
        clients.append(threading.Thread(target=service.say, args=(short,)))
        clients[-1].start()
        until(lambda n=number: scheduler.requests >= n + 2 or shorts[0] in given, "it has come")
    for client in clients:
        client.join()
    order = [text for text in given if text in shorts]
    assert sorted(order) == shorts
    assert order[:1] == shorts[:1]


def test_long_texts_get_equal_shares(service, given):
    """Among four that are read at the same time, none is ahead by more than what is under way."""
    names = ["A", "B", "C", "D"]
    for name in names:
        service.read_long(name)
    until(lambda: all(map(service.received.get, names)), "all are being read")
    start = len(given)
    until(lambda: len(given) >= start + 40, "forty sentences have been spoken")
    shares = [sum(owner(text) == name for text in given[start : start + 40]) for name in names]
    assert min(shares) >= 8 and max(shares) <= 12


def test_short_requests_that_keep_coming_do_not_stop_a_long_one(service, given):
    """Clients that ask for one sentence after the other get their share, and no more."""
    service.read_long("T")
    until(lambda: len(given) > 2, "it is being read")
    stop = threading.Event()
    counters = [0] * 4

    def ask(client):
        while not stop.is_set():
            service.say(f"PAUSE {client} {counters[client]}.")
            counters[client] += 1

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for client in clients:
        client.start()
    try:
        until(lambda: min(counters) >= 1, "all clients have been served")
        start = len(given)
        until(lambda: len(given) >= start + 40, "forty more sentences have been spoken")
        assert sum(owner(text) == "T" for text in given[start : start + 40]) >= 2
    finally:
        stop.set()
        for client in clients:
            client.join()


def test_a_text_that_is_read_in_company_is_the_same(service, given):
    """Fairness cuts nothing: what arrives is what was asked for."""
    texts = {name: service.read_long(name, sentences=6) for name in ("A", "B", "C")}
    for reader in service.readers:
        reader.join()
    for name, text in texts.items():
        assert service.received[name] == expected_pcm("stub", text, 16000)
    spoken = [owner(text) for text in given if owner(text)]
    assert [spoken.count(name) for name in texts] == [6, 6, 6]


def test_a_reader_that_stops_reading_stops_being_served(service, given):
    """Two sentences ahead, no more; the others have the worker for themselves."""
    text = "".join(LONG.format(text="S", number=number) for number in range(20))
    stopped = service.speak(text)
    next(stopped)
    service.read_long("T")
    until(lambda: sum(owner(text) == "T" for text in given) >= 8, "the other one is read")
    assert sum(owner(text) == "S" for text in given) <= 3
    stopped.close()
