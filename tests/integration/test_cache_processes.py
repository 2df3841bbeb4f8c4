"""Several processes share one folder of finished audio, and some of them are killed."""

import os
import random
import signal
import subprocess
import sys
import threading

import pytest

from auto_voice import settings
from auto_voice.bootstrap import build
from auto_voice.engines.job import Job
from auto_voice.errors import SettingsError
from auto_voice.synthesis.disk_store import DiskStore
from auto_voice.synthesis.synthesizer import SpeechRequest
from tests.integration.pools import PYTHON, until
from tests.unit.synthesis.service import expected_pcm

LIMIT = 200_000

HAMMER = """
import hashlib, pathlib, random, sys, time
from auto_voice.synthesis.cache import Entry
from auto_voice.synthesis.disk_store import DiskStore

folder, limit, seed, count, size, kinds = sys.argv[1], *map(int, sys.argv[2:])
chance = random.Random(seed)

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

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 9), reason="was seen to take all memory with Python 3.8"
)


def hammer(folder, seeds, count, size=4000, kinds=60):
    """Processes that all have opened the folder, and begin now."""
    processes = [
        subprocess.Popen(
            [PYTHON, "-c", HAMMER, str(folder), *map(str, (LIMIT, seed, count, size, kinds))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for seed in seeds
    ]
    for process in processes:
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    return processes


def size_of(folder):
    total = 0
    for parent, _, names in os.walk(str(folder)):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except FileNotFoundError:
                pass
    return total


def finish(process):
    """What it printed; it must have ended well."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (0, "")
    return out.decode().split()


def test_many_that_hammer_one_folder_keep_it_right_and_small(tmp_path):
    """No error, no wrong content, and never much more than the limit while they run."""
    processes = hammer(tmp_path, range(4), 1500)
    largest = 0
    while any(process.poll() is None for process in processes):
        largest = max(largest, size_of(tmp_path))
    hits = [int(finish(process)[-1]) for process in processes]
    assert all(hits), "they profit from each other"
    assert 0 < size_of(tmp_path) <= largest <= 1.5 * LIMIT
    assert list(tmp_path.rglob("*.tmp")) == []


def test_killed_in_the_middle_of_writing_they_leave_nothing_wrong(tmp_path):
    """kill -9 at any moment: what is found later is whole, or is not found."""
    chance = random.Random(3)
    for seed in range(8):
        [process] = hammer(tmp_path, [seed], 1_000_000, size=20_000)
        until(lambda: size_of(tmp_path) > 0, "it has written something")
        threading.Event().wait(chance.random() * 0.05)  # at some moment
        process.send_signal(signal.SIGKILL)
        process.communicate()
    [survivor] = hammer(tmp_path, [99], 600, size=20_000)
    assert int(finish(survivor)[-1]) > 0
    assert size_of(tmp_path) <= LIMIT


def test_what_dead_ones_left_is_swept_away(tmp_path):
    store = DiskStore(tmp_path, LIMIT, lambda count: None)
    (tmp_path / "ab").mkdir()
    left = tmp_path / "ab" / "left.tmp"
    left.write_bytes(bytes(1000))
    os.utime(str(left), (0, 0))
    finish(*hammer(tmp_path, [1], 200))
    assert not left.exists()
    assert store.get("ab" * 32) is None


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


def test_a_folder_that_breaks_while_serving_costs_no_request(services):
    """It becomes a file; the server goes on with its memory."""
    service = services.start()
    say(service, "Before.")
    for path in sorted(services.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    services.folder.rmdir()
    services.folder.write_text("in the way")
    for text in ("One.", "Two words."):
        assert say(service, text) == (expected_pcm("stub", text, 16000), "miss")
        assert say(service, text) == (expected_pcm("stub", text, 16000), "hit")


def test_a_folder_that_cannot_be_used_is_said_at_the_start(services, tmp_path):
    services.folder.write_text("in the way")
    with pytest.raises(SettingsError, match="AUTOVOICE_CACHE_DIR"):
        services.start()
