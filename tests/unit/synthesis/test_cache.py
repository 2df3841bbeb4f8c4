"""Finished audio is given back as it was, or not at all, and takes no more room than allowed."""

import contextlib
import errno
import logging
import os
import resource
import threading
import time
from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from auto_voice.synthesis.cache import AudioCache, DiskStore, Entry, MemoryStore

LIMIT = 10_000


def key(number):
    """As long and as mixed as a digest."""
    return f"{number * 2654435761 % (1 << 32):08x}" * 8


def entry(size, mark=b"x"):
    return Entry((mark * size)[:size], size / 100)


@pytest.fixture
def evicted():
    return []


@pytest.fixture
def memory(evicted):
    return MemoryStore(LIMIT, evicted.append)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def disk(folder, evicted):
    return DiskStore(folder, LIMIT, evicted.append)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def size_of(folder):
    return sum(path.stat().st_size for path in files(folder))


class InMemory(RuleBasedStateMachine):
    """Compared with an ordered dictionary that somebody keeps short by hand."""

    def __init__(self):
        super().__init__()
        self.evicted = 0
        self.expected_evictions = 0
        self.model = OrderedDict()
        self.store = MemoryStore(LIMIT, self.count)

    def count(self, number):
        assert number > 0
        self.evicted += number

    @rule(name=st.integers(0, 9), size=st.integers(1, LIMIT + 1), mark=st.binary(min_size=1))
    def put(self, name, size, mark):
        item = entry(size, mark)
        self.store.put(key(name), item)
        self.model.pop(name, None)
        if size <= LIMIT:
            self.model[name] = item
        while sum(len(each.audio) for each in self.model.values()) > LIMIT:
            self.model.popitem(last=False)
            self.expected_evictions += 1

    @rule(name=st.integers(0, 9))
    def get(self, name):
        assert self.store.get(key(name)) == self.model.get(name)
        if name in self.model:
            self.model.move_to_end(name)

    @invariant()
    def it_keeps_to_the_limit(self):
        assert self.store.size_bytes == sum(len(each.audio) for each in self.model.values())
        assert self.store.size_bytes <= LIMIT
        assert self.evicted == self.expected_evictions


InMemory.TestCase.settings = settings(deadline=None, max_examples=60)
TestInMemory = InMemory.TestCase


def test_memory_of_no_size_keeps_nothing():
    store = MemoryStore(0, lambda count: None)
    store.put(key(1), entry(1))
    assert store.get(key(1)) is None
    assert store.size_bytes == 0


def test_memory_is_safe_for_threads(memory):
    def use(mark):
        for number in range(300):
            name = key(number % 20)
            memory.put(name, entry(1000, name.encode()))
            found = memory.get(key(number % 7))
            assert found is None or found == entry(1000, key(number % 7).encode())

    failures = run_threads([lambda mark=mark: use(mark) for mark in range(8)])
    assert failures == []
    assert memory.size_bytes <= LIMIT


def run_threads(functions):
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@settings(deadline=None, max_examples=30)
@given(audio=st.binary(max_size=5000), audio_s=st.floats(allow_nan=False))
def test_disk_gives_back_what_it_was_given(tmp_path_factory, audio, audio_s):
    store = DiskStore(tmp_path_factory.mktemp("cache"), LIMIT, lambda count: None)
    store.put(key(1), Entry(audio, audio_s))
    assert store.get(key(1)) == Entry(audio, audio_s)
    assert store.get(key(2)) is None


def test_disk_outlives_the_process(disk, folder):
    disk.put(key(1), entry(500))
    again = DiskStore(folder, LIMIT, lambda count: None)
    assert again.get(key(1)) == entry(500)
    assert again.size_bytes == size_of(folder)


def test_disk_keeps_the_newest_of_two(disk, folder):
    disk.put(key(1), entry(500, b"old"))
    disk.put(key(1), entry(600, b"new"))
    assert disk.get(key(1)) == entry(600, b"new")
    assert len(files(folder)) == 1


def test_disk_deletes_what_was_used_least_recently(disk, folder, evicted):
    for number in range(8):
        disk.put(key(number), entry(1000))
        age(folder, key(number), 1000 - number)
    assert disk.get(key(0)) is not None  # used just now
    for number in range(8, 11):
        disk.put(key(number), entry(1000))
    assert size_of(folder) <= LIMIT
    assert disk.get(key(0)) is not None
    assert disk.get(key(10)) is not None
    assert disk.get(key(1)) is None
    assert sum(evicted) == 11 - len(files(folder)) > 0


