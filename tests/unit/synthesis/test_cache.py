"""Finished audio is given back as it was, from memory first, and takes no more than allowed."""

from collections import OrderedDict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from auto_voice.synthesis.cache import AudioCache, MemoryStore
from auto_voice.synthesis.disk_store import DiskStore
from tests.examples import examples
from tests.unit.synthesis.entries import LIMIT, disk_full_after, entry, key, run_threads


@pytest.fixture
def memory():
    return MemoryStore(LIMIT, lambda count: None)


@pytest.fixture
def disk(tmp_path):
    return DiskStore(tmp_path, LIMIT, lambda count: None)


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


InMemory.TestCase.settings = settings(deadline=None, max_examples=examples(60))
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

    def test_what_memory_has_needs_no_disk(self, memory, disk, monkeypatch):
        """The way of most answers: no file is looked at."""
        cache = AudioCache(memory, disk)
        cache.put(key(1), entry(500))
        monkeypatch.setattr(DiskStore, "get", None)
        assert cache.get(key(1)) == entry(500)

    def test_it_says_how_large_it_is(self, memory, disk, tmp_path):
        cache = AudioCache(memory, disk)
        cache.put(key(1), entry(500))
        [file] = tmp_path.rglob("*.audio")
        assert cache.size_bytes == (500, file.stat().st_size)

    def test_a_broken_disk_leaves_the_memory(self, memory, disk):
        cache = AudioCache(memory, disk)
        with disk_full_after(600):
            cache.put(key(1), entry(5000))
        assert cache.get(key(1)) == entry(5000)
