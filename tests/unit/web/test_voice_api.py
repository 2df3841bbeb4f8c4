"""Voices over REST: what can be installed, installing with progress, removing; for whom."""

import json

import pytest

from tests.integration.serving import until
from tests.unit.voices.mirror import Mirror, piper_model, status

ADMIN = {"Authorization": "Bearer boss"}


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("auto_voice.voices.download.PAUSE_S", 0.01)
    made = Mirror()
    made.list(
        made.voice("en_US-a-medium", name="A", licence="CC0", sample="a.mp3"),
        made.voice("de_DE-b-medium", piper_model(4_000_000), language="de-de"),
    )
    yield made
    made.close()


@pytest.fixture
def client_with(app_with, mirror, tmp_path):
    def make(**values):
        return app_with(
            voice_dir=str(tmp_path / "voices"),
            voice_index=mirror.base + "autovoice-voices.json",
            download_timeout_s=1,
            **values,
        )

    return make


@pytest.fixture
def client(client_with):
    return client_with(admin_keys="root:boss")


def problem(answer):
    return answer.status_code, answer.json["error"]["code"]


def over(client, install):
    def look():
        found = client.get(f"/v1/voices/installs/{install}", headers=ADMIN).json
        return found if found["state"] not in ("queued", "running") else None

    return until(look, "the installation is over")


def test_what_can_be_installed_is_listed(client, mirror):
    body = client.get("/v1/voices/available").json
    assert body["faults"] == []
    assert [voice["id"] for voice in body["voices"]] == ["de_DE-b-medium", "en_US-a-medium"]
    shown = body["voices"][1]
    assert (shown["licence"], shown["name"], shown["installed"]) == ("CC0", "A", False)
    assert shown["sample"] == mirror.base + "a.mp3"
    assert shown["size_bytes"] == sum(
        len(mirror.files[f"en_US-a-medium{end}"]) for end in (".onnx", ".onnx.json")
    )
    for query, count in (("language=de", 1), ("q=en_us", 1), ("engine=sherpa", 0)):
        assert len(client.get(f"/v1/voices/available?{query}").json["voices"]) == count


def test_a_voice_is_installed_watched_described_and_removed(client):
    begun = client.post("/v1/voices/installs", json={"voice": "en_US-a-medium"}, headers=ADMIN)
    assert begun.status_code == 202
    assert begun.headers["Location"] == f"/v1/voices/installs/{begun.json['id']}"
    done = over(client, begun.json["id"])
    assert (done["state"], done["error"]) == ("installed", None)
    assert done["done_bytes"] == done["total_bytes"]
    described = client.get("/v1/voices/installed/en_US-a-medium").json
    assert described["licence"] == "CC0" and len(described["files"]) == 2
    assert client.get("/v1/voices/available?language=en").json["voices"][0]["installed"]
    listed = client.get("/v1/voices/installs", headers=ADMIN).json["installs"]
    assert [one["voice"] for one in listed] == ["en_US-a-medium"]
    gone = client.delete("/v1/voices/installed/en_US-a-medium", headers=ADMIN).json
    assert gone["removed"] and gone["freed_bytes"] > 200_000
    assert problem(client.get("/v1/voices/installed/en_US-a-medium")) == (404, "voice_not_found")


def test_progress_comes_as_events(client, mirror):
    """Until it is over; the last one says how it ended."""
    begun = client.post("/v1/voices/installs", json={"voice": "de_DE-b-medium"}, headers=ADMIN)
    answer = client.get(begun.headers["Location"], headers={**ADMIN, "Accept": "text/event-stream"})
    assert answer.content_type == "text/event-stream"
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
    done = [event["done_bytes"] for event in events]
    assert done == sorted(done)
    assert events[-1]["state"] == "installed" and events[-1]["done_bytes"] > 4_000_000


def test_a_failure_has_its_code(client, mirror):
    mirror.always["en_US-a-medium.onnx"] = status(404)
    begun = client.post("/v1/voices/installs", json={"voice": "en_US-a-medium"}, headers=ADMIN)
    done = over(client, begun.json["id"])
    assert (done["state"], done["code"]) == ("failed", "download_refused")
    assert "404" in done["error"]
    begun = client.post("/v1/voices/installs", json={"voice": "nobody"}, headers=ADMIN)
    assert over(client, begun.json["id"])["code"] == "voice_not_found"


def test_asking_twice_is_one_installation_and_it_can_be_stopped(client, mirror):
    mirror.always["de_DE-b-medium.onnx"] = status(503)
    mirror.faults["de_DE-b-medium.onnx"] = [mirror.cut(1_000_000 * n) for n in (1, 2, 3)]
    body = {"voice": "de_DE-b-medium"}
    first = client.post("/v1/voices/installs", json=body, headers=ADMIN).json["id"]
    assert client.post("/v1/voices/installs", json=body, headers=ADMIN).json["id"] == first
    client.delete(f"/v1/voices/installs/{first}", headers=ADMIN)
    assert over(client, first)["state"] in ("cancelled", "failed")


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/v1/voices/installs"),
        ("GET", "/v1/voices/installs"),
        ("GET", "/v1/voices/installs/x"),
        ("DELETE", "/v1/voices/installs/x"),
        ("DELETE", "/v1/voices/installed/x"),
    ],
)
def test_only_administrators_change_anything(client_with, method, path):
    """A key to speak with is none to install with; without any, nobody may, not even from here."""
    speaker = {"Authorization": "Bearer hello"}
    nobody = client_with()
    assert problem(nobody.open(path, method=method)) == (403, "admin_key_needed")
    assert problem(nobody.open(path, method=method, headers=ADMIN)) == (403, "admin_key_needed")
    keyed = client_with(api_keys="hello", admin_keys="boss")
    assert problem(keyed.open(path, method=method)) == (401, "invalid_api_key")
    assert problem(keyed.open(path, method=method, headers=speaker)) == (403, "admin_key_needed")
    assert keyed.open(path, method=method, headers=ADMIN).status_code in (200, 400, 404)
    only = client_with(admin_keys="boss")
    assert problem(only.open(path, method=method)) == (401, "invalid_api_key")
    assert problem(only.open(path, method=method, headers=speaker)) == (401, "invalid_api_key")
    assert only.open(path, method=method, headers={"X-API-Key": "boss"}).status_code != 401
    assert only.get("/v1/voices/available").status_code == 200


def test_an_administrators_key_opens_everything_else_too(client_with):
    keyed = client_with(api_keys="hello", admin_keys="boss")
    assert keyed.get("/v1/models", headers=ADMIN).status_code == 200
    assert keyed.get("/v1/models", headers={"X-API-Key": "no"}).status_code == 401


@pytest.mark.parametrize("voice", ["../x", "a/b", ".x", "a b", "x" * 101, "", 7])
def test_no_voice_is_called_so(client, voice):
    answer = client.post("/v1/voices/installs", json={"voice": voice}, headers=ADMIN)
    assert problem(answer) == (400, "invalid_value")


def test_a_voice_of_somebodys_own_stays(client, tmp_path):
    folder = tmp_path / "voices"
    folder.mkdir()
    for name in ("mine.onnx", "mine.onnx.json"):
        (folder / name).write_bytes(b"{}")
    assert problem(client.get("/v1/voices/installed/mine")) == (409, "voice_not_managed")
    path = "/v1/voices/installed/mine"
    assert problem(client.delete(path, headers=ADMIN)) == (409, "voice_not_managed")
    assert client.delete(f"{path}?force=true", headers=ADMIN).json["removed"]
    assert not (folder / "mine.onnx").exists()
