"""The last errors: which are kept, and in which order they are shown."""

import pytest

from auto_voice.monitoring.recent_errors import KEPT, RecentErrors


@pytest.fixture
def errors():
    return RecentErrors()


def note(errors, **more):
    fields = {
        "code": "engine_failed",
        "status": 500,
        "method": "POST",
        "route": "/v1/audio/speech",
        "request_id": "1",
    }
    errors.note(**{**fields, **more})


def ids(errors):
    return [error.request_id for error in errors.newest_first()]


def test_at_first_there_are_none(errors):
    assert errors.newest_first() == []


def test_the_newest_comes_first(errors):
    for number, status in enumerate((500, 404, 503, 200, 400)):
        note(errors, request_id=str(number), status=status)
    assert ids(errors) == ["4", "3", "2", "1", "0"]


def test_the_oldest_are_forgotten(errors):
    for number in range(3 * KEPT):
        note(errors, request_id=str(number))
    assert ids(errors) == [str(number) for number in reversed(range(2 * KEPT, 3 * KEPT))]


@pytest.mark.parametrize("status", [500, 503, 200], ids=["failed", "refused", "cut off"])
def test_clients_cannot_push_the_servers_own_errors_out(errors, status):
    """However many strange paths somebody tries."""
    note(errors, request_id="ours", status=status)
    for _ in range(10 * KEPT):
        note(errors, code="not_found", status=404, request_id="theirs")
    assert ids(errors) == ["theirs"] * KEPT + ["ours"]


def test_that_a_client_left_is_no_error(errors):
    note(errors, code="client_closed_request", status=499)
    note(errors, code="client_closed_request", status=200)
    assert errors.newest_first() == []
