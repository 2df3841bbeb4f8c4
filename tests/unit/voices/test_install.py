"""A voice is in the folder whole and as its list says, or not at all."""

import errno
import os
import threading

import pytest

from auto_voice.engines import manifest
from auto_voice.errors import (
    DownloadDamaged,
    DownloadFailed,
    DownloadRefused,
    InstallCancelled,
    InvalidArchive,
    VoiceNotFound,
    VoiceNotManaged,
    VoicesReadOnly,
    VoiceStorageFull,
)
from auto_voice.voices.index import VoiceIndex
from auto_voice.voices.install import Installer
from auto_voice.voices.store import ASIDE, VoiceStore
from tests.unit.voices.mirror import (
    archive,
    chunked,
    drip,
    instead,
    piper_model,
    redirect,
    status,
)

FOLDER_VOICE = {"k/model.onnx": piper_model(20_000), "k/data/x": b"1", "k/tokens.txt": b"a 1\n"}


def shown(folder):
    """What whoever looks into the folder sees."""
    return sorted(path.name for path in folder.glob("*")) if folder.exists() else []


def unfinished(folder):
    return sorted(
        path.name for path in (folder / ASIDE / "unfinished").rglob("*") if path.is_file()
    )


def test_a_voice_is_fetched_verified_and_remembered(install, mirror, folder, installer):
    entry = mirror.voice("en_US-a-medium", licence="CC0", name="A", quality="medium")
    told = []
    record = install(entry, progress=told.append)
    assert shown(folder) == [ASIDE, "en_US-a-medium.onnx", "en_US-a-medium.onnx.json"]
    assert (folder / "en_US-a-medium.onnx").read_bytes() == mirror.files["en_US-a-medium.onnx"]
    assert (record.licence, record.quality, record.pinned) == ("CC0", "medium", True)
    assert record.source == mirror.base + "en_US-a-medium.onnx"
    assert installer.store.faults("en_US-a-medium") == []
    assert unfinished(folder) == []
    done = [one.done_bytes for one in told if one.stage == "downloading"]
    total = record.size_bytes
    assert done == sorted(done) and done[-1] == total
    assert {one.total_bytes for one in told} == {total}
    assert told[-1].stage == "installed"


def test_what_is_there_already_is_not_fetched_again(install, mirror):
    entry = mirror.voice("a")
    first = install(entry)
    mirror.seen.clear()
    assert install(entry) == first
    assert [one.path for one in mirror.seen] == ["/autovoice-voices.json"]
    assert install(entry, force=True).files == first.files
    assert len(mirror.seen) == 4


def test_a_voice_whose_files_were_harmed_is_fetched_again(install, mirror, folder, installer):
    entry = mirror.voice("a")
    install(entry)
    os.truncate(folder / "a.onnx", 100)
    assert installer.store.faults("a") != []
    install(entry)
    assert installer.store.faults("a") == []


def test_the_config_comes_last(install, mirror, folder, monkeypatch):
    """Whoever watches the folder never sees a voice without its model."""
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *a: (replace(*a), seen.append(shown(folder)))[0])
    install(mirror.voice("a"))
    assert seen[-1] == [ASIDE, "a.onnx", "a.onnx.json"]
    assert all("a.onnx.json" not in names for names in seen[:-1])


# --- the network ----------------------------------------------------------------------------------


def test_a_broken_connection_is_taken_up_where_it_broke(install, mirror, folder):
    entry = mirror.voice("a")
    mirror.faults["a.onnx"] = [mirror.cut(70_000), mirror.cut(150_000)]
    install(entry)
    assert (folder / "a.onnx").read_bytes() == mirror.files["a.onnx"]
    asked = [one for one in mirror.seen if one.path == "/a.onnx"]
    assert [one.range for one in asked] == [None, "bytes=70000-", "bytes=150000-"]
    first, *others = [one.if_range for one in asked]
    assert first is None and others[0] and others == [others[0]] * 2


