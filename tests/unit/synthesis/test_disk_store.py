"""Audio on disk is given back as it was, or not at all, whatever happens to the folder."""

import errno
import logging
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.synthesis.cache import Entry
from auto_voice.synthesis.disk_store import DiskStore, Ledger
from tests.examples import examples
from tests.unit.synthesis.entries import LIMIT, disk_full_after, entry, key, run_threads

ALL_BUT_AUDIO = 100
"""Bytes of the folder's files that hold no audio, at most."""


@pytest.fixture
def evicted():
    return []


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def disk(folder, evicted):
    return DiskStore(folder, LIMIT, evicted.append)


def opened(folder, limit=LIMIT):
    """The folder, as another process sees it."""
    return DiskStore(folder, limit, lambda count: None)


def files(folder):
    return list(folder.rglob("*.audio"))


def size_of(folder):
    return sum(path.stat().st_size for path in files(folder))


def all_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def age(folder, name, seconds):
    [path] = folder.rglob(name + "*")
    when = time.time() - seconds
    os.utime(str(path), (when, when))


def complaints(caplog):
    return caplog.text.count("disk does not work")


@settings(deadline=None, max_examples=examples(30))
@given(audio=st.binary(max_size=5000), audio_s=st.floats(allow_nan=False))
def test_it_gives_back_what_it_was_given(tmp_path_factory, audio, audio_s):
    store = opened(tmp_path_factory.mktemp("cache"))
    store.put(key(1), Entry(audio, audio_s))
    assert store.get(key(1)) == Entry(audio, audio_s)
    assert store.get(key(2)) is None


def test_it_outlives_the_process(disk, folder):
    disk.put(key(1), entry(500))
    again = opened(folder)
    assert again.get(key(1)) == entry(500)
    assert again.size_bytes == size_of(folder)


def test_it_keeps_the_newest_of_two(disk, folder):
    disk.put(key(1), entry(500, b"old"))
    disk.put(key(1), entry(600, b"new"))
    assert disk.get(key(1)) == entry(600, b"new")
    assert len(files(folder)) == 1


def test_nobody_else_may_read_what_was_spoken(disk, folder):
    disk.put(key(1), entry(500))
    modes = [path.stat().st_mode & 0o077 for path in folder.rglob("*") if path.is_file()]
    assert len(modes) >= 1
    assert set(modes) == {0}


def test_it_is_safe_for_threads(disk, folder):
    def use():
        for number in range(60):
            name = key(number % 20)
            disk.put(name, entry(1000, name.encode()))
            found = disk.get(key(number % 7))
            assert found is None or found == entry(1000, key(number % 7).encode())

    assert run_threads([use] * 6) == []
    assert 0 < size_of(folder) <= LIMIT


