"""An archive from the network becomes files in one folder, or an error."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_voice.errors import InvalidArchive
from auto_voice.voices.archive import MAX_FILES, unpack
from tests.examples import examples
from tests.unit.voices.mirror import archive

FILES = {"k/model.onnx": b"m" * 5000, "k/a/b": b"1", "k/empty": b""}


def unpacked(tmp_path, data, limit=1 << 20):
    path = tmp_path / "archive"
    path.write_bytes(data)
    return unpack(path, tmp_path / "out", limit_bytes=limit)


def member(name, kind=tarfile.REGTYPE, size=0, **values):
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, size
    for key, value in values.items():
        setattr(made, key, value)
    return made


def made_of(*members, form=tarfile.PAX_FORMAT):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz", format=form) as made:
        for one in members:
            made.addfile(one, io.BytesIO(b"x" * one.size))
    return held.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_come_out_as_they_went_in(tmp_path, mode):
    made = unpacked(tmp_path, archive(FILES, mode))
    assert made == tmp_path / "out" / "k"
    found = {
        f"k/{path.relative_to(made)}": path.read_bytes()
        for path in made.rglob("*")
        if path.is_file()
    }
    assert found == FILES
    assert os.stat(made / "model.onnx").st_mode & 0o111 == 0


@pytest.mark.parametrize(
    "bad",
    [
        member("/etc/x"),
        member("k/../../x"),
        member("../x"),
        member("k/x\\y"),
        member("c:/x"),
        member("k/" + "a/" * 20 + "x"),
        member("k/" + "a" * 256),
        member("k/a\nb"),
        member("k/link", tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("k/link", tarfile.SYMTYPE, linkname="a"),
        member("k/hard", tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("k/dev", tarfile.CHRTYPE, devmajor=1, devminor=3),
        member("k/dev", tarfile.BLKTYPE),
        member("k/pipe", tarfile.FIFOTYPE),
        member("k/ok"),  # twice
        member("k/ok/below"),
        member("other/x"),
        member("top"),
        member("k/big", size=2 << 20),
    ],
    ids=lambda one: one.name[:20].replace("/", "_"),
)
def test_what_no_voice_needs_is_refused(tmp_path, bad):
    with pytest.raises(InvalidArchive):
        unpacked(tmp_path, made_of(member("k/ok", size=1), bad))
    outside = [path for path in tmp_path.rglob("*") if tmp_path / "out" not in path.parents]
    assert sorted(outside) == [tmp_path / "archive", tmp_path / "out"]


def test_what_comes_through_a_link_stays_inside(tmp_path):
    """A link first, and then a file through it: the link alone is refused."""
    link = member("k/in", tarfile.SYMTYPE, linkname=str(tmp_path))
    with pytest.raises(InvalidArchive):
        unpacked(tmp_path, made_of(link, member("k/in/x", size=1)))
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_a_bomb_is_noticed_before_it_fills_the_disk(tmp_path):
    """A megabyte of archive, a quarter of a gigabyte of zeros."""
    big = tarfile.TarInfo("k/zeros")
    big.size = 1 << 28
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as made:
        made.addfile(big, _Zeros())
    with pytest.raises(InvalidArchive, match="over"):
        unpacked(tmp_path, held.getvalue(), limit=10 << 20)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) < 20 << 20


class _Zeros(io.RawIOBase):
    def read(self, count=-1):
        return bytes(count)


def test_a_bomb_of_names_is_noticed(tmp_path):
    """Names and other notes between the files are bounded, too: they would be held in memory."""
    one = member("k/x", pax_headers={"comment": "x" * (20 << 20)})
    with pytest.raises(InvalidArchive, match="more in it"):
        unpacked(tmp_path, made_of(one))


@pytest.mark.slow
def test_a_bomb_of_files_is_noticed(tmp_path):
    with pytest.raises(InvalidArchive, match=str(MAX_FILES)):
        unpacked(tmp_path, made_of(*(member(f"k/{index}") for index in range(MAX_FILES + 1))))


def test_a_sparse_file_is_refused(tmp_path):
    """It may say to have terabytes, and take none to say so."""
    one = member("k/sparse", tarfile.GNUTYPE_SPARSE)
    with pytest.raises(InvalidArchive):
        unpacked(tmp_path, made_of(one, form=tarfile.GNU_FORMAT))


@pytest.mark.parametrize("at", [0, 10, 200, 3000])
def test_an_archive_that_is_cut_off_is_refused(tmp_path, at):
    data = archive({"k/model.onnx": os.urandom(5000)}, "w:gz")
    with pytest.raises(InvalidArchive):
        unpacked(tmp_path, data[:at])


SEED = archive({**FILES, "k/noise": os.urandom(300)}, "w")


@settings(max_examples=examples(150), deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)), min_size=1, max_size=8
    )
)
def test_whatever_is_in_it_nothing_is_written_elsewhere(tmp_path_factory, changes):
    data = bytearray(SEED)
    for at, value in changes:
        data[at] = value
    folder = tmp_path_factory.mktemp("any")
    try:
        unpacked(folder, bytes(data))
    except InvalidArchive:
        pass
    assert {path.name for path in folder.iterdir()} <= {"archive", "out"}
    for path in (folder / "out").rglob("*"):
        assert not path.is_symlink() and (path.is_file() or path.is_dir())


@settings(max_examples=examples(200), deadline=None)
@given(name=st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=60))
def test_whatever_a_file_is_called_it_stays_in_the_folder(tmp_path_factory, name):
    folder: Path = tmp_path_factory.mktemp("name")
    try:
        unpacked(folder, made_of(member("k/ok"), member(f"k/{name}", size=1)))
    except InvalidArchive:
        pass
    assert {path.name for path in folder.iterdir()} == {"archive", "out"}
    assert {path.name for path in (folder / "out").iterdir()} <= {"k"}
