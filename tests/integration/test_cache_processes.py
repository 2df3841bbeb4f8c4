"""Several processes share one folder of finished audio, and some of them are killed."""

import os
import random
import shutil
import signal
import subprocess
import threading

import pytest

from auto_voice import settings
from auto_voice.bootstrap import build
from auto_voice.engines.job import Job
from auto_voice.errors import SettingsError
from auto_voice.synthesis.cache import Entry
from auto_voice.synthesis.disk_store import DiskStore
from auto_voice.synthesis.speech import SpeechRequest
from tests.integration.pools import PYTHON, until
from tests.unit.synthesis.service import expected_pcm

LIMIT = 200_000
ALL_BUT_AUDIO = 100
"""Bytes of the folder's files that hold no audio, at most."""

HAMMER = """
import hashlib, pathlib, random, resource, sys
from auto_voice.synthesis.cache import Entry
from auto_voice.synthesis.disk_store import DiskStore, Ledger

folder, limit, seed, count, size, kinds = sys.argv[1], *map(int, sys.argv[2:])
chance = random.Random(seed)
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))  # a mistake here costs the test only
Ledger.PATIENCE_S = 60  # the machine may be busy; nothing is to be left out

def content(number):
    mark = hashlib.sha256(str(number).encode()).digest()
    return Entry(mark * (size // 32 + number % 7), float(number))

store = DiskStore(pathlib.Path(folder), limit, lambda evicted: None)
print("ready", flush=True)
sys.stdin.readline()
hits = 0
for _ in range(count):
    number = chance.randrange(kinds)
    key = hashlib.sha256(b"key %d" % number).hexdigest()
    found = store.get(key)
    if found is None:
        store.put(key, content(number))
    else:
        hits += 1
        assert found == content(number), "another entry's content"
print(hits, flush=True)
"""

WRITER = """
import os, pathlib, sys
from auto_voice.synthesis.cache import Entry
from auto_voice.synthesis.disk_store import DiskStore

def replace(*paths):
    print("all but done", flush=True)
    sys.stdin.readline()

store = DiskStore(pathlib.Path(sys.argv[1]), int(sys.argv[2]), lambda evicted: None)
os.replace = replace
store.put("ab" * 32, Entry(bytes(5000), 1.0))
"""


