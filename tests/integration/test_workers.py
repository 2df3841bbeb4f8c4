"""Worker processes die, hang and are killed; what clients asked for is said all the same."""

import itertools
import os
import random
import signal
import subprocess
import threading

import pytest

from auto_voice.engines import wire
from auto_voice.engines.process import WorkerDied, WorkerGone, WorkerProcess
from auto_voice.errors import (
    AutoVoiceError,
    Cancelled,
    DeadlineExceeded,
    EngineCrashed,
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    MissingDependency,
)
from tests.integration.pools import PYTHON, Pool, in_workers, runs, together, until
from tests.unit.engines.speaking import said_by, speech, tones

TEXTS = [f"This is text number {number}, and it has some words of its own." for number in range(30)]

both_paths = pytest.mark.parametrize("direct", [False, True], ids=["pumped", "direct"])


@pytest.fixture
def process():
    """A stub worker process."""
    started = WorkerProcess("stub", niceness=3)
    started.wait_until_loaded()
    yield started
    started.kill()
    started.close()


@pytest.fixture
def pool():
    """A pool of one stub worker that is ready."""
    running = Pool().wait_until_ready()
    yield running
    running.close()


@pytest.fixture
def start():
    """Starts pools that are closed with the test."""
    pools = []

    def begin(*args, **kwargs):
        pools.append(Pool(*args, **kwargs))
        return pools[-1]

    yield begin
    for each in pools:
        each.close()


class TestProcess:
    """One worker process."""

    @pytest.mark.parametrize("engine, say", [("stub", tones), ("espeak", speech)])
    def test_says_what_the_engine_says_here(self, engine, say):
        process = WorkerProcess(engine)
        try:
            assert process.wait_until_loaded().name == engine
            for text in TEXTS[:5]:
                assert said_by(process, text).pcm == say(text)
        finally:
            process.kill()
            process.close()

    def test_ignores_what_ends_its_server(self, process):
        """Ctrl-C and SIGTERM reach the whole group; the server needs its workers to finish."""
        for _ in range(3):
            os.kill(process.pid, signal.SIGINT)
            os.kill(process.pid, signal.SIGTERM)
            assert said_by(process, "still here").pcm == tones("still here")
        assert not process.has_ended()

    def test_is_nicer_than_its_server(self, process):
        """So that the server's own threads, which do little, need not wait for it."""
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, own + 3)

    def test_ends_by_itself_when_the_server_hangs_up(self, process):
        assert process.close() == 0

    def test_a_failure_is_not_its_end(self, process):
        with pytest.raises(EngineFailed, match="asked to fail"):
            said_by(process, "one FAIL two")
        assert said_by(process, "three").pcm == tones("three")

    def test_its_end_is_noticed(self, process):
        with pytest.raises(WorkerDied):
            said_by(process, "one CRASH two")
        until(process.has_ended, "the process has ended")
        with pytest.raises(WorkerGone):
            said_by(process, "more")

    def test_a_whole_book_in_one_utterance_comes_through(self, monkeypatch, tmp_path):
        """What is more than the shared memory holds takes another way."""
        monkeypatch.setattr(wire, "SHARED_BYTES", 1 << 14)
        script = "import auto_voice.engines.wire as wire; wire.SHARED_BYTES = 1 << 14"
        in_workers(tmp_path, monkeypatch, script)
        text = " ".join(TEXTS)
        process = WorkerProcess("stub")
        try:
            process.wait_until_loaded()
            assert len(tones(text)) > 10 * wire.SHARED_BYTES
            for _ in range(2):
                assert said_by(process, text).pcm == tones(text)
                assert said_by(process, "short").pcm == tones("short")
        finally:
            process.kill()
            process.close()

    @pytest.mark.parametrize("busy", [False, True])
    def test_ends_when_its_server_is_killed(self, busy):
        """kill -9 leaves nobody to clean up; no worker is left behind."""
        script = (
            "import threading, time\n"
            "from auto_voice.engines.engine import Utterance\n"
            "from auto_voice.engines.process import WorkerProcess\n"
            "worker = WorkerProcess('stub')\n"
            "worker.wait_until_loaded()\n"
            "print(worker.pid, flush=True)\n"
            f"text = 'PAUSE ' * 100000 if {busy} else 'one'\n"
            "worker.speak(Utterance(text, 'en-us'), lambda pcm, last: True, print, int, 1.0)\n"
            "time.sleep(1000)\n"
        )
        with subprocess.Popen([PYTHON, "-c", script], stdout=subprocess.PIPE) as server:
            pid = int(server.stdout.readline())
            assert runs(pid)
            server.kill()
        until(lambda: not runs(pid), "the worker has ended, too")


