"""Listings, health, documentation and errors, asked over real connections."""

import re

import pytest
import requests

from tests.integration.pools import in_workers
from tests.integration.serving import (
    SENTENCE,
    SPEECH,
    TEXT,
    assert_error,
    metric_sum,
    until,
)

# --- listings -------------------------------------------------------------------------------------


def test_voices_have_what_a_client_chooses_by(server):
    """Open WebUI reads `voice["id"]`; people want language, gender and a name."""
    answer = server.get("/v1/audio/voices")
    assert answer.status_code == 200
    voices = answer.json()["voices"]
    assert len(voices) > 100
    assert len({voice["id"] for voice in voices}) == len(voices)
    for voice in voices:
        assert {"id", "name", "language", "gender", "engine", "sample_rate"} <= set(voice)
        assert voice["engine"] == "espeak"
        assert voice["sample_rate"] == 22050
        assert voice["gender"] in (None, "female", "male")
    assert {"en-us", "en-gb", "de", "fr-fr", "ru"} <= {voice["id"] for voice in voices}


def ids(server, **query):
    answer = server.get("/v1/audio/voices", params=query)
    assert answer.status_code == 200, answer.text
    return [voice["id"] for voice in answer.json()["voices"]]


def test_voices_are_filtered_by_language(server):
    """A language finds its regions, a region only itself, and case does not matter."""
    english = ids(server, language="en")
    assert {"en-us", "en-gb"} <= set(english)
    assert all(voice.startswith("en") for voice in english)
    assert ids(server, language="EN_US") == ids(server, language="en-us")
    assert "en-gb" not in ids(server, language="en-us")
    assert ids(server, language="xx") == []


def test_voices_are_filtered_by_gender_engine_and_words(server):
    """All filters have to match at once."""
    women = ids(server, variants="true", gender="female", language="de")
    assert women and all(voice.startswith("de+") for voice in women)
    assert ids(server, engine="piper") == []
    assert ids(server, engine="espeak") == ids(server)
    assert "de" in ids(server, q="german")


def test_variants_are_listed_when_asked_for(server):
    """And not otherwise: there are a hundred for each voice."""
    assert not [voice for voice in ids(server) if "+" in voice]
    assert "de+f3" in ids(server, variants="true", language="de")


