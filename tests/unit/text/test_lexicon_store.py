"""Lexicons on a disk: shared by processes, never half written, never lost."""

import errno
import multiprocessing
import os
import resource
import signal
import stat
import threading

import pytest

from auto_voice.errors import (
    InvalidLexicon,
    LexiconChanged,
    LexiconNotFound,
    LexiconNotSaved,
    LexiconsReadOnly,
)
from auto_voice.text import lexicon_store
from auto_voice.text.lexicon import Lexicon
from auto_voice.text.lexicon_entry import Entry
from auto_voice.text.lexicon_store import MAX_LEXICONS, LexiconStore, with_entry, without_word

SQL = Lexicon([Entry("SQL", say="sequel")])
GIF = Lexicon([Entry("gif", ipa="dʒɪf")], "en")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "deep" / "lexicons"


@pytest.fixture
def store(folder):
    return LexiconStore(folder)


def test_what_is_saved_is_there_for_others(store, folder):
    assert store.put("tech", SQL) is True
    assert store.put("tech", GIF) is False
    assert store.put("a.b-c_1", SQL) is True
    other = LexiconStore(folder)
    assert other.get("tech").digest == GIF.digest
    assert (other.get("tech").entries, other.get("tech").language) == (GIF.entries, "en")
    assert [name for name, _ in other.list()] == ["a.b-c_1", "tech"]


def test_nothing_is_made_before_something_is_saved(store, folder):
    assert store.list() == []
    with pytest.raises(LexiconNotFound):
        store.get("tech")
    assert not folder.exists()


def test_a_change_of_another_process_is_seen(store, folder):
    """However fast changes follow each other, and though their files have the same size."""
    other = LexiconStore(folder)
    for number in range(300):
        made = Lexicon([Entry("w", say=f"{number:03}")])
        other.put("tech", made)
        assert store.get("tech").digest == made.digest
    other.delete("tech")
    with pytest.raises(LexiconNotFound):
        store.get("tech")


def test_what_has_not_changed_is_not_read_again(store, folder):
    store.put("tech", SQL)
    assert store.get("tech") is store.get("tech")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "A", ".hidden", "-a", "a" * 65, "ä", "a\n", "a\0b", "a b"],
)
def test_names_cannot_reach_other_files(store, name):
    with pytest.raises(LexiconNotFound):
        store.get(name)
    with pytest.raises(LexiconNotFound):
        store.delete(name)
    with pytest.raises(InvalidLexicon, match="name"):
        store.put(name, SQL)


def test_entries_come_and_go_one_by_one(store):
    store.update("tech", lambda present: with_entry(present, Entry("SQL", say="sequel")))
    store.update("tech", lambda present: with_entry(present, Entry("sql", say="ess")))
    store.update("tech", lambda present: with_entry(present, Entry("gif", ipa="dʒɪf")))
    store.update("tech", lambda present: with_entry(present, Entry("gif", say="x", language="de")))
    found = store.get("tech").entries
    assert {(entry.word, entry.say, entry.language) for entry in found} == {
        ("sql", "ess", None),
        ("gif", None, None),
        ("gif", "x", "de"),
    }
    store.update("tech", lambda present: without_word(present, "GIF", "de"))
    store.update("tech", lambda present: without_word(present, "SQL"))
    assert [entry.word for entry in store.get("tech").entries] == ["gif"]
    with pytest.raises(LexiconNotFound, match="no entry for 'SQL'"):
        store.update("tech", lambda present: without_word(present, "SQL"))


def test_an_entry_replaces_the_same_word_in_another_form(store):
    """As it is written does not matter: composed letters, spaces, apostrophes."""
    store.put("tech", Lexicon([Entry("cafe\u0301  don’t", say="x")]))
    made = store.update("tech", lambda present: with_entry(present, Entry("café don't", say="y")))
    assert [entry.say for entry in made.entries] == ["y"]


def test_a_lost_update_is_refused(store):
    store.put("tech", SQL, expected="")
    with pytest.raises(LexiconChanged):
        store.put("tech", GIF, expected="")
    with pytest.raises(LexiconChanged):
        store.put("tech", GIF, expected=GIF.digest)
    store.put("tech", GIF, expected=SQL.digest)
    with pytest.raises(LexiconChanged):
        store.delete("tech", expected=SQL.digest)
    with pytest.raises(LexiconChanged):
        store.put("other", SQL, expected="*")
    store.delete("tech", expected="*")
    assert store.list() == []