def test_the_next_try_takes_up_what_the_last_one_left(install, mirror, folder):
    """Also of another process: what has arrived is in the folder."""
    entry = mirror.voice("a")
    mirror.faults["a.onnx"] = [mirror.cut(90_000)] + [status(503)] * 4
    with pytest.raises(DownloadFailed, match="503"):
        install(entry)
    assert shown(folder) == [ASIDE]
    assert "a.onnx" in unfinished(folder)
    mirror.seen.clear()
    install(entry)
    assert [one.range for one in mirror.seen if one.path == "/a.onnx"] == ["bytes=90000-"]


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(install, mirror, folder):
    """If-Range keeps two files from becoming one."""
    entry = mirror.voice("a")
    new = piper_model(300_000)
    mirror.faults["a.onnx"] = [mirror.cut(70_000)] + [status(503)] * 4
    with pytest.raises(DownloadFailed):
        install(entry)
    changed = mirror.voice("a", new)
    install(changed)
    assert (folder / "a.onnx").read_bytes() == new


@pytest.mark.parametrize("etags", [True, False])
def test_a_server_without_ranges_sends_all_again(install, mirror, folder, etags):
    mirror.ranges, mirror.etags = False, etags
    entry = mirror.voice("a")
    mirror.faults["a.onnx"] = [mirror.cut(70_000)]
    install(entry)
    assert (folder / "a.onnx").read_bytes() == mirror.files["a.onnx"]


def test_without_etag_or_checksum_nothing_is_taken_up(install, mirror, folder):
    """Nothing would tell whether the two parts are of one file."""
    mirror.etags = False
    entry = mirror.voice("a")
    del entry["model"]["sha256"]
    mirror.faults["a.onnx"] = [mirror.cut(70_000)]
    record = install(entry)
    assert [one.range for one in mirror.seen if one.path == "/a.onnx"] == [None, None]
    assert not record.pinned


@pytest.mark.parametrize(
    "fault, error",
    [
        (status(404), DownloadRefused),
        (status(403), DownloadRefused),
        (instead(b"x" * len(piper_model())), DownloadDamaged),
        (instead(b"short"), DownloadDamaged),
        (instead(b"x" * 300_000), DownloadDamaged),
        (instead(b"short", length=len(piper_model())), DownloadFailed),
        (chunked(b"x" * 10_000_000), DownloadDamaged),
        (redirect("/a.onnx"), DownloadRefused),
        (redirect("file:///etc/passwd"), DownloadRefused),
        (redirect("ftp://127.0.0.1/a.onnx"), DownloadRefused),
        (redirect("http://127.0.0.1:1/a.onnx"), DownloadFailed),
        (status(500), DownloadFailed),
    ],
    ids="404 403 wrong short long cut endless loop file ftp nobody 500".split(),
)
def test_what_a_server_can_do_wrong_leaves_no_voice(install, mirror, folder, fault, error):
    entry = mirror.voice("a")
    mirror.always["a.onnx"] = fault
    with pytest.raises(error) as raised:
        install(entry)
    assert shown(folder) == [ASIDE]
    assert "a.onnx" in raised.value.message
    del mirror.always["a.onnx"]
    install(entry)
    assert (folder / "a.onnx").read_bytes() == mirror.files["a.onnx"]


@pytest.mark.slow
def test_a_server_that_sends_next_to_nothing_is_given_up(mirror, folder):
    entry = mirror.voice("a")
    mirror.always["a.onnx"] = drip
    installer = Installer(VoiceStore(folder, 100 << 20), timeout_s=0.2)
    with pytest.raises(DownloadFailed, match="too slowly"):
        installer.install(VoiceIndex([mirror.list(entry)], 1.0).find("a"))
    assert shown(folder) == [ASIDE]


def test_redirects_are_followed(install, mirror, folder):
    """As public collections send downloads to another host."""
    entry = mirror.voice("a")
    mirror.files["elsewhere"] = mirror.files["a.onnx"]
    mirror.always["a.onnx"] = redirect(mirror.base + "elsewhere?signature=secret")
    mirror.faults["elsewhere"] = [mirror.cut(70_000)]
    record = install(entry)
    assert (folder / "a.onnx").read_bytes() == mirror.files["a.onnx"]
    assert "secret" not in record.source
    assert mirror.seen[-1].range == "bytes=70000-"


def test_a_config_that_is_none_is_no_voice(install, mirror, folder):
    with pytest.raises(DownloadDamaged, match=r"a\.onnx\.json"):
        install(mirror.voice("a", config="a word"))
    assert shown(folder) == [ASIDE]


