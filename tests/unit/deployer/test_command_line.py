"""What is refused before any host is reached."""

import subprocess
from pathlib import Path

import pytest

from deployer.__main__ import main
from tests.unit.deployer.world import TEXT

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["test"], "which version"),
        (["test", "v1; reboot"], "neither a tag nor a digest"),
        (["test", "sha256:12"], "neither a tag nor a digest"),
        (["test", "v1", "--rollback"], "take no version"),
        (["test", "v1", "--host", "voice9"], "no host voice9"),
        (["nowhere", "v1"], "there are: test"),
    ],
)
def test_wrong_words_are_refused(tmp_path, capsys, words, complaint):
    (tmp_path / "test.env").write_text(TEXT)
    assert main([*words, "--environments", str(tmp_path)]) == 2
    assert complaint in capsys.readouterr().err


def test_the_script_is_its_own_front():
    """From wherever it is called."""
    words = [str(ROOT / "scripts" / "deploy.sh"), "--help"]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, check=True)
    for option in ("--dry-run", "--rollback", "--host", "--status", "--force", "--environments"):
        assert option in done.stdout


def test_a_host_that_cannot_be_reached_is_told_of(tmp_path, capsys):
    """Whatever is wrong with it; and nothing is waited for."""
    (tmp_path / "test.env").write_text(
        TEXT.replace("voice1 voice2", "a") + "SSH=127.0.0.1\nSSH_PORT=1\n"
    )
    assert main(["test", "v1", "--environments", str(tmp_path)]) == 20
    assert "a cannot be reached" in capsys.readouterr().err