def age(folder, name, seconds):
    [path] = folder.rglob(name + "*")
    when = time.time() - seconds
    os.utime(str(path), (when, when))


@settings(deadline=None, max_examples=25)
@given(sizes=st.lists(st.integers(0, LIMIT + 100), max_size=30))
def test_disk_takes_no_more_than_its_limit(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("cache")
    store = DiskStore(folder, LIMIT, lambda count: None)
    for number, size in enumerate(sizes):
        store.put(key(number), entry(size))
        assert size_of(folder) <= LIMIT
        assert store.size_bytes >= size_of(folder)


def test_disk_keeps_nothing_larger_than_all_of_it(disk, folder):
    disk.put(key(1), entry(1000))
    disk.put(key(2), entry(LIMIT))  # and its header
    assert disk.get(key(1)) is not None
    assert disk.get(key(2)) is None


def test_a_full_folder_of_before_is_brought_down(folder):
    """The limit was lowered between two starts."""
    large = DiskStore(folder, 10 * LIMIT, lambda count: None)
    for number in range(50):
        large.put(key(number), entry(1000))
    small = DiskStore(folder, LIMIT, lambda count: None)
    small.put(key(99), entry(1000))
    assert size_of(folder) <= LIMIT
    assert small.get(key(99)) is not None


class TestDamagedFiles:
    """What is not exactly what was written is as good as not there."""

    @pytest.fixture
    def path(self, disk, folder):
        disk.put(key(1), entry(500, b"audio"))
        [path] = files(folder)
        return path

    @pytest.mark.parametrize("size", [0, 1, 7, 19, 20, 21, 300, 519])
    def test_a_truncated_file_is_deleted(self, disk, path, size):
        path.write_bytes(path.read_bytes()[:size])
        assert disk.get(key(1)) is None
        assert not path.exists()

    def test_a_flipped_bit_anywhere_is_noticed(self, disk, path):
        """In the seconds of audio as well: they are counted."""
        whole = path.read_bytes()
        for position in [*range(24), 100, len(whole) - 1]:
            damaged = bytearray(whole)
            damaged[position] ^= 4
            path.write_bytes(damaged)
            assert disk.get(key(1)) is None, position
            assert not path.exists()

    def test_something_added_is_noticed(self, disk, path):
        path.write_bytes(path.read_bytes() + b"\0")
        assert disk.get(key(1)) is None

    def test_a_file_of_another_kind_is_deleted(self, disk, path):
        path.write_bytes(b"RIFF" * 100)
        assert disk.get(key(1)) is None
        assert not path.exists()

    def test_it_can_be_kept_again_afterwards(self, disk, path):
        path.write_bytes(b"")
        assert disk.get(key(1)) is None
        disk.put(key(1), entry(500, b"audio"))
        assert disk.get(key(1)) == entry(500, b"audio")

    def test_a_folder_in_a_files_place_is_as_good_as_nothing(self, disk, path):
        path.unlink()
        path.mkdir()
        assert disk.get(key(1)) is None
        disk.put(key(1), entry(500, b"audio"))
        assert disk.get(key(1)) is None


class TestLeftovers:
    """A process that was killed in the middle of writing leaves a file aside."""

    @pytest.fixture
    def leave(self, disk, folder):
        def left(name, seconds):
            disk.put(key(1), entry(100))
            [path] = folder.rglob("*.audio")
            aside = path.parent / f"{name}.tmp"
            aside.write_bytes(bytes(2000))
            when = time.time() - seconds
            os.utime(str(aside), (when, when))
            return aside

        return left

    def test_they_are_no_entries(self, disk, leave):
        leave("half", 0)
        assert disk.get("half") is None

    def test_old_ones_go_when_room_is_needed(self, disk, folder, leave):
        old, new = leave("old", 7200), leave("new", 10)
        for number in range(2, 12):
            disk.put(key(number), entry(1000))
        assert not old.exists()
        assert new.exists(), "somebody may be writing it"
        assert size_of(folder) - new.stat().st_size <= LIMIT

    def test_old_ones_go_although_all_entries_are_older(self, disk, folder, leave):
        """A busy cache of long-lived entries does not keep the dead among them."""
        aside = leave("dead", 7200)
        age(folder, key(1), 90_000)
        for number in range(2, 12):
            disk.put(key(number), entry(1000))
            age(folder, key(number), 80_000 - number)
        assert not aside.exists()

    def test_nothing_is_left_of_a_write_that_failed(self, disk, folder):
        with disk_full_after(600):
            disk.put(key(1), entry(5000))
        assert files(folder) == []


@contextlib.contextmanager
def disk_full_after(size):
    """No file of this process may grow past ``size`` bytes: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestBrokenDisk:
    """It costs the cache, never the request, and is complained of, but not each time."""

    def test_a_full_disk(self, disk, caplog):
        with disk_full_after(600), caplog.at_level(logging.WARNING):
            for number in range(50):
                disk.put(key(number), entry(5000))
                assert disk.get(key(number)) is None
        assert caplog.text.count("disk does not work") == 1
        disk.put(key(1), entry(5000))
        assert disk.get(key(1)) == entry(5000)

    def test_a_disk_that_fails_at_closing(self, disk, monkeypatch, folder):
        """Network file systems tell only then that there was no room."""
        import tempfile

        real = tempfile.mkstemp

        def mkstemp(*args, **kwargs):
            descriptor, path = real(*args, **kwargs)
            os.close(descriptor)
            return os.open("/dev/full", os.O_WRONLY), path

        monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
        disk.put(key(1), entry(500))
        assert disk.get(key(1)) is None
        assert files(folder) == []

    def test_a_disk_that_cannot_be_read(self, disk, folder, monkeypatch):
        disk.put(key(1), entry(500))

        def broken(self):
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(type(folder), "read_bytes", broken)
            assert disk.get(key(1)) is None
        assert disk.get(key(1)) == entry(500)

    def test_a_folder_that_was_deleted_meanwhile(self, disk, folder):
        """Somebody tidied up; the cache goes on."""
        import shutil

        disk.put(key(1), entry(500))
        shutil.rmtree(str(folder))
        assert disk.get(key(1)) is None
        disk.put(key(2), entry(500))
        assert disk.get(key(2)) == entry(500)

    def test_a_file_that_cannot_be_touched(self, disk, monkeypatch):
        """On a disk that can only be read."""
        disk.put(key(1), entry(500))

        def utime(*args):
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(os, "utime", utime)
        assert disk.get(key(1)) == entry(500)

    def test_a_folder_that_cannot_be_made_is_said_at_start(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError):
            DiskStore(tmp_path / "file" / "cache", LIMIT, lambda count: None)


def test_disk_is_safe_for_threads(disk, folder):
    def use():
        for number in range(60):
            name = key(number % 20)
            disk.put(name, entry(1000, name.encode()))
            found = disk.get(key(number % 7))
            assert found is None or found == entry(1000, key(number % 7).encode())

    assert run_threads([use] * 6) == []
    assert size_of(folder) <= LIMIT


class TestBoth:
    """Memory before disk."""

    def test_both_keep_it(self, memory, disk):
        AudioCache(memory, disk).put(key(1), entry(500))
        assert memory.get(key(1)) == disk.get(key(1)) == entry(500)

    def test_what_only_the_disk_has_is_in_memory_afterwards(self, memory, disk):
        disk.put(key(1), entry(500))
        cache = AudioCache(memory, disk)
        assert cache.get(key(1)) == entry(500)
        assert memory.get(key(1)) == entry(500)

    def test_memory_alone_will_do(self, memory):
        cache = AudioCache(memory, None)
        assert cache.get(key(1)) is None
        cache.put(key(1), entry(500))
        assert cache.get(key(1)) == entry(500)
        assert cache.size_bytes == (500, 0)

    def test_it_says_how_large_it_is(self, memory, disk, folder):
        cache = AudioCache(memory, disk)
        cache.put(key(1), entry(500))
        assert cache.size_bytes == (500, size_of(folder))

    def test_a_broken_disk_leaves_the_memory(self, memory, disk):
        cache = AudioCache(memory, disk)
        with disk_full_after(600):
            cache.put(key(1), entry(5000))
        assert cache.get(key(1)) == entry(5000)
