"""No body makes the server fail: each gets an error that says what is wrong with it."""

import json

import pytest

from tests.unit.web.bad_bodies import BAD_BODIES, GOOD

PATH = "/v1/audio/speech"


def post(client, body, content_type="application/json", headers=()):
    return client.post(PATH, data=body, content_type=content_type, headers=dict(headers))


def test_there_are_more_than_a_hundred():
    assert len(BAD_BODIES) > 150


def test_the_good_body_is_good(client):
    """What the bad ones are made from would be spoken."""
    assert post(client, GOOD).status_code == 200
    assert post(client, GOOD, None).status_code == 200
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/x+json"):
        assert post(client, GOOD, kind).status_code == 200


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_an_error_in_openais_shape(client, name):
    bad = BAD_BODIES[name]
    answer = post(client, bad.body, bad.content_type, bad.headers)
    assert answer.status_code in bad.statuses, answer.data[:300]
    error = answer.json["error"]
    assert set(answer.json) == {"error"}
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["message"] and error["code"]
    # The answer is for a person to read, whatever was sent.
    assert len(answer.data) < 1000


@pytest.mark.parametrize(
    "field",
    ["input", "model", "voice", "response_format", "speed", "stream_format", "sample_rate"],
)
def test_a_wrong_type_names_its_field(client, field):
    answer = post(client, BAD_BODIES[f"{field} is a list"].body)
    assert answer.json["error"]["param"] == field


def test_the_last_of_two_equal_keys_counts(client):
    """As in every JSON parser that clients and proxies use."""
    twice = b'{"input": "Hello", "voice": "nobody", "voice": "en-us"}'
    assert post(client, twice).status_code == 200
    twice = b'{"input": "Hello", "voice": "en-us", "voice": "nobody"}'
    assert post(client, twice).status_code == 404


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("place", ["%s", '{"input": %s}', '{"input": "a", "other": %s}'])
def test_a_body_nested_a_million_deep_is_an_error(app_with, place, opening):
    """Where bodies may be as large as that."""
    client = app_with(max_body_bytes=20_000_000)
    answer = post(client, (place % (opening * 1_000_000)).encode())
    assert answer.status_code == 400
    assert answer.json["error"]["code"] in ("invalid_json", "invalid_value")
    assert post(client, GOOD).status_code == 200


def test_brackets_in_a_text_are_no_nesting(client):
    """Nor are those of which each is closed again."""
    assert post(client, json.dumps({"input": '[{"\\' * 50 + " one"}).encode()).status_code == 200
    flat = {"input": "one", "other": [[]] * 1000}
    assert post(client, json.dumps(flat).encode()).status_code == 200