@pytest.mark.parametrize(
    "query",
    [
        "gender=neutral",
        "gender=null",
        "gender=",
        "variants=perhaps",
        "variants=1",
        "variants=null",
        "variants=True",
        "variants=",
        "language=" + "x" * 51,
        "q=" + "x" * 101,
    ],
)
def test_a_wrong_filter_is_an_error_that_names_it(server, query):
    """A filter that is not understood is not simply left out."""
    error = assert_error(server.get(f"/v1/audio/voices?{query}"), 400)
    assert error["param"] == query.split("=")[0]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("alloy", "en-us"),
        ("nova", "en-us+f3"),
        ("de+f3", "de+f3"),
        ("de%2Bf3", "de+f3"),
        ("en_us", "en-us"),
    ],
)
def test_a_voice_is_described_whatever_it_is_called(server, name, found):
    """An id, an alias, another spelling: the answer is the voice itself."""
    answer = server.get(f"/v1/audio/voices/{name}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == found


def test_voices_tell_their_aliases(start):
    """OpenAI's names by default, or whatever the settings say."""

    def aliases(server, **query):
        voices = server.get("/v1/audio/voices", params=query).json()["voices"]
        return {voice["id"]: voice["aliases"] for voice in voices if voice["aliases"]}

    server = start(engine="stub")
    assert aliases(server) == {"en-us": ["alloy"]}
    server = start(engine="stub", voice_aliases="narrator=en-us,Reader=EN_US,lost=nowhere")
    assert aliases(server, q="reader") == {"en-us": ["narrator", "Reader"]}
    assert server.get("/v1/audio/voices/narrator").json()["aliases"] == ["narrator", "Reader"]


@pytest.mark.parametrize("name", ["Alloy", "NOVA", "alloy+f3"])
def test_an_alias_is_found_like_any_other_name(server, name):
    """Letter case does not matter, and a variant may follow, as with an id."""
    assert server.get(f"/v1/audio/voices/{name}").status_code == 200


@pytest.mark.parametrize(
    ("name", "near"), [("aloy", "alloy"), ("german", "de"), ("en-u", "en-us"), ("de+f33", "de+f3")]
)
def test_an_unknown_voice_is_an_error_with_near_matches(server, name, near):
    """Never another voice instead."""
    error = assert_error(server.get(f"/v1/audio/voices/{name}"), 404, "voice_not_found")
    assert error["param"] == "voice"
    assert re.search(rf"Near matches: .*\b{re.escape(near)}\b", error["message"])
    error = assert_error(server.speak(voice=name), 404, "voice_not_found")
    assert error["param"] == "voice"
    assert near in error["message"]


def test_models_are_listed_in_both_shapes(server):
    """OpenAI's, and the one that Open WebUI reads; both name the same models."""
    body = server.get("/v1/models").json()
    assert body["object"] == "list"
    names = [model["id"] for model in body["data"]]
    assert {"tts-1", "tts-1-hd", "gpt-4o-mini-tts"} <= set(names)
    for model in body["data"]:
        assert model["object"] == "model"
        assert model["owned_by"] == "autovoice"
        assert isinstance(model["created"], int)
    assert server.get("/v1/audio/models").json() == {"models": [{"id": name} for name in names]}


def test_a_model_is_described_or_not_found(server):
    assert server.get("/v1/models/tts-1").json()["id"] == "tts-1"
    assert_error(server.get("/v1/models/tts-2"), 404, "model_not_found")
    assert_error(server.speak(model="tts-2"), 404, "model_not_found")


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd", "gpt-4o-mini-tts", "espeak"])
def test_every_listed_model_speaks(server, model):
    assert server.speak(model=model).status_code == 200


# --- health and documentation ---------------------------------------------------------------------


def test_health_tells_of_every_part(server):
    """In the shape of draft-inadarei-api-health-check."""
    answer = server.get("/health")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/health+json"
    body = answer.json()
    assert body["status"] == "pass"
    assert "engine:espeak" in body["checks"]
    for checks in body["checks"].values():
        assert [check["status"] for check in checks] == ["pass"]


def test_a_healthy_server_is_alive_and_ready(server):
    assert server.get("/health/live").json() == {"status": "pass"}
    assert server.get("/health/ready").json() == {"ready": True, "reasons": [], "degraded": []}


def test_a_server_is_ready_only_once_its_engine_has_spoken(start):
    """Not before: who is sent here then would wait."""
    server = start(wait=False)
    seen = []

    def look():
        answer = server.get("/health/ready")
        # In this order: what is ready now has been ready since, but not before.
        ready = metric_sum(server.get("/metrics").text, "autovoice_engine_ready")
        seen.append((answer.status_code, answer.json()["ready"], answer.json()["reasons"]))
        if answer.status_code == 200:
            assert ready == 1
            assert server.metric("autovoice_engine_last_success_timestamp_seconds") > 0
        return answer.status_code == 200

    until(look, "the server is ready")
    for status, ready, reasons in seen:
        assert (status, ready, bool(reasons)) in ((200, True, False), (503, False, True))


def test_a_server_whose_engine_lacks_a_package_says_which(start, monkeypatch, tmp_path):
    """What to install is in the reasons, where an operator looks first."""
    in_workers(tmp_path, monkeypatch, "import sys; sys.modules['espeakng_loader'] = None")
    server = start(wait=False)

    def reason():
        answer = server.get("/health/ready")
        assert answer.status_code == 503
        (said,) = answer.json()["reasons"]
        return said if "pip install" in said else ""

    said = until(reason, "the engine has been tried")
    assert said.startswith("engine:espeak: no worker is ready: ")
    assert "pip install espeakng-loader" in said
    (check,) = server.get("/health").json()["checks"]["engine:espeak"]
    assert "pip install espeakng-loader" in check["output"]


def test_the_documentation_page_needs_nothing_from_elsewhere(server):
    """It works without a network: no address but the server's own is in it."""
    answer = server.get("/docs")
    assert answer.headers["Content-Type"].startswith("text/html")
    page = answer.text
    own = {f"http://127.0.0.1:{server.port}"}
    assert {url for url in re.findall(r"\w+://[^/\s\"'<]+", page)} <= own
    assert not re.search(r"""(?:src|href)\s*=\s*["']//""", page)
    assert not re.search(r"@import|url\(", page)
    for path in server.get("/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page
    for field in ("input", "voice", "response_format", "speed", "sample_rate"):
        assert f"<code>{field}</code>" in page


def test_the_root_is_a_page(server):
    """It leads on to the others."""
    answer = server.get("/", allow_redirects=False)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    for path in ("docs", "status"):
        assert f'href="{path}"' in answer.text


def test_the_documentation_page_does_not_repeat_what_a_client_makes_up(server):
    """The Host header is on the page, but as text."""
    page = server.get("/docs", headers={"Host": "<script>alert(1)</script>"})
    assert "<script>alert" not in page.text


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/audio", "/v1/audio/speech/more", "/v1/audio/voices/a/b"]
)
def test_what_is_not_there_is_an_error_in_openais_shape(server, path):
    assert_error(server.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", SPEECH, "POST"),
        ("PUT", SPEECH, "POST"),
        ("DELETE", "/v1/models", "GET"),
        ("POST", "/v1/models", "GET"),
        ("PATCH", "/v1/audio/voices", "GET"),
        ("POST", "/health", "GET"),
        ("POST", "/metrics", "GET"),
        ("BREW", "/docs", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(server, method, path, allowed):
    answer = server.request(method, path)
    assert_error(answer, 405, "method_not_allowed")
    assert allowed in answer.headers["Allow"].split(", ")
    assert method not in answer.headers["Allow"].split(", ")


def test_text_that_is_too_long_says_how_long_it_may_be(server):
    """OpenAI's own limit is the default."""
    assert server.speak("a" * 4096, speed=4.0).status_code == 200
    error = assert_error(server.speak("a" * 4097), 400, "input_too_long")
    assert error["param"] == "input"
    assert "4096" in error["message"]


def test_length_is_counted_in_characters_not_bytes(server):
    """Text that needs four bytes a character, or six as an escape, gets no less of it."""
    body = '{"input": "%s", "voice": "ru", "response_format": "pcm"}'
    for character in ("я", "\\u044f", "\U0001f600"):
        answer = server.request(
            "POST",
            SPEECH,
            data=(body % (character * 4096)).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("text", ["", " ", "\n\t \r\n", "\u2003\u00a0"])
def test_a_text_without_anything_is_an_error(server, text):
    error = assert_error(server.speak(text), 400)
    assert error["param"] == "input"


def test_an_error_names_the_field(server):
    for field, value in (("speed", 5), ("response_format", "ogg"), ("sample_rate", 1)):
        assert assert_error(server.speak(**{field: value}), 400)["param"] == field
    error = assert_error(server.request("POST", SPEECH, json={"voice": "alloy"}), 400)
    assert error["param"] == "input"


def test_a_voice_reference_is_checked_like_a_voice(server):
    """`{"id": …}` is another spelling, not another way around the checks."""
    assert server.speak(voice={"id": "de"}).headers["X-Voice"] == "de"
    assert_error(server.speak(voice={"id": "nobody"}), 404, "voice_not_found")
    for wrong in ({}, {"id": None}, {"id": 1}, {"id": ""}, {"name": "de"}, ["de"]):
        assert assert_error(server.speak(voice=wrong), 400)["param"] == "voice"


def test_a_sample_rate_that_a_format_cannot_have_is_an_error(server):
    error = assert_error(server.speak(response_format="opus", sample_rate=22050), 400)
    assert error["param"] == "sample_rate"
    assert "24000" in error["message"]


def test_unknown_fields_are_ignored(server):
    """Clients send fields of their own, and OpenAI adds some."""
    assert server.speak(user="somebody", seed=[1, {"a": None}]).status_code == 200


@pytest.mark.parametrize(
    "field",
    [
        {"ssml": "yes"},
        {"timestamps": "sentence"},
        {"timestamps": ["word"]},
        {"lexicon": {"tomato": "t@m'A:toU"}},
        {"lexicon": ["a"] * 9},
        {"normalize": "no"},
        {"pitch": 2.5},
        {"stream_format": "xml"},
    ],
    ids=str,
)
def test_a_field_that_is_not_understood_is_an_error(server, field):
    """Rather than speaking as if nobody had asked."""
    error = assert_error(server.speak(**field), 400, "invalid_value")
    (name,) = field
    assert error["param"] == name


def test_a_field_that_asks_for_nothing_is_no_trouble(server):
    """Clients write their defaults out."""
    nothing = {"ssml": None, "timestamps": None, "lexicon": None, "normalize": None}
    assert server.speak(**nothing).status_code == 200
    written = {"ssml": False, "timestamps": "none", "lexicon": "", "normalize": True, "pitch": 1}
    assert server.speak(**written, instructions="Speak like a pirate.").status_code == 200
    assert server.speak(lexicon=[]).status_code == 200


def test_the_default_voice_speaks_where_none_is_named(server):
    answer = server.request("POST", SPEECH, json={"input": SENTENCE, "response_format": "wav"})
    assert answer.headers["X-Voice"] == "en-us"
    assert answer.content == server.speak(voice="alloy").content


def test_speed_changes_the_pace(server):
    """And by as much as asked for."""
    seconds = {
        speed: float(server.speak(speed=speed).headers["X-Audio-Duration-Seconds"])
        for speed in (0.5, 1.0, 2.0)
    }
    assert 1.7 < seconds[0.5] / seconds[1.0] < 2.3
    assert 1.7 < seconds[1.0] / seconds[2.0] < 2.3


# --- ids ------------------------------------------------------------------------------------------

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def assert_continues(traceparent):
    """It is in the same trace, and a span of the server's own."""
    version, trace_id, span_id, flags = traceparent.split("-")
    assert (version, trace_id, flags) == ("00", TRACE.split("-")[1], "01")
    assert re.fullmatch("[0-9a-f]{16}", span_id) and span_id != TRACE.split("-")[2]


@pytest.mark.parametrize("path", ["/v1/models", "/nothing", "/health/live"])
def test_ids_come_back(server, path):
    """A client finds its request in our log by the id it gave."""
    headers = {"X-Request-ID": "mine-1234", "traceparent": TRACE}
    answer = server.get(path, headers=headers)
    assert answer.headers["X-Request-ID"] == "mine-1234"
    assert_continues(answer.headers["traceparent"])


def test_speech_carries_its_ids(server):
    headers = {"X-Request-ID": "mine-5678", "traceparent": TRACE}
    for text in (SENTENCE, TEXT, ""):
        answer = server.speak(text, headers=headers)
        assert answer.headers["X-Request-ID"] == "mine-5678"
        assert_continues(answer.headers["traceparent"])


def test_a_request_without_an_id_gets_one(server):
    given = {server.get("/v1/models").headers["X-Request-ID"] for _ in range(20)}
    assert len(given) == 20
    traces = {server.get("/v1/models").headers["traceparent"].split("-")[1] for _ in range(20)}
    assert len(traces) == 20


@pytest.mark.parametrize("bad", ["a b", "x" * 129, '"quoted"', "tab\there", "<b>", "{}", "\xe9"])
def test_an_id_that_could_forge_a_line_is_replaced(server, bad):
    answer = server.get("/v1/models", headers={"X-Request-ID": bad.encode("latin-1")})
    assert answer.status_code == 200
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["X-Request-ID"])


@pytest.mark.parametrize("bad", ["00-xyz-1-01", TRACE.upper(), TRACE + "-00", "00"])
def test_a_traceparent_that_is_none_begins_a_new_trace(server, bad):
    answer = server.get("/v1/models", headers={"traceparent": bad})
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-02", answer.headers["traceparent"])
    assert TRACE.split("-")[1] not in answer.headers["traceparent"]


def test_head_answers_as_get_without_the_body(server):
    with requests.Session() as session:
        session.trust_env = False
        for path in ("/health/live", "/v1/models", "/openapi.json", "/nothing"):
            got = session.get(server.base + path)
            head = session.head(server.base + path)
            assert head.status_code == got.status_code
            assert head.content == b""
            for name in ("Content-Type", "Content-Length"):
                assert head.headers[name] == got.headers[name]


def test_every_voice_that_is_listed_speaks(server):
    """A voice without its dictionary would be a silent one; the list promises more."""
    silent = []
    for voice in ids(server):
        answer = server.speak("mama papa lala", voice=voice, response_format="pcm")
        assert answer.status_code == 200, (voice, answer.text)
        assert answer.headers["X-Voice"] == voice
        if not any(answer.content):
            silent.append(voice)
    assert silent == []
