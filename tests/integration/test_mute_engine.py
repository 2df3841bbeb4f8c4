"""An engine that loads and cannot speak: whoever asks is told why, and does not wait."""

import os
import signal

import pytest

from auto_voice.errors import EngineFailed, EngineUnavailable
from auto_voice.synthesis import ensemble
from tests.integration.pools import Pool, in_workers, until
from tests.unit.engines.speaking import tones
from tests.unit.synthesis.service import answer, said
from tests.unit.synthesis.service import start as start_service

both_paths = pytest.mark.parametrize("direct", [False, True], ids=["pumped", "direct"])

WAYS = {
    "fails": ("raise EngineFailed('no voice data')", EngineFailed, "no voice data"),
    "crashes": ("os.abort()", EngineUnavailable, "The engine stub does not speak: its worker dies"),
    "hangs": ("time.sleep(3600)", EngineUnavailable, "does not speak: its worker hangs"),
    "is silent": ("return", EngineFailed, "The engine is silent"),
}
"""What an engine does when it should speak, and what those who ask are told."""


class Mute:
    """Breaks the stub engine of workers that start while `broken` is set."""

    def __init__(self, folder, monkeypatch, way):
        line, self.error, self.message = WAYS[way]
        self.timeout_s = 1.0 if way == "hangs" else 20.0
        """Seconds until a worker counts as hung; a busy machine may take as long for a word."""
        self._flag = folder / "broken"
        self.starts = folder / "starts"
        script = (
            "import os, resource, time\n"
            "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
            "from auto_voice.engines import stub\n"
            "from auto_voice.errors import EngineFailed\n"
            "def speak(self, utterance, emitter):\n"
            f"    open({str(self.starts)!r}, 'a').write('x')\n"
            f"    {line}\n"
            f"if os.path.exists({str(self._flag)!r}):\n"
            "    stub.StubEngine.speak = speak\n"
        )
        in_workers(folder, monkeypatch, script)
        self.broken = True

    @property
    def broken(self):
        return self._flag.exists()

    @broken.setter
    def broken(self, value):
        if value:
            self._flag.write_text("")
        else:
            self._flag.unlink()

    def tries(self):
        """How often a worker has tried to speak, and could not."""
        return len(self.starts.read_text()) if self.starts.exists() else 0


@pytest.fixture(params=WAYS)
def mute(request, monkeypatch, tmp_path):
    return Mute(tmp_path, monkeypatch, request.param)


@pytest.fixture
def start():
    """Starts pools that are closed with the test."""
    pools = []

    def begin(**options):
        pools.append(Pool(**options))
        return pools[-1]

    yield begin
    for each in pools:
        each.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_who_asks_for_its_voices_is_told(start, mute, workers):
    pool = start(timeout_s=mute.timeout_s, workers=workers)
    with pytest.raises(mute.error, match=mute.message):
        pool.pool.description(600)
    assert pool.pool.ready_workers == 0


@both_paths
def test_who_asks_it_to_speak_is_told(start, mute, direct):
    """Those who had asked before it was known, too."""
    pool = start(timeout_s=mute.timeout_s)
    early = pool.submit("one", direct=direct)
    with pytest.raises(mute.error, match=mute.message):
        list(early.results(lambda: False))
    for _ in range(3):
        with pytest.raises(mute.error, match=mute.message):
            pool.say("two", direct=direct)


@both_paths
def test_when_it_has_recovered_it_speaks(start, mute, direct):
    pool = start(timeout_s=mute.timeout_s)
    with pytest.raises(mute.error):
        pool.pool.description(600)
    mute.broken = False
    pool.wait_until_ready()
    assert pool.pool.description(0).name == "stub"
    assert pool.say("one", direct=direct) == tones("one")
    assert pool.pool.load_error is None


@both_paths
def test_where_it_could_speak_before_those_who_wait_are_told_too(start, mute, direct):
    """It breaks while the server runs: an upgrade went wrong, a disk is full."""
    mute.broken = False
    pool = start(timeout_s=mute.timeout_s).wait_until_ready()
    busy = pool.submit("PAUSE " * 500)
    next(busy.results(lambda: False))
    waiting = [pool.submit("two", direct=direct) for _ in range(3)]
    mute.broken = True
    [pid] = pool.pool.pids
    os.kill(pid, signal.SIGKILL)
    for job in (*waiting, busy):
        with pytest.raises(mute.error, match=mute.message):
            list(job.results(lambda: False))
    with pytest.raises(mute.error, match=mute.message):
        pool.say("three", direct=direct)
    assert pool.pool.description(0).name == "stub", "its voices are still known"
    mute.broken = False
    pool.wait_until_ready()
    assert pool.say("four", direct=direct) == tones("four")


def test_as_long_as_one_worker_speaks_all_are_served(start, mute):
    mute.broken = False
    pool = start(timeout_s=mute.timeout_s, workers=2).wait_until_ready()
    mute.broken = True
    os.kill(pool.pool.pids[0], signal.SIGKILL)
    until(lambda: mute.tries() >= 3, "the other worker has failed, again and again")
    assert [pool.say(f"word{number}") for number in range(5)] == [
        tones(f"word{number}") for number in range(5)
    ]
    assert pool.pool.load_error is None


def test_a_worker_that_dies_once_while_it_starts_is_chance(start, monkeypatch, tmp_path):
    """Killed for want of memory, for one: those who wait are served by the next one."""
    mute = Mute(tmp_path, monkeypatch, "crashes")
    mute.broken = False
    pool = start(timeout_s=mute.timeout_s).wait_until_ready()
    script = tmp_path / "sitecustomize.py"
    script.write_text(script.read_text() + f"    os.unlink({str(tmp_path / 'broken')!r})\n")
    mute.broken = True
    [pid] = pool.pool.pids
    os.kill(pid, signal.SIGKILL)
    assert pool.say("one") == tones("one")
    assert mute.tries() == 1


def test_a_request_is_told_and_readiness_says_why(mute, monkeypatch):
    """Without waiting for the engine to load, since it has; and with the reason."""
    monkeypatch.setattr(ensemble, "LOAD_WAIT_S", 600.0)
    service = start_service(engine_timeout_s=mute.timeout_s)
    try:
        with pytest.raises(mute.error, match=mute.message):
            said(service, "Hello.", format="pcm")
        [reason] = service.health.reasons()
        assert reason.startswith("engine:stub: no worker is ready: ")
        assert mute.message in reason
        mute.broken = False
        until(lambda: service.health.reasons() == [], "it has recovered")
        assert said(service, "Hello.", format="pcm", sample_rate=16000) == answer("Hello.")
    finally:
        service.close()


def test_an_engine_without_voices_is_told(start, monkeypatch, tmp_path):
    """Whatever is wrong with it: its worker is not lost, and is tried again."""
    flag = tmp_path / "voices"
    script = (
        "import os\n"
        "from auto_voice.engines import stub\n"
        f"if not os.path.exists({str(flag)!r}):\n"
        "    stub.StubEngine.voices = lambda self: []\n"
    )
    in_workers(tmp_path, monkeypatch, script)
    pool = start()
    with pytest.raises(EngineUnavailable, match="does not speak") as caught:
        pool.pool.description(600)
    assert caught.value.retryable and caught.value.retry_after_s
    flag.write_text("")
    pool.wait_until_ready()
    assert pool.say("one") == tones("one")