def test_the_publishers_card_tells_the_licence(install, mirror):
    mirror.files["CARD"] = b"# Card\n* Language: en\n\n## Dataset\n* License: CC0 1.0\n"
    assert install(mirror.voice("a", card="CARD")).licence == "CC0 1.0"
    assert install(mirror.voice("b", card="missing")).licence is None
    mirror.files["CARD"] = b"License: x" + b" " * 70_000
    assert install(mirror.voice("c", card="CARD")).card is None


# --- cancelling, racing, room ---------------------------------------------------------------------


def test_a_cancelled_installation_keeps_what_has_arrived(install, mirror, folder):
    entry = mirror.voice("a", piper_model(2_000_000))
    told = []
    with pytest.raises(InstallCancelled):
        install(entry, progress=told.append, cancelled=lambda: len(told) > 5)
    assert shown(folder) == [ASIDE]
    mirror.seen.clear()
    install(entry)
    asked = next(one for one in mirror.seen if one.path == "/a.onnx")
    assert asked.range and asked.range != "bytes=0-"


def test_one_of_two_threads_waits_and_finds_it_done(install, mirror, folder):
    entry = mirror.voice("a", piper_model(3_000_000))
    stages, records = [], []

    def run():
        records.append(install(entry, progress=lambda one: stages.append(one.stage)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(records) == 4 and len(set(record.installed_at for record in records)) == 1
    assert [one.path for one in mirror.seen].count("/a.onnx") == 1


def test_a_voice_beyond_the_budget_is_refused_before_it_is_fetched(mirror, folder):
    entry, other = mirror.voice("a"), mirror.voice("b")
    index = VoiceIndex([mirror.list(entry, other)], 1.0)
    installer = Installer(VoiceStore(folder, 300_000), 1.0)
    installer.install(index.find("a"))
    with pytest.raises(VoiceStorageFull, match="b takes"):
        installer.install(index.find("b"))
    assert "/b.onnx" not in [one.path for one in mirror.seen]
    installer.store.remove("a")
    installer.install(index.find("b"))


def test_a_list_that_knows_no_size_is_held_to_the_budget(mirror, folder):
    entry = mirror.voice("a")
    entry["model"] = {"url": "a.onnx"}
    mirror.always["a.onnx"] = chunked(b"x" * 10_000_000)
    installer = Installer(VoiceStore(folder, 1_000_000), 1.0)
    with pytest.raises(DownloadDamaged, match="more than"):
        installer.install(VoiceIndex([mirror.list(entry)], 1.0).find("a"))
    assert installer.store.used_bytes() < 10_000


def test_two_under_way_share_the_budget(mirror, folder):
    """What one has been promised, the other does not get."""
    store = VoiceStore(folder, 1_000_000)
    with store.changing("a"), store.room_for("a", 700_000):
        with store.changing("b"):
            with pytest.raises(VoiceStorageFull):
                with store.room_for("b", 400_000):
                    pass
            with store.room_for("b", 200_000):
                pass
    with store.changing("b"), store.room_for("b", 400_000):
        pass


def test_a_disk_that_is_full_is_told_and_left_clean(install, mirror, folder, monkeypatch):
    entry = mirror.voice("a")
    monkeypatch.setattr("auto_voice.voices.store.SPARE_BYTES", 1 << 60)
    with pytest.raises(VoiceStorageFull, match="to spare"):
        install(entry)
    assert unfinished(folder) == []


@pytest.mark.parametrize(
    "number, error",
    [
        (errno.EACCES, VoicesReadOnly),
        (errno.EROFS, VoicesReadOnly),
        (errno.ENOSPC, VoiceStorageFull),
        (errno.EDQUOT, VoiceStorageFull),
    ],
)
def test_what_the_disk_refuses_is_told(install, mirror, folder, monkeypatch, number, error):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(error, match=os.strerror(number)):
        install(mirror.voice("a"))
    assert shown(folder) == [ASIDE]


def test_a_voice_that_somebody_put_there_is_not_touched(install, mirror, folder, installer):
    folder.mkdir()
    (folder / "a.onnx").write_bytes(b"mine")
    (folder / "a.onnx.json").write_bytes(b"{}")
    entry = mirror.voice("a")
    with pytest.raises(VoiceNotManaged):
        install(entry)
    with pytest.raises(VoiceNotManaged):
        installer.store.remove("a")
    assert (folder / "a.onnx").read_bytes() == b"mine"
    install(entry, force=True)
    assert (folder / "a.onnx").read_bytes() == mirror.files["a.onnx"]


# --- folders and removal --------------------------------------------------------------------------


def test_an_archive_becomes_a_folder_with_a_manifest(install, mirror, folder, installer):
    entry = mirror.folder_voice("k1", archive(FOLDER_VOICE), name="K", licence="Apache-2.0")
    record = install(entry)
    assert shown(folder) == [ASIDE, "k1"]
    assert (folder / "k1/model.onnx").read_bytes() == FOLDER_VOICE["k/model.onnx"]
    told = manifest.read(folder / "k1")
    assert (told.engine, told.files) == ("sherpa", {"model": "model.onnx"})
    assert (told.licence, told.name, told.languages) == ("Apache-2.0", "K", ("en",))
    assert "k1/data/x" in record.files and installer.store.faults("k1") == []
    assert unfinished(folder) == []
    install(entry, force=True)
    assert installer.store.remove("k1") > 20_000
    assert shown(folder) == [ASIDE] and installer.store.used_bytes() < 1000


@pytest.mark.parametrize("said", [{"speakers": "x"}, {"files": ["model.onnx"]}, {"name": 5}])
def test_an_archive_with_a_manifest_that_its_engine_could_not_read_is_no_voice(
    install, mirror, folder, said
):
    with pytest.raises(DownloadDamaged, match="manifest of k1"):
        install(mirror.folder_voice("k1", archive(FOLDER_VOICE), manifest=said))
    assert shown(folder) == [ASIDE]


def test_a_list_that_tells_no_language_leaves_that_to_the_model(install, mirror, folder):
    install(mirror.folder_voice("k1", archive(FOLDER_VOICE), language="", quality="high"))
    told = manifest.read(folder / "k1")
    assert (told.languages, told.quality, told.kind) == ((), "high", "kokoro")


def test_an_archive_without_the_model_is_no_voice(install, mirror, folder):
    entry = mirror.folder_voice("k1", archive({"k/tokens.txt": b"x"}))
    with pytest.raises(DownloadDamaged, match="model.onnx"):
        install(entry)
    assert shown(folder) == [ASIDE]


def test_an_archive_that_leads_elsewhere_is_no_voice(install, mirror, folder, tmp_path):
    entry = mirror.folder_voice("k1", archive({**FOLDER_VOICE, "k/../../../out": b"x"}))
    with pytest.raises(InvalidArchive):
        install(entry)
    assert shown(folder) == [ASIDE]
    assert not list(tmp_path.rglob("out"))


def test_a_removed_voice_is_gone_with_what_was_known_of_it(install, mirror, folder, installer):
    install(mirror.voice("a"))
    assert installer.store.remove("a") > 200_000
    assert shown(folder) == [ASIDE]
    assert installer.store.record("a") is None
    with pytest.raises(VoiceNotFound):
        installer.store.remove("a")


def test_changed_files_are_found(install, mirror, folder, installer):
    install(mirror.voice("a"))
    data = bytearray((folder / "a.onnx").read_bytes())
    data[1000] ^= 1
    (folder / "a.onnx").write_bytes(bytes(data))
    assert installer.store.faults("a") == ["a.onnx: its SHA-256 is another one"]
    (folder / "a.onnx").unlink()
    assert installer.store.faults("a") == ["a.onnx: No such file or directory"]


def test_what_nobody_comes_back_for_is_swept_away(install, mirror, folder):
    left = folder / ASIDE / "unfinished" / "old"
    left.mkdir(parents=True)
    (left / "old.onnx").write_bytes(b"x")
    for path in (left / "old.onnx", left):
        os.utime(path, (1, 1))
    (folder / ASIDE / "removed-x-1").mkdir()
    install(mirror.voice("a"))
    assert sorted(path.name for path in (folder / ASIDE).iterdir()) == ["records", "unfinished"]
    assert unfinished(folder) == []


@pytest.mark.parametrize(
    "name", ["../a", "a/b", "", ".a", "a\n", "a" * 101, "ä" * 101, "a:b", "~a"]
)
def test_names_that_lead_elsewhere_are_no_voices(installer, name):
    store = installer.store
    assert not store.is_there(name) and store.record(name) is None
    with pytest.raises(Exception, match="id|not installed"):
        store.remove(name, force=True)
    with pytest.raises(Exception, match="id has"):
        with store.changing(name):
            pass
