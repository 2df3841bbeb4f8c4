"""Which voices can be installed: lists in two forms, from URLs, folders and the package."""

import json
import re
import threading

import pytest

from auto_voice.errors import DownloadFailed, InvalidVoiceIndex, VoiceNotFound
from auto_voice.voices.index import BUILTIN, VoiceIndex, sources
from auto_voice.voices.listing import FORMAT, PIPER_FILE, beside, parse
from tests.unit.voices.mirror import CONFIG, piper_model, status

MODEL = piper_model(1000)
PIPER = {
    "en_US-a-medium": {
        "key": "en_US-a-medium",
        "name": "a",
        "language": {
            "code": "en_US",
            "family": "en",
            "region": "US",
            "name_native": "English",
            "name_english": "English",
            "country_english": "United States",
        },
        "quality": "medium",
        "num_speakers": 2,
        "speaker_id_map": {"x": 0, "y": 1},
        "files": {
            "en/en_US/a/medium/en_US-a-medium.onnx": {
                "size_bytes": len(MODEL),
                "md5_digest": "0" * 32,
            },
            "en/en_US/a/medium/en_US-a-medium.onnx.json": {
                "size_bytes": 10,
                "md5_digest": "1" * 32,
            },
            "en/en_US/a/medium/MODEL_CARD": {"size_bytes": 1, "md5_digest": "2" * 32},
        },
        "aliases": [],
    }
}
"""The form of the list that Piper's collection publishes."""


def ids(index):
    return [offer.id for offer in index.all().offers]


def test_the_shipped_list_is_complete_and_pinned():
    """Every file over https, with its size and SHA-256; and where it can be read about."""
    found = VoiceIndex([BUILTIN], 1.0).all()
    assert found.faults == () and len(found.offers) >= 12
    for offer in found.offers:
        assert offer.size_bytes and offer.homepage and offer.language and offer.index == BUILTIN
        for file in offer.files:
            assert file.url.startswith("https://") and re.fullmatch("[0-9a-f]{64}", file.sha256)
        if offer.archive:
            assert offer.archive.url.endswith(f"/{offer.id}.tar.bz2") and offer.manifest["files"]
        else:
            assert offer.model.url.endswith(f"/{offer.id}.onnx")
            assert offer.config.url == offer.model.url + ".json"


def test_pipers_own_list_is_read():
    (offer,) = parse(json.dumps(PIPER).encode(), beside("https://host/x/voices.json"), "here")
    root = "https://host/x/en/en_US/a/medium/"
    assert (offer.id, offer.engine, offer.language) == ("en_US-a-medium", "piper", "en-us")
    assert (offer.quality, offer.speakers, offer.licence) == ("medium", 2, None)
    assert offer.model.url == root + "en_US-a-medium.onnx"
    assert (offer.model.md5, offer.model.sha256) == ("0" * 32, None)
    assert offer.card == root + "MODEL_CARD"
    assert offer.sample == root + "samples/speaker_0.mp3"
    assert offer.size_bytes == len(MODEL) + 10


def test_a_published_name_may_have_any_letters():
    """Such as Piper's only voice of Portugal."""
    text = json.dumps(PIPER, ensure_ascii=False).replace("en_US-a-", "pt_PT-tugão-")
    (offer,) = parse(text.encode(), beside("https://host/x/voices.json"), "here")
    assert offer.id == "pt_PT-tugão-medium"
    assert offer.model.url.endswith("/pt_PT-tug%C3%A3o-medium.onnx")


def test_lists_come_from_urls_and_folders_the_first_one_counts(mirror, tmp_path):
    url = mirror.list(mirror.voice("a", name="of the server"), mirror.voice("b"))
    (tmp_path / "c.onnx").write_bytes(MODEL)
    (tmp_path / "c.onnx.json").write_text(json.dumps(CONFIG))
    (tmp_path / "a.onnx").write_bytes(MODEL)
    (tmp_path / "a.onnx.json").write_text(json.dumps(CONFIG))
    index = VoiceIndex([str(tmp_path), url], 1.0)
    assert ids(index) == ["a", "c", "b"] or sorted(ids(index)) == ["a", "b", "c"]
    assert index.find("a").index == str(tmp_path)
    assert index.find("b").model.url == mirror.base + "b.onnx"


def test_a_url_that_ends_with_a_slash_is_a_folder_of_either_list(mirror):
    mirror.files[f"x/{PIPER_FILE}"] = json.dumps(PIPER).encode()
    assert ids(VoiceIndex([mirror.base + "x/"], 1.0)) == ["en_US-a-medium"]


@pytest.mark.parametrize("as_url", [False, True])
def test_a_folder_may_be_a_copy_of_pipers_collection(tmp_path, as_url):
    (tmp_path / PIPER_FILE).write_text(json.dumps(PIPER))
    source = tmp_path.as_uri() if as_url else str(tmp_path)
    offer = VoiceIndex([source], 1.0).find("en_US-a-medium")
    assert offer.model.url.startswith(tmp_path.as_uri() + "/en/en_US/")


