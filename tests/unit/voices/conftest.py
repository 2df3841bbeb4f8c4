"""What the tests of installing share."""

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from auto_voice.voices.index import VoiceIndex
from auto_voice.voices.install import Installer
from auto_voice.voices.store import VoiceStore
from tests.unit.voices.mirror import Mirror


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("auto_voice.voices.download.PAUSE_S", 0.01)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A server of voices, with faults."""
    made = Mirror()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of voices, which is not there yet."""
    return tmp_path / "voices"


@pytest.fixture
def installer(folder: Path) -> Installer:
    return Installer(VoiceStore(folder, 100 << 20), timeout_s=1.0)


@pytest.fixture
def install(mirror: Mirror, installer: Installer) -> Callable[..., Any]:
    """Installs the first of these entries from the mirror."""

    def call(*entries: Any, **options: Any) -> Any:
        index = VoiceIndex([mirror.list(*entries)], timeout_s=1.0)
        return installer.install(index.find(entries[0]["id"]), **options)

    return call