def test_there_is_a_limit_to_lexicons(store):
    for number in range(MAX_LEXICONS):
        store.put(f"l{number}", SQL)
    with pytest.raises(InvalidLexicon, match="already"):
        store.put("one-more", SQL)
    store.put("l0", GIF)


def test_there_is_a_limit_to_what_they_take_together(store, monkeypatch):
    """One in the place of another counts once."""
    large = Lexicon([Entry("w", say="x" * 300)])
    monkeypatch.setattr(lexicon_store, "MAX_BYTES", 900)
    store.put("one", large)
    store.put("two", large)
    store.put("two", large)
    with pytest.raises(InvalidLexicon, match="together"):
        store.put("three", large)
    store.put("one", SQL)
    store.put("three", large)


def test_a_damaged_file_is_told_and_can_be_replaced(store, folder, caplog):
    store.put("good", SQL)
    for content in (b"", b"{", b"\xff", b'{"entries": [{"word": "a"}]}', b"[" * 100_000):
        (folder / "bad.json").write_bytes(content)
        with pytest.raises(InvalidLexicon, match="'bad' is damaged"):
            store.get("bad")
        assert [name for name, _ in store.list()] == ["good"]
    assert "damaged" in caplog.text
    store.put("bad", GIF)
    assert store.get("bad").digest == GIF.digest
    (folder / "bad.json").write_bytes(b"{")
    store.delete("bad")
    assert [name for name, _ in store.list()] == ["good"]


def test_files_of_others_do_not_count(store, folder):
    store.put("tech", SQL)
    (folder / "README.txt").write_text("hello")
    (folder / "Big.json").write_text("{}")
    (folder / "sub.json").mkdir()
    assert [name for name, _ in store.list()] == ["tech"]


def add_words(folder, number):
    store = LexiconStore(folder)
    for count in range(10):
        entry = Entry(f"w{number}x{count}", say="x")
        store.update("shared", lambda present, entry=entry: with_entry(present, entry))


def test_processes_and_threads_that_write_at_once_lose_nothing(folder):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_words, args=(folder, n)) for n in range(3)]
    threads = [threading.Thread(target=add_words, args=(folder, n)) for n in range(3, 6)]
    for one in [*processes, *threads]:
        one.start()
    for one in [*processes, *threads]:
        one.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(LexiconStore(folder).get("shared").entries) == 60
    assert sorted(os.listdir(folder)) == [".lock", "shared.json"]


def test_whoever_reads_meanwhile_reads_one_or_the_other(folder):
    """A file is never seen half written."""
    writer, reader = LexiconStore(folder), LexiconStore(folder)
    large = Lexicon(Entry(f"w{number}", say="x" * 100) for number in range(300))
    writer.put("tech", SQL)
    done = threading.Event()

    def write():
        for number in range(30):
            writer.put("tech", large if number % 2 else SQL)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    seen = set()
    while not done.is_set():
        seen.add(reader.get("tech").digest)
    thread.join()
    assert seen <= {SQL.digest, large.digest}


@pytest.fixture
def small_files():
    """The kernel lets no file of this process grow beyond 100 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_and_costs_nothing_that_was_there(store, folder, small_files):
    store.put("tech", Lexicon([Entry("a", say="b")]))
    before = store.get("tech").digest
    with pytest.raises(LexiconNotSaved, match="was not saved and is as it was. The disk is full"):
        store.put("tech", Lexicon(Entry(f"w{number}", say="x") for number in range(50)))
    assert LexiconStore(folder).get("tech").digest == before
    assert sorted(os.listdir(folder)) == [".lock", "tech.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_is_told_and_costs_nothing_that_was_there(store, monkeypatch, call):
    store.put("tech", SQL)

    def fail(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(lexicon_store.os, call, fail)
    with pytest.raises(LexiconNotSaved, match="Input/output error"):
        store.put("tech", GIF)
    monkeypatch.undo()
    assert store.get("tech").digest == SQL.digest


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_folder_that_may_not_be_written_is_told(store, monkeypatch, number):
    """As in a container whose root is read-only; what is there can be read."""
    store.put("tech", SQL)

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lexicon_store.Path, "mkdir", refuse)
    for change in (lambda: store.put("tech", GIF), lambda: store.delete("tech")):
        with pytest.raises(LexiconsReadOnly, match=os.strerror(number)):
            change()
    assert store.get("tech").digest == SQL.digest


def test_a_file_can_be_read_by_whoever_may_read_the_folder(store, folder):
    store.put("tech", SQL)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((folder / "tech.json").stat().st_mode) == 0o666 & ~mask
