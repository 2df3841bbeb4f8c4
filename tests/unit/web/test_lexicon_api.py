"""Lexicons over REST: saved, read, changed entry by entry, as JSON and as PLS."""

from urllib.parse import quote

import pytest

from auto_voice.text import pls
from auto_voice.text.lexicon import MAX_ENTRIES
from auto_voice.text.lexicon_store import MAX_LEXICONS
from auto_voice.web.lexicon_api import BODY_LIMIT_BYTES

SQL = {"word": "SQL", "say": "sequel"}
GIF = {"word": "GIF", "ipa": "dʒɪf", "language": "en", "case_sensitive": True}
PLS = (
    f'<lexicon version="1.0" xmlns="{pls.NAMESPACE}" alphabet="ipa" xml:lang="en">\n'
    "<lexeme><grapheme>gif</grapheme><phoneme>ɡɪf</phoneme></lexeme>\n</lexicon>"
)


@pytest.fixture
def client(app_with, tmp_path):
    return app_with(lexicon_dir=str(tmp_path / "lexicons"))


def put(client, name="tech", entries=(SQL,), **fields):
    headers = fields.pop("headers", {})
    body = {"entries": list(entries), **fields}
    return client.put(f"/v1/lexicons/{name}", json=body, headers=headers)


def problem(answer):
    return answer.status_code, answer.json["error"]["code"], answer.json["error"]["param"]


def test_a_lexicon_is_saved_listed_given_and_deleted(client):
    assert client.get("/v1/lexicons").json == {"lexicons": []}
    made = put(client, entries=[SQL, GIF], language="en-US")
    assert made.status_code == 201
    assert {key: made.json[key] for key in ("name", "language", "entries")} == {
        "name": "tech",
        "language": "en-us",
        "entries": 2,
    }
    assert client.get("/v1/lexicons").json == {"lexicons": [made.json]}
    given = client.get("/v1/lexicons/tech")
    assert given.json["language"] == "en-us"
    assert sorted(given.json["entries"], key=lambda entry: entry["word"]) == [GIF, SQL]
    assert given.headers["ETag"] == made.headers["ETag"] == f'"{made.json["digest"]}"'
    assert put(client, entries=[]).status_code == 200
    assert client.delete("/v1/lexicons/tech").json == {"name": "tech", "deleted": True}
    assert problem(client.get("/v1/lexicons/tech")) == (404, "lexicon_not_found", "lexicon")
    assert problem(client.delete("/v1/lexicons/tech")) == (404, "lexicon_not_found", "lexicon")


def test_another_process_sees_it(client, app_with, tmp_path):
    put(client)
    other = app_with(lexicon_dir=str(tmp_path / "lexicons"))
    assert other.get("/v1/lexicons/tech").json["entries"] == [SQL]


def test_entries_are_added_replaced_and_removed(client):
    path = "/v1/lexicons/names/entries"
    assert client.post(path, json={"word": "Siobhán", "ipa": "/ʃɪˈvɔːn/"}).json["entries"] == 1
    assert client.post(path, json={"word": "siobhán", "say": "shivawn"}).json["entries"] == 1
    assert client.post(path, json={"word": "km/h", "say": "k p h"}).json["entries"] == 2
    assert client.post(path, json={"word": "C#", "say": "see sharp"}).json["entries"] == 3
    found = client.get("/v1/lexicons/names").json["entries"]
    assert {"word": "siobhán", "say": "shivawn"} in found
    for left, word in ((2, "SIOBHÁN"), (1, "km/h"), (0, "C#")):
        answer = client.delete(f"{path}/{quote(word, safe='')}")
        assert (answer.status_code, answer.json["entries"]) == (200, left)
        assert problem(client.delete(f"{path}/{quote(word, safe='')}")) == (
            404,
            "lexicon_not_found",
            "word",
        )
    assert problem(client.delete("/v1/lexicons/none/entries/a"))[:2] == (404, "lexicon_not_found")


def test_one_languages_entry_is_removed_alone(client):
    put(client, entries=[SQL, {**SQL, "language": "de"}])
    answer = client.delete("/v1/lexicons/tech/entries/sql?language=de")
    assert answer.json["entries"] == 1
    assert client.get("/v1/lexicons/tech").json["entries"] == [SQL]


