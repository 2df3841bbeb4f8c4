"""`autovoice voices`: found, installed, described, verified and removed from the command line."""

import json

import pytest
from click.testing import CliRunner

from auto_voice.cli import main
from tests.unit.voices.mirror import Mirror, archive, piper_model, status


@pytest.fixture
def mirror():
    made = Mirror()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "voices"


@pytest.fixture
def run(mirror, folder, monkeypatch):
    """Runs a command and gives its result; its list is the mirror's."""
    monkeypatch.setenv("AUTOVOICE_VOICE_DIR", str(folder))
    monkeypatch.setenv("AUTOVOICE_DOWNLOAD_TIMEOUT_S", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("auto_voice.voices.download.PAUSE_S", 0.01)
    a = mirror.voice("de_DE-a-medium", language="de-de", name="Anna", licence="CC0")
    k = mirror.folder_voice("k1", archive({"k/model.onnx": piper_model(2000)}), name="Kay")
    monkeypatch.setenv("AUTOVOICE_VOICE_INDEX", mirror.list(a, k))

    def call(*arguments, **options):
        return CliRunner().invoke(main, ["voices", *arguments], **options)

    return call


def test_voices_are_found(run):
    shown = run("search")
    assert "de_DE-a-medium" in shown.output and "Anna, CC0" in shown.output and "k1" in shown.output
    assert "k1" not in run("search", "-l", "de").output
    assert "k1" in run("search", "kay").output
    assert "de_DE" not in run("search", "-e", "sherpa").output
    (one,) = json.loads(run("search", "--json", "anna").output)
    assert (one["id"], one["licence"], one["installed"]) == ("de_DE-a-medium", "CC0", False)
    assert run("search", "nothing").exit_code == 2


def test_a_voice_is_installed_described_verified_and_removed(run, folder):
    done = run("install", "de_DE-a-medium", "k1")
    assert done.exit_code == 0, done.output
    assert "Licence: CC0." in done.output
    assert "licence    CC0" in run("info", "de_DE-a-medium").output
    assert json.loads(run("info", "k1", "--json").output)["engine"] == "sherpa"
    assert "* de_DE-a-medium" in run("search").output
    assert "installed already" in run("install", "k1").output
    assert run("verify").output.count("as it was installed") == 2
    (folder / "de_DE-a-medium.onnx").write_bytes(b"x")
    harmed = run("verify", "de_DE-a-medium")
    assert harmed.exit_code == 1 and "has 1 bytes" in harmed.output
    assert run("install", "de_DE-a-medium").exit_code == 0
    assert run("verify").exit_code == 0
    assert run("remove", "de_DE-a-medium", "k1").exit_code == 0
    assert [path.name for path in folder.iterdir()] == [".autovoice"]
    assert run("remove", "k1").exit_code == 2


def test_what_is_not_there_can_be_asked_about(run):
    shown = run("info", "de_DE-a-medium")
    assert "not installed" in shown.output and "CC0" in shown.output
    assert run("info", "nobody").exit_code == 2
    assert run("install", "nobody").exit_code == 2
    assert run("install", "../x").exit_code == 2


def test_a_failure_is_a_line_and_a_status(run, mirror, folder):
    mirror.always["de_DE-a-medium.onnx"] = status(404)
    done = run("install", "de_DE-a-medium")
    assert done.exit_code == 1
    assert done.output.startswith("autovoice: ") and "404" in done.output
    assert [path.name for path in folder.iterdir()] == [".autovoice"]


def test_a_voice_of_somebodys_own_is_removed_by_force_only(run, folder):
    folder.mkdir()
    for name in ("mine.onnx", "mine.onnx.json"):
        (folder / name).write_bytes(b"{}")
    assert run("remove", "mine").exit_code == 2
    assert run("info", "mine").exit_code == 1
    assert run("remove", "--force", "mine").exit_code == 0
    assert not (folder / "mine.onnx").exists()