class TestCrash:
    """A sentence that kills its worker."""

    @both_paths
    def test_is_tried_twice_and_then_refused(self, pool, direct):
        """With an error that says that another try may help: it may have been chance."""
        job = pool.submit("one CRASH two", direct=direct)
        with pytest.raises(EngineCrashed) as caught:
            list(job.results(lambda: False))
        assert job.attempts == 2
        assert (caught.value.status, caught.value.retryable) == (503, True)
        assert caught.value.retry_after_s
        until(lambda: len(pool.notes.deaths) == 2, "both deaths are counted")
        assert pool.notes.deaths == ["crash", "crash"]

    @both_paths
    def test_costs_the_others_nothing(self, pool, direct):
        """Those that wait behind it are served by the next worker."""
        crashing = [pool.submit("CRASH", direct=False) for _ in range(2)]
        texts = TEXTS[:5]
        results = together([lambda t=t: pool.say(t, direct=direct) for t in texts], 5)
        assert results == [tones(text) for text in texts]
        for job in crashing:
            with pytest.raises(EngineCrashed):
                list(job.results(lambda: False))

    def test_what_was_said_before_it_is_not_said_again(self, pool):
        """The client has it already, from the first try."""
        job = pool.submit("one two PAUSE CRASH")
        received = []
        with pytest.raises(EngineCrashed):
            for pcm in job.results(lambda: False):
                received.append(pcm)
        assert b"".join(received) == tones("one two PAUSE")

    def test_a_worker_that_dies_again_and_again_is_replaced_each_time(self, pool):
        for _ in range(3):
            with pytest.raises(EngineCrashed):
                pool.say("CRASH")
            assert pool.say("one") == tones("one")
        assert pool.notes.deaths == ["crash"] * 6
        assert len(pool.pool.pids) == 1


class TestHang:
    """A sentence that its worker never ends."""

    @both_paths
    def test_is_tried_twice_and_then_refused(self, start, direct):
        pool = start(timeout_s=0.4).wait_until_ready()
        [pid] = pool.pool.pids
        job = pool.submit("one HANG two", direct=direct)
        with pytest.raises(EngineTimeout) as caught:
            list(job.results(lambda: False))
        assert job.attempts == 2
        assert (caught.value.status, caught.value.retryable) == (504, True)
        assert not runs(pid)
        assert pool.say("three", direct=direct) == tones("three")
        until(lambda: len(pool.notes.deaths) == 2, "both deaths are counted")
        assert pool.notes.deaths == ["timeout", "timeout"]

    def test_does_not_mean_a_long_sentence(self, start):
        """What counts is the silence, not the length."""
        pool = start(timeout_s=0.4).wait_until_ready()
        text = "PAUSE " * 16
        assert pool.say(text) == tones(text)
        assert pool.notes.deaths == []

    @both_paths
    def test_can_be_left_by_the_client(self, start, direct):
        pool = start(timeout_s=0.6).wait_until_ready()
        job = pool.submit("HANG", direct=direct)
        with pytest.raises(AutoVoiceError):
            list(job.results(lambda: True))
        assert pool.say("next", direct=direct) == tones("next")
        assert pool.notes.deaths == ["timeout"], "and is not tried again"


class TestFailure:
    """A sentence that the engine refuses."""

    @both_paths
    def test_is_refused_and_the_worker_lives(self, pool, direct):
        pids = pool.pool.pids
        job = pool.submit("one FAIL", direct=direct)
        with pytest.raises(EngineFailed) as caught:
            list(job.results(lambda: False))
        assert not caught.value.retryable
        assert job.attempts == 1
        assert pool.say("two", direct=direct) == tones("two")
        assert pool.pool.pids == pids
        assert pool.notes.deaths == []

    @both_paths
    def test_of_text_that_is_none(self, pool, direct):
        """A lone surrogate cannot travel: an error or not, the worker stays in use."""
        for _ in range(2):
            try:
                pool.say("one \ud800", direct=direct, end_in_s=4)
            except DeadlineExceeded:
                raise
            except (AutoVoiceError, UnicodeError):
                pass
        assert pool.say("two", direct=direct, end_in_s=4) == tones("two")