class TestLimit:
    """All entries together stay below it, whoever writes them; what was used last stays longest."""

    def test_what_was_used_least_recently_goes(self, disk, folder, evicted):
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

    @settings(deadline=None, max_examples=examples(25))
    @given(sizes=st.lists(st.integers(0, LIMIT + 100), max_size=30))
    def test_it_takes_no_more(self, tmp_path_factory, sizes):
        folder = tmp_path_factory.mktemp("cache")
        store = opened(folder)
        for number, size in enumerate(sizes):
            store.put(key(number), entry(size))
            assert store.size_bytes == size_of(folder) <= LIMIT
            assert all_bytes(folder) <= LIMIT + ALL_BUT_AUDIO

    @settings(deadline=None, max_examples=examples(25))
    @given(puts=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 15)), max_size=60))
    def test_each_one_below_the_limit_is_not_all_of_them_below_it(self, tmp_path_factory, puts):
        """The limit is the folder's: what others write counts, too, at once."""
        folder = tmp_path_factory.mktemp("cache")
        stores = [opened(folder) for _ in range(4)]
        for store, number in puts:
            stores[store].put(key(number), entry(1500))
            assert stores[store].get(key(number)) is not None
            assert size_of(folder) <= LIMIT

    def test_each_says_how_large_all_is(self, disk, folder):
        other = opened(folder)
        disk.put(key(1), entry(500))
        other.put(key(2), entry(700))
        assert disk.size_bytes == other.size_bytes == size_of(folder)

    def test_what_is_larger_than_all_of_it_is_not_kept(self, disk):
        disk.put(key(1), entry(1000))
        disk.put(key(2), entry(LIMIT))  # and its header
        assert disk.get(key(1)) is not None
        assert disk.get(key(2)) is None

    def test_a_lower_one_than_before_holds_from_the_first_entry(self, folder):
        large = opened(folder, 10 * LIMIT)
        for number in range(50):
            large.put(key(number), entry(1000))
        small = opened(folder)
        small.put(key(99), entry(1000))
        assert size_of(folder) <= LIMIT
        assert small.get(key(99)) is not None

    def test_the_folder_is_walked_only_now_and_then(self, folder, monkeypatch):
        """A store of many small entries is not read through for each new one."""
        store = opened(folder, 20 * LIMIT)  # room for 196
        walks = []
        scandir = os.scandir

        def counting(path):
            walks.extend([path] if path == str(folder) else [])
            return scandir(path)

        monkeypatch.setattr(os, "scandir", counting)
        for number in range(190):
            store.put(key(number), entry(1000))
        assert walks == []
        for number in range(190, 300):
            store.put(key(number), entry(1000))
        assert 1 <= len(walks) <= 7


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

    def test_the_audio_of_another_request_is_noticed(self, disk, path, folder):
        """However whole it is."""
        disk.put(key(2), entry(700))
        [other] = folder.rglob(key(2) + "*")
        os.replace(str(path), str(other))
        assert disk.get(key(2)) is None

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
        for number in range(2, 30):
            disk.put(key(number), entry(1000))
        assert disk.get(key(29)) == entry(1000)

    @pytest.mark.parametrize(
        "content",
        [b"", b"x", b"-5", b"0" * 20, b"9" * 300, b"\0" * 21, b"00000000000000000000\n\n", None],
        ids=["empty", "a letter", "negative", "short", "long", "zeros", "a line more", "gone"],
    )
    def test_a_damaged_account_of_sizes_is_made_anew(self, disk, folder, content):
        """Nobody counts on it: the entries are still there, and the limit holds."""
        for number in range(9):
            disk.put(key(number), entry(1000))
        [account] = [path for path in folder.iterdir() if path.is_file()]
        account.unlink()
        if content is not None:
            account.write_bytes(content)
        assert disk.size_bytes == 0
        for number in range(9, 13):
            disk.put(key(number), entry(1000))
            assert disk.get(key(number)) is not None
            assert disk.size_bytes == size_of(folder) <= LIMIT


class TestStrangers:
    """Files that the cache has not written stay as they are, and take nothing of its room."""

    NAMES = [
        "notes.txt",
        "music/song.audio",
        "ab/song.audio",
        "ab/half.tmp",
        f"ab/{key(1)}.audio.bak",
        f"music/{key(1)}.audio",
        f"{key(1)}.audio",
        ".hidden",
        "AB/x",
    ]

    def test_they_stay(self, disk, folder):
        for name in self.NAMES:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode() * 1000)
            os.utime(str(path), (0, 0))
        again = opened(folder)
        assert again.size_bytes == 0
        for number in range(30):
            again.put(key(number), entry(1000))
            assert again.get(key(number)) == entry(1000)
        for name in self.NAMES:
            assert (folder / name).read_bytes() == name.encode() * 1000

    def test_one_in_the_way_is_in_the_way_of_few(self, disk, folder):
        (folder / key(1)[:2]).write_text("not a folder")
        disk.put(key(1), entry(1000))
        assert disk.get(key(1)) is None
        for number in range(2, 30):
            disk.put(key(number), entry(1000))
            assert disk.get(key(number)) == entry(1000)
        assert (folder / key(1)[:2]).read_text() == "not a folder"


