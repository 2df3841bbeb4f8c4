"""The description says what the application does: no more, no less."""

import html
import re

import pytest

from auto_voice import __version__
from auto_voice.audio.formats import FORMATS
from auto_voice.web.app import create_app


@pytest.fixture(scope="module")
def app(service):
    return create_app(service)


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/openapi.json").json


def operations(document):
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_is_described_and_nothing_else(app, document):
    """A new endpoint without a description does not get past this."""
    routes = {
        (method, re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert set(operations(document)) == routes


def test_it_says_which_version_of_what_it_describes(document):
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == __version__
    assert document["info"]["license"]["identifier"] == "Apache-2.0"


def test_every_operation_has_a_name_and_words(document):
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(names)) == len(names)
    for operation in operations(document).values():
        assert operation["summary"] and operation["description"]
        assert operation["responses"]
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"101|[2-5]\d\d", status)
            assert answer["description"]


def test_every_parameter_of_a_path_is_described(document):
    for (_, path), operation in operations(document).items():
        described = {
            parameter["name"]
            for parameter in operation.get("parameters", [])
            if parameter["in"] == "path" and parameter["required"]
        }
        assert described == set(re.findall(r"{(\w+)}", path))


def test_the_body_is_described_with_the_limits_that_hold(document):
    body = document["components"]["schemas"]["SpeechBody"]["properties"]
    assert (body["speed"]["minimum"], body["speed"]["maximum"]) == (0.25, 4.0)
    assert set(body["response_format"]["enum"]) == set(FORMATS)
    streams, _ = body["stream_format"]["anyOf"]
    assert set(streams["enum"]) == {"audio", "sse", "json"}
    for field in body.values():
        assert field["description"]


def test_errors_are_described_with_all_four_keys(document):
    schema = document["components"]["schemas"]["ErrorDetail"]
    assert set(schema["required"]) == {"message", "type", "param", "code"}


def test_where_a_key_may_be_needed_it_is_said(document):
    """Operation and documentation are for everybody."""
    for (_, path), operation in operations(document).items():
        assert ("security" in operation) == path.startswith(("/v1/", "/studio/session"))
        if "security" in operation:
            assert "401" in operation["responses"]


def test_the_page_shows_each_operation_and_field(app, document):
    page = html.unescape(app.test_client().get("/docs").text)
    for (method, path), operation in operations(document).items():
        assert operation["summary"] in page
        assert f"<code>{path}</code>" in page
        assert f">{method}<" in page
    assert "undefined" not in page.lower()
    assert "$ref" not in page