class TestKilled:
    """A worker that somebody ends from outside, the kernel for want of memory for one."""

    def test_while_idle_it_is_replaced_before_it_is_needed(self, pool):
        [pid] = pool.pool.pids
        os.kill(pid, signal.SIGKILL)
        until(lambda: pool.notes.ready == 2, "the next worker is ready")
        job = pool.submit("one")
        assert b"".join(job.results(lambda: False)) == tones("one")
        assert job.attempts == 1
        assert pool.notes.deaths == ["crash"]

    @both_paths
    def test_while_idle_it_costs_the_next_request_no_try(self, pool, direct):
        """Asked at once, before anybody could notice."""
        for number in range(1, 6):
            [pid] = pool.pool.pids
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: not runs(pid), "it has ended")
            job = pool.submit("one", direct=direct)
            assert b"".join(job.results(lambda: False)) == tones("one")
            assert job.attempts == 1
            pool.wait_until_ready()
        assert pool.notes.deaths == ["crash"] * number

    @pytest.mark.parametrize("words", [0, 1, 3, 10])
    def test_in_the_middle_of_tones_nobody_hears_it(self, pool, words):
        """The next worker says it again, and what the client has is skipped to the sample."""
        text = " ".join(f"word{number} PAUSE" for number in range(12))
        job = pool.submit(text)
        results = job.results(lambda: False)
        received = b""
        while len(received) < words * len(tones("word")):
            received += next(results)
        [pid] = pool.pool.pids
        os.kill(pid, signal.SIGKILL)
        assert received + b"".join(results) == tones(text)
        assert job.attempts == (2 if words else job.attempts)

    @pytest.mark.parametrize("voice", ["en-us", "en-us+klatt", "de+whisper"])
    def test_in_the_middle_of_speech_nobody_hears_it(self, start, voice):
        pool = start("espeak").wait_until_ready()
        text = " ".join(TEXTS) * 2
        job = pool.submit(text, voice=voice)
        results = job.results(lambda: False)
        received = next(results)
        [pid] = pool.pool.pids
        os.kill(pid, signal.SIGKILL)
        assert received + b"".join(results) == speech(text, voice)
        assert job.attempts == 2

    @both_paths
    def test_in_the_middle_words_are_told_once(self, pool, direct):
        """Times of words that the first worker told are told again, not twice."""
        text = "one PAUSE two PAUSE three PAUSE four"
        job = pool.submit(text, direct=direct)
        reader = threading.Thread(target=lambda: list(job.results(lambda: False)))
        reader.start()
        until(lambda: len(job.words) >= 3, "some words were told")
        [pid] = pool.pool.pids
        os.kill(pid, signal.SIGKILL)
        reader.join()
        assert [text[word.char_start : word.char_end] for word in job.words] == text.split()

    def test_twice_in_the_middle_of_one_sentence_it_is_said_cleanly(self, pool):
        job = pool.submit("PAUSE " * 100)
        with pytest.raises(EngineCrashed) as caught:
            for _ in job.results(lambda: False):
                for pid in pool.pool.pids:
                    if runs(pid):
                        os.kill(pid, signal.SIGKILL)
        assert caught.value.retryable
        assert pool.say("one") == tones("one")

    @pytest.mark.parametrize("engine, say", [("stub", tones), ("espeak", speech)])
    @pytest.mark.slow
    def test_every_now_and_then_nothing_is_lost_or_mixed_up(self, start, engine, say):
        """300 requests of 16 clients, a worker killed every 0.2 s: each gets its own audio."""
        pool = start(engine, workers=2).wait_until_ready()
        wanted = {text: say(text) for text in TEXTS}
        texts = list(itertools.islice(itertools.cycle(TEXTS), 300))
        failures, over = [], threading.Event()

        def kill():
            chance = random.Random(7)
            while not over.wait(0.2):
                pids = [pid for pid in pool.pool.pids if runs(pid)]
                # On a slow machine none might live long enough to begin.
                if pids and pool.pool.ready_workers:
                    os.kill(chance.choice(pids), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            results = together(
                [
                    lambda text=text, direct=number % 2 == 0: pool.say_patiently(
                        text, failures, direct=direct
                    )
                    for number, text in enumerate(texts)
                ],
                threads=16,
            )
        finally:
            over.set()
            killer.join()
        wrong = [text for text, result in zip(texts, results) if result != wanted[text]]
        assert wrong == []
        assert pool.notes.deaths, "nobody was killed: the test was too short"
        # Hit twice in a row a sentence is refused, cleanly; that is rare.
        assert {type(error) for error in failures} <= {EngineCrashed}
        assert len(failures) <= 5

    def test_all_at_once_all_come_back(self, start):
        pool = start(workers=3).wait_until_ready()
        for pid in pool.pool.pids:
            os.kill(pid, signal.SIGKILL)
        until(lambda: pool.notes.ready == 6, "three new workers are ready")
        assert together([lambda: pool.say("one")] * 6, 6) == [tones("one")] * 6

    def test_stopped_it_counts_as_hung(self, start):
        """SIGSTOP, a debugger or a frozen disk: no sign of life."""
        pool = start(timeout_s=0.5).wait_until_ready()
        [pid] = pool.pool.pids
        os.kill(pid, signal.SIGSTOP)
        assert pool.say("one") == tones("one")
        assert not runs(pid)


class TestClient:
    """A client that goes, or whose time is over, while its sentence is being spoken."""

    @both_paths
    def test_that_goes_frees_its_worker(self, pool, direct):
        """The worker stops in the middle of the sentence; it is not killed for it."""
        gone = threading.Event()
        job = pool.submit("one PAUSE " + "HANG", direct=direct)
        reader = threading.Thread(
            target=together, args=([lambda: list(job.results(gone.is_set))], 1)
        )
        reader.start()
        until(lambda: len(job.words) >= 2, "it is being spoken")
        [pid] = pool.pool.pids
        job.cancel()
        gone.set()
        os.kill(pid, signal.SIGKILL)  # as nothing else ends HANG; then it is not tried again
        reader.join()
        assert pool.say("next", direct=direct) == tones("next")
        assert job.attempts == 1

    def test_that_goes_in_silence_gets_no_half_answer(self, pool):
        """The worker was slow, the client left, the worker stopped early: that is no answer."""
        text = "one " + "PAUSE " * 30
        job = pool.submit(text, direct=True)
        [pid] = pool.pool.pids
        outcome = []

        def is_gone():
            os.kill(pid, signal.SIGCONT)
            return True

        reader = threading.Thread(
            target=lambda: outcome.extend(together([lambda: list(job.results(is_gone))], 1))
        )
        reader.start()
        until(lambda: job.words, "it is being spoken")
        os.kill(pid, signal.SIGSTOP)
        reader.join()
        [result] = outcome
        assert isinstance(result, Cancelled)
        assert pool.say("next") == tones("next")

    @both_paths
    def test_whose_time_is_over_is_told_so(self, pool, direct):
        """A deadline is kept while the sentence is being spoken, too."""
        job = pool.submit("PAUSE " * 40, direct=direct, end_in_s=0.3)
        with pytest.raises(DeadlineExceeded):
            list(job.results(lambda: False))
        assert len(job.words) < 40
        assert pool.say("next", direct=direct) == tones("next")

    @both_paths
    def test_whose_check_fails_costs_no_worker(self, pool, direct):
        """`is_gone` looks at a socket, and that may raise: the request fails with it."""
        [pid] = pool.pool.pids

        def is_gone():
            os.kill(pid, signal.SIGCONT)
            raise OSError("Bad file descriptor")

        os.kill(pid, signal.SIGSTOP)  # so that there is silence, and it is asked
        job = pool.submit("one " + "PAUSE " * 40, direct=direct)
        with pytest.raises(OSError, match="Bad file descriptor"):
            list(job.results(is_gone))
        assert pool.say("two", end_in_s=20) == tones("two")
        assert len(job.words) < 41, "the worker has stopped early"
        assert pool.pool.pids == [pid]
        assert pool.notes.deaths == []

    @both_paths
    def test_whose_check_fails_in_the_queue_costs_no_worker(self, pool, direct):
        """It is not assigned to a request that is not there any more."""

        def is_gone():
            raise OSError("Bad file descriptor")

        busy = pool.submit("PAUSE " * 10)
        job = pool.submit("one", direct=direct)
        with pytest.raises(OSError, match="Bad file descriptor"):
            list(job.results(is_gone))
        assert b"".join(busy.results(lambda: False)) == tones("PAUSE " * 10)
        assert pool.say("two", direct=direct, end_in_s=20) == tones("two")
        assert job.attempts == 0

    @both_paths
    def test_whose_check_fails_for_a_worker_that_hangs_is_told(self, start, direct):
        """The worker does not stop when it is told to; it is replaced, and the next is served."""
        pool = start(timeout_s=0.6).wait_until_ready()

        def is_gone():
            raise OSError("Bad file descriptor")

        job = pool.submit("HANG", direct=direct)
        with pytest.raises(OSError, match="Bad file descriptor"):
            list(job.results(is_gone))
        assert pool.say("next", direct=direct) == tones("next")
        assert pool.notes.deaths == ["timeout"]


class TestLoading:
    """An engine that does not come up."""

    def test_for_want_of_a_package_is_told_by_its_name(self, start, monkeypatch, tmp_path):
        in_workers(tmp_path, monkeypatch, "import sys; sys.modules['espeakng_loader'] = None")
        pool = start("espeak")
        with pytest.raises(MissingDependency, match="pip install espeakng-loader"):
            pool.pool.description(30)
        assert pool.pool.ready_workers == 0
        until(lambda: "load" in pool.notes.deaths, "it is counted")

    def test_because_it_dies_is_told(self, start, monkeypatch, tmp_path):
        script = (
            "import os, sys\nif 'auto_voice.engines.worker' in ' '.join(sys.orig_argv"
            " if hasattr(sys, 'orig_argv') else open('/proc/self/cmdline').read().split('\\0')):\n"
            "    os._exit(3)\n"
        )
        in_workers(tmp_path, monkeypatch, script)
        pool = start()
        with pytest.raises(EngineUnavailable, match="does not start") as caught:
            pool.pool.description(30)
        assert caught.value.retryable

    def test_because_nobody_knows_it_is_told(self, start):
        with pytest.raises(EngineFailed):
            start("nobody").pool.description(30)

    def test_is_tried_again(self, start, monkeypatch, tmp_path):
        """What was missing may come: then it works without a restart."""
        flag = tmp_path / "installed"
        script = (
            "import os, sys\n"
            f"if not os.path.exists({str(flag)!r}):\n"
            "    sys.modules['espeakng_loader'] = None\n"
        )
        in_workers(tmp_path, monkeypatch, script)
        pool = start("espeak")
        with pytest.raises(MissingDependency):
            pool.pool.description(30)
        flag.write_text("")
        pool.wait_until_ready()
        assert pool.pool.description(1).name == "espeak"
        assert pool.say("Hello.") == speech("Hello.")


class TestPool:
    """A pool as a whole."""

    def test_describes_its_engine_once_it_is_there(self, start):
        pool = start()
        assert pool.pool.description(30).name == "stub"

    def test_counts_its_workers(self, start):
        pool = start(workers=3).wait_until_ready()
        assert len(set(pool.pool.pids)) == 3
        assert all(map(runs, pool.pool.pids))
        assert pool.notes.ready == 3

    def test_remembers_when_it_last_spoke(self, pool):
        before = pool.pool.last_success
        pool.say("one")
        assert pool.pool.last_success > before > 0

    def test_workers_work_at_the_same_time(self, start):
        """Each of two hanging sentences has a worker of its own; the third one serves the rest."""
        pool = start(workers=3).wait_until_ready()
        hanging = [pool.submit("PAUSE HANG") for _ in range(2)]
        for job in hanging:
            assert next(job.results(lambda: False))
        assert pool.say("two") == tones("two")

    def test_closing_ends_all_processes(self, start):
        pool = start(workers=2).wait_until_ready()
        pids = pool.pool.pids
        pool.close()
        until(lambda: not any(map(runs, pids)), "all have ended")
        assert pool.notes.deaths == [], "on purpose is no death"

    @both_paths
    def test_closing_fails_what_is_being_said(self, pool, direct):
        outcome = []
        job = pool.submit("one PAUSE HANG", direct=direct)
        reader = threading.Thread(
            target=lambda: outcome.extend(together([lambda: list(job.results(lambda: False))], 1))
        )
        reader.start()
        until(lambda: len(job.words) >= 2, "it is being spoken")
        pool.close()
        reader.join()
        assert isinstance(outcome[0], EngineUnavailable)

    def test_leaves_no_files_open(self, start):
        """Workers that come and go leave no sockets, memory or zombies behind."""
        pool = start().wait_until_ready()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(EngineCrashed):
                pool.say("CRASH")
            pool.wait_until_ready()
        assert len(os.listdir("/proc/self/fd")) == before