@pytest.mark.parametrize("kind", pls.CONTENT_TYPES)
def test_pls_is_read(client, kind):
    answer = client.put(
        "/v1/lexicons/tech", data=PLS.encode(), content_type=f"{kind}; charset=utf-8"
    )
    assert (answer.status_code, answer.json["entries"], answer.json["language"]) == (201, 1, "en")
    assert client.get("/v1/lexicons/tech").json["entries"] == [{"word": "gif", "ipa": "ɡɪf"}]


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("application/pls+xml", "application/pls+xml"),
        ("text/xml, */*;q=0.1", "application/pls+xml"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
    ],
)
def test_pls_is_given_to_who_accepts_it(client, accept, kind):
    put(client, entries=[{"word": "gif", "ipa": "ɡɪf"}], language="en")
    answer = client.get("/v1/lexicons/tech", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == kind
    if kind != "application/json":
        assert pls.parse(answer.data).digest == answer.headers["ETag"].strip('"')


def test_a_lost_update_is_refused(client):
    """Who changes what somebody else has changed meanwhile is told so."""
    old = put(client).headers["ETag"]
    new = put(client, entries=[GIF], headers={"If-Match": old}).headers["ETag"]
    stale = {"If-Match": old}
    refused = [
        put(client, headers=stale),
        client.delete("/v1/lexicons/tech", headers=stale),
        client.post("/v1/lexicons/tech/entries", json=SQL, headers=stale),
        client.delete("/v1/lexicons/tech/entries/gif", headers=stale),
        put(client, headers={"If-None-Match": "*"}),
        put(client, "new", headers={"If-Match": "*"}),
    ]
    assert {problem(answer)[:2] for answer in refused} == {(412, "lexicon_changed")}
    assert client.get("/v1/lexicons/tech").headers["ETag"] == new
    assert client.delete("/v1/lexicons/tech", headers={"If-Match": new}).status_code == 200
    assert put(client, headers={"If-None-Match": "*"}).status_code == 201
    for nonsense in ("abc", '"a", "b"', '""', 'W/"a"'):
        assert put(client, headers={"If-Match": nonsense}).status_code == 400


@pytest.mark.parametrize(
    "entries, code, param",
    [
        ([{"word": "a"}], "invalid_lexicon", "word"),
        ([{"say": "a"}], "invalid_value", "entries"),
        ([{"word": "a", "ipa": "Q"}], "invalid_lexicon", "ipa"),
        ([{"word": "a", "ipa": "a]]b"}], "invalid_lexicon", "ipa"),
        ([{"word": "a", "say": 7}], "invalid_value", "entries"),
        ([{"word": "a" * 101, "say": "x"}], "invalid_value", "entries"),
        ([SQL, {"word": "sql", "say": "x"}], "invalid_lexicon", None),
        ([{"word": "a", "say": "x", "language": "not a tag"}], "invalid_lexicon", "language"),
        ("SQL", "invalid_value", "entries"),
    ],
)
def test_what_is_no_lexicon_is_refused(client, entries, code, param):
    answer = client.put("/v1/lexicons/tech", json={"entries": entries})
    assert problem(answer) == (400, code, param)
    assert client.get("/v1/lexicons").json == {"lexicons": []}


@pytest.mark.parametrize("name", ["Tech", "-a", ".a", "a" * 65, "a b", "é", "a%0A", "%2e%2e"])
def test_names_are_checked(client, name):
    assert put(client, name).status_code in (400, 404)
    assert client.get("/v1/lexicons").json == {"lexicons": []}


def test_a_pls_document_that_is_wrong_is_told_its_line(client):
    answer = client.put("/v1/lexicons/a", data=PLS.replace("ɡɪf", "Q"), content_type="text/xml")
    assert problem(answer)[:2] == (400, "invalid_lexicon")
    assert "line 2" in answer.json["error"]["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/csv"])
def test_other_types_are_refused(client, kind):
    """Among them all that a page of another origin may send without asking."""
    for method, path in (("PUT", "/v1/lexicons/a"), ("POST", "/v1/lexicons/a/entries")):
        answer = client.open(path, method=method, data=b"{}", content_type=kind)
        assert problem(answer)[:2] == (415, "unsupported_media_type")
    answer = client.post("/v1/lexicons/a/entries", data=b'{"word": "a", "say": "b"}')
    assert problem(answer)[:2] == (415, "unsupported_media_type")


def test_there_are_limits(client):
    many = [{"word": f"w{number}", "say": "x"} for number in range(MAX_ENTRIES)]
    assert put(client, entries=many).json["entries"] == MAX_ENTRIES
    assert put(client, entries=[*many, SQL]).status_code == 400
    answer = client.post("/v1/lexicons/tech/entries", json=SQL)
    assert problem(answer)[:2] == (400, "invalid_lexicon")
    body = b" " * (BODY_LIMIT_BYTES + 1)
    large = client.put("/v1/lexicons/tech", data=body, content_type="application/json")
    assert problem(large)[:2] == (413, "request_too_large")
    assert client.get("/v1/lexicons").json["lexicons"][0]["entries"] == MAX_ENTRIES


def test_there_is_a_limit_to_their_number(client, tmp_path):
    folder = tmp_path / "lexicons"
    folder.mkdir()
    for number in range(MAX_LEXICONS):
        (folder / f"l{number}.json").write_text('{"entries": []}')
    assert problem(put(client))[:2] == (400, "invalid_lexicon")
    assert len(client.get("/v1/lexicons").json["lexicons"]) == MAX_LEXICONS


def test_a_server_with_keys_wants_one_for_each(app_with, tmp_path):
    client = app_with(lexicon_dir=str(tmp_path), api_keys="alice:sesame")
    calls = [
        ("GET", ""),
        ("GET", "/a"),
        ("PUT", "/a"),
        ("DELETE", "/a"),
        ("POST", "/a/entries"),
        ("DELETE", "/a/entries/b"),
    ]
    for method, path in calls:
        answer = client.open(f"/v1/lexicons{path}", method=method, json={"entries": []})
        assert problem(answer)[:2] == (401, "invalid_api_key"), (method, path)
    key = {"Authorization": "Bearer sesame"}
    assert put(client, headers=key).status_code == 201
    assert not list(tmp_path.glob("a*"))


def test_a_folder_that_cannot_be_written_is_told(app_with, tmp_path):
    """Here a file is where the folder should be."""
    (tmp_path / "file").write_text("")
    client = app_with(lexicon_dir=str(tmp_path / "file"))
    assert client.get("/v1/lexicons").json == {"lexicons": []}
    assert problem(put(client))[:2] == (507, "lexicon_not_saved")
