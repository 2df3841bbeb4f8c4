"""A lexicon's way through real processes: servers and command lines over one folder."""

import concurrent.futures
import subprocess

from tests.integration.serving import AUTOVOICE, environment

GIF = {"word": "GIF", "ipa": "dʒɪf"}


def test_servers_and_command_lines_share_their_lexicons(start, tmp_path):
    """A change by any of them is there at the next request to the others."""
    folder = str(tmp_path / "lexicons")
    one, other = (start(engine="stub", lexicon_dir=folder) for _ in range(2))
    made = one.request("PUT", "/v1/lexicons/shared", json={"entries": [GIF]})
    assert made.status_code == 201
    found = other.get("/v1/lexicons/shared")
    assert (found.json()["entries"], found.headers["ETag"]) == ([GIF], made.headers["ETag"])
    command = [AUTOVOICE, "lexicon", "add", "shared", "SQL", "--say", "sequel"]
    subprocess.run(command, env=environment({"lexicon_dir": folder}), check=True, timeout=60)
    for server in (one, other):
        entries = server.get("/v1/lexicons/shared").json()["entries"]
        assert {entry["word"] for entry in entries} == {"GIF", "SQL"}
    assert other.request("DELETE", "/v1/lexicons/shared").status_code == 200
    assert one.get("/v1/lexicons/shared").status_code == 404
    assert one.troubles() == other.troubles() == []


def test_entries_added_at_once_to_two_servers_are_all_there(start, tmp_path):
    folder = str(tmp_path / "lexicons")
    servers = [start(engine="stub", lexicon_dir=folder) for _ in range(2)]

    def add(number):
        entry = {"word": f"word{number}", "say": "x"}
        path = "/v1/lexicons/shared/entries"
        return servers[number % 2].request("POST", path, json=entry).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(40))) == {200}
    entries = servers[0].get("/v1/lexicons/shared").json()["entries"]
    assert len(entries) == 40


def test_a_large_lexicon_comes_through(start, tmp_path):
    """Far beyond what a request for speech may have."""
    server = start(engine="stub", lexicon_dir=str(tmp_path))
    entries = [{"word": f"word{number}", "say": "x" * 100} for number in range(10_000)]
    answer = server.request("PUT", "/v1/lexicons/large", json={"entries": entries})
    assert (answer.status_code, answer.json()["entries"]) == (201, 10_000)
    assert len(server.get("/v1/lexicons/large").json()["entries"]) == 10_000
    refused = server.request("PUT", "/v1/lexicons/large", data=b"x" * (5 << 20))
    assert refused.status_code == 413
