"""What holds for every endpoint: errors, ids, and that Flask's way and the short lane agree."""

import logging

import pytest

from auto_voice.bootstrap import Service
from auto_voice.errors import AutoVoiceError, EngineCrashed, EngineFailed, Overloaded
from auto_voice.web.app import create_app
from auto_voice.web.reply import error_reply

SPEECH = "/v1/audio/speech"


def every_error(kind=AutoVoiceError):
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=lambda kind: kind.__name__))
def test_every_error_has_openais_shape(kind):
    """Whatever is raised becomes the same four keys, with its own status."""
    reply = error_reply(kind("What is wrong.", param="voice"))
    assert reply.status == kind.status
    headers = dict(reply.headers)
    assert headers["Content-Type"] == "application/json"
    assert int(headers["Content-Length"]) == len(reply.body)
    assert b'"message":"What is wrong."' in reply.body
    assert b'"param":"voice"' in reply.body
    assert f'"code":"{kind.code}"'.encode() in reply.body
    assert (kind.status >= 500) == (kind.type == "server_error") or kind.status == 429


def test_retry_after_is_a_whole_number_of_seconds_upwards():
    """HTTP has no fractions there."""
    for seconds, shown in ((1, "1"), (0.2, "1"), (1.01, "2"), (59.9, "60")):
        assert (
            dict(error_reply(Overloaded("a", retry_after_s=seconds)).headers)["Retry-After"]
            == shown
        )


def test_who_may_try_again_is_told_when():
    """Every error that can pass has Retry-After; the others have none."""
    assert "Retry-After" in dict(error_reply(EngineCrashed("a")).headers)
    assert "Retry-After" not in dict(error_reply(EngineFailed("a")).headers)


class Broken:
    """A synthesizer in which something unexpected happens."""

    def __init__(self, error):
        self._error = error

    def __getattr__(self, name):
        raise self._error


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/audio/voices"), ("POST", SPEECH)])
def test_an_unexpected_error_is_logged_and_not_told(service, caplog, method, path):
    """The client learns that it was not its fault, and nothing about us."""
    secret = RuntimeError("secret: /etc/autovoice/keys")
    broken = Service(
        service.settings, Broken(secret), service.metrics, service.health, service.lexicons
    )
    client = create_app(broken).test_client()
    with caplog.at_level(logging.ERROR):
        answer = client.open(path, method=method, json={"input": "a"} if method == "POST" else None)
    assert answer.status_code == 500
    assert answer.json["error"]["code"] == "internal_error"
    assert answer.json["error"]["type"] == "server_error"
    assert "secret" not in answer.text
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [secret]


def test_requests_are_counted_also_when_they_fail(service):
    broken = Service(
        service.settings, Broken(KeyError("x")), service.metrics, service.health, service.lexicons
    )
    client = create_app(broken).test_client()

    def count():
        value = service.metrics.registry.get_sample_value(
            "autovoice_http_requests_total",
            {"method": "GET", "route": "/v1/audio/voices", "code": "500"},
        )
        return value or 0.0

    before = count()
    client.get("/v1/audio/voices").close()
    assert count() == before + 1


@pytest.mark.parametrize("path", [SPEECH, SPEECH + "/"])
def test_speech_is_answered_alike_on_both_ways(client, path):
    """The short lane knows the exact path; with a slash at its end Flask answers."""
    body = {"input": "one two three", "response_format": "wav"}
    answer = client.post(path, json=body, headers={"X-Request-ID": "both-ways"})
    assert (answer.status_code, answer.content_type) == (200, "audio/wav")
    assert answer.headers["X-Request-ID"] == "both-ways"
    assert answer.headers["X-Voice"] == "en-us"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    wrong = client.post(path, json={"input": ""})
    assert (wrong.status_code, wrong.json["error"]["param"]) == (400, "input")


@pytest.mark.parametrize("path", [SPEECH, SPEECH + "/"])
def test_keys_are_asked_for_on_both_ways(app_with, path):
    client = app_with(api_keys="alice:sesame")
    assert client.post(path, json={"input": "a"}).status_code == 401
    right = {"Authorization": "Bearer sesame"}
    assert client.post(path, json={"input": "a"}, headers=right).status_code == 200


@pytest.mark.parametrize("path", [SPEECH, SPEECH + "/"])
def test_the_rate_is_limited_on_both_ways(app_with, path):
    client = app_with(rate_limit="1/hour")
    statuses = [client.post(path, json={"input": "a"}).status_code for _ in range(2)]
    assert statuses == [200, 429]


def test_a_private_listing_needs_a_key(app_with):
    client = app_with(api_keys="alice:sesame", public_listings="off")
    for path in ("/v1/audio/voices", "/v1/audio/models", "/v1/audio/voices/en-us", "/v1/models"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert client.get(path, headers={"X-API-Key": "sesame"}).status_code == 200


def test_a_path_is_shown_without_what_could_harm(client):
    """In an error about a path there is the path, short and escaped."""
    answer = client.get("/" + "x" * 5000)
    assert len(answer.data) < 500
    answer = client.get("/%1b[2J%0a<script>")
    assert b"\x1b" not in answer.data and b"\n" not in answer.data


def test_options_are_told_without_a_key(app_with):
    """What a browser asks before anything else."""
    answer = app_with().options(SPEECH)
    assert answer.status_code == 200
    assert "POST" in answer.headers["Allow"]
