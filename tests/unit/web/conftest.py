"""The application over the stub engine, called without a network."""

from typing import Any, Iterator

import pytest

from auto_voice import settings
from auto_voice.bootstrap import Service, build
from auto_voice.text.lexicon_store import LexiconStore
from auto_voice.web.app import create_app


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A service as it comes, with the stub engine."""
    made = build(settings.load({}, engine="stub", engine_workers=1))
    yield made
    made.close()


@pytest.fixture
def client(service: Service) -> Any:
    return create_app(service).test_client()


@pytest.fixture
def app_with(service: Service) -> Any:
    """Makes clients of applications with other settings over the same workers."""

    def make(**values: Any) -> Any:
        loaded = settings.load({}, engine="stub", **values)
        lexicons = LexiconStore(loaded.lexicon_folder)
        other = Service(loaded, service.synthesizer, service.metrics, service.health, lexicons)
        return create_app(other).test_client()

    return make
