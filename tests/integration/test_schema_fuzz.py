"""The description of the API, held against the API with some thousand made-up requests."""

import json
import os
import subprocess

import pytest

from tests.examples import examples
from tests.integration.serving import BIN, SPEECH

LEXICONS = "^/v1/lexicons"
LIVE = "/stream(-input)?$"
TEXTS = f"^({SPEECH}|/v1/audio/captions|/v1/text/plan)$"
"""Paths that take a text."""
EXAMPLES = examples(40)
"""For each operation and phase. The same ones in each run, so that a failure comes again."""


@pytest.fixture(scope="module")
def document(server):
    answer = server.get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def fuzz(server, folder, *options):
    """Run schemathesis in a folder of its own; fails with what it says if it finds something."""
    pytest.importorskip("schemathesis", reason="it is not among the test's packages on Python 3.8")
    command = [
        str(BIN / "schemathesis"),
        "run",
        f"{server.base}/openapi.json",
        "--generation-deterministic",
        f"--max-examples={EXAMPLES}",
        "--request-timeout=60",
        "--no-color",
        *options,
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "120"},
        timeout=110,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    assert "Tested: " in output, output
    if done.returncode:
        pytest.fail(output, pytrace=False)


@pytest.mark.slow
def test_every_other_endpoint_answers_as_it_is_described(server, tmp_path):
    """Described statuses, types and shapes; what is wrong is refused, what is right accepted."""
    troubles = len(server.troubles())
    fuzz(server, tmp_path, "--exclude-path-regex", f"{TEXTS}|{LEXICONS}|{LIVE}")
    assert server.troubles()[troubles:] == []


@pytest.mark.slow
def test_websockets_answer_as_they_are_described(server, tmp_path):
    """A plain request is told that they are WebSockets, whatever else is right or wrong with it."""
    troubles = len(server.troubles())
    checks = "positive_data_acceptance,negative_data_rejection"
    fuzz(server, tmp_path, "--include-path-regex", LIVE, "--exclude-checks", checks)
    assert server.troubles()[troubles:] == []


@pytest.mark.slow
def test_lexicons_answer_as_they_are_described(server, tmp_path):
    """Here, too: a schema does not know the phonetic alphabet, and which lexicons there are."""
    troubles = len(server.troubles())
    options = ("--include-path-regex", LEXICONS, "--exclude-checks", "positive_data_acceptance")
    fuzz(server, tmp_path, *options)
    assert server.troubles()[troubles:] == []


@pytest.mark.slow
def test_what_takes_a_text_answers_as_it_is_described(server, tmp_path):
    """Here a right body may be refused: a schema does not know which voices there are."""
    troubles = len(server.troubles())
    options = ("--include-path-regex", TEXTS, "--exclude-checks", "positive_data_acceptance")
    fuzz(server, tmp_path, *options)
    assert server.troubles()[troubles:] == []


@pytest.mark.slow
def test_a_server_with_keys_answers_as_it_is_described(start, tmp_path):
    """Without the key: 401 is described wherever it comes."""
    server = start(engine="stub", api_keys="alice:sesame", public_listings="off")
    fuzz(server, tmp_path, "--phases", "coverage", "--exclude-checks", "positive_data_acceptance")


def test_the_description_is_valid_openapi(document):
    """As the standard's own schema sees it."""
    validator = pytest.importorskip("openapi_spec_validator")
    assert document["openapi"].startswith("3.1.")
    validator.validate(document)


def references(node):
    """Every "$ref" in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def test_every_reference_leads_somewhere(document):
    schemas = document["components"]["schemas"]
    found = set(references(document))
    assert found
    for reference in found:
        prefix, _, name = reference.rpartition("/")
        assert prefix == "#/components/schemas"
        assert name in schemas


def test_examples_of_the_description_work(server, document):
    """What the schema calls a default is what comes when nothing is said."""
    body = document["paths"][SPEECH]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert schema["required"] == ["input"]
    defaults = {
        name: field["default"] for name, field in schema["properties"].items() if "default" in field
    }
    said = server.request("POST", SPEECH, json={"input": "Hello.", **defaults})
    left_out = server.request("POST", SPEECH, json={"input": "Hello."})
    assert said.status_code == left_out.status_code == 200
    assert said.content == left_out.content
    assert json.dumps(defaults)


def test_every_status_that_clients_get_is_described(server, document):
    """Of those that are easily had; the rest is schemathesis' business."""
    described = document["paths"][SPEECH]["post"]["responses"]
    for status in ("200", "400", "401", "404", "408", "413", "415", "429", "500", "503", "504"):
        assert described[status]["description"]
    for status, answer in described.items():
        if status != "200":
            assert "application/json" in answer["content"]
    types = set(described["200"]["content"])
    for name in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        answer = server.speak("Hello.", response_format=name)
        assert answer.headers["Content-Type"] in types
    for header in ("X-Cache", "X-Voice", "X-Sample-Rate", "X-Audio-Duration-Seconds"):
        assert header in described["200"]["headers"]
        assert header in answer.headers