def start(script, *arguments):
    return subprocess.Popen(
        [PYTHON, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def hammer(folder, seeds, count, size=4000, kinds=60):
    """Processes that all have opened the folder, and begin now."""
    processes = [start(HAMMER, folder, LIMIT, seed, count, size, kinds) for seed in seeds]
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    return processes


@pytest.fixture
def writer(tmp_path):
    """A process that has written an entry of 5,000 bytes but not yet put it in its place."""
    process = start(WRITER, tmp_path, LIMIT)
    assert process.stdout.readline() == b"all but done\n"
    yield process
    process.kill()
    process.communicate()


def entry(number):
    return Entry(bytes([number]) * 20_000, 1.0)


def key(number):
    return f"{number:064x}"


def size_of(folder):
    total = 0
    for parent, _, names in os.walk(str(folder)):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                pass
    return total


def size_at_one_moment(folder, processes):
    """What the folder holds while they are all stopped."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGSTOP)
    for process in running:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    size = size_of(folder)
    for process in running:
        process.send_signal(signal.SIGCONT)
    return size


def finish(process):
    """What it printed; it must have ended well."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode().split()


def test_many_that_hammer_one_folder_keep_it_right_and_small(tmp_path):
    """No error, no wrong content, and never more than the limit while they run."""
    processes = hammer(tmp_path, range(4), 1500)
    largest = 0
    while any(process.poll() is None for process in processes):
        threading.Event().wait(0.02)  # let them work
        largest = max(largest, size_at_one_moment(tmp_path, processes))
    hits = [int(finish(process)[-1]) for process in processes]
    assert all(hits), "they profit from each other"
    assert 0.5 * LIMIT < size_of(tmp_path) <= largest <= LIMIT + ALL_BUT_AUDIO


def test_each_one_below_the_limit_is_not_all_of_them_below_it(tmp_path):
    """The limit is the folder's: what others write counts, too."""
    processes = hammer(tmp_path, range(4), 45, kinds=1 << 40)
    for process in processes:
        finish(process)
    assert 0.5 * LIMIT < size_of(tmp_path) <= LIMIT + ALL_BUT_AUDIO


def test_killed_in_the_middle_of_writing_they_leave_nothing_wrong(tmp_path):
    """kill -9 at any moment: what is found later is whole, or is not found."""
    chance = random.Random(3)
    for seed in range(8):
        [process] = hammer(tmp_path, [seed], 1_000_000, size=20_000)
        until(lambda: size_of(tmp_path) > ALL_BUT_AUDIO, "it has written something")
        threading.Event().wait(chance.random() * 0.05)  # at some moment
        process.send_signal(signal.SIGKILL)
        process.communicate()
    [survivor] = hammer(tmp_path, [99], 600, size=20_000)
    assert int(finish(survivor)[-1]) > 0
    assert size_of(tmp_path) <= LIMIT + ALL_BUT_AUDIO


def test_killed_with_all_but_the_last_step_done_it_leaves_nothing_behind(tmp_path, writer):
    """No half of an entry, no temporary file, and no lock."""
    store = DiskStore(tmp_path, LIMIT, lambda count: None)
    assert size_of(tmp_path) > 5000
    writer.kill()
    writer.communicate()
    assert store.get("ab" * 32) is None
    for number in range(20):
        store.put(key(number), entry(number))
        assert store.get(key(number)) == entry(number)
        assert size_of(tmp_path) <= LIMIT + ALL_BUT_AUDIO
    assert size_of(tmp_path) - store.size_bytes <= ALL_BUT_AUDIO


def test_stopped_in_the_middle_of_writing_it_stops_nobody_else(tmp_path, writer):
    """Its turn lasts until it ends; meanwhile what is there is given, and nothing is kept."""
    store = DiskStore(tmp_path, LIMIT, lambda count: None)
    store.put(key(1), entry(1))
    assert store.get(key(1)) is None
    writer.kill()
    writer.communicate()
    store.put(key(1), entry(1))
    assert store.get(key(1)) == entry(1)


def test_a_folder_deleted_again_and_again_gives_nothing_wrong(tmp_path):
    """Even then, when each has a lock on another file, nobody gets another entry's content."""
    processes = hammer(tmp_path / "cache", range(4), 1500)
    deleted = 0
    while any(process.poll() is None for process in processes):
        shutil.rmtree(str(tmp_path / "cache"), ignore_errors=True)
        deleted += 1
    assert deleted > 1
    for process in processes:
        _, err = process.communicate()
        assert (process.returncode, "Traceback" in err.decode()) == (0, False)
    [survivor] = hammer(tmp_path / "cache", [99], 600)
    assert int(finish(survivor)[-1]) > 0
    assert size_of(tmp_path) <= LIMIT + ALL_BUT_AUDIO


class Services:
    """Services that share a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, **options):
        configured = settings.load(
            {}, engine="stub", engine_workers=1, cache_dir=str(self.folder), **options
        )
        self.running.append(build(configured))
        return self.running[-1]

    def close(self):
        for service in self.running:
            service.close()


@pytest.fixture
def services(tmp_path):
    begun = Services(tmp_path / "audio")
    yield begun
    begun.close()


def say(service, text):
    speech = service.synthesizer.speak(
        SpeechRequest(text, "en-us", format="pcm", sample_rate=16000)
    )
    try:
        return b"".join(speech), speech.cache
    finally:
        speech.close()


def test_what_one_server_said_another_one_knows(services, monkeypatch):
    """After a restart, or beside it: the same bytes, and no worker is asked."""
    text = "One sentence here. And another one there."
    one, other = services.start(), services.start()
    audio = expected_pcm("stub", text, 16000)
    assert say(one, text) == (audio, "miss")
    with monkeypatch.context() as patched:
        patched.setattr(Job, "assign", None)
        assert say(other, text) == (audio, "hit")
        assert say(services.start(), text) == (audio, "hit")


def test_a_folder_that_breaks_while_serving_costs_no_request(services, caplog):
    """It becomes a file; the server goes on with its memory, and complains once."""
    service = services.start()
    say(service, "Before.")
    for path in sorted(services.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    services.folder.rmdir()
    services.folder.write_text("in the way")
    for text in ("One.", "Two words."):
        assert say(service, text) == (expected_pcm("stub", text, 16000), "miss")
        assert say(service, text) == (expected_pcm("stub", text, 16000), "hit")
    assert caplog.text.count("disk does not work") == 1


def test_truncated_files_are_made_anew(services):
    text = "One sentence here."
    say(services.start(), text)
    for path in services.folder.rglob("*.audio"):
        path.write_bytes(path.read_bytes()[:-1])
    service = services.start()
    assert say(service, text) == (expected_pcm("stub", text, 16000), "miss")
    assert say(services.start(), text) == (expected_pcm("stub", text, 16000), "hit")


def test_a_folder_that_cannot_be_used_is_said_at_the_start(services, tmp_path):
    services.folder.write_text("in the way")
    with pytest.raises(SettingsError, match="AUTOVOICE_CACHE_DIR"):
        services.start()
