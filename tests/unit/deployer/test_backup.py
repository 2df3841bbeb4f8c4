"""Archives before they are unpacked, and as they are packed."""

import gzip
import io
import subprocess
import tarfile

import pytest

from deployer import files
from deployer.backup import check
from deployer.errors import DeployError, Misused
from tests.unit.deployer.world import an_environment


def archive(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for name, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            tar.addfile(member, io.BytesIO())
    return path


@pytest.mark.parametrize(
    "name, kind",
    [
        ("../outside", tarfile.REGTYPE),
        ("/etc/cron.d/x", tarfile.REGTYPE),
        ("a/../../b", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("device", tarfile.CHRTYPE),
    ],
)
def test_what_would_reach_beyond_the_folder_is_refused(tmp_path, name, kind):
    with pytest.raises(DeployError):
        check(archive(tmp_path / "a.tar.gz", ("fine", tarfile.REGTYPE), (name, kind)))


@pytest.mark.parametrize(
    "content", [b"", b"no archive", gzip.compress(b"neither")], ids=["empty", "text", "gzip"]
)
def test_what_is_damaged_is_refused(tmp_path, content):
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(DeployError):
        check(tmp_path / "a.tar.gz")


def test_half_an_archive_is_refused(tmp_path):
    path = archive(tmp_path / "a.tar.gz", *((f"file{n}", tarfile.REGTYPE) for n in range(999)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DeployError):
        check(path)


def test_one_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(Misused):
        check(tmp_path / "none")


def test_what_was_packed_takes_the_place_of_what_is_there(tmp_path):
    """And that stays beside it."""
    data = tmp_path / "data"
    (data / "lexicons").mkdir(parents=True)
    (data / "lexicons" / "en.json").write_text("old")
    host = an_environment(f"DATA_DIR={data}\n").hosts[0]
    packed = subprocess.run(files.pack(host).words, capture_output=True, check=True).stdout
    (tmp_path / "a.tar.gz").write_bytes(packed)
    assert check(tmp_path / "a.tar.gz") == 1
    (data / "lexicons" / "en.json").write_text("new")
    words = files.unpack(host).words
    subprocess.run(words, input=packed, check=True)
    assert (data / "lexicons" / "en.json").read_text() == "new"
    subprocess.run(files.exchange(host).words, check=True)
    assert (data / "lexicons" / "en.json").read_text() == "old"
    assert (tmp_path / "data.before" / "lexicons" / "en.json").read_text() == "new"