def test_a_list_that_cannot_be_read_takes_no_other_with_it(mirror):
    good = mirror.list(mirror.voice("a"))
    mirror.always["bad.json"] = status(503)
    index = VoiceIndex([mirror.base + "bad.json", good], 1.0)
    found = index.all()
    assert [offer.id for offer in found.offers] == ["a"] and "503" in found.faults[0]
    assert index.find("a").id == "a"
    with pytest.raises(DownloadFailed):
        index.find("b")  # it may be in the list that nobody could read
    with pytest.raises(VoiceNotFound):
        VoiceIndex([good], 1.0).find("b")


def test_a_list_is_read_once_and_kept_when_the_server_is_gone(mirror):
    now = [0.0]
    index = VoiceIndex([mirror.list(mirror.voice("a"))], 1.0, clock=lambda: now[0])
    assert ids(index) == ids(index) == ["a"]
    assert len(mirror.seen) == 1
    now[0] = 4000.0
    mirror.always["autovoice-voices.json"] = status(500)
    found = index.all()
    assert [offer.id for offer in found.offers] == ["a"] and found.faults
    index.all()
    assert len(mirror.seen) == 2
    now[0] = 4100.0
    del mirror.always["autovoice-voices.json"]
    assert index.all().faults == ()


def test_a_list_that_does_not_answer_holds_up_one_at_a_time(mirror, monkeypatch):
    """Whoever asks meanwhile gets what is known, and that it could not be read."""
    url = mirror.list(mirror.voice("a"))
    now = [0.0]
    index = VoiceIndex([url], 5.0, clock=lambda: now[0])
    assert ids(index) == ["a"]
    now[0] = 4000.0
    waiting, go_on = threading.Event(), threading.Event()

    def hang(handler, data):
        waiting.set()
        go_on.wait(10)
        mirror.send(handler, data)

    mirror.always["autovoice-voices.json"] = hang
    first = threading.Thread(target=index.all)
    first.start()
    assert waiting.wait(10)
    assert ids(index) == ["a"]  # at once
    assert first.is_alive()
    go_on.set()
    first.join(10)
    monkeypatch.setattr("auto_voice.voices.index.LIST_S", 0.0)
    now[0] = 9000.0
    assert "too slowly" in index.all().faults[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json",
        b"[]",
        b'"text"',
        b'{"format": "autovoice-voices/9", "voices": []}',
        b'{"format": "autovoice-voices/1"}',
        b"[" * 100_000,
        b'{"x": {"key": "x"}}',
    ],
)
def test_what_is_no_list_is_told(data):
    with pytest.raises(InvalidVoiceIndex):
        parse(data, beside("https://host/"), "here")


def entry(**changes):
    made = {
        "id": "a",
        "engine": "piper",
        "model": {"url": "a.onnx"},
        "config": {"url": "a.onnx.json"},
    }
    return {**made, **changes}


@pytest.mark.parametrize(
    "bad",
    [
        entry(id="../a"),
        entry(id=".a"),
        entry(id="a/b"),
        entry(config=None),
        entry(archive={"url": "x"}),
        entry(model={"url": "../a.onnx"}),
        entry(model={"url": "/etc/passwd"}),
        entry(model={"url": "file:///etc/passwd"}),
        entry(model={"url": "ftp://host/a"}),
        entry(model={"url": "http://host/a"}),
        entry(model={"url": "a.onnx", "sha256": "0"}),
        entry(model={"url": "a.onnx", "size_bytes": -1}),
        entry(card="file:///etc/passwd"),
        "text",
        None,
    ],
)
def test_an_entry_that_makes_no_sense_is_left_out(bad):
    """A list on the network reaches no file of this machine, and never leaves https."""
    data = json.dumps({"format": FORMAT, "voices": [bad, entry(id="good")]}).encode()
    found = parse(data, beside("https://host/list.json"), "here")
    assert [offer.id for offer in found] == ["good"]


def test_a_list_in_a_folder_stays_in_the_folder(tmp_path):
    listed = {"format": FORMAT, "voices": [entry(model={"url": "../../etc/passwd"}), entry(id="b")]}
    (tmp_path / "autovoice-voices.json").write_text(json.dumps(listed))
    index = VoiceIndex([str(tmp_path)], 1.0)
    assert ids(index) == ["b"]


def test_a_list_without_an_end_is_not_read_to_it(mirror, monkeypatch):
    monkeypatch.setattr("auto_voice.voices.index.MAX_BYTES", 1000)
    mirror.files["x.json"] = b" " * 2000
    assert "more than 1000" in VoiceIndex([mirror.base + "x.json"], 1.0).all().faults[0]


def test_sources_are_words_paths_and_urls():
    assert sources("builtin, /srv/voices,https://a/b/ ") == [BUILTIN, "/srv/voices", "https://a/b/"]
    for wrong in ("voices", "ftp://host/", "./x", "gopher://x", "https://me:secret@host/"):
        with pytest.raises(ValueError):
            sources(wrong)