class TestBrokenDisk:
    """It costs the cache, never the request, and is complained of, but not each time."""

    def test_a_full_disk(self, disk, folder, caplog):
        with disk_full_after(600), caplog.at_level(logging.WARNING):
            for number in range(50):
                disk.put(key(number), entry(5000))
                assert disk.get(key(number)) is None
            assert all_bytes(folder) <= ALL_BUT_AUDIO
        assert complaints(caplog) == 1
        assert disk.size_bytes == 0
        disk.put(key(1), entry(5000))
        assert disk.get(key(1)) == entry(5000)

    def test_a_full_disk_still_gives_what_it_has(self, disk):
        disk.put(key(1), entry(500))
        with disk_full_after(0):
            disk.put(key(2), entry(500))
            assert disk.get(key(1)) == entry(500)

    def test_a_disk_that_is_full_at_the_start(self, folder, caplog):
        """A server that comes back then has to come back all the same."""
        with disk_full_after(0), caplog.at_level(logging.WARNING):
            store = opened(folder)
            store.put(key(1), entry(500))
        assert complaints(caplog) == 1
        store.put(key(1), entry(500))
        assert store.get(key(1)) == entry(500)

    def test_a_disk_that_fails_at_closing(self, disk, folder):
        """Network file systems tell only then that there was no room."""
        disk.put(key(1), entry(500))
        (folder / ".unfinished").symlink_to("/dev/full")
        disk.put(key(2), entry(500))
        assert disk.get(key(1)) == entry(500)
        assert disk.get(key(2)) is None
        disk.put(key(2), entry(500))
        assert disk.get(key(2)) == entry(500)

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
        disk.put(key(1), entry(500))
        shutil.rmtree(str(folder))
        assert disk.get(key(1)) is None
        assert disk.size_bytes == 0
        disk.put(key(2), entry(500))
        assert disk.get(key(2)) == entry(500)
        assert disk.size_bytes == size_of(folder)

    def test_a_folder_that_cannot_be_made_is_said_at_start(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError):
            opened(tmp_path / "file" / "cache")


class TestReadOnlyFolder:
    """Somebody took the right to write away."""

    @pytest.fixture
    def disk(self, tmp_path, monkeypatch):
        """With entries 0 to 7, the last of them damaged."""
        # Relative, since the other user of below may not walk down to it.
        monkeypatch.chdir(tmp_path)
        disk = opened(Path("cache"))
        for number in range(8):
            disk.put(key(number), entry(1000))
        [damaged] = Path("cache").rglob(key(7) + "*")
        damaged.write_bytes(b"damaged")
        return disk

    @pytest.fixture
    def read_only(self, disk, tmp_path):
        everything = [tmp_path, *tmp_path.rglob("*")]
        for path in everything:
            path.chmod(0o555 if path.is_dir() else 0o444)
        user = os.geteuid()
        if user == 0:  # who may write nevertheless
            os.seteuid(65534)
        yield
        os.seteuid(user)
        for path in everything:
            path.chmod(0o755)

    @pytest.mark.usefixtures("read_only")
    def test_what_is_there_is_given_and_nothing_is_added(self, disk, caplog):
        with caplog.at_level(logging.WARNING):
            for number in range(7):
                assert disk.get(key(number)) == entry(1000)
            for number in range(8, 40):
                disk.put(key(number), entry(1000))
                assert disk.get(key(number)) is None
        assert complaints(caplog) == 1
        assert len(files(Path("cache"))) == 8

    @pytest.mark.usefixtures("read_only")
    def test_what_is_damaged_is_no_answer(self, disk, caplog):
        """And no reason for a line of the log each time."""
        with caplog.at_level(logging.WARNING):
            for _ in range(20):
                assert disk.get(key(7)) is None
        assert len(caplog.records) == 1

    @pytest.mark.usefixtures("read_only")
    def test_it_is_said_at_the_start(self):
        with pytest.raises(PermissionError):
            opened(Path("cache"))


def test_somebody_who_keeps_the_folder_keeps_nobody_waiting(disk, folder, caplog):
    """A process may be stopped in the middle of writing. The first waits a little, once."""
    disk.put(key(1), entry(1000))
    with Ledger(folder / ".ledger").locked(), caplog.at_level(logging.WARNING):
        begun = time.monotonic()
        for number in range(2, 40):
            disk.put(key(number), entry(1000))
            assert disk.get(key(1)) == entry(1000)
            assert disk.get(key(number)) is None
        assert opened(folder).get(key(1)) == entry(1000)
        assert time.monotonic() - begun < 10 * Ledger.PATIENCE_S
    assert complaints(caplog) == 2  # of each store
    disk.put(key(2), entry(1000))
    assert disk.get(key(2)) == entry(1000)


def test_what_a_killed_process_left_goes_at_the_next_start(disk, folder):
    (folder / ".unfinished").write_bytes(bytes(5000))
    opened(folder)
    assert all_bytes(folder) <= ALL_BUT_AUDIO
